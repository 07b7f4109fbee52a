/* test_amend.c - what is added to a submitted message and what is taken away, at every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_memory.h"
#include "base/buffer.h"
#include "mail/amend.h"

#include <stdio.h>
#include <string.h>

static bool memory_is_gone;

static bool fails(void)
{
    return memory_is_gone;
}

#define DATE "Date: Sat, 21 Nov 2026 07:41:27 +0000\r\n"
#define FROM "From: bob@example.org\r\n"
#define ID   "Message-ID: <M1@mx.example.org>\r\n"
#define ALL  DATE FROM ID
/* What a message says that lacks nothing. */
#define HAS  "Date: d\r\nFrom: a@b\r\nMessage-ID: <i>\r\n"

static const struct amend_values values = {
    .date = TEXT("Sat, 21 Nov 2026 07:41:27 +0000"),
    .from = TEXT("bob@example.org"),
    .message_id = TEXT("<M1@mx.example.org>"),
};

static const struct {
    const char *what, *in, *out;
} cases[] = {
    { "nothing at all", "", ALL },
    { "no header but its end", "\r\nhello\r\n", ALL "\r\nhello\r\n" },
    { "neither header nor its end", "hello\r\n", ALL "\r\nhello\r\n" },
    { "only the end", "\r\n", ALL "\r\n" },
    { "bare line feeds", "\nhello\n", ALL "\nhello\n" },
    { "all is there", HAS "\r\nhi\r\n", HAS "\r\nhi\r\n" },
    { "in any case", "DATE : d\r\nfrom: a\r\nmessage-Id: i\r\n\r\n",
      "DATE : d\r\nfrom: a\r\nmessage-Id: i\r\n\r\n" },
    { "only Date is missing", "From: a@b\r\nMessage-ID: i\r\n\r\nx\r\n",
      "From: a@b\r\nMessage-ID: i\r\n" DATE "\r\nx\r\n" },
    { "only From is missing", "Date: d\r\nMessage-ID: i\r\n\r\nx\r\n",
      "Date: d\r\nMessage-ID: i\r\n" FROM "\r\nx\r\n" },
    { "only Message-ID is missing", "Date: d\r\nFrom: a@b\r\n\r\nx\r\n",
      "Date: d\r\nFrom: a@b\r\n" ID "\r\nx\r\n" },
    { "the body does not count", "Subject: s\r\n\r\n" HAS, "Subject: s\r\n" ALL "\r\n" HAS },
    { "similar names", "Dates: d\r\nFro: a\r\nX-From: a\r\nMessage-IDs: i\r\n\r\n",
      "Dates: d\r\nFro: a\r\nX-From: a\r\nMessage-IDs: i\r\n" ALL "\r\n" },
    { "a header without a body", HAS "Subject: s\r\n", HAS "Subject: s\r\n" },
    { "likewise, and fields are missing", "Subject: s\r\n", "Subject: s\r\n" ALL },
    { "a last line without its end", "Subject: s", "Subject: s\r\n" ALL },
    { "a name without its colon", "Subject", ALL "\r\nSubject" },
    { "Bcc", HAS "Bcc: x@y\r\nTo: z\r\n\r\nhi\r\n", HAS "To: z\r\n\r\nhi\r\n" },
    { "Bcc, folded, twice",
      "bcc: x@y,\r\n z@y\r\n \r\n\tw@y\r\n" HAS
      "BCC :\r\nResent-Bcc: q\r\nTo: z\r\n\tt\r\n\r\nBcc: hi\r\n",
      HAS "To: z\r\n\tt\r\n\r\nBcc: hi\r\n" },
    { "Bcc and nothing else", "Bcc: x@y\r\n", ALL },
    { "Bcc without its end", HAS "Bcc: x", HAS },
    { "a line that is no field", HAS "oops\r\nFrom: c@d\r\n", HAS "\r\noops\r\nFrom: c@d\r\n" },
    { "a first line that is folded", " x\r\n" HAS, ALL "\r\n x\r\n" HAS },
    { "an empty name", ": x\r\n", ALL "\r\n: x\r\n" },
    { "two words before the colon", "a b: x\r\n", ALL "\r\na b: x\r\n" },
    { "a bare CR first", "\rFrom: x\r\n", ALL "\r\n\rFrom: x\r\n" },
    { "an octet over 0x7F in a name", "Fr\xc3\xb6m: x\r\n", ALL "\r\nFr\xc3\xb6m: x\r\n" },
    { "the first line of an mbox", "From bob Sat Nov 21\r\n" HAS "\r\nx\r\n", HAS "\r\nx\r\n" },
    { "likewise, quoted", ">From \r\n" HAS "\r\nx\r\n", HAS "\r\nx\r\n" },
    { "... and only the first", "From a\r\nFrom b\r\n", ALL "\r\nFrom b\r\n" },
    { "... and not in the header", HAS "From bob\r\n", HAS "\r\nFrom bob\r\n" },
    { "nothing but an mbox line", "From ", ALL },
};

static void drain(struct amend *a, struct bytes in, struct buffer *to)
{
    struct bytes out;
    while (amend_next(a, &in, &out)) {
        assert_true(out.len > 0);
        assert_true(buffer_append(to, out.at, out.len));
    }
    assert_int_equal(in.len, 0);
}

/* In three pieces, each of which may be empty. */
static void pass(struct amend *a, struct text in, size_t first, size_t second, struct buffer *to)
{
    amend_init(a, &values);
    drain(a, bytes_of_text(text_first(in, first)), to);
    drain(a, bytes_of_text(text_first(text_skip(in, first), second)), to);
    drain(a, bytes_of_text(text_skip(in, first + second)), to);
    amend_end(a);
    drain(a, (struct bytes){ 0 }, to);
}

static void run(struct amend *a, struct text in, size_t first, size_t second, struct buffer *to)
{
    buffer_clear(to);
    pass(a, in, first, second, to);
}

static void test_cases_at_every_cut(void **state)
{
    (void)state;
    struct amend a;
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text in = text_of(cases[i].in);
        for (size_t first = 0; first <= in.len; first++) {
            for (size_t second = 0; second <= 2; second++) {
                run(&a, in, first, second, &out);
                if (!text_equal(buffer_as_text(&out), text_of(cases[i].out)))
                    fail_msg("%s, cut at %zu: %.*s", cases[i].what, first,
                             TEXT_ARGS(buffer_as_text(&out)));
            }
        }
    }
    buffer_clear(&out);
}

/* Memory cannot be short for it: it takes none. */
static void test_without_memory(void **state)
{
    (void)state;
    static uint8_t room[64 * 1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct amend a;
        struct buffer out = buffer_over(room, sizeof room);
        memory_is_gone = true;
        pass(&a, text_of(cases[i].in), 1, 1, &out);
        memory_is_gone = false;
        assert_true(text_equal(buffer_as_text(&out), text_of(cases[i].out)));
    }
}

/* A second pass finds nothing to do. */
static void test_twice_is_once(void **state)
{
    (void)state;
    struct amend a;
    struct buffer once, twice;
    buffer_init(&once, 64 * 1024);
    buffer_init(&twice, 64 * 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&a, text_of(cases[i].in), 0, 0, &once);
        run(&a, buffer_as_text(&once), 0, 0, &twice);
        assert_true(text_equal(buffer_as_text(&once), buffer_as_text(&twice)));
    }
    buffer_clear(&once);
    buffer_clear(&twice);
}

static void test_author(void **state)
{
    (void)state;
    static const struct {
        const char *in, *value;
        unsigned fields;
    } authors[] = {
        { "Subject: s\r\n", "", 0 },
        { "From: a@b\r\n", " a@b", 1 },
        { "from : \"a\r\n b\"\r\n\t<a@b>\r\nTo: c\r\n", " \"a b\"\t<a@b>", 1 },
        { "From: a@b\r\nX: y\r\nFrom:\r\n c@d\r\n", " a@b", 2 },
        { "\r\nFrom: a@b\r\n", "", 0 },
        { "From:\r\n", "", 1 },
    };
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    for (size_t i = 0; i < sizeof authors / sizeof *authors; i++) {
        struct text in = text_of(authors[i].in);
        for (size_t cut = 0; cut <= in.len; cut++) {
            struct amend a;
            run(&a, in, cut, 1, &out);
            struct amend_author author = amend_author(&a);
            assert_int_equal(author.fields, authors[i].fields);
            assert_true(text_equal(author.value, text_of(authors[i].value)));
            assert_false(author.too_long);
        }
    }
    buffer_clear(&out);
}

/* Names and values of any length pass; what is kept of them has a limit. */
static void test_limits(void **state)
{
    (void)state;
    enum { LONG = 5000 };
    static char in[2 * LONG];
    struct amend a;
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    static const int lengths[] = { 128, 132, 997, 998 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        snprintf(in, sizeof in, "%0*d: v\r\n\r\n", lengths[i], 0);
        run(&a, text_of(in), 0, 0, &out);
        bool field = out.at[0] == '0'; /* RFC 5322 2.1.1: with its colon, 998 octets on a line */
        assert_int_equal(field, lengths[i] < 998);
    }
    for (int octets = AMEND_FROM_MAX; octets <= AMEND_FROM_MAX + 1; octets++) {
        snprintf(in, sizeof in, "From:%0*d\r\n\r\n", octets, 0);
        run(&a, text_of(in), 0, 0, &out);
        assert_int_equal(amend_author(&a).value.len, AMEND_FROM_MAX);
        assert_int_equal(amend_author(&a).too_long, octets > AMEND_FROM_MAX);
        assert_int_equal(out.len, strlen(in) + strlen(DATE ID));
    }
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_at_every_cut),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_twice_is_once),
        cmocka_unit_test(test_author),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
