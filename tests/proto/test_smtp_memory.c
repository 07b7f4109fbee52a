/* test_smtp_memory.c - memory: what an idle session holds, and what happens when there is none.
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
#include "smtp_script.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void enter(void *data)
{
    (void)data;
    memory.in_machine = true;
}

static void leave(void *data)
{
    (void)data;
    memory.in_machine = false;
}

/* ---- without memory ---- */

/* Every transaction ends once, nothing is said after the end, every reply is one. */
static void check_log(struct text log)
{
    struct text line;
    bool closed = false;
    int open = 0;
    while (text_cut(&log, '\n', &line)) {
        assert_false(closed);
        if (text_equal(line, T("D: close")))
            closed = true;
        else if (text_equal(line, T("D: open")))
            open = 1;
        else if (text_equal(line, T("D: abandon")) || text_starts(line, T("D: commit ")))
            assert_int_equal(open--, 1);
        else if (text_starts(line, T("S: "))) {
            assert_true(line.len >= 7);
            assert_true(line.at[3] >= '2' && line.at[3] <= '5');
            assert_non_null(strchr(" -\\", line.at[6])); /* "334\x20" */
        }
    }
}

static void test_each_allocation_fails(void **state)
{
    struct script *script = script_load(*state);
    struct script_weather weather = { .lockstep = true, .enter = enter, .leave = leave };
    size_t before = memory.held;
    for (memory.failing = 1;; memory.failing++) {
        struct buffer log;
        buffer_init(&log, 1 << 24);
        memory.seen = 0;
        script_play(script, &weather, &log);
        check_log(buffer_as_text(&log));
        buffer_clear(&log);
        assert_int_equal(memory.held, before);
        if (memory.seen < memory.failing)
            break;
    }
    memory.failing = 0;
    script_free(&script);
}

/* ---- an idle session ---- */

static const struct smtp_server_config config = {
    .hostname = TEXT("mx.example.org"),
    .recipients_max = 1000,
    .command_ms = 300000,
};

/* Says one line, accepts what is asked, writes the output out. */
static void say(struct smtp_server *server, const char *words)
{
    struct bytes in = bytes_of_text(text_of(words));
    for (;;) {
        struct smtp_step step = smtp_server_step(server, &in, 1);
        if (step.request)
            smtp_server_answer(server, step.request, (struct smtp_answer){ SMTP_ACCEPT }, 1);
        else if (step.kind == SMTP_NEED_INPUT)
            break;
    }
    assert_int_equal(in.len, 0);
    smtp_server_drained(server, smtp_server_output(server).len);
}

static void test_idle_session(void **state)
{
    (void)state;
    size_t before = memory.held;
    struct smtp_server *server =
        smtp_server_new(&config, &(struct smtp_server_peer){ .trusted = true }, 0);
    say(server, "EHLO client.example.net\r\n");
    size_t idle = memory.held - before;
    assert_in_range(idle, 1, 1023);
    say(server, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
    assert_in_range(memory.held - before, idle, 4095);
    say(server, "Subject: x\r\n\r\n.\r\n");
    assert_int_equal(memory.held - before, idle);
    say(server, "MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nRSET\r\n");
    assert_int_equal(memory.held - before, idle);
    print_message("an idle session holds %zu octets\n", idle);
    smtp_server_free(&server);
    assert_int_equal(memory.held, before);
}

/* A million chunks of one octet: what the session holds does not grow. */
static void test_tiny_chunks(void **state)
{
    (void)state;
    struct smtp_server *server = smtp_server_new(&config, &(struct smtp_server_peer){ 0 }, 0);
    say(server, "EHLO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nBDAT 1\r\nx");
    size_t before = memory.held;
    for (unsigned i = 0; i < 1000000; i++)
        say(server, "BDAT 1\r\nx");
    assert_int_equal(memory.held, before);
    say(server, "BDAT 2 LAST\r\n\r\n");
    smtp_server_free(&server);
}

int main(int argc, char **argv)
{
    enum { FIXED = 2, SCRIPTS_MAX = 100 };
    static struct CMUnitTest tests[FIXED + SCRIPTS_MAX] = {
        cmocka_unit_test(test_idle_session),
        cmocka_unit_test(test_tiny_chunks),
    };
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.txt", argc > 1 ? argv[1] : "tests/proto/smtp");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > SCRIPTS_MAX) {
        fprintf(stderr, "%s: no scripts, or too many\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[FIXED + i] = (struct CMUnitTest){ found.gl_pathv[i], test_each_allocation_fails, NULL,
                                                NULL, found.gl_pathv[i] };
    int failed = _cmocka_run_group_tests("memory", tests, FIXED + found.gl_pathc, NULL, NULL);
    globfree(&found);
    return failed;
}
