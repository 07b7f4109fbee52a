/* test_dsn.c - delivery status notifications: what holds for every report, and what a report says.
 * That other software reads them as meant is checked by read_reports.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "reports.h"

#include "mail/encode.h"

#include <string.h>

/* Calls of realloc() that still succeed. */
static unsigned reallocs_left = ~0u;

void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_realloc(void *at, size_t size)
{
    if (reallocs_left == 0)
        return NULL;
    reallocs_left--;
    return __real_realloc(at, size);
}

static void write_sample(const char *name, struct buffer *b)
{
    struct sample s;
    for (size_t i = 0; sample_report(i, &s); i++)
        if (strcmp(s.name, name) == 0) {
            buffer_init(b, dsn_octets_max(&s.report));
            assert_true(dsn_write(b, &s.report));
            return;
        }
    fail_msg("no sample %s", name);
}

static size_t count_lines(struct text rest, struct text want)
{
    struct text line;
    size_t count = 0;
    while (text_cut(&rest, '\n', &line))
        count += text_equal(line, want);
    return count;
}

static void test_every_line(void **state)
{
    (void)state;
    struct sample s;
    for (size_t i = 0; sample_report(i, &s); i++) {
        struct buffer b;
        buffer_init(&b, dsn_octets_max(&s.report));
        assert_true(dsn_write(&b, &s.report));
        struct text rest = buffer_as_text(&b), line;
        while (text_cut(&rest, '\n', &line)) {
            assert_true(line.len >= 1 && line.len <= 999);
            assert_int_equal(text_find(line, '\r'), line.len - 1);
            assert_int_equal(text_find(line, 0), line.len);
        }
        assert_int_equal(rest.len, 0);
        if (s.report.seven_bit)
            assert_true(text_is_ascii(buffer_as_text(&b)));
        assert_int_equal(count_lines(buffer_as_text(&b), T("--4Kq1Zr9t-f00dfeedf00dfeed--\r")), 1);
        buffer_clear(&b);
    }
}

static void test_short_of_room_and_memory(void **state)
{
    (void)state;
    struct sample s;
    for (size_t i = 0; sample_report(i, &s); i++) {
        struct buffer b;
        buffer_init(&b, dsn_octets_max(&s.report));
        assert_true(dsn_write(&b, &s.report));
        size_t whole = b.len;
        buffer_clear(&b);
        for (size_t max = 0; max < whole; max += 97) {
            buffer_init(&b, max);
            assert_false(dsn_write(&b, &s.report));
            assert_int_equal(b.len, 0);
            buffer_clear(&b);
        }
        buffer_init(&b, dsn_octets_max(&s.report));
        bool done = false;
        for (unsigned calls = 0; !done; calls++) {
            reallocs_left = calls;
            done = dsn_write(&b, &s.report);
            reallocs_left = ~0u;
            assert_int_equal(b.len, done ? whole : 0);
            buffer_clear(&b);
        }
    }
}

/* The part for people, as one that is short enough to be read here. */
static void test_words_for_people(void **state)
{
    (void)state;
    static const char want[] =
        "\r\n\r\n"
        "This is the mail system mx.example.org.\r\n"
        "\r\n"
        "Your message could not be delivered to:\r\n"
        "\r\n"
        "    bob@example.com\r\n"
        "        There is no such mailbox.\r\n"
        "        The server mx.example.com said:\r\n"
        "            550-5.1.1 <bob@example.com>: no such user here;\r\n"
        "            550 5.1.1 see https://example.com/help\r\n"
        "        What you can do: Check the address for a slip of the keyboard; ask\r\n"
        "        the recipient in another way for the right one.\r\n"
        "\r\n"
        "Your message came here on Sat, 21 Nov 2026 07:41:27 +0000 and is known as\r\n"
        "4Kq1Zr8s. Below are the details for mail programs, and the header of your\r\n"
        "message.\r\n"
        "\r\n"
        "If you need help, answer this report and leave it in your answer: that\r\n"
        "reaches the people who run this mail system.\r\n"
        "\r\n--";
    struct buffer b;
    write_sample("plain", &b);
    assert_non_null(memmem(b.at, b.len, want, sizeof want - 1));
    buffer_clear(&b);
}

static void test_fields_for_programs(void **state)
{
    (void)state;
    static const char want[] = "\r\n\r\n"
                               "Reporting-MTA: x-local-hostname; vm\r\n"
                               "Received-From-MTA: dns; bad?name???X??y\r\n"
                               "Arrival-Date: Sat, 21 Nov 2026 07:41:27 +0000\r\n"
                               "\r\n"
                               "Original-Recipient: unknown; no type at all\r\n"
                               "Final-Recipient: rfc822; \"a  (b\\\"\"@example.com\r\n"
                               "Action: failed\r\n"
                               "Status: 5.0.0\r\n"
                               "Remote-MTA: dns; mx.example.com\r\n"
                               "Diagnostic-Code: smtp; 550  two  spaces\r\n"
                               "Last-Attempt-Date: Sat, 21 Nov 2026 07:42:27 +0000\r\n"
                               "Final-Log-ID: 4Kq1Zr8s\r\n"
                               "\r\n--";
    struct buffer b;
    write_sample("odd_values", &b);
    if (!memmem(b.at, b.len, want, sizeof want - 1))
        fail_msg("%.*s", TEXT_ARGS(buffer_as_text(&b)));
    buffer_clear(&b);
}

static void test_original_recipient(void **state)
{
    (void)state;
    static const struct {
        const char *orcpt;
        bool global; /* may be UTF-8 */
        const char *want;
    } cases[] = {
        { "rfc822;Bob@Example.COM", false, "rfc822; Bob@Example.COM" },
        { "RFC822;a+2Bb+3D+20c", false, "RFC822; a+b= c" },
        { "rfc822;a+0Ab", false, "rfc822; a+0Ab" },
        { "rfc822;a b", false, "rfc822; a b" },
        { "rfc822;a\nb", false, "rfc822; a\\x0Ab" },
        { "x400;/G=a/S=b/", false, "x400; /G=a/S=b/" },
        { "rfc822;", false, "rfc822;" },
        { "nothing", false, "unknown; nothing" },
        { ";a", false, "unknown; ;a" },
        { "a(b;c", false, "unknown; a(b;c" },
        { "utf-8;\\x{7528}@b", true, "utf-8; \xE7\x94\xA8@b" },
        { "UTF-8;\xE7\x94\xA8@b", true, "utf-8; \xE7\x94\xA8@b" },
        { "utf-8;\\x{7528}@b", false, "utf-8; \\x{7528}@b" },
        { "utf-8;\xE7\x94\xA8@b", false, "utf-8; \\x{7528}@b" },
        { "utf-8;a\\x{2B}b@c", false, "utf-8; a\\x{2B}b@c" },
        { "utf-8;a\\x{2B}b@c", true, "utf-8; a+b@c" },
        { "utf-8;\\x{41}", true, "utf-8; \\x{41}" },
        { "utf-8;\xFF", false, "utf-8; \\xFF" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample s;
        assert_true(sample_report(0, &s));
        s.recipients[0].original_recipient = text_of(cases[i].orcpt);
        if (cases[i].global)
            s.recipients[0].final_recipient = T("\xC3\xBC@b");
        s.report.utf8 = true;
        s.report.seven_bit = !cases[i].global;
        struct buffer b, want;
        buffer_init(&b, dsn_octets_max(&s.report));
        buffer_init(&want, 1000);
        assert_true(dsn_write(&b, &s.report));
        assert_true(buffer_printf(&want, "\r\nOriginal-Recipient: %s\r\n", cases[i].want));
        if (!memmem(b.at, b.len, want.at, want.len))
            fail_msg("no %s in %.*s", cases[i].want, TEXT_ARGS(buffer_as_text(&b)));
        buffer_clear(&b);
        buffer_clear(&want);
    }
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        enum dsn_action action;
        const char *status, *want;
    } cases[] = {
        { DSN_FAILED, "5.1.10", "5.1.10" },   { DSN_FAILED, "4.4.1", "4.4.1" },
        { DSN_FAILED, "5.999.0", "5.999.0" }, { DSN_FAILED, "2.0.0", "5.0.0" },
        { DSN_FAILED, "", "5.0.0" },          { DSN_FAILED, "5.1", "5.0.0" },
        { DSN_FAILED, "5.1.1.1", "5.0.0" },   { DSN_FAILED, "5.01.1", "5.0.0" },
        { DSN_FAILED, "5.1000.1", "5.0.0" },  { DSN_FAILED, "5.1.1 ", "5.0.0" },
        { DSN_FAILED, "5..1", "5.0.0" },      { DSN_FAILED, "3.1.1", "5.0.0" },
        { DSN_FAILED, "5.1.1\n", "5.0.0" },   { DSN_DELAYED, "x", "4.0.0" },
        { DSN_DELAYED, "4.2.2", "4.2.2" },    { DSN_DELAYED, "5.7.1", "4.0.0" },
        { DSN_DELIVERED, "2.1.5", "2.1.5" },  { DSN_DELIVERED, "5.1.1", "2.0.0" },
        { DSN_RELAYED, "", "2.0.0" },         { DSN_EXPANDED, "2.1.5", "2.1.5" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample s;
        assert_true(sample_report(0, &s));
        s.recipients[0].action = cases[i].action;
        s.recipients[0].status = text_of(cases[i].status);
        struct buffer b, want;
        buffer_init(&b, dsn_octets_max(&s.report));
        buffer_init(&want, 100);
        assert_true(dsn_write(&b, &s.report));
        assert_true(buffer_printf(&want, "\r\nStatus: %s\r\n", cases[i].want));
        assert_non_null(memmem(b.at, b.len, want.at, want.len));
        buffer_clear(&b);
        buffer_clear(&want);
    }
}

static void subject_is(struct sample *s, const char *want)
{
    char words[200];
    struct text got = dsn_subject(&s->report, words, sizeof words);
    if (!text_equal(got, text_of(want)))
        fail_msg("got %.*s", TEXT_ARGS(got));
}

static void test_subject(void **state)
{
    (void)state;
    struct sample s;
    assert_true(sample_report(0, &s));
    for (size_t i = 0; i < 5; i++)
        s.recipients[i] =
            (struct dsn_recipient){ .final_recipient = T("a@b"), .action = (enum dsn_action)i };
    subject_is(&s, "Undelivered mail: a@b");
    s.report.recipient_count = 5;
    subject_is(&s, "Undelivered mail: a@b");
    s.recipients[1].action = DSN_FAILED;
    s.recipients[1].final_recipient = T("second@b");
    subject_is(&s, "Undelivered mail: a@b and 1 other");
    s.recipients[4].action = DSN_FAILED;
    subject_is(&s, "Undelivered mail: a@b and 2 others");
    s.report.recipients = &s.recipients[2];
    s.report.recipient_count = 2;
    subject_is(&s, "Mail was handed on: a@b");
    s.recipients[2].action = DSN_DELAYED;
    subject_is(&s, "Delayed mail: a@b");
    s.report.recipient_count = 1;
    s.recipients[2].action = DSN_EXPANDED;
    subject_is(&s, "Mail was passed on: a@b");
    s.recipients[2].action = DSN_DELIVERED;
    s.recipients[2].final_recipient = T("a\r\n\xE7\x94\xA8@b");
    subject_is(&s, "Mail was delivered: a\\x0D\\x0A\xE7\x94\xA8@b");
    char out[30];
    assert_int_equal(dsn_subject(&s.report, out, 29).len, 29);
    assert_int_equal(dsn_subject(&s.report, out, 30).len, 29);
    assert_int_equal(dsn_subject(&s.report, out, 0).len, 0);
}

/* A reply that goes on for ever is quoted for a while. */
static void test_endless_reply(void **state)
{
    (void)state;
    static char reply[100000];
    static const char fillings[] = { 'x', '\n', ' ', '\xFF', '=', '\\' };
    for (size_t i = 0; i < sizeof fillings; i++) {
        struct sample s;
        assert_true(sample_report(0, &s));
        memset(reply, fillings[i], sizeof reply);
        memset(reply, 'a', 1);
        s.recipients[0].diagnostic = (struct text){ reply, sizeof reply };
        struct buffer b;
        buffer_init(&b, dsn_octets_max(&s.report));
        assert_true(dsn_write(&b, &s.report));
        assert_true(b.len < 3000 + 10 * (size_t)DSN_DIAGNOSTIC_MAX);
        buffer_clear(&b);
    }
}

/* A header of any length is returned as far as there is room for whole fields. */
static void test_endless_header(void **state)
{
    (void)state;
    static char header[2 * DSN_HEADER_MAX];
    struct sample s;
    assert_true(sample_report(0, &s));
    for (size_t i = 0; i + 8 <= sizeof header; i += 8)
        memcpy(header + i, "A: 345\r\n", 8);
    s.report.original = (struct text){ header, sizeof header };
    struct buffer b;
    buffer_init(&b, dsn_octets_max(&s.report));
    assert_true(dsn_write(&b, &s.report));
    assert_int_equal(count_lines(buffer_as_text(&b), T("A: 345\r")), DSN_HEADER_MAX / 8);
    buffer_clear(&b);
}

static void test_smtputf8(void **state)
{
    (void)state;
    struct sample s;
    assert_true(sample_report(0, &s));
    assert_false(dsn_needs_smtputf8(&s.report));
    s.report.to = T("\xC3\xBC@b");
    assert_true(dsn_needs_smtputf8(&s.report));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line),
        cmocka_unit_test(test_short_of_room_and_memory),
        cmocka_unit_test(test_words_for_people),
        cmocka_unit_test(test_fields_for_programs),
        cmocka_unit_test(test_original_recipient),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_subject),
        cmocka_unit_test(test_endless_reply),
        cmocka_unit_test(test_endless_header),
        cmocka_unit_test(test_smtputf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
