/* test_smtp_client_memory.c - memory: what an idle session holds, what an absurd server can make it
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

#include "client_script.h"
#include "machine_memory.h"

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

/* Nothing is said or told behind the end; no message is ended, and none delivered, beyond those of
 * the script.  (That each gets one SENT, the player checks.) */
static void check_log(struct text log, struct text expected)
{
    struct text line, rest = log;
    bool closed = false;
    while (text_cut(&rest, '\n', &line)) {
        assert_false(closed && (text_starts(line, T("C: ")) || text_starts(line, T("D: "))));
        closed = closed || text_starts(line, T("D: close")) || text_starts(line, T("D: failed"));
    }
    assert_true(count_lines(log, T("C: ."), T("C: .")) <=
                count_lines(expected, T("C: ."), T("C: .")));
    assert_true(count_lines(log, T("D: "), T(": delivered")) <=
                count_lines(expected, T("D: "), T(": delivered")));
}

static void test_each_allocation_fails(void **state)
{
    struct client_script *script = client_script_load(*state);
    struct client_weather weather = { .enter = enter, .leave = leave };
    size_t before = memory.held;
    for (memory.failing = 1;; memory.failing++) {
        struct buffer log;
        buffer_init(&log, 1 << 24);
        memory.seen = 0;
        bool made = client_script_play(script, &weather, &log);
        assert_int_equal(made, memory.failing > 1);
        check_log(buffer_as_text(&log), client_script_expected(script));
        buffer_clear(&log);
        assert_int_equal(memory.held, before); /* nothing leaks */
        if (memory.seen < memory.failing)
            break;
    }
    memory.failing = 0;
    client_script_free(&script);
}

/* ---- limits ---- */

static const struct smtp_client_config config = { .hostname = TEXT("client") };

static struct smtp_client_step step_with(struct smtp_client *c, struct text input)
{
    struct bytes in = bytes_of_text(input);
    struct smtp_client_step step = smtp_client_step(c, &in, 0);
    while (step.kind == SMTP_CLIENT_NEED_INPUT || step.kind == SMTP_CLIENT_NEED_DRAIN) {
        size_t out = smtp_client_output(c).len;
        if (out == 0 && in.len < smtp_client_input_max(c))
            break;
        smtp_client_drained(c, out);
        step = smtp_client_step(c, &in, 0);
    }
    return step;
}

/* A kept session holds its object and nothing else. */
static void test_idle(void **state)
{
    (void)state;
    size_t before = memory.held;
    struct smtp_client *c = smtp_client_new(&config, 0);
    size_t object = memory.held - before;
    step_with(c, T("220 mx\r\n"));
    assert_int_equal(step_with(c, T("250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n")).kind,
                     SMTP_CLIENT_READY);
    print_message("an idle session holds %zu octets\n", memory.held - before);
    assert_int_equal(memory.held - before, object);
    assert_true(object < 2048);
    smtp_client_free(&c);
}

/* A thousand recipients, each with a long reply of his own: the words are bounded, the results are
 * all there. */
static void test_absurd_results(void **state)
{
    (void)state;
    enum { RECIPIENTS = 1000 };
    static struct smtp_client_recipient people[RECIPIENTS];
    struct smtp_client_message m = { .recipients = people, .recipient_count = RECIPIENTS };
    for (int i = 0; i < RECIPIENTS; i++)
        people[i].address = T("bob@b.example");
    size_t before = memory.held;
    memory.most = 0;
    struct smtp_client *c = smtp_client_new(&config, 0);
    step_with(c, T("220 mx\r\n"));
    step_with(c, T("250-mx\r\n250 PIPELINING\r\n"));
    assert_true(smtp_client_send(c, &m, 0));
    step_with(c, T(""));
    step_with(c, T("250 ok\r\n"));
    for (int i = 0; i < RECIPIENTS; i++) {
        char line[3000];
        memset(line, 'x', sizeof line);
        int len = snprintf(line, sizeof line, "550 5.1.1 %d ", i);
        line[len] = 'x';
        line[sizeof line - 1] = '\n';
        step_with(c, (struct text){ line, sizeof line });
    }
    assert_int_equal(step_with(c, T("503 nobody\r\n")).kind, SMTP_CLIENT_SENT);
    for (uint32_t i = 0; i < RECIPIENTS; i++) {
        const struct smtp_client_result *r = smtp_client_result(c, i);
        assert_int_equal(r->code, 550);
        assert_string_equal(r->status, "5.1.1");
        assert_true(r->permanent);
        assert_true(r->reply.len == 0 || r->reply.len == 2999);
    }
    assert_int_equal(smtp_client_result(c, 0)->reply.len, 2999);
    print_message("absurd replies make it hold %zu octets\n", memory.most - before);
    assert_true(memory.most - before < 600 * 1024);
    smtp_client_free(&c);
    assert_int_equal(memory.held, before);
}

enum { SCRIPTS_MAX = 100 };

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCRIPTS_MAX + 2] = { cmocka_unit_test(test_idle),
                                                        cmocka_unit_test(test_absurd_results) };
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.txt", argc > 1 ? argv[1] : "tests/proto/smtp_client");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > SCRIPTS_MAX) {
        fprintf(stderr, "%s: no scripts, or too many\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i + 2] = (struct CMUnitTest){ found.gl_pathv[i], test_each_allocation_fails, NULL,
                                            NULL, found.gl_pathv[i] };
    int failed = _cmocka_run_group_tests("client memory", tests, found.gl_pathc + 2, NULL, NULL);
    globfree(&found);
    return failed;
}
