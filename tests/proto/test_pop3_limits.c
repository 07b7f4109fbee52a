/* test_pop3_limits.c - what is too long, too much, too big or no text; time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "pop3_driver.h"

#include "proto/sasl_frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Lines --- */

static void test_lines_have_a_maximum(void **state)
{
    (void)state;
    struct driver d = { .config.line_octets_max = 1000 };
    char line[1001];
    open_session(&d);
    ask(&d, "");
    assert_int_equal(pop3_server_input_max(d.session), 1000);
    memset(line, ' ', sizeof line);
    memcpy(line, "CAPA", 4);
    line[998] = '\r';
    line[999] = '\n';
    assert_int_equal(give(&d, (struct text){ line, 999 }), 999); /* kept by the driver */
    assert_int_equal(give(&d, (struct text){ line, 1000 }), 0);
    assert_non_null(strstr(d.said, "+OK capabilities"));
    d.said_len = 0;
    line[998] = ' ';
    line[999] = '\r';
    line[1000] = '\n';
    assert_int_equal(give(&d, (struct text){ line, 1000 }), 0); /* too long by now: thrown away */
    assert_int_equal(d.said_len, 0);
    assert_string_equal(ask(&d, "\n"), "-ERR the line is too long\r\n");
    give(&d, (struct text){ line, 1001 });
    assert_string_equal(d.said, "-ERR the line is too long\r\n-ERR the line is too long\r\n");
    assert_string_equal(ask(&d, "LANG\r\n") + 1, "OK languages follow\r\nen English\r\n"
                                                 "i-default Default (English)\r\n.\r\n");
    close_session(&d);
}

static void test_line_maximum_is_bounded_itself(void **state)
{
    (void)state;
    static const struct {
        uint32_t configured;
        size_t used;
    } cases[] = { { 0, 16384 }, { 1, 512 }, { 512, 512 }, { 65536, 16384 }, { UINT32_MAX, 16384 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct driver d = { .config.line_octets_max = cases[i].configured };
        open_session(&d);
        assert_int_equal(pop3_server_input_max(d.session), cases[i].used);
        close_session(&d);
    }
}

/* RFC 5034 4: as many octets as the mechanism needs, whatever is enough for commands. */
static void test_a_response_may_be_longer_than_a_command(void **state)
{
    (void)state;
    for (size_t octets = SASL_LINE_MAX; octets <= SASL_LINE_MAX + 1; octets++) {
        struct driver d = { .config.line_octets_max = 512 };
        static char line[SASL_LINE_MAX + 1];
        open_session(&d);
        ask(&d, "AUTH LOGIN\r\n");
        d.said_len = 0;
        memset(line, 'A', sizeof line);
        line[octets - 2] = '\r';
        line[octets - 1] = '\n';
        give(&d, (struct text){ line, octets });
        assert_int_equal(strstr(d.said, "the line is too long") != NULL, octets > SASL_LINE_MAX);
        close_session(&d);
    }
}

static void test_an_endless_line(void **state)
{
    (void)state;
    struct driver d = { 0 };
    static char line[65536];
    open_session(&d);
    ask(&d, "");
    memset(line, 'A', sizeof line);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(give(&d, (struct text){ line, sizeof line }), 0);
    assert_int_equal(d.said_len, strlen("+OK mx.test POP3 server ready\r\n"));
    assert_string_equal(ask(&d, "\r\nNOOP\r\n"),
                        "-ERR the line is too long\r\n-ERR log in first\r\n");
    close_session(&d);
}

static void test_a_long_response_ends_the_exchange(void **state)
{
    (void)state;
    struct driver d = { 0 };
    static char line[20000];
    open_session(&d);
    ask(&d, "AUTH LOGIN\r\n");
    assert_true(pop3_server_line_is_secret(d.session));
    memset(line, 'A', sizeof line);
    give(&d, (struct text){ line, sizeof line });
    assert_true(pop3_server_line_is_secret(d.session)); /* its end too */
    assert_string_equal(ask(&d, "AA\r\n"), "-ERR the line is too long\r\n");
    assert_false(pop3_server_line_is_secret(d.session));
    assert_string_equal(ask(&d, "NOOP\r\n"), "-ERR log in first\r\n");
    close_session(&d);
}

static void test_octets_that_are_no_text(void **state)
{
    (void)state;
    static const struct {
        struct text said;
        const char *reply;
    } cases[] = {
        { TEXT("QUIT\0\r\n"), "-ERR a command has no NUL\r\n" },
        { TEXT("\0\r\n"), "-ERR a command has no NUL\r\n" },
        { TEXT("QUIT\xff\r\n"), "-ERR unknown command\r\n" },
        { TEXT("USER \xc3\r\n"), "-ERR a name is UTF-8\r\n" },
        { TEXT("USER a\r\nPASS \xed\xa0\x80\r\n"),
          "+OK send PASS\r\n-ERR [AUTH] wrong user name or password\r\n" },
        { TEXT("PASS x\r\n"), "-ERR say USER first\r\n" },
        { TEXT("USER a\nPASS x\n"),
          "+OK send PASS\r\n-ERR [AUTH] wrong user name or password\r\n" },
        { TEXT("CAPA\r\r\n"), "-ERR unknown command\r\n" },
        { TEXT("\r\n"), "-ERR unknown command\r\n" },
    };
    struct driver d = { 0 };
    open_session(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(&d, "");
        d.said_len = 0;
        give(&d, cases[i].said);
        assert_string_equal(d.said, cases[i].reply);
    }
    close_session(&d);
}

static void test_a_name_has_a_maximum(void **state)
{
    (void)state;
    struct driver d = { 0 };
    char line[1200] = "USER ";
    open_session(&d);
    memset(line + 5, 'a', 1024);
    memcpy(line + 5 + 1024, "\r\n", 3);
    assert_non_null(strstr(ask(&d, line), "+OK send PASS\r\n"));
    memcpy(line + 5 + 1024, "a\r\n", 4);
    assert_string_equal(ask(&d, line), "-ERR USER needs a name of at most 1024 octets\r\n");
    close_session(&d);
}

/* RFC 2595 4, CVE-2011-0411 and its kin: what comes with STLS is never executed after it. */
static void test_what_comes_with_stls_is_thrown_away(void **state)
{
    (void)state;
    struct driver d = { 0 };
    struct bytes in = bytes_of_text(T("STLS\r\nUSER eve\r\nPASS x\r\n"));
    open_session(&d);
    ask(&d, "");
    while (turn(&d, &in))
        continue;
    assert_int_equal(d.step.kind, POP3_START_TLS);
    assert_int_equal(in.len, 0);
    give(&d, T("USER eve\r\n")); /* a driver that steps too early */
    assert_int_equal(d.step.kind, POP3_NEED_INPUT);
    pop3_server_tls_started(d.session, d.now_ms);
    assert_string_equal(ask(&d, "PASS x\r\n"), "-ERR say USER first\r\n");
    close_session(&d);
}

/* --- Sizes --- */

static void test_a_maildrop_over_4_gib(void **state)
{
    (void)state;
    static const struct pop3_message messages[] = {
        { .octets = 5000000000, .uidl_message = INT64_MAX, .uidl_placement = UINT32_MAX },
        { .octets = UINT64_C(1) << 63 },
    };
    struct driver d = { .messages = messages, .count = 2 };
    open_session(&d);
    log_in(&d);
    assert_string_equal(ask(&d, "STAT\r\nLIST\r\nDELE 2\r\nSTAT\r\nUIDL 1\r\n"),
                        "+OK 2 9223372041854775808\r\n"
                        "+OK 2 messages\r\n1 5000000000\r\n2 9223372036854775808\r\n.\r\n"
                        "+OK message 2 deleted\r\n"
                        "+OK 1 5000000000\r\n"
                        "+OK 1 7zzzzzzzzzzzz.4294967295\r\n");
    close_session(&d);
}

static void test_a_long_list_is_printed_in_pieces(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5000);
    struct driver d = { .messages = messages, .count = MANY };
    open_session(&d);
    log_in(&d);
    const char *said = ask(&d, "UIDL\r\nNOOP\r\n");
    assert_non_null(strstr(said, "\r\n100000 00000000031mz.0\r\n.\r\n+OK still here\r\n"));
    assert_true(d.output_most <= 256 * 1024);
    assert_true(d.writes > 5);
    assert_true(d.writes < 20);
    close_session(&d);
    free(messages);
}

static void test_all_are_deleted_by_one_update(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5000);
    struct driver d = { .messages = messages, .count = MANY };
    char line[32];
    open_session(&d);
    log_in(&d);
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "DELE %" PRIu32 "\r\n", i + 1);
        give(&d, text_of(line));
        d.said_len = 0;
    }
    assert_string_equal(ask(&d, "STAT\r\n"), "+OK 0 0\r\n");
    assert_string_equal(ask(&d, "QUIT\r\n"), "+OK mx.test POP3 server signing off\r\n");
    assert_int_equal(d.step.kind, POP3_CLOSE);
    assert_int_equal(d.updates, 1);
    assert_int_equal(d.updated, MANY);
    close_session(&d);
    free(messages);
}

/* A megabyte of lines, each beginning with a dot. */
static struct bytes dotted_content(void)
{
    static char content[1 << 20];
    for (size_t i = 0; i < sizeof content; i += 8)
        memcpy(content + i, ".line.\r\n", 8);
    return bytes_of_text((struct text){ content, sizeof content });
}

static void test_a_long_message_comes_back(void **state)
{
    (void)state;
    static const size_t slices[] = { 0, 1000, 65536, 100000 };
    struct bytes content = dotted_content();
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        struct driver d = { .messages = &message,
                            .count = 1,
                            .content = content,
                            .slice_max = slices[i],
                            .drain_max = 30000 };
        open_session(&d);
        log_in(&d);
        const char *said = ask(&d, "RETR 1\r\n");
        assert_memory_equal(said, "+OK 1048576 octets\r\n", 20);
        assert_int_equal(d.said_len, 20 + content.len / 8 * 9 + 3);
        for (size_t at = 20; at + 3 < d.said_len; at += 9)
            assert_memory_equal(said + at, "..line.\r\n", 9);
        assert_string_equal(said + d.said_len - 3, ".\r\n");
        assert_true(d.output_most <= 256 * 1024);
        close_session(&d);
    }
}

static void test_small_messages_share_a_write(void **state)
{
    (void)state;
    struct bytes content = { dotted_content().at, 5000 };
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    struct driver d = { .messages = &message, .count = 1, .content = content };
    char commands[8 * 200 + 1] = "";
    open_session(&d);
    log_in(&d);
    for (int i = 0; i < 200; i++)
        memcpy(commands + 8 * i, "RETR 1\r\n", 9);
    d.writes = 0;
    ask(&d, commands);
    assert_int_equal(d.said_len, 200 * (17 + 5000 / 8 * 9 + 3));
    assert_true(d.writes <= 6); /* 1.1 MB in pieces of nearly 256 KB */
    close_session(&d);
}

static void test_top_reads_no_more_than_it_sends(void **state)
{
    (void)state;
    static const char header[] = "From: a@b.test\r\n\r\n";
    static char content[200000];
    memset(content, 'x', sizeof content);
    memcpy(content, header, sizeof header - 1);
    memcpy(content + 150, "\r\n", 2);
    struct pop3_message message = { .octets = sizeof content };
    struct driver d = { .messages = &message,
                        .count = 1,
                        .content = { (const uint8_t *)content, sizeof content },
                        .slice_max = 100 };
    open_session(&d);
    log_in(&d);
    assert_int_equal(strlen(ask(&d, "TOP 1 0\r\n")), 28 + 18 + 3);
    assert_int_equal(d.reads, 1);
    assert_int_equal(strlen(ask(&d, "TOP 1 1\r\n")), 28 + 152 + 3);
    assert_int_equal(d.reads, 3);
    close_session(&d);
}

/* --- Time --- */

static void test_a_slow_reader_is_not_idle(void **state)
{
    (void)state;
    struct bytes content = dotted_content();
    struct pop3_message message = { .octets = content.len, .dot_lines = true };
    struct driver d = { .messages = &message, .count = 1, .content = content, .drain_max = 200000 };
    struct bytes in = bytes_of_text(T("RETR 1\r\n"));
    open_session(&d);
    log_in(&d);
    unsigned waits = 0;
    while (turn(&d, &in))
        if (d.step.kind == POP3_NEED_DRAIN) {
            waits++;
            d.now_ms += 599999;
        }
    assert_true(waits > 3);
    assert_int_equal(d.step.kind, POP3_NEED_INPUT);
    d.now_ms = pop3_server_deadline_ms(d.session);
    give(&d, T(""));
    assert_int_equal(d.step.kind, POP3_CLOSE);
    close_session(&d);
}

static void test_a_reader_that_stopped_is_idle(void **state)
{
    (void)state;
    struct bytes content = dotted_content(), in = bytes_of_text(T("RETR 1\r\n"));
    struct pop3_message message = { .octets = content.len };
    struct driver d = { .messages = &message, .count = 1, .content = content };
    open_session(&d);
    log_in(&d);
    while (d.step.kind != POP3_NEED_DRAIN) {
        d.step = pop3_server_step(d.session, &in, d.now_ms);
        if (d.step.kind != POP3_NEED_DRAIN)
            pop3_server_answer(d.session, d.step.request, answer_to(&d), d.now_ms);
    }
    d.now_ms = pop3_server_deadline_ms(d.session);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms - 1).kind, POP3_NEED_DRAIN);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms).kind, POP3_CLOSE);
    assert_int_equal(pop3_server_step(d.session, &in, d.now_ms).kind, POP3_CLOSE);
    close_session(&d);
}

static void test_values_follow_a_reload(void **state)
{
    (void)state;
    struct driver d = { 0 };
    open_session(&d);
    ask(&d, "");
    struct pop3_server_config other = d.config;
    other.offer_tls = false;
    other.errors_max = 1;
    pop3_server_reconfigure(d.session, &other);
    assert_string_equal(ask(&d, "STLS\r\n"), "-ERR rule errors: too many errors\r\n");
    assert_int_equal(d.step.kind, POP3_CLOSE);
    close_session(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_have_a_maximum),
        cmocka_unit_test(test_line_maximum_is_bounded_itself),
        cmocka_unit_test(test_a_response_may_be_longer_than_a_command),
        cmocka_unit_test(test_an_endless_line),
        cmocka_unit_test(test_a_long_response_ends_the_exchange),
        cmocka_unit_test(test_octets_that_are_no_text),
        cmocka_unit_test(test_a_name_has_a_maximum),
        cmocka_unit_test(test_what_comes_with_stls_is_thrown_away),
        cmocka_unit_test(test_a_maildrop_over_4_gib),
        cmocka_unit_test(test_a_long_list_is_printed_in_pieces),
        cmocka_unit_test(test_all_are_deleted_by_one_update),
        cmocka_unit_test(test_a_long_message_comes_back),
        cmocka_unit_test(test_small_messages_share_a_write),
        cmocka_unit_test(test_top_reads_no_more_than_it_sends),
        cmocka_unit_test(test_a_slow_reader_is_not_idle),
        cmocka_unit_test(test_a_reader_that_stopped_is_idle),
        cmocka_unit_test(test_values_follow_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
