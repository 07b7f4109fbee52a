/* test_penance.c - how long replies are held back, and what ends the wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/penance.h"
#include "proto/pop3_server.h"
#include "proto/smtp_server.h"

#include <string.h>

static void test_it_grows_and_has_a_maximum(void **state)
{
    (void)state;
    static const struct {
        uint32_t mistake;
        uint64_t ms;
    } cases[] = {
        { 0, 0 },    { 1, 0 },    { 3, 0 },    { 4, 250 },   { 5, 500 },           { 6, 1000 },
        { 7, 2000 }, { 8, 4000 }, { 9, 5000 }, { 10, 5000 }, { UINT32_MAX, 5000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(penance_ms(cases[i].mistake), cases[i].ms);
}

static void test_what_is_held_back_is_not_shown(void **state)
{
    (void)state;
    struct bytes all = bytes_of_text(T("250 ok\r\n500 no\r\n"));
    struct penance p = { 0 };
    assert_false(penance_ends(&p, UINT64_MAX));
    penance_begin(&p, 3, 8, 1000);
    assert_false(penance_lasts(&p));
    penance_begin(&p, 4, 8, 1000);
    assert_true(penance_lasts(&p));
    assert_int_equal(penance_shows(&p, all).len, 8);
    assert_false(penance_ends(&p, 1249));
    assert_true(penance_ends(&p, 1250));
    assert_false(penance_ends(&p, 1251));
    assert_int_equal(penance_shows(&p, all).len, 16);
    penance_begin(&p, 9, 8, 1000);
    penance_forgive(&p);
    assert_true(penance_ends(&p, 1001));
}

/* --- In the machines --- */

static bool smtp_ends_with(struct smtp_server *s, const char *words)
{
    return text_ends_nocase(text_of_bytes(smtp_server_output(s)), text_of(words));
}

/* Octets that keep coming win nothing, and whoever stops the server waits for nobody's penance. */
static void test_smtp(void **state)
{
    (void)state;
    static const struct smtp_server_config config = { .hostname = TEXT("mx"),
                                                      .command_ms = 300000 };
    static const struct smtp_server_peer peer = { .stranger = true };
    struct smtp_server *s = smtp_server_new(&config, &peer, 1000);
    struct bytes in = bytes_of_text(T("A\r\nB\r\nC\r\nNOOP\r\nD\r\nNOOP\r\n"));
    assert_int_equal(smtp_server_step(s, &in, 1000).kind, SMTP_NEED_TIME);
    assert_int_equal(in.len, strlen("NOOP\r\n"));
    assert_int_equal(smtp_server_deadline_ms(s), 1250);
    for (uint64_t now_ms = 1000; now_ms < 1250; now_ms++)
        assert_int_equal(smtp_server_step(s, &in, now_ms).kind, SMTP_NEED_TIME);
    assert_true(smtp_ends_with(s, "250 2.0.0 ok\r\n"));
    smtp_server_drained(s, smtp_server_output(s).len);
    assert_int_equal(smtp_server_output(s).len, 0);
    assert_int_equal(smtp_server_step(s, &in, 1250).kind, SMTP_NEED_INPUT);
    assert_true(smtp_ends_with(s, "500 5.5.2 unknown command\r\n250 2.0.0 ok\r\n"));
    assert_int_equal(smtp_server_deadline_ms(s), 1250 + 300000);
    in = bytes_of_text(T("E\r\n"));
    assert_int_equal(smtp_server_step(s, &in, 2000).kind, SMTP_NEED_TIME);
    smtp_server_shut_down(s, "4.3.2", "going down");
    assert_int_equal(smtp_server_step(s, &in, 2000).kind, SMTP_CLOSE);
    assert_true(smtp_ends_with(s, "500 5.5.2 unknown command\r\n421 4.3.2 mx going down\r\n"));
    smtp_server_free(&s);
}

static bool pop3_ends_with(struct pop3_server *s, const char *words)
{
    return text_ends_nocase(text_of_bytes(pop3_server_output(s)), text_of(words));
}

static void test_pop3(void **state)
{
    (void)state;
    static const struct pop3_server_config config = { .hostname = TEXT("mx"), .idle_ms = 100 };
    static const struct pop3_server_peer peer = { .stranger = true };
    struct pop3_server *s = pop3_server_new(&config, &peer, 1000);
    struct bytes in = bytes_of_text(T("A\r\nB\r\nC\r\nD\r\nCAPA\r\n"));
    assert_int_equal(pop3_server_step(s, &in, 1000).kind, POP3_NEED_TIME);
    assert_int_equal(in.len, strlen("CAPA\r\n"));
    /* Longer than it may idle: that is not the client's fault. */
    for (uint64_t now_ms = 1000; now_ms < 1250; now_ms++)
        assert_int_equal(pop3_server_step(s, &in, now_ms).kind, POP3_NEED_TIME);
    pop3_server_drained(s, pop3_server_output(s).len);
    assert_int_equal(pop3_server_output(s).len, 0);
    assert_int_equal(pop3_server_step(s, &in, 1250).kind, POP3_NEED_INPUT);
    assert_true(pop3_ends_with(s, "\r\n.\r\n"));
    assert_int_equal(pop3_server_deadline_ms(s), 1350);
    in = bytes_of_text(T("E\r\n"));
    assert_int_equal(pop3_server_step(s, &in, 1300).kind, POP3_NEED_TIME);
    pop3_server_shut_down(s, "going down");
    assert_int_equal(pop3_server_step(s, &in, 1300).kind, POP3_CLOSE);
    assert_true(pop3_ends_with(s, "-ERR unknown command\r\n-ERR [SYS/TEMP] going down\r\n"));
    pop3_server_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_grows_and_has_a_maximum),
        cmocka_unit_test(test_what_is_held_back_is_not_shown),
        cmocka_unit_test(test_smtp),
        cmocka_unit_test(test_pop3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
