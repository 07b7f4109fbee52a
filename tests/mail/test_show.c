/* test_show.c - what people see of a message, and what they can save. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_countdown.h"
#include "mail/show.h"

#include <stdlib.h>
#include <string.h>

/* Knows one character set, in which every octet is an x. */
static bool convert_x(void *context, struct text charset, struct text octets, struct buffer *out)
{
    (void)context;
    if (!text_equal(charset, T("x-x")))
        return false;
    for (size_t i = 0; i < octets.len; i++)
        buffer_byte(out, 'x');
    return !out->failed;
}

static const struct charset_more more = { .convert = convert_x };

static void check(struct text message, struct text want)
{
    struct buffer b;
    struct error e;
    struct show *s = show_new(message, &more);
    assert_non_null(s);
    buffer_init(&b, 1 << 20);
    assert_true(show_write(s, sink_of_buffer(&b), &e));
    if (!text_equal(buffer_as_text(&b), want))
        fail_msg("%.*s\n--- is shown as\n%.*s\n--- instead of\n%.*s", TEXT_ARGS(message),
                 TEXT_ARGS(buffer_as_text(&b)), TEXT_ARGS(want));
    buffer_clear(&b);
    show_free(&s);
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        struct text header, want;
    } cases[] = {
        { TEXT("X-A: b\nSubject: s\nReceived: c\nFrom: a@b\n"), TEXT("From: a@b\nSubject: s\n") },
        { TEXT("Subject: a\r\n  folded =?utf-8?q?=C3=A4?=\r\n =?utf-8?q?b?=\r\n"),
          TEXT("Subject: a folded äb\n") },
        { TEXT("subject: =?x-x?q?ab?= =?x-y?q?c?=\n"), TEXT("Subject: xx=?x-y?q?c?=\n") },
        { TEXT("Date: Sat, 21 Nov 2026 08:50:27 +0100\n"),
          TEXT("Date: Sat, 21 Nov 2026 08:50:27 +0100\n") },
        { TEXT("Subject:\n"), TEXT("Subject: \n") },
        /* two of one name: both are shown, since other readers take the other one */
        { TEXT("From: a@b\nFrom: c@d\n"), TEXT("From: a@b\nFrom: c@d\n") },
        /* terminals */
        { TEXT("Subject: \x1B]0;x\x07 =?utf-8?q?=1B[2J=0A=E2=80=AE?=\n"),
          TEXT("Subject: \\u{1B}]0;x\\u{7} \\u{1B}[2J \\u{202E}\n") },
        /* people */
        { TEXT("To: Ann <a@b>, \"C, D\" <c@d>,\n e@f\n"),
          TEXT("To: Ann <a@b>, \"C, D\" <c@d>, e@f\n") },
        { TEXT("To: =?utf-8?q?J=C3=BCrgen?= M <a@b>\n"), TEXT("To: Jürgen M <a@b>\n") },
        { TEXT("To: a@b (Ann =?utf-8?q?=C3=84?=), c@d\n"), TEXT("To: a@b (Ann Ä), c@d\n") },
        { TEXT("Cc: root, a@b\n"), TEXT("Cc: root, a@b\n") },
        { TEXT("To: undisclosed-recipients:;\n"), TEXT("To: undisclosed-recipients:;\n") },
        { TEXT("To: team: a@b, c@d;\n"), TEXT("To: a@b, c@d\n") },
        { TEXT("To: not <a list\n"), TEXT("To: not <a list\n") },
        /* a name that would be taken for the address */
        { TEXT("From: =?utf-8?q?Boss_=3Cboss=40a.example=3E=2C?= <evil@b.example>\n"),
          TEXT("From: \"Boss <boss@a.example>,\" <evil@b.example>\n") },
        { TEXT("From: \"\\\"x\\\" <boss@a.example>\" <evil@b.example>\n"),
          TEXT("From: \"\\\"x\\\" <boss@a.example>\" <evil@b.example>\n") },
        { TEXT("From: (=?utf-8?q?boss=40a.example?=) evil@b.example\n"),
          TEXT("From: (=?utf-8?q?boss=40a.example?=) evil@b.example\n") },
        { TEXT("From: evil(=?utf-8?q?boss=40a.example?=)@b.example (x)\n"),
          TEXT("From: evil(=?utf-8?q?boss=40a.example?=)@b.example (x)\n") },
        { TEXT("From: a@b\xC3\xBC"
               "cher.example\n"),
          TEXT("From: a@xn--bcher-kva.example\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].header, cases[i].want);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"
#define ALT   "Content-Type: multipart/alternative; boundary=a\n\n"

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        struct text message, want;
    } cases[] = {
        { TEXT(""), TEXT("") },
        { TEXT("\nhello"), TEXT("\nhello\n") },
        { TEXT("\n\xC3\xA4 \xE4 \x1B[m\r\n"), TEXT("\nä \xEF\xBF\xBD \\u{1B}[m\n") },
        { TEXT("Content-Type: text/plain; charset=iso-8859-1\n\n\xE4\x93\n"), TEXT("\nä“\n") },
        { TEXT("Content-Type: text/plain; charset=x-x\n\nab"), TEXT("\nxx\n") },
        { TEXT("Content-Type: text/plain; charset=x-y\n\nab"),
          TEXT("\n[unknown character set: x-y]\nab\n") },
        { TEXT("Content-Type: text/plain; format=flowed\n\na \nb\n> c \n> d\n"),
          TEXT("\na b\n> c d\n") },
        { TEXT("Content-Type: text/plain; format=flowed; delsp=yes\n\na \nb\n"), TEXT("\nab\n") },
        { TEXT("Content-Transfer-Encoding: base64\n\naGk=\n"), TEXT("\nhi\n") },
        { TEXT("Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n"
               "<p>=C3=A4<b>b</b>\n<script>x</script><p>c"),
          TEXT("\näb\n\nc\n") },
        /* plain text before HTML, wherever it stands, and within what holds it */
        { TEXT(ALT "--a\n\nplain\n--a\nContent-Type: text/html\n\n<p>html\n--a--\n"),
          TEXT("\nplain\n\nAttachments:\n"
               "  1  attachment-1.html  text/html  7 octets  (the text in another form)\n") },
        { TEXT(ALT "--a\nContent-Type: text/html\n\n<p>html\n--a\n" MIXED "--b\n\nplain\n--b--\n"),
          TEXT("\nplain\n\nAttachments:\n"
               "  1  attachment-1.html  text/html  7 octets  (the text in another form)\n") },
        { TEXT(ALT "--a\nContent-Type: x/y\n\nx\n--a\nContent-Type: text/html\n\n<p>html\n--a--\n"),
          TEXT("\nhtml\n\nAttachments:\n  1  attachment-1.bin  x/y  1 octets\n") },
        /* several texts, and what is no text */
        { TEXT(MIXED
               "--b\n\none\n--b\n\ntwo\n--b\nContent-Type: image/png; name=p.png\n\nxyz\n--b"),
          TEXT("\none\n\ntwo\n\nAttachments:\n  1  p.png  image/png  3 octets\n") },
        { TEXT(MIXED "--b\nContent-Disposition: attachment\n\none\n--b--\n"),
          TEXT("\nAttachments:\n  1  attachment-1.txt  text/plain  3 octets\n") },
        { TEXT(MIXED "--b\nContent-Disposition: inline; filename=a.patch\n\n+x\n--b--\n"),
          TEXT("\n+x\n\nAttachments:\n  1  a.patch  text/plain  2 octets\n") },
        { TEXT(MIXED "--b\nContent-Type: message/rfc822\n\nSubject: in\n\nx\n--b--\n"),
          TEXT("\nAttachments:\n  1  attachment-1.eml  message/rfc822  14 octets\n") },
        { TEXT(MIXED "no delimiter\n"), TEXT("\nno delimiter\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i].message, cases[i].want);
}

static void test_file_names(void **state)
{
    (void)state;
    static const struct {
        struct text name, want;
    } cases[] = {
        { TEXT("a.pdf"), TEXT("a.pdf") },
        { TEXT("Übersicht 1.pdf"), TEXT("Übersicht 1.pdf") },
        { TEXT(""), TEXT("attachment-7.png") },
        { TEXT("../../etc/passwd"), TEXT("passwd") },
        { TEXT("C:\\Users\\x\\a.doc"), TEXT("a.doc") },
        { TEXT("/"), TEXT("attachment-7.png") },
        { TEXT(".."), TEXT("attachment-7.png") },
        { TEXT("a/.."), TEXT("attachment-7.png") },
        { TEXT("..."), TEXT("attachment-7.png") },
        { TEXT("a.pdf. ."), TEXT("a.pdf") },
        { TEXT("a.pdf\0"), TEXT("a.pdf_") },
        { TEXT("\0"), TEXT("_") },
        { TEXT(".bashrc"), TEXT("_bashrc") },
        { TEXT("-rf"), TEXT("_rf") },
        { TEXT("~root"), TEXT("_root") },
        { TEXT("a\x1B\n\tb\x7F.c"), TEXT("a___b_.c") },
        { TEXT("a\0b"), TEXT("a_b") },
        { TEXT("a\xE2\x80\xAEgnp.exe"), TEXT("a_gnp.exe") },
        { TEXT("a\xFF\xC2\x9B.b"), TEXT("a__.b") },
        { TEXT("a:b|c?d*e\"f<g>.h"), TEXT("a_b_c_d_e_f_g_.h") },
        { TEXT(" a. . "), TEXT("a") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[SHOW_NAME_MAX];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(show_file_name(cases[i].name, T("image/png"), 7, &b));
        if (!text_equal(buffer_as_text(&b), cases[i].want))
            fail_msg("\"%.*s\" instead of \"%.*s\"", TEXT_ARGS(buffer_as_text(&b)),
                     TEXT_ARGS(cases[i].want));
    }
}

/* However long, it fits into a folder with its ending, and no character is cut. */
static void test_long_names(void **state)
{
    (void)state;
    char name[1000], room[4 * SHOW_NAME_MAX];
    for (size_t start = 0; start < 4; start++) {
        struct buffer b = buffer_over(room, sizeof room);
        for (size_t i = 0; i < sizeof name; i++)
            name[i] = i < start ? 'x' : "\xE2\x82\xAC"[(i - start) % 3];
        memcpy(name + sizeof name - 4, ".pdf", 4);
        assert_true(show_file_name((struct text){ name, sizeof name }, T(""), 1, &b));
        assert_true(b.len <= SHOW_NAME_MAX);
        assert_true(b.len > SHOW_NAME_MAX - 8);
        assert_memory_equal(b.at + b.len - 4, ".pdf", 4);
        assert_memory_equal(b.at + b.len - 7, "\xE2\x82\xAC", 3);
    }
}

static const struct text attached =
    TEXT(MIXED "--b\n\ntext\n"
               "--b\nContent-Disposition: attachment; filename*0*=iso-8859-1''%FCber; "
               "filename*1=\".txt\"\nContent-Transfer-Encoding: base64\n\nAAEC/w==\n"
               "--b\nContent-Type: x/y; name=\"=?utf-8?q?=C3=BC?=/..\"\n"
               "Content-Transfer-Encoding: quoted-printable\n\na=3Db=\nc\n"
               "--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n");

static void test_attachments(void **state)
{
    (void)state;
    static const struct {
        struct text name, file_name, type, content;
    } cases[] = {
        { TEXT("über.txt"), TEXT("über.txt"), TEXT("text/plain"), TEXT("\0\1\2\xFF") },
        { TEXT("ü/.."), TEXT("attachment-2.bin"), TEXT("x/y"), TEXT("a=bc") },
        { TEXT(""), TEXT("attachment-3.eml"), TEXT("message/rfc822"), TEXT("Subject: x\n\ny") },
    };
    enum { COUNT = sizeof cases / sizeof *cases };
    struct show *s = show_new(attached, NULL);
    struct show_attachment a;
    struct error e;
    assert_non_null(s);
    assert_int_equal(show_attachment_count(s), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        char room[256];
        struct buffer b = buffer_over(room, sizeof room);
        assert_true(show_attachment(s, i + 1, &a));
        assert_true(show_attachment_write(s, i + 1, sink_of_buffer(&b), &e));
        assert_true(text_equal(a.name, cases[i].name));
        assert_true(text_equal(a.file_name, cases[i].file_name));
        assert_true(text_equal(a.type, cases[i].type));
        assert_true(text_equal(buffer_as_text(&b), cases[i].content));
        assert_int_equal(a.octets, cases[i].content.len);
        assert_false(a.alternative);
    }
    struct buffer none = buffer_over(NULL, 0);
    assert_false(show_attachment(s, 0, &a));
    assert_false(show_attachment(s, COUNT + 1, &a));
    assert_false(show_attachment_write(s, COUNT + 1, sink_of_buffer(&none), &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    assert_false(show_attachment_write(s, 1, sink_of_buffer(&none), &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    show_free(&s);
}

static bool show_once(struct text message)
{
    char room[4096];
    struct error e = { 0 };
    struct buffer b = buffer_over(room, sizeof room);
    struct show *s = show_new(message, NULL);
    bool good = s && show_write(s, sink_of_buffer(&b), &e) &&
                show_attachment_write(s, 1, sink_of_buffer(&b), &e);
    show_free(&s);
    return good;
}

/* Each allocation in turn fails, and nothing worse comes of it. */
static void test_memory(void **state)
{
    (void)state;
    for (int n = 0; n < 500; n++) {
        fail_after(n);
        bool good = show_once(attached);
        assert_int_equal(good, !end_failing());
        if (good)
            return;
    }
    fail_msg("it never came through");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),     cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_file_names),  cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_attachments), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
