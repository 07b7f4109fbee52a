/* test_mbox.c - boxes in and out, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/mbox.h"

#include <string.h>

#define DATE "Sat Nov 21 07:41:27 2026"
#define FROM "From a@b.test " DATE "\n"
#define DATA "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
enum { DATE_S = 1795246887 };

/* Reads a box; what it says of each message is its text, "|FLAGS" if there are any, and "#". */
static void read_box(struct text box, size_t cut, bool may_look, struct buffer *out)
{
    struct mbox_reader r;
    struct bytes slice, whole = bytes_of_text(box), in = { whole.at, cut };
    enum mbox_step step;
    mbox_reader_init(&r);
    while ((step = mbox_read(&r, &in, &slice)) != MBOX_END) {
        if (step == MBOX_NO_BOX) {
            assert_true(buffer_text(out, T("no box")));
            return;
        }
        if (step == MBOX_NEED_INPUT) {
            assert_int_equal(in.len, 0);
            if (r.position == box.len)
                mbox_reader_end(&r);
            in = (struct bytes){ whole.at + r.position, whole.len - (size_t)r.position };
        } else if (step == MBOX_LOOK) {
            bool known = may_look && r.look_at <= whole.len;
            mbox_reader_found(&r, known,
                              known ? bytes_of_text(text_first(text_skip(box, (size_t)r.look_at),
                                                               MBOX_LINE_MAX + 2))
                                    : (struct bytes){ 0 });
        } else if (step == MBOX_CONTENT) {
            assert_true(buffer_append(out, slice.at, slice.len));
        } else {
            char letters[MAIL_LETTERS_MAX];
            mail_flags_print(MAIL_LETTERS_MAILDIR, r.facts.flags, letters);
            assert_true(buffer_printf(out, "%s%s%s%s#", letters[0] ? "|" : "", letters,
                                      r.facts.dated ? "" : "?", r.facts.folder_data ? "!" : ""));
        }
    }
}

static void check_read(struct text box, bool may_look, const char *want)
{
    char room[4096];
    for (size_t cut = 0; cut <= box.len; cut++) {
        struct buffer out = buffer_over(room, sizeof room);
        read_box(box, cut, may_look, &out);
        if (!text_equal(buffer_as_text(&out), text_of(want)))
            fail_msg("cut at %zu of\n%.*s\ngives\n%.*s\nwanted\n%s", cut, TEXT_ARGS(box),
                     TEXT_ARGS(buffer_as_text(&out)), want);
    }
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        struct text box;
        const char *want;
    } cases[] = {
        { TEXT(""), "" },
        { TEXT("\n\n"), "" },
        { TEXT("Subject: x\n\nno box\n"), "no box" },
        { TEXT(">From a " DATE "\n"), "no box" },
        { TEXT("Fro"), "no box" },
        { TEXT(FROM), "#" },
        { TEXT("\n" FROM "A: b\n\nc\n\n"), "A: b\n\nc\n#" },
        { TEXT(FROM "A: b\n\nc\n\n" FROM "D: e\n\nf\n\n"), "A: b\n\nc\n#D: e\n\nf\n#" },
        { TEXT(FROM "A: b\r\n\r\nc\r\n\r\n" FROM "D: e\r\n\r\nf\r\n\r\n"),
          "A: b\r\n\r\nc\r\n#D: e\r\n\r\nf\r\n#" },
        /* the last empty line is the box's, all others are the message's; there may be none */
        { TEXT(FROM "\n\n\nc\n\n\n" FROM "\nd"), "\n\n\nc\n\n#\nd#" },
        { TEXT(FROM "A: b\n\nc\n" FROM "\nd"), "A: b\n\nc\n#\nd#" },
        { TEXT(FROM "A: b\n" FROM "D: e\n\n" FROM), "A: b\n#D: e\n##" },
        /* a header without more keeps the empty line behind it only if the box has one, too */
        { TEXT(FROM "A: b\n\n" FROM "D: e\n\n\n" FROM "\n\n" FROM "\n"), "A: b\n#D: e\n\n#\n##" },
        /* the header ends at what is neither a field nor a From_ line of another box */
        { TEXT(FROM "text\nStatus: R\n x\n\n"), "text\nStatus: R\n x\n#" },
        { TEXT(FROM " text\nStatus: R\n\n"), " text\nStatus: R\n#" },
        { TEXT(FROM "A: b\n> x\nStatus: R\n\n"), "A: b\n> x\nStatus: R\n#" },
        { TEXT(FROM "A: b\n>c : d\nStatus: R\n\n"), "A: b\n>c : d\n|S#" },
        { TEXT(FROM ">" FROM "A: b\nStatus: R\n\n"), FROM "A: b\n|S#" },
        { TEXT(FROM "A: b\nC\nContent-Length: 1\n\nx\n"), "A: b\nC\nContent-Length: 1\n\nx\n#" },
        /* what is a From_ line */
        { TEXT(FROM "\nx\n\nFrom here on\nFrom \nFrom\nFro"),
          "\nx\n\nFrom here on\nFrom \nFrom\nFro#" },
        { TEXT(FROM "\nx\n\nFrom a b c@d Sat Nov 21 07:41 2026\n\ny\n"), "\nx\n#\ny\n#" },
        { TEXT(FROM "\nx\n\nFrom a Sat Nov 21 07:41:27 MET 2026\n\ny\n"), "\nx\n#\ny\n#" },
        { TEXT(FROM "\nx\n\nFrom a Sat Nov 21 07:41:27 2026 +0100\n\ny\n"), "\nx\n#\ny\n#" },
        { TEXT(FROM "\nx\n\nFrom a Sat Nov 21 07:41:27 2026 remote from b\n\ny\n"),
          "\nx\n#\ny\n#" },
        { TEXT(FROM "\nx\n\nFrom a Sat Nov 31 07:41:27 2026\n\ny\n"),
          "\nx\n\nFrom a Sat Nov 31 07:41:27 2026\n\ny\n#" },
        { TEXT("From a 2026-11-21\n\nx\n\nFrom here\n\ny\n"), "\nx\n?#\ny\n?#" },
        /* quotes */
        { TEXT(FROM "\n>From a\n>>From b\n> From c\n>Fro\n>>\nFrom\n"),
          "\nFrom a\n>From b\n> From c\n>Fro\n>>\nFrom\n#" },
        { TEXT(FROM ">From a\nB: c\n\n"), "From a\nB: c\n#" },
        /* the box's own fields */
        { TEXT(FROM "A: b\nStatus: RO\nX-Status: AF\nX-UID: 7\n\nStatus: x\n"),
          "A: b\n\nStatus: x\n|FRS#" },
        { TEXT(FROM "X-Keywords: a\n b\n\tc\nA: b\n c\nstatus:R\n\n"), "A: b\n c\n|S#" },
        { TEXT(FROM "X-Status: DTz\r\nStatuses: R\r\n\r\n"), "Statuses: R\r\n|DT#" },
        { TEXT(FROM "x-kept-Status: R\n x\nX-Kept-X-Kept-Lines: 1\nX-Kept-Subject: "
                    "x\n\nX-Kept-Lines: 2\n"),
          "Status: R\n x\nX-Kept-Lines: 1\nX-Kept-Subject: x\n\nX-Kept-Lines: 2\n#" },
        { TEXT(FROM "X-IMAP: 1 2\nStatus: RO\n" DATA "\ndata\n"), DATA "\ndata\n|S!#" },
        { TEXT(FROM DATA "X-IMAP: 1 2\n\n\n" FROM DATA "X-IMAP: 1 2\n\n\n"),
          DATA "\n!#" DATA "\n#" },
        { TEXT(FROM "X-IMAP: 1 2\nSubject: x\n\n\n" FROM DATA "\n\n"),
          "Subject: x\n\n#" DATA "\n#" },
        /* odd octets */
        { TEXT(FROM "\n\r\n\ra\n\r\r\nb\n"), "\n\r\n\ra\n\r\r\nb\n#" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_read(cases[i].box, true, cases[i].want);
}

#define FORWARDED "From c@d.test " DATE "\n\nz\n"

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        struct text box;
        bool may_look;
        const char *want;
    } cases[] = {
        /* right: at a From_ line, behind an empty line or at once; at the end */
        /* right: at a From_ line, behind an empty line or at once; at the end */
        { TEXT(FROM "Content-Length: 52\nA: b\n\nx\n\n" FORWARDED ">From \n\n" FROM "\nf\n"), true,
          "A: b\n\nx\n\n" FORWARDED ">From \n#\nf\n#" },
        { TEXT(FROM "Content-Length: 7\n\n>From \n" FROM "\nf\n"), true, "\n>From \n#\nf\n#" },
        { TEXT(FROM "Content-Length: 7\n\n>From \n"), true, "\n>From \n#" },
        /* wrong, or nobody can look */
        { TEXT(FROM "Content-Length: 5\n\nab\n\n" FROM "\nf\n"), true, "\nab\n#\nf\n#" },
        { TEXT(FROM "Content-Length: 2\n\nab\n\n" FROM "\nf\n"), true, "\nab\n#\nf\n#" },
        { TEXT(FROM "Content-Length: 3\n\nab\n\n" FROM "\nf\n"), true, "\nab\n#\nf\n#" },
        { TEXT(FROM "Content-Length: 4\n\nab\n\n" FROM "\nf\n"), true, "\nab\n\n#\nf\n#" },
        { TEXT(FROM "Content-Length: 0\n\nab\n\n" FROM "\nf\n"), true, "\nab\n#\nf\n#" },
        { TEXT(FROM "Content-Length: 999\n\nab\n"), true, "\nab\n#" },
        { TEXT(FROM "Content-Length: 99999999999999999999\n\nab\n"), true, "\nab\n#" },
        { TEXT(FROM "Content-Length: 9223372036854775807\n\nab\n"), true, "\nab\n#" },
        { TEXT(FROM "Content-Length: -1\n\nab\n"), true, "\nab\n#" },
        { TEXT(FROM "Content-Length: 3\n\nab\n"), true, "\nab\n#" },
        { TEXT(FROM "Content-Length: 2\n\nab"), true, "\nab#" },
        { TEXT(FROM "Content-Length: 0\n\n"), true, "\n#" },
        { TEXT(FROM "Content-Length: 6\n\n>From a\n\n" FROM "\nf\n"), false, "\nFrom a\n#\nf\n#" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_read(cases[i].box, cases[i].may_look, cases[i].want);
}

static void test_date(void **state)
{
    (void)state;
    struct mbox_reader r;
    struct text box = TEXT(FROM "\nx\n");
    struct bytes slice, in = bytes_of_text(box);
    enum mbox_step step;
    mbox_reader_init(&r);
    mbox_reader_end(&r);
    while ((step = mbox_read(&r, &in, &slice)) == MBOX_CONTENT)
        continue;
    assert_int_equal(step, MBOX_MESSAGE_END);
    assert_true(r.facts.dated);
    assert_true(r.facts.date_ms == (int64_t)DATE_S * 1000);
}

static void write_box(struct text content, size_t cut, unsigned flags, struct buffer *out)
{
    struct mbox_writer w;
    mbox_writer_init(&w);
    assert_true(mbox_write_begin(&w, T("a@b.test"), (int64_t)DATE_S * 1000, flags, out));
    assert_true(mbox_write(&w, bytes_of_text(text_first(content, cut)), out));
    assert_true(mbox_write(&w, bytes_of_text(text_skip(content, cut)), out));
    assert_true(mbox_write_end(&w, out));
    mbox_writer_clear(&w);
}

static void test_write(void **state)
{
    (void)state;
    static const struct {
        struct text content;
        unsigned flags;
        struct text want;
    } cases[] = {
        { TEXT(""), 0, TEXT("\n") },
        { TEXT("A: b\r\n\r\nc\r\n"), 0, TEXT("A: b\n\nc\n\n") },
        { TEXT("A: b\n\nc"), 0, TEXT("A: b\n\nc\n\n") },
        { TEXT("A: b"), 0, TEXT("A: b\n\n") },
        { TEXT("A: b\r\n\r\n"), 0, TEXT("A: b\n\n\n") },
        { TEXT("A: b\r\n\r\nc\rd\r"), 0, TEXT("A: b\n\nc\rd\n\n") },
        { TEXT("A: b\r\n\r\n"), MAIL_SEEN, TEXT("A: b\nStatus: RO\n\n\n") },
        { TEXT("A: b\r\n\r\n"), MAIL_SEEN | MAIL_ANSWERED | MAIL_DELETED,
          TEXT("A: b\nStatus: RO\nX-Status: AD\n\n\n") },
        { TEXT("A: b"), MAIL_DRAFT, TEXT("A: b\nStatus: O\nX-Status: T\n\n") },
        { TEXT("Status: R\r\n x\r\nA: b\r\nContent-Length: 9\r\n\r\nStatus: R\r\n"), 0,
          TEXT("X-Kept-Status: R\n x\nA: b\nX-Kept-Content-Length: 9\n\nStatus: R\n\n") },
        { TEXT("X-Kept-Lines: 1\r\nX-Kept-A: b\r\n"), 0,
          TEXT("X-Kept-X-Kept-Lines: 1\nX-Kept-A: b\n\n") },
        { TEXT("text\r\nStatus: x\r\nLines: 7\r\n"), MAIL_SEEN,
          TEXT("Status: RO\ntext\nStatus: x\nLines: 7\n\n") },
        { TEXT(" text\r\nStatus: x\r\n"), MAIL_SEEN, TEXT(" text\nStatus: x\n\n") },
        { TEXT(">x\r\nStatus: x\r\n"), MAIL_SEEN, TEXT("Status: RO\n>x\nStatus: x\n\n") },
        { TEXT("From x " DATE "\r\nStatus: x\r\n"), MAIL_SEEN,
          TEXT(">From x " DATE "\nX-Kept-Status: x\nStatus: RO\n\n") },
        { TEXT("From a\r\n>From b\r\n\r\nFrom c\r\n\r\n>>From d\r\nFrom\r\n>Fro\r\nFrom "), 0,
          TEXT(">From a\n>>From b\n\n>From c\n\n>>>From d\nFrom\n>Fro\n>From \n\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= cases[i].content.len; cut++) {
            char room[4096];
            struct buffer out = buffer_over(room, sizeof room);
            write_box(cases[i].content, cut, cases[i].flags, &out);
            struct text box = buffer_as_text(&out);
            assert_true(text_starts(box, T(FROM)));
            box = text_skip(box, sizeof FROM - 1);
            if (!text_equal(box, cases[i].want))
                fail_msg("%zu, cut at %zu: %.*s", i, cut, TEXT_ARGS(box));
        }
}

static void test_sender(void **state)
{
    (void)state;
    static const char *const senders[] = { "", "a b", "a\nb" };
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        char room[256];
        struct buffer out = buffer_over(room, sizeof room);
        struct mbox_writer w;
        mbox_writer_init(&w);
        assert_true(mbox_write_begin(&w, text_of(senders[i]), 0, 0, &out));
        assert_true(
            text_equal(buffer_as_text(&out), T("From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n")));
    }
}

/* More quotes than anybody holds, and lines longer than that. */
static void test_long(void **state)
{
    (void)state;
    char content[8192], room[16384], back[16384];
    struct buffer made = buffer_over(content, sizeof content);
    assert_true(buffer_text(&made, T("A: b\n\n")));
    for (int i = 0; i < 3000; i++)
        assert_true(buffer_byte(&made, '>'));
    assert_true(buffer_text(&made, T("From x\n")));
    for (int i = 0; i < 3000; i++)
        assert_true(buffer_byte(&made, 'F'));
    assert_true(buffer_text(&made, T("\nFrom ")));
    for (int i = 0; i < 1500; i++)
        assert_true(buffer_byte(&made, 'x'));
    assert_true(buffer_byte(&made, '\n'));
    for (size_t cut = 0; cut < made.len; cut += 97) {
        struct buffer out = buffer_over(room, sizeof room), again = buffer_over(back, sizeof back);
        write_box(buffer_as_text(&made), cut, 0, &out);
        read_box(buffer_as_text(&out), cut, true, &again);
        assert_int_equal(again.len, made.len + 1);
        assert_memory_equal(again.at, made.at, made.len);
    }
}

static void test_flags(void **state)
{
    (void)state;
    char letters[MAIL_LETTERS_MAX];
    for (unsigned flags = 0; flags < 64; flags++) {
        struct text t = mail_flags_print(MAIL_LETTERS_MAILDIR, flags, letters);
        assert_int_equal(mail_flags_read(MAIL_LETTERS_MAILDIR, t), flags);
    }
    assert_int_equal(mail_flags_read(MAIL_LETTERS_MAILDIR, T("abSzF")), MAIL_SEEN | MAIL_FLAGGED);
    assert_string_equal(mail_flag_name(0), "seen");
    assert_string_equal(mail_flag_name(5), "passed");
    assert_null(mail_flag_name(6));
}

static void test_line_ends(void **state)
{
    (void)state;
    static const struct {
        struct text file, mail, back;
    } cases[] = {
        { TEXT(""), TEXT("\r\n"), TEXT("\n") },
        { TEXT("a"), TEXT("a\r\n"), TEXT("a\n") },
        { TEXT("a\nb\n"), TEXT("a\r\nb\r\n"), TEXT("a\nb\n") },
        { TEXT("a\r\nb\r\n"), TEXT("a\r\nb\r\n"), TEXT("a\nb\n") },
        { TEXT("a\rb\n\rc"), TEXT("a\rb\r\n\rc\r\n"), TEXT("a\rb\n\rc\n") },
        { TEXT("a\r\r\nb\r"), TEXT("a\r\r\nb\r\n"), TEXT("a\r\nb\n") },
        { TEXT("\n\r\n\n"), TEXT("\r\n\r\n\r\n"), TEXT("\n\n\n") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= cases[i].file.len; cut++) {
            char room[64], more[64];
            struct line_ends in = { 0 }, out = { 0 };
            struct buffer mail = buffer_over(room, sizeof room), back = buffer_over(more, 64);
            assert_true(
                line_ends_to_crlf(&in, bytes_of_text(text_first(cases[i].file, cut)), &mail));
            assert_true(
                line_ends_to_crlf(&in, bytes_of_text(text_skip(cases[i].file, cut)), &mail));
            assert_true(line_ends_to_crlf_end(&in, &mail));
            assert_true(text_equal(buffer_as_text(&mail), cases[i].mail));
            struct text whole = buffer_as_text(&mail);
            assert_true(line_ends_to_lf(&out, bytes_of_text(text_first(whole, cut)), &back));
            assert_true(line_ends_to_lf(&out, bytes_of_text(text_skip(whole, cut)), &back));
            assert_true(line_ends_to_lf_end(&out, &back));
            assert_true(text_equal(buffer_as_text(&back), cases[i].back));
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),  cmocka_unit_test(test_lengths),   cmocka_unit_test(test_date),
        cmocka_unit_test(test_write), cmocka_unit_test(test_sender),    cmocka_unit_test(test_long),
        cmocka_unit_test(test_flags), cmocka_unit_test(test_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
