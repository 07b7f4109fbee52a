/* test_compose.c - what is refused, how each kind of value is written, and when text flows.  That
 * other readers see in it what went in is compare_compose.py's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/compose.h"

#include <stdlib.h>
#include <string.h>

void *__wrap_realloc(void *, size_t);
void *__real_realloc(void *, size_t);

static int failing; /* this one from now on fails; 0: none does */

void *__wrap_realloc(void *at, size_t size)
{
    if (failing > 0 && --failing == 0)
        return NULL;
    return __real_realloc(at, size);
}

static const struct text to_bob = TEXT("bob@b.example");

/* What every case begins with. */
static struct compose plain(void)
{
    return (struct compose){
        .from = T("ann@a.example"),
        .to = &to_bob,
        .to_count = 1,
        .subject = T("s"),
        .date_ms = 0,
        .message_id = T("<1@a.example>"),
        .boundary = T("0123456789abcdef"),
        .text = T("hello\n"),
    };
}

static void check_error(const struct compose *c, const char *words)
{
    struct buffer b;
    struct error e = { 0 };
    buffer_init(&b, 1 << 20);
    assert_false(compose_write(c, sink_of_buffer(&b), &e));
    assert_int_equal(e.kind, ERROR_USAGE);
    assert_int_equal(b.len, 0);
    if (!strstr(e.words, words))
        fail_msg("\"%s\" does not say \"%s\"", e.words, words);
}

static void test_refused_people(void **state)
{
    (void)state;
    static const struct {
        struct text people;
        const char *words;
    } cases[] = {
        { TEXT("a@b\r\nBcc: x@y"), "line end" },     { TEXT("\"a\nb\" <a@b>"), "line end" },
        { TEXT("a\x1B[2J@b"), "control character" }, { TEXT("root"), "no mail address" },
        { TEXT("a@b, c d"), "no mail address" },     { TEXT("a@b c@d"), "no mail address" },
        { TEXT("\xE4 <a@b>"), "not UTF-8" },         { TEXT("\xC3\xBC@b"), "SMTPUTF8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct compose c = plain();
        c.to = &cases[i].people;
        check_error(&c, cases[i].words);
        c.cc = c.to;
        c.cc_count = c.to_count;
        c.to_count = 0;
        check_error(&c, cases[i].words);
        c = plain();
        c.from = cases[i].people;
        check_error(&c, cases[i].words);
    }
    struct compose c = plain();
    c.from = T("");
    check_error(&c, "From wants one");
    c.from = T("a@b, c@d");
    check_error(&c, "From wants one");
}

static void test_refused_values(void **state)
{
    (void)state;
    static const struct compose_field extras[] = {
        { TEXT("Bcc"), TEXT("a@b") },     { TEXT("content-type"), TEXT("x/y") },
        { TEXT("Subject"), TEXT("x") },   { TEXT("A B"), TEXT("x") },
        { TEXT("A:B"), TEXT("x") },       { TEXT(""), TEXT("x") },
        { TEXT("A\r\nB"), TEXT("x") },    { TEXT("X-A"), TEXT("a\nBcc: b") },
        { TEXT("X-A"), TEXT("a\rb") },    { TEXT("X-A"), TEXT("a\x7F") },
        { TEXT("X-\xC3\xA4"), TEXT("") },
    };
    for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
        struct compose c = plain();
        c.extra = &extras[i];
        c.extra_count = 1;
        check_error(&c, "");
    }
    struct compose c = plain();
    c.subject = T("a\r\nBcc: x@y");
    check_error(&c, "the subject has a line end");
    c.subject = T("a\nb");
    check_error(&c, "the subject has a line end");
    c.subject = T("a\xFF");
    check_error(&c, "the subject is not UTF-8");
    c = plain();
    c.message_id = T("<a@b> <c@d>");
    check_error(&c, "Message-ID");
    c = plain();
    c.text = T("\xE4");
    check_error(&c, "text is not UTF-8");
    c = plain();
    c.html = T("\xE4");
    check_error(&c, "HTML text is not UTF-8");
    const struct compose_file file = { .type = T("image/png\r\nX: y") };
    c = plain();
    c.files = &file;
    c.file_count = 1;
    check_error(&c, "media type");
}

static struct text compose(const struct compose *c, struct buffer *b)
{
    struct error e = { 0 };
    buffer_init(b, 1 << 20);
    if (!compose_write(c, sink_of_buffer(b), &e))
        fail_msg("%s", e.words);
    return buffer_as_text(b);
}

static void check_has(struct text message, const char *want)
{
    if (!memmem(message.at, message.len, want, strlen(want)))
        fail_msg("no \"%s\" in:\n%.*s", want, TEXT_ARGS(message));
}

static void test_people(void **state)
{
    (void)state;
    static const struct {
        struct text to;
        const char *want;
    } cases[] = {
        { TEXT("Bob <bob@B.example>"), "\r\nTo: Bob <bob@b.example>\r\n" },
        { TEXT(" bob@b.example ,, c@d "), "\r\nTo: bob@b.example, c@d\r\n" },
        { TEXT("Bob B. Cole <b@c>"), "\r\nTo: \"Bob B. Cole\" <b@c>\r\n" },
        { TEXT("\"Cole, \\\"B\\\"\" <b@c>"), "\r\nTo: \"Cole, \\\"B\\\"\" <b@c>\r\n" },
        { TEXT("J\xC3\xBCrgen <b@c>"), "\r\nTo: =?UTF-8?Q?J=C3=BCrgen?= <b@c>\r\n" },
        { TEXT("=?utf-8?q?x?= <b@c>"), "\r\nTo: =?UTF-8?B?PT91dGYtOD9xP3g/PQ==?= <b@c>\r\n" },
        { TEXT("team: a@b, c@d;"), "\r\nTo: a@b, c@d\r\n" },
        { TEXT("<\"a b\"@c>"), "\r\nTo: \"a b\"@c\r\n" },
        { TEXT("a@b\xC3\xBC"
               "cher.example"),
          "\r\nTo: a@xn--bcher-kva.example\r\n" },
        { TEXT(""), "\r\nTo: undisclosed-recipients:;\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        struct compose c = plain();
        c.to = &cases[i].to;
        check_has(compose(&c, &b), cases[i].want);
        buffer_clear(&b);
    }
}

static void test_smtputf8(void **state)
{
    (void)state;
    static const struct text to = TEXT("J\xC3\xBCrgen <j\xC3\xBC@c>");
    struct buffer b;
    struct compose c = plain();
    assert_false(compose_needs_smtputf8(&c));
    c.smtputf8 = true;
    assert_false(compose_needs_smtputf8(&c));
    c.to = &to;
    assert_true(compose_needs_smtputf8(&c));
    check_has(compose(&c, &b), "\r\nTo: =?UTF-8?Q?J=C3=BCrgen?= <j\xC3\xBC@c>\r\n");
    buffer_clear(&b);
}

static void test_subjects(void **state)
{
    (void)state;
    static const struct {
        struct text subject;
        const char *want;
    } cases[] = {
        { TEXT(""), "\r\nSubject:\r\n" },
        { TEXT("a b"), "\r\nSubject: a b\r\n" },
        { TEXT("a  b"), "\r\nSubject: =?UTF-8?Q?a__b?=\r\n" },
        { TEXT("a\tb"), "\r\nSubject: =?UTF-8?B?YQli?=\r\n" },
        { TEXT("a =?x"), "\r\nSubject: =?UTF-8?B?YSA9P3g=?=\r\n" },
        { TEXT("1 = 2?"), "\r\nSubject: 1 = 2?\r\n" },
        { TEXT("one two three four five six seven eight nine ten eleven twelve thirteen"),
          "\r\nSubject: one two three four five six seven eight nine ten eleven twelve\r\n"
          " thirteen\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        struct compose c = plain();
        c.subject = cases[i].subject;
        check_has(compose(&c, &b), cases[i].want);
        buffer_clear(&b);
    }
}

#define LONG                                                                                       \
    "this line of ordinary words is longer than the seventy-eight octets that a line should have"

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *want;
        bool base64;
    } cases[] = {
        { TEXT(""), "charset=\"us-ascii\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n", false },
        { TEXT("a\r\nb"), "Content-Transfer-Encoding: 7bit\r\n\r\na\r\nb\r\n", false },
        { TEXT(LONG "\n"),
          "charset=\"us-ascii\"; format=\"flowed\"\r\nContent-Transfer-Encoding: 7bit\r\n", false },
        { TEXT("  " LONG "\n"), "us-ascii\"\r\nContent-Transfer-Encoding: quoted-printable",
          false },
        { TEXT("From me\n"), "quoted-printable\r\n\r\n=46rom me\r\n", false },
        { TEXT("a\rb\n"), "quoted-printable\r\n\r\na=0Db\r\n", false },
        { TEXT("-- 0123456789abcdef\n"), "quoted-printable\r\n\r\n=2D- 0123456789abcdef\r\n",
          false },
        { TEXT("sch\xC3\xB6n und gut\n"),
          "charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
          "sch=C3=B6n und gut\r\n",
          false },
        { TEXT("\xE6\xBC\xA2\xE5\xAD\x97\n"),
          "charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n5ryi5a2XDQo=\r\n", false },
        { TEXT("hello"),
          "charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8NCg==\r\n", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer b;
        struct compose c = plain();
        c.text = cases[i].text;
        c.force_base64 = cases[i].base64;
        check_has(compose(&c, &b), cases[i].want);
        buffer_clear(&b);
    }
}

/* A file of three octets, given one by one; or one that cannot be read. */
static bool read_octet(void *context, uint8_t *to, size_t room, size_t *len_out, struct error *e)
{
    int *left = context;
    assert_true(room > 0);
    if (*left < 0)
        return error_set(e, ERROR_REFUSED, "it is gone");
    *len_out = *left > 0;
    *to = 'x';
    *left -= *left > 0;
    return true;
}

static void test_files(void **state)
{
    (void)state;
    int left = 3;
    struct buffer b;
    struct compose_file file = { .name = T("a.PDF"), .context = &left, .read = read_octet };
    struct compose c = plain();
    c.files = &file;
    c.file_count = 1;
    check_has(compose(&c, &b), "\r\n--=_m0123456789abcdef\r\n"
                               "Content-Type: application/pdf\r\n"
                               "Content-Transfer-Encoding: base64\r\n"
                               "Content-Disposition: attachment; filename=\"a.PDF\"\r\n"
                               "\r\n"
                               "eHh4\r\n"
                               "--=_m0123456789abcdef--\r\n");
    buffer_clear(&b);
    file.name = T("a.eml"); /* RFC 2045 6.4 forbids to encode a message */
    check_has(compose(&c, &b), "Content-Type: application/octet-stream\r\n");
    buffer_clear(&b);
    left = -1;
    struct error e = { 0 };
    buffer_init(&b, 1 << 20);
    assert_false(compose_write(&c, sink_of_buffer(&b), &e));
    assert_string_equal(e.words, "it is gone");
    buffer_clear(&b);
}

static bool refuse(void *context, struct bytes octets, struct error *e)
{
    ++*(int *)context;
    assert_true(octets.len > 0);
    return error_set(e, ERROR_TEMPORARY, "the disk is full");
}

static void test_sink_fails(void **state)
{
    (void)state;
    int calls = 0, left = 200000;
    struct error e = { 0 };
    const struct compose_file file = { .context = &left, .read = read_octet };
    struct compose c = plain();
    c.files = &file;
    c.file_count = 1;
    assert_false(compose_write(&c, (struct sink){ &calls, refuse }, &e));
    assert_string_equal(e.words, "the disk is full");
    assert_int_equal(calls, 1);
}

/* Each allocation in turn fails: an error, nothing half written is called whole. */
static void test_memory(void **state)
{
    (void)state;
    static const struct text to = TEXT("J\xC3\xBCrgen <j@c>");
    int left = 3;
    const struct compose_file file = { .name = T("x"), .context = &left, .read = read_octet };
    struct compose c = plain();
    c.to = &to;
    c.html = T("<p>");
    c.files = &file;
    c.file_count = 1;
    for (int n = 1; n < 100; n++) {
        struct error e = { 0 };
        char room[8192];
        struct buffer b = buffer_over(room, sizeof room);
        failing = n;
        bool good = compose_write(&c, sink_of_buffer(&b), &e);
        bool hit = failing == 0;
        failing = 0;
        assert_int_equal(good, !hit);
        if (good)
            return;
        assert_int_equal(e.kind, ERROR_TEMPORARY);
    }
    fail_msg("it never came through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_people), cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_people),         cmocka_unit_test(test_smtputf8),
        cmocka_unit_test(test_subjects),       cmocka_unit_test(test_texts),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_sink_fails),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
