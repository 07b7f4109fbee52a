/* test_pop3_memory.c - what a POP3 session holds, when memory is short, and what becomes of
 * secrets.
 *
 * Linked with --wrap for malloc and its kin, so that what a session allocates is counted, can be
 * made to fail, and is searched for the password when it is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../counted_memory.h"
#include "pop3_driver.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static const char password[] = "open sesame";
static struct {
    size_t held;              /* octets */
    unsigned until_failure;   /* the n-th allocation from now fails; 0: none */
    unsigned failures, leaks; /* blocks given back with the password in them */
} memory;

static bool fails(void)
{
    if (!driver_in_session || memory.until_failure == 0 || --memory.until_failure > 0)
        return false;
    memory.failures++;
    return true;
}

static void took(void *block)
{
    if (driver_in_session)
        memory.held += malloc_usable_size(block);
}

static void gives_back(void *block)
{
    if (!driver_in_session)
        return;
    size_t size = malloc_usable_size(block);
    memory.held -= size;
    memory.leaks += memmem(block, size, password, sizeof password - 1) != NULL;
}

static void test_an_idle_session_is_small(void **state)
{
    (void)state;
    struct pop3_message *messages = many_messages(5);
    struct driver d = { .messages = messages,
                        .count = MANY,
                        .content = bytes_of_text(T("a\r\n\r\n")) };
    memory.held = 0;
    open_session(&d);
    ask(&d, "");
    assert_in_range(memory.held, 1, 800);
    ask(&d, "CAPA\r\nUSER ada@example.org\r\n");
    assert_in_range(memory.held, 1, 1024);
    log_in(&d);
    ask(&d, "LIST\r\nRETR 1\r\n");
    assert_in_range(memory.held, 1, 1024);
    ask(&d, "DELE 100000\r\n");
    assert_in_range(memory.held, 1, 1024 + MANY / 8 + 64);
    close_session(&d);
    assert_int_equal(memory.held, 0);
    free(messages);
}

static void test_secrets_are_wiped(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "USER ada\r\nPASS open sesame\r\n",
        "USER ada\r\nPASS it is open sesame!\r\n",
        "AUTH LOGIN\r\n*\r\nAUTH LOGIN\r\nb3BlbiBzZXNhbWU=\r\n",
        "AUTH LOGIN b3BlbiBzZXNhbWU=\r\nb3BlbiBzZXNhbWUh\r\n",
    };
    memory.leaks = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct driver d = { 0 };
        open_session(&d);
        ask(&d, ways[i]);
        close_session(&d);
    }
    /* The session ends while the request is open. */
    struct driver d = { 0 };
    struct bytes in = bytes_of_text(T("USER ada\r\nPASS open sesame\r\n"));
    open_session(&d);
    d.step = pop3_server_step(d.session, &in, 0);
    assert_int_equal(d.step.kind, POP3_LOGIN);
    assert_memory_equal(d.step.password.at, password, sizeof password - 1);
    close_session(&d);
    assert_int_equal(memory.leaks, 0);
}

/* Every allocation fails once: the session then says -ERR [SYS/TEMP] or ends, never crashes, and
 * deletes exactly what it said it would. */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    static const struct pop3_message messages[3] = { { .octets = 5 },
                                                     { .octets = 5 },
                                                     { .octets = 5 } };
    static const char session[] = "AUTH LOGIN\r\nbm8hYQ==\r\nUSER ada\r\nPASS open sesame\r\n"
                                  "CAPA\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 0\r\nDELE 1\r\n"
                                  "DELE 3\r\nSTAT\r\nQUIT\r\n";
    unsigned n = 0, failures;
    memory.held = 0;
    do {
        struct driver d = { .messages = messages,
                            .count = 3,
                            .content = bytes_of_text(T("a\r\n\r\n")) };
        memory.until_failure = ++n;
        memory.failures = 0;
        open_session(&d);
        if (d.session) {
            struct text rest = T(session), line;
            while (d.step.kind != POP3_CLOSE && text_cut(&rest, '\n', &line)) {
                line.len++;
                give(&d, line);
            }
            assert_int_equal(d.step.kind, POP3_CLOSE);
            uint32_t promised = 0;
            for (const char *at = d.said; (at = strstr(at, " deleted\r\n")) != NULL; at++)
                promised++;
            if (d.updates > 0)
                assert_int_equal(d.updated, promised);
            if (memory.failures > 0 && strstr(d.said, "signing off"))
                assert_non_null(strstr(d.said, "-ERR [SYS/TEMP]"));
        }
        failures = memory.failures;
        memory.until_failure = 0;
        close_session(&d);
        assert_int_equal(memory.held, 0);
    } while (failures > 0);
    assert_true(n > 7);
}

/* Whatever allocation fails, no line of a message stands where a status line is due. */
static void test_a_message_never_comes_without_its_status_line(void **state)
{
    (void)state;
    static char content[3 * 4096];
    static const struct pop3_message messages[2] = { { .octets = sizeof content },
                                                     { .octets = sizeof content } };
    for (size_t i = 0; i < sizeof content; i += 3)
        memcpy(content + i, "a\r\n", 3);
    unsigned n = 0, failures;
    do {
        struct driver d = { .messages = messages,
                            .count = 2,
                            .content = { (const uint8_t *)content, sizeof content } };
        open_session(&d);
        log_in(&d);
        memory.until_failure = ++n;
        memory.failures = 0;
        struct text rest = T("RETR 1\r\nRETR 2\r\nQUIT\r\n"), line;
        while (d.step.kind != POP3_CLOSE && text_cut(&rest, '\n', &line)) {
            line.len++;
            give(&d, line);
        }
        for (const char *at = d.said; (at = strstr(at, "\r\n.\r\n")) != NULL; at++)
            assert_true(at[5] == '+' || at[5] == '-' || at[5] == 0);
        failures = memory.failures;
        memory.until_failure = 0;
        close_session(&d);
    } while (failures > 0);
    assert_true(n > 2);
}

static void test_an_endless_line_costs_nothing(void **state)
{
    (void)state;
    struct driver d = { 0 };
    static char line[65536];
    open_session(&d);
    ask(&d, "");
    size_t before = memory.held;
    memset(line, 'A', sizeof line);
    for (int i = 0; i < 100; i++)
        assert_int_equal(give(&d, (struct text){ line, sizeof line }), 0);
    assert_int_equal(memory.held, before);
    close_session(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_session_is_small),
        cmocka_unit_test(test_secrets_are_wiped),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_a_message_never_comes_without_its_status_line),
        cmocka_unit_test(test_an_endless_line_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
