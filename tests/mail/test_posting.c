/* What sendmail hands over, and the file that holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/posting.h"

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    static struct arena arena;
    arena_init(&arena, 1 << 20);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    arena_reset(*state);
    return 0;
}

static void assert_text(struct text found, const char *wanted)
{
    char words[4096];
    snprintf(words, sizeof words, "%.*s", TEXT_ARGS(found));
    assert_string_equal(words, wanted);
}

/* The recipients, with '|' between them. */
static void describe(const struct posting *p, char *out, size_t max)
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < p->to_count; i++)
        len += (size_t)snprintf(out + len, max - len, "%s%.*s", i ? "|" : "", TEXT_ARGS(p->to[i]));
}

static void test_addresses(void **state)
{
    static const struct {
        const char *words, *wanted; /* NULL: malformed */
    } rows[] = {
        { "bob@B.example", "bob@b.example" },
        { "root", "root" },
        { "<root>", "root" },
        { "Root <root>", "root" },
        { "Root <root>, bob@b.example", "root|bob@b.example" },
        { "a, b ,c", "a|b|c" },
        { "a,,b,", "a|b" },
        { "root (that's me, really)", "root" },
        { "\"Bob, B.\" <bob@b.example>, carol", "bob@b.example|carol" },
        { "us: a@b.example, c; d", "a@b.example|c|d" },
        { "undisclosed-recipients:;", "" },
        { "bob+x@b.example", "bob+x@b.example" },
        { "\"a b\"@b.example", "\"a b\"@b.example" },
        { "a b", NULL },
        { "a b c@d", NULL },
        { "<a b>", NULL },
        { "\"x\" <root", NULL },
        { "a@b@c", NULL },
        { "a@b>\r\nRCPT TO:<c@d", NULL },
        { "a\x01"
          "b",
          NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posting p = { 0 };
        char found[512];
        enum posting_verdict verdict = posting_add(&p, *state, text_of(rows[i].words));
        assert_int_equal(verdict, rows[i].wanted ? POSTING_OK : POSTING_MALFORMED);
        describe(&p, found, sizeof found);
        if (rows[i].wanted)
            assert_string_equal(found, rows[i].wanted);
    }
}

static void test_too_many(void **state)
{
    struct posting p = { 0 };
    for (int i = 0; i < POSTING_RECIPIENTS_MAX; i++)
        assert_int_equal(posting_add(&p, *state, T("a@b")), POSTING_OK);
    assert_int_equal(posting_add(&p, *state, T("a@b")), POSTING_TOO_MANY);
}

static void test_sender(void **state)
{
    static const struct {
        const char *words, *wanted;
    } rows[] = {
        { "", "" },           { "<>", "" },     { " <> ", "" },
        { "alice", "alice" }, { "a@b", "a@b" }, { "A B <a@b>", "a@b" },
        { "a, b", NULL },     { "a\nb", NULL }, { "a:;", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posting p = { 0 };
        enum posting_verdict verdict = posting_set_sender(&p, *state, text_of(rows[i].words));
        assert_int_equal(verdict == POSTING_OK, rows[i].wanted != NULL);
        assert_int_equal(p.has_sender, rows[i].wanted != NULL);
        if (rows[i].wanted)
            assert_text(p.sender, rows[i].wanted);
    }
}

static void test_header(void **state)
{
    static const struct {
        const char *message, *wanted, *field;
    } rows[] = {
        { "To: a@b\nCc: c\nBcc: d@e,\n f\nSubject: g@h\n\nTo: x@y\n", "a@b|c|d@e|f", "Bcc" },
        { "to : a@b\r\n\r\n", "a@b", "to" },
        { "To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n", "c@d|e@f", "Resent-Bcc" },
        { "From me Sat Nov 21\nTo: a@b\n\n", "a@b", "To" },
        { "no header\nTo: a@b\n", "", "" },
        { "", "", "" },
        { "To: a@b\nCc: a b c\n\n", NULL, "Cc" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posting p = { .content = text_of(rows[i].message) };
        struct text field = T("");
        char found[512];
        enum posting_verdict verdict = posting_add_header(&p, *state, &field);
        assert_int_equal(verdict, rows[i].wanted ? POSTING_OK : POSTING_MALFORMED);
        assert_text(field, rows[i].field);
        describe(&p, found, sizeof found);
        if (rows[i].wanted)
            assert_string_equal(found, rows[i].wanted);
    }
}

static void test_completing(void **state)
{
    static const struct {
        const char *address, *wanted;
    } rows[] = {
        { "root", "root@mx.example" },
        { "a@b.example", "a@b.example" },
        { "", NULL },
        { "a b", NULL },
        { "@b", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text found = T("");
        bool ok = posting_address(text_of(rows[i].address), T("mx.example"), *state, &found);
        assert_int_equal(ok, rows[i].wanted != NULL);
        if (ok)
            assert_text(found, rows[i].wanted);
    }
}

static uint64_t octets_without_name(const struct posting *p, struct buffer *out)
{
    struct posting_facts facts;
    assert_true(posting_content(p, T(""), out, &facts));
    return out->len;
}

static void test_content(void **state)
{
    static const struct {
        const char *name, *content, *wanted;
        bool eight_bit, dot_lines;
    } rows[] = {
        { "", "a\nb\n", "a\r\nb\r\n", false, false },
        { "", "a\r\nb\rc\n\rd", "a\r\nb\r\nc\r\n\r\nd\r\n", false, false },
        { "", "", "", false, false },
        { "", "\n.\n", "\r\n.\r\n", false, true },
        { "", "\xc3\xa9", "\xc3\xa9\r\n", true, false },
        { "", "From x\nTo: y\n", "To: y\r\n", false, false },
        { "Me", "To: y\n\nx\n", "From: \"Me\"\r\n <u@h>\r\nTo: y\r\n\r\nx\r\n", false, false },
        { "A \"B\" \\", "x\n", "From: \"A \\\"B\\\" \\\\\"\r\n <u@h>\r\nx\r\n", false, false },
        { "J\xc3\xb6rg", "x\n", "From: =?UTF-8?B?SsO2cmc=?=\r\n <u@h>\r\nx\r\n", false, false },
        { "Me", "fRom: y\n\n", "fRom: y\r\n\r\n", false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posting p = { .content = text_of(rows[i].content) };
        struct posting_facts facts;
        struct buffer out;
        assert_int_equal(posting_set_name(&p, *state, text_of(rows[i].name)), POSTING_OK);
        buffer_init(&out, POSTING_GROWS * p.content.len + POSTING_ADDED_MAX);
        assert_true(posting_content(&p, T("u@h"), &out, &facts));
        assert_text(buffer_as_text(&out), rows[i].wanted);
        p.name = T("");
        out.len = 0;
        assert_int_equal(posting_octets(&p), octets_without_name(&p, &out));
        assert_int_equal(facts.eight_bit, rows[i].eight_bit);
        assert_int_equal(facts.dot_lines, rows[i].dot_lines);
        buffer_clear(&out);
    }
}

/* "from a gecos field" with whatever somebody has put there. */
static void test_name(void **state)
{
    struct posting p = { 0 };
    assert_int_equal(posting_set_name(&p, *state, T(" A\r\nBcc: x\x7F\t ")), POSTING_OK);
    assert_text(p.name, "A  Bcc: x");
}

static void test_file(void **state)
{
    struct posting p = { .has_sender = true, .notify = 6, .content = T("Subject: x\n\nx") }, again;
    struct buffer file;
    const char *why;
    assert_int_equal(posting_add(&p, *state, T("a@b, root")), POSTING_OK);
    assert_int_equal(posting_set_name(&p, *state, T("Me")), POSTING_OK);
    buffer_init(&file, 4096);
    assert_true(posting_write_head(&p, T("n1"), &file));
    assert_true(buffer_text(&file, p.content));
    assert_text(buffer_as_text(&file), "godwit-posting 1\nfile n1\nsender \nname Me\nnotify 6\n"
                                       "to a@b\nto root\ncontent 13\n\nSubject: x\n\nx");
    assert_int_equal(posting_read(buffer_as_text(&file), T("n1"), *state, &again, &why),
                     POSTING_OK);
    assert_true(again.has_sender && again.sender.len == 0 && !again.has_user);
    assert_int_equal(again.to_count, 2);
    assert_int_equal(again.since_ms, 0);
    assert_text(again.content, "Subject: x\n\nx");
    assert_int_equal(posting_read(buffer_as_text(&file), T("n2"), *state, &again, &why),
                     POSTING_MALFORMED);
    file.len = 0;
    p.has_user = true;
    p.user = 1000;
    p.since_ms = 1795246887123;
    assert_true(posting_write_head(&p, T("n1"), &file));
    assert_true(buffer_text(&file, p.content));
    assert_int_equal(posting_read(buffer_as_text(&file), T("n1"), *state, &again, &why),
                     POSTING_OK);
    assert_true(again.has_user && again.user == 1000);
    assert_int_equal(again.since_ms, 1795246887123);
    buffer_clear(&file);
}

static void test_malformed_files(void **state)
{
#define HEAD "godwit-posting 1\nfile n\n"
    static const struct text rows[] = {
        TEXT(""),
        TEXT("godwit-posting 2\nfile n\nto a@b\ncontent 0\n\n"),
        TEXT("godwit-posting 1\nto a@b\ncontent 0\n\n"),
        TEXT(HEAD "content 0\n\n"),
        TEXT(HEAD "to a@b\n"),
        TEXT(HEAD "to a@b\ncontent 0\n"),
        TEXT(HEAD "to a@b\ncontent 1\n\n"),
        TEXT(HEAD "to a@b\ncontent 1\n\nxx"),
        TEXT(HEAD "to a@b\ncontent x\n\n"),
        TEXT(HEAD "to a@b\ncontent -1\n\n"),
        TEXT(HEAD "to a@b\ncontent 18446744073709551616\n\n"),
        TEXT(HEAD "to a@b\ncontent 0\nx\n"),
        TEXT(HEAD "to a b\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\r\ncontent 0\n\n"),
        TEXT(HEAD "to a\0@b\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nsender a@b, c@d\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nnotify 3\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nnotify 16\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nret SOME\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nenvid a b\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nuser -1\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nuser 4294967295\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nsince -1\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nsince 9223372036854775808\ncontent 0\n\n"),
        TEXT(HEAD "to a@b\nother x\ncontent 0\n\n"),
        TEXT(HEAD "\nto a@b\ncontent 0\n\n"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct posting p;
        const char *why = "";
        assert_int_equal(posting_read(rows[i], T("n"), *state, &p, &why), POSTING_MALFORMED);
        assert_int_equal(posting_begins(rows[i]), text_starts(rows[i], T("godwit-posting 1\n")));
        assert_true(why[0]);
    }
}

static void test_file_names(void **state)
{
    (void)state;
    assert_true(posting_is_file_name(T("0123456789abcdef0123456789abcdef")));
    assert_true(posting_is_file_name(T("a-B-9")));
    assert_false(posting_is_file_name(T("")));
    assert_false(posting_is_file_name(T(".a")));
    assert_false(posting_is_file_name(T("-a")));
    assert_false(posting_is_file_name(T("a/b")));
    assert_false(posting_is_file_name(T("a b")));
    assert_false(posting_is_file_name(T("a\n")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_addresses),       TEST(test_too_many),   TEST(test_sender), TEST(test_header),
        TEST(test_completing),      TEST(test_content),    TEST(test_name),   TEST(test_file),
        TEST(test_malformed_files), TEST(test_file_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
