/* test_script.c - the lines of a script, and what is said for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "lab/script_steps.h"

#include <string.h>

static struct lab_plan plan;

static int make_plan(void **state)
{
    (void)state;
    struct error e;
    plan.ports.roles[ROLE_SMTP] = 2525;
    plan.ports.roles[ROLE_POP3] = 2110;
    plan.ports.behind = 2645;
    bool ok = plan_add_domains(&plan, T("a.test,b.test"), &e) &&
              plan_set_faults(&plan, T("b.test=dead"), &e);
    strcpy(plan.domains[0].users[1].password, "secret");
    return ok ? 0 : -1;
}

/* All that is said, and to which port; "|" between. */
static const struct {
    const char *line;
    unsigned port;
    size_t kept; /* the exchange whose answer counts */
    const char *said;
} rows[] = {
    { "send alice@a.test x@y.test", 2525, 5,
      "|EHLO lab.invalid|MAIL FROM:<alice@a.test>|RCPT TO:<x@y.test>|DATA|From: <alice@a.test>\n"
      "To: <x@y.test>\nSubject: first flight\n\nhello\n.|QUIT|" },
    { "refused nobody@b.test  x@y.test   two words ", 2645, 5,
      "|EHLO lab.invalid|MAIL FROM:<nobody@b.test>|RCPT TO:<x@y.test>|DATA|"
      "From: <nobody@b.test>\nTo: <x@y.test>\nSubject: two words\n\nhello\n.|QUIT|" },
    { "wait 3 bob@a.test", 2110, 3, "|USER bob@a.test|PASS secret|STAT|QUIT|" },
    { "wait 3 bob@a.test 5", 2110, 3, "|USER bob@a.test|PASS secret|STAT|QUIT|" },
    { "expect bob@a.test 2 some words", 2110, 3, "|USER bob@a.test|PASS secret|RETR 2|QUIT|" },
    { "pop bob@a.test TOP 1 0", 2110, 3, "|USER bob@a.test|PASS secret|TOP 1 0|QUIT|" },
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct step step = { 0 };
        struct dialogue_script d = { 0 };
        struct arena memory;
        struct error e;
        char said[1024] = "";
        arena_init(&memory, 65536);
        print_message("%s\n", rows[i].line);
        assert_true(step_parse(&plan, text_trim(text_of(rows[i].line)), &step, &e));
        assert_true(step_exchanges(&plan, &step, &memory, &d));
        for (size_t j = 0; j < d.count; j++) {
            struct text words = d.exchanges[j].say;
            for (size_t k = 0; k < words.len; k++)
                if (words.at[k] != '\r' && k + 1 < words.len)
                    strncat(said, &words.at[k], 1);
            strcat(said, "|");
        }
        assert_string_equal(said, rows[i].said);
        assert_int_equal(d.to.port, rows[i].port);
        assert_int_equal(d.kept, rows[i].kept);
        assert_true(d.count <= EXCHANGES_MAX);
        arena_reset(&memory);
    }
}

static void test_answers_of_many_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool many;
    } cases[] = {
        { "pop bob@a.test LIST", true },    { "pop bob@a.test list 1", false },
        { "pop bob@a.test UIDL", true },    { "pop bob@a.test RETR 1", true },
        { "pop bob@a.test capa", true },    { "pop bob@a.test NOOP", false },
        { "pop bob@a.test LISTEN", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct step step = { 0 };
        struct dialogue_script d = { 0 };
        struct arena memory;
        struct error e;
        arena_init(&memory, 65536);
        assert_true(step_parse(&plan, text_of(cases[i].line), &step, &e));
        assert_true(step_exchanges(&plan, &step, &memory, &d));
        assert_int_equal(d.exchanges[d.kept].many, cases[i].many);
        arena_reset(&memory);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    struct step step = { 0 };
    struct error e;
    assert_true(step_parse(&plan, T("wait 3 bob@a.test"), &step, &e));
    assert_int_equal(step.number, 3);
    assert_int_equal(step.seconds, 30);
    assert_true(step_parse(&plan, T("wait 0 bob@a.test 7"), &step, &e));
    assert_int_equal(step.number, 0);
    assert_int_equal(step.seconds, 7);
    assert_true(step_parse(&plan, T("pause 2"), &step, &e));
    assert_int_equal(step.seconds, 2);
}

static void test_wrong_lines(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "fly",
        "send",
        "send alice@a.test",
        "send alice@a.test nobody",
        "send alice@elsewhere.test bob@a.test",
        "wait bob@a.test 1",
        "wait 1 nobody@a.test",
        "wait 1 bob@a.test 1 2",
        "wait -1 bob@a.test",
        "expect bob@a.test 1",
        "expect bob@a.test x y",
        "pop bob@a.test",
        "pause",
        "pause soon",
        "pause 99999999999",
        "SEND alice@a.test bob@a.test",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct step step = { 0 };
        struct error e = { 0 };
        print_message("%s\n", wrong[i]);
        assert_false(step_parse(&plan, text_of(wrong[i]), &step, &e));
        assert_int_equal(e.kind, ERROR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_answers_of_many_lines),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_wrong_lines),
    };
    return cmocka_run_group_tests(tests, make_plan, NULL);
}
