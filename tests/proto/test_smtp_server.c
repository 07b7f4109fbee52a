/* test_smtp_server.c - what the SMTP machine tells its driver beside the dialogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/smtp_server.h"

#include <string.h>

static const struct smtp_server_config config = {
    .hostname = TEXT("mx.example.org"),
    .recipients_max = 1000,
    .command_ms = 300,
    .message_ms = 5000,
    .offer_tls = true,
    .mechanisms = TEXT("PLAIN LOGIN"),
};
static const struct smtp_server_peer peer = { .may_verify = true };

/* Feeds one line and gives the first step that is neither content nor an order to forget. */
static struct smtp_step feed(struct smtp_server *server, const char *line, uint64_t now_ms)
{
    struct bytes in = bytes_of_text(text_of(line));
    struct smtp_step step;
    do
        step = smtp_server_step(server, &in, now_ms);
    while (step.kind == SMTP_APPEND_BODY || step.kind == SMTP_GO_ON || step.kind == SMTP_FORGET ||
           step.kind == SMTP_ABANDON_MESSAGE);
    return step;
}

/* What is content can be told from what are commands, however it is refused. */
static void test_what_is_content(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        bool body;
    } parts[] = {
        { "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n", false },
        { "a bare line end\nRSET\r\n.\r\n", true },
        { "BDAT 6\r\n", false },
        { "RSET\r\n", true },
        { "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 6\r\n", false },
        { "RSET\r\n", true },
        { "BDAT 0\r\nBDAT 6 LAST\r\n", false },
        { "QUIT\r\n", true },
        { "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 6 FIRST\r\n", false },
        { "NOOP\r\n", true },
        { "NOOP\r\n", false },
    };
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    struct buffer wanted[2], found[2], all;
    buffer_init(&all, 4096);
    for (size_t i = 0; i < 2; i++) {
        buffer_init(&wanted[i], 4096);
        buffer_init(&found[i], 4096);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buffer_text(&all, text_of(parts[i].octets));
        buffer_text(&wanted[parts[i].body], text_of(parts[i].octets));
    }
    struct bytes in = buffer_bytes(&all);
    struct smtp_step step;
    do {
        struct buffer *kind = &found[smtp_server_input_is_body(s)];
        const uint8_t *from = in.at;
        step = smtp_server_step(s, &in, 0);
        buffer_append(kind, from, (size_t)(in.at - from));
        if (step.request)
            smtp_server_answer(s, step.request, (struct smtp_answer){ SMTP_ACCEPT }, 0);
    } while (step.kind != SMTP_NEED_INPUT);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(found[i].len, wanted[i].len);
        assert_memory_equal(found[i].at, wanted[i].at, wanted[i].len);
        buffer_clear(&wanted[i]);
        buffer_clear(&found[i]);
    }
    buffer_clear(&all);
    smtp_server_free(&s);
}

static bool says(const struct smtp_server *server, const char *words)
{
    struct bytes output = smtp_server_output(server);
    return output.len && memmem(output.at, output.len, words, strlen(words));
}

/* Whatever follows may be content. */
static void test_chunk_without_a_size(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "BDAT\r\nRSET\r\n",
        "BDAT -1\r\nRSET\r\n",
        "BDAT +1 LAST\r\nRSET\r\n",
        "BDAT LAST\r\nRSET\r\n",
        "BDAT 0x5 LAST\r\nRSET\r\n",
        "BDAT ten\r\nRSET\r\n",
        "bdat\tten LAST\r\nRSET\r\n",
        "BDAT \xc3\xa9\r\nRSET\r\n",
        "BDAT 18446744073709551616\r\nRSET\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct smtp_server *s = smtp_server_new(&config, &peer, 0);
        struct bytes in = bytes_of_text(text_of(lines[i]));
        assert_int_equal(smtp_server_step(s, &in, 0).kind, SMTP_CLOSE);
        assert_int_equal(in.len, strlen("RSET\r\n"));
        assert_true(says(s, "421 4.5.0 "));
        smtp_server_free(&s);
    }
}

static void drain(struct smtp_server *server)
{
    smtp_server_drained(server, smtp_server_output(server).len);
}

/* Feeds a line; accepts what it asks. */
static void agree(struct smtp_server *server, const char *line, uint64_t now_ms)
{
    struct smtp_step step = feed(server, line, now_ms);
    if (step.request)
        smtp_server_answer(server, step.request, (struct smtp_answer){ .verdict = SMTP_ACCEPT },
                           now_ms);
    drain(server);
}

static void test_what_it_knows(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    assert_int_equal(smtp_server_hello(s).len, 0);
    assert_null(smtp_server_sender(s));
    assert_null(smtp_server_mail(s));
    agree(s, "HELO one\r\n", 0);
    assert_true(text_equal(smtp_server_hello(s), T("one")));
    assert_false(smtp_server_is_esmtp(s));
    agree(s, "EHLO Two\r\n", 0);
    assert_true(text_equal(smtp_server_hello(s), T("Two")));
    assert_true(smtp_server_is_esmtp(s));
    agree(s, "MAIL FROM:<Alice@EXAMPLE.net> BODY=8BITMIME SIZE=7\r\n", 0);
    assert_true(text_equal(address_text(smtp_server_sender(s)), T("Alice@example.net")));
    assert_int_equal(smtp_server_mail(s)->size, 7);
    assert_int_equal(smtp_server_mail(s)->body, SMTP_BODY_8BITMIME);
    agree(s, "RCPT TO:<bob@example.org>\r\n", 0);
    agree(s, "RCPT TO:<carol@example.org>\r\n", 0);
    assert_int_equal(smtp_server_recipient_count(s), 2);
    agree(s, "RSET\r\n", 0);
    assert_int_equal(smtp_server_recipient_count(s), 0);
    assert_null(smtp_server_sender(s));
    assert_int_equal(feed(s, "STARTTLS\r\nNOOP\r\n", 0).kind, SMTP_START_TLS);
    assert_int_equal(feed(s, "", 0).kind, SMTP_NEED_INPUT);
    drain(s);
    smtp_server_tls_started(s, 0);
    assert_int_equal(smtp_server_hello(s).len, 0);
    assert_false(smtp_server_is_esmtp(s));
    smtp_server_free(&s);
    assert_null(s);
    smtp_server_free(&s);
}

static void test_secret_lines(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    agree(s, "EHLO x\r\n", 0);
    assert_false(smtp_server_line_is_secret(s));
    struct smtp_step step = feed(s, "AUTH LOGIN\r\n", 0);
    assert_int_equal(step.kind, SMTP_AUTH_STEP);
    assert_true(text_equal(step.mechanism, T("LOGIN")));
    struct smtp_answer more = { .verdict = SMTP_CONTINUE, .words = T("Username:") };
    smtp_server_answer(s, step.request, more, 0);
    assert_true(smtp_server_line_is_secret(s));
    step = feed(s, "Ym9i\r\n", 0);
    assert_false(smtp_server_line_is_secret(s));
    assert_int_equal(step.mechanism.len, 0);
    assert_true(text_equal(step.words, T("bob")));
    smtp_server_answer(s, step.request, more, 0);
    assert_true(smtp_server_line_is_secret(s));
    feed(s, "*\r\n", 0);
    assert_false(smtp_server_line_is_secret(s));
    assert_false(smtp_server_is_authenticated(s));
    agree(s, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n", 0);
    assert_true(smtp_server_is_authenticated(s));
    smtp_server_free(&s);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&config, &peer, 1000);
    assert_int_equal(smtp_server_deadline_ms(s), 1300);
    agree(s, "HELO x\r\n", 1100);
    assert_int_equal(smtp_server_deadline_ms(s), 1400);
    feed(s, "NOO", 1200); /* not a command yet */
    assert_int_equal(smtp_server_deadline_ms(s), 1400);
    struct smtp_step step = feed(s, "MAIL FROM:<>\r\n", 1200);
    assert_true(smtp_server_deadline_ms(s) == UINT64_MAX);
    assert_int_equal(feed(s, "", 9000).kind, SMTP_NEED_ANSWER);
    smtp_server_answer(s, step.request, (struct smtp_answer){ .verdict = SMTP_ACCEPT }, 9000);
    assert_int_equal(smtp_server_deadline_ms(s), 9300);
    agree(s, "RCPT TO:<bob@example.org>\r\n", 9000);
    agree(s, "DATA\r\n", 9100);
    assert_int_equal(smtp_server_deadline_ms(s), 14100);
    feed(s, "line\r\n", 14000);
    assert_int_equal(smtp_server_deadline_ms(s), 14100);
    agree(s, ".\r\n", 14099);
    assert_int_equal(smtp_server_deadline_ms(s), 14399);
    assert_int_equal(feed(s, "", 14399).kind, SMTP_CLOSE);
    assert_true(says(s, "421 4.4.2 mx.example.org"));
    assert_true(smtp_server_deadline_ms(s) == UINT64_MAX);
    assert_int_equal(feed(s, "NOOP\r\n", 20000).kind, SMTP_CLOSE);
    smtp_server_free(&s);

    struct smtp_server_config endless = config;
    endless.command_ms = 0;
    s = smtp_server_new(&endless, &peer, 1000);
    assert_true(smtp_server_deadline_ms(s) == UINT64_MAX);
    smtp_server_free(&s);
}

/* A client that sends and never reads: commands wait, and what is held stays small. */
static void test_output_is_bounded(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    struct smtp_step step;
    unsigned taken = 0;
    do {
        struct bytes in = bytes_of_text(T("NOOP\r\n"));
        step = smtp_server_step(s, &in, 0);
        taken += in.len == 0;
    } while (step.kind == SMTP_NEED_INPUT);
    assert_int_equal(step.kind, SMTP_NEED_DRAIN);
    assert_in_range(taken, 100, 1000);
    assert_in_range(smtp_server_output(s).len, 1, 16 * 1024);
    smtp_server_drained(s, 8000);
    assert_int_equal(feed(s, "NOOP\r\n", 0).kind, SMTP_NEED_INPUT);
    smtp_server_free(&s);
}

static void test_expand_a_thousand(void **state)
{
    (void)state;
    static char targets[1000 * 250];
    size_t len = 0;
    for (unsigned i = 0; i < 1000; i++) {
        memset(targets + len, 'a' + (int)(i % 26), 200);
        len += 200;
        targets[len++] = '\n';
    }
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    drain(s);
    struct smtp_step step = feed(s, "EXPN crowd\r\n", 0);
    struct smtp_answer a = { .verdict = SMTP_ACCEPT, .words = { targets, len - 1 } };
    smtp_server_answer(s, step.request, a, 0);
    assert_int_equal(smtp_server_output(s).len, 1000 * (strlen("250-2.1.5 ") + 200 + 2));
    assert_int_equal(feed(s, "NOOP\r\n", 0).kind, SMTP_NEED_DRAIN);
    smtp_server_free(&s);
}

/* Challenges may be longer than other reply lines; what no buffer holds is 454. */
static void test_long_challenge(void **state)
{
    (void)state;
    static char words[256 * 1024];
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    agree(s, "EHLO x\r\n", 0);
    struct smtp_step step = feed(s, "AUTH PLAIN\r\n", 0);
    struct smtp_answer a = { .verdict = SMTP_CONTINUE, .words = { words, 9000 } };
    smtp_server_answer(s, step.request, a, 0);
    assert_int_equal(smtp_server_output(s).len, strlen("334 ") + 12000 + 2);
    drain(s);
    step = feed(s, "\r\n", 0);
    a.words.len = sizeof words;
    smtp_server_answer(s, step.request, a, 0);
    assert_true(says(s, "454 4.7.0"));
    assert_int_equal(feed(s, "NOOP\r\n", 0).kind, SMTP_NEED_INPUT);
    assert_true(says(s, "250 2.0.0"));
    smtp_server_free(&s);
}

/* Whatever the request was, nothing is said, and what was open is given up. */
static void test_vanish(void **state)
{
    (void)state;
    static const char *const lines[] = { "MAIL FROM:<>\r\n", "RCPT TO:<bob@example.org>\r\n",
                                         "DATA\r\n", ".\r\n" };
    for (size_t last = 0; last < 4; last++) {
        struct smtp_server *s = smtp_server_new(&config, &peer, 0);
        agree(s, "HELO x\r\n", 0);
        for (size_t i = 0; i < last; i++)
            agree(s, lines[i], 0);
        struct smtp_step step = feed(s, lines[last], 0);
        assert_int_not_equal(step.request, 0);
        smtp_server_answer(s, step.request, (struct smtp_answer){ .verdict = SMTP_VANISH }, 0);
        assert_int_equal(smtp_server_output(s).len, 0);
        assert_int_equal(feed(s, "NOOP\r\n", 0).kind, SMTP_CLOSE);
        assert_int_equal(smtp_server_output(s).len, 0);
        smtp_server_free(&s);
    }
}

static void test_shut_down_waits_for_the_answer(void **state)
{
    (void)state;
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    agree(s, "HELO x\r\n", 0);
    struct smtp_step step = feed(s, "MAIL FROM:<>\r\n", 0);
    smtp_server_shut_down(s, "4.3.2", "going down");
    assert_int_equal(feed(s, "", 0).kind, SMTP_NEED_ANSWER);
    smtp_server_answer(s, step.request, (struct smtp_answer){ .verdict = SMTP_ACCEPT }, 0);
    assert_int_equal(feed(s, "", 0).kind, SMTP_CLOSE);
    assert_true(says(s, "250 2.1.0 sender ok\r\n421 4.3.2 mx.example.org going down\r\n"));
    smtp_server_free(&s);
}

static void test_reload(void **state)
{
    (void)state;
    struct smtp_server_config other = config;
    other.hostname = T("new.example.org");
    other.mechanisms = T("");
    struct smtp_server *s = smtp_server_new(&config, &peer, 0);
    agree(s, "EHLO x\r\n", 0);
    smtp_server_reconfigure(s, &other);
    feed(s, "EHLO x\r\n", 0);
    assert_true(says(s, "250-new.example.org\r\n"));
    assert_false(says(s, "AUTH"));
    smtp_server_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_knows),
        cmocka_unit_test(test_secret_lines),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_what_is_content),
        cmocka_unit_test(test_chunk_without_a_size),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_expand_a_thousand),
        cmocka_unit_test(test_long_challenge),
        cmocka_unit_test(test_vanish),
        cmocka_unit_test(test_shut_down_waits_for_the_answer),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
