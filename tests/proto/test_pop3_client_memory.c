/* test_pop3_client_memory.c - memory: what an idle session holds, what an absurd server can make it
 * hold, and what happens when there is none.
 *
 * The allocator is wrapped by the linker.  It counts, and fails one chosen allocation of the
 * machine: each in turn, for every dialogue in the folder named on the command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "machine_memory.h"
#include "pop3_script.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void enter(void)
{
    memory.in_machine = true;
}

static void leave(void)
{
    memory.in_machine = false;
}

/* ---- without memory ---- */

static unsigned count_lines(struct text log, struct text front, struct text within)
{
    struct text line;
    unsigned found = 0;
    while (text_cut(&log, '\n', &line))
        found += text_starts(line, front) && memmem(line.at, line.len, within.at, within.len);
    return found;
}

/* Nothing is said or told behind the end; no command is told a yes, and nothing deleted, beyond
 * those of the script.  (That each gets one ANSWERED, the player checks.) */
static void check_log(struct text log, struct text expected)
{
    struct text line, rest = log;
    bool closed = false;
    while (text_cut(&rest, '\n', &line)) {
        assert_false(closed && (text_starts(line, T("C: ")) || text_starts(line, T("D: "))));
        closed = closed || text_starts(line, T("D: close"));
    }
    assert_true(count_lines(log, T("D: "), T(": yes")) <=
                count_lines(expected, T("D: "), T(": yes")));
    assert_true(count_lines(log, T("D: close"), T("deleted")) <=
                count_lines(expected, T("D: close"), T("deleted")));
}

static void test_each_allocation_fails(void **state)
{
    struct pop3_script *script = pop3_script_load(*state);
    struct pop3_weather weather = { .enter = enter, .leave = leave };
    size_t before = memory.held;
    for (memory.failing = 1;; memory.failing++) {
        struct buffer log;
        buffer_init(&log, 1 << 24);
        memory.seen = 0;
        bool made = pop3_script_play(script, &weather, &log);
        assert_int_equal(made, memory.failing > 1);
        check_log(buffer_as_text(&log), pop3_script_expected(script));
        buffer_clear(&log);
        assert_int_equal(memory.held, before); /* nothing leaks */
        if (memory.seen < memory.failing)
            break;
    }
    memory.failing = 0;
    pop3_script_free(&script);
}

/* ---- limits ---- */

static const struct pop3_client_config config;

static struct pop3_client_step step_with(struct pop3_client *c, struct text input)
{
    struct bytes in = bytes_of_text(input);
    struct pop3_client_step step = pop3_client_step(c, &in, 0);
    while (step.kind == POP3_CLIENT_NEED_INPUT || step.kind == POP3_CLIENT_LINE ||
           step.kind == POP3_CLIENT_CONTENT || step.kind == POP3_CLIENT_BEGINS) {
        size_t out = pop3_client_output(c).len;
        if (out == 0 && in.len == 0)
            break;
        pop3_client_drained(c, out);
        step = pop3_client_step(c, &in, 0);
    }
    return step;
}

static struct pop3_client *logged_in(void)
{
    struct pop3_client *c = pop3_client_new(&config, 0);
    assert_non_null(c);
    step_with(c, T("+OK\r\n"));
    assert_int_equal(step_with(c, T("+OK\r\nPIPELINING\r\n.\r\n")).kind, POP3_CLIENT_LOG_IN);
    pop3_client_password(c, T("bob"), T("secret"), 0);
    step_with(c, T(""));
    step_with(c, T("+OK\r\n"));
    assert_int_equal(step_with(c, T("+OK\r\n")).kind, POP3_CLIENT_READY);
    return c;
}

/* A kept session holds its object and nothing else. */
static void test_idle(void **state)
{
    (void)state;
    size_t before = memory.held;
    struct pop3_client *c = pop3_client_new(&config, 0);
    size_t object = memory.held - before;
    pop3_client_free(&c);
    c = logged_in();
    print_message("an idle session holds %zu octets\n", memory.held - before);
    assert_int_equal(memory.held - before, object);
    assert_true(object < 5000);
    pop3_client_free(&c);
}

/* Many megabytes of anything, with all commands under way: nothing of it is held. */
static void test_absurd_answers(void **state)
{
    (void)state;
    static char much[1 << 16];
    size_t before = memory.held;
    struct pop3_client *c = logged_in();
    memory.most = 0;
    while (pop3_client_may_ask(c))
        assert_true(
            pop3_client_ask(c, (struct pop3_client_command){ POP3_CLIENT_RETR, UINT32_MAX, 0 }, 0));
    step_with(c, T(""));
    step_with(c, T("+OK\r\n"));
    memset(much, 'x', sizeof much);
    for (int i = 0; i < 500; i++)
        step_with(c, (struct text){ much, sizeof much });
    struct pop3_client_step step = step_with(c, T("\r\n.\r\n"));
    assert_int_equal(step.kind, POP3_CLIENT_ANSWERED);
    assert_int_equal(step.result->octets, 500 * sizeof much + 2);
    print_message("absurd answers make it hold %zu octets\n", memory.most - before);
    assert_true(memory.most - before < 12000);
    pop3_client_free(&c);
    assert_int_equal(memory.held, before);
}

enum { SCRIPTS_MAX = 100 };

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCRIPTS_MAX + 2] = { cmocka_unit_test(test_idle),
                                                        cmocka_unit_test(test_absurd_answers) };
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.txt", argc > 1 ? argv[1] : "tests/proto/pop3_client");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > SCRIPTS_MAX) {
        fprintf(stderr, "%s: no scripts, or too many\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i + 2] = (struct CMUnitTest){ found.gl_pathv[i], test_each_allocation_fails, NULL,
                                            NULL, found.gl_pathv[i] };
    int failed =
        _cmocka_run_group_tests("POP3 client memory", tests, found.gl_pathc + 2, NULL, NULL);
    globfree(&found);
    return failed;
}
