/* test_destination.c - concurrency that learns, and back-off, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/destination.h"

#include <stdio.h>

#define MINUTE 60000ULL

enum { EXACT = DESTINATION_SPREAD / 2 };

/* A life in letters, one a step:
 *   o opened   c closed   s succeeded   f failed   ? may open   ! may not   k may keep   x may not
 *   U up       D down     P probing     m a minute passes */
static void play(const char *life, uint32_t allowed)
{
    struct destination d;
    destination_init(&d);
    uint64_t now = 1;
    for (const char *step = life; *step; step++) {
        bool holds = true;
        switch (*step) {
        case 'o':
            destination_opened(&d);
            break;
        case 'c':
            destination_closed(&d);
            break;
        case 's':
            destination_succeeded(&d);
            break;
        case 'f':
            destination_failed(&d, now, EXACT);
            break;
        case 'm':
            now += MINUTE;
            break;
        case '?':
            holds = destination_may_open(&d, now);
            break;
        case '!':
            holds = !destination_may_open(&d, now);
            break;
        case 'k':
            holds = destination_may_keep(&d);
            break;
        case 'x':
            holds = !destination_may_keep(&d);
            break;
        case 'U':
            holds = d.state == DESTINATION_UP && !destination_is_down(&d);
            break;
        case 'D':
            holds = d.state == DESTINATION_DOWN && destination_is_down(&d);
            break;
        case 'P':
            holds = d.state == DESTINATION_PROBING && destination_is_down(&d);
            break;
        default:
            holds = *step == ' ';
        }
        if (!holds)
            fail_msg("\"%s\": wrong at \"%s\"", life, step);
    }
    if (d.allowed != allowed)
        fail_msg("\"%s\": %u allowed, wanted %u", life, d.allowed, allowed);
}

static void test_lives(void **state)
{
    (void)state;
    static const struct {
        const char *life;
        uint32_t allowed; /* at the end */
    } cases[] = {
        { "U?o?o!", 2 },
        { "oc?", 2 },
        /* It grows after as many successes as it has, with as many open. */
        { "oo s! s?", 3 },
        { "ooss o ss! s?", 4 },
        { "o ssssssssss", 2 },
        { "oo s c s s o s", 3 },
        /* A failure halves it, and forgets the successes. */
        { "ooss o sss o f c U!x c!k c?", 2 },
        { "oo s f", 1 },
        { "oof c kU!", 1 },
        /* Where it failed once it grows with patience, and then as before. */
        { "oof c ssssssssssssssssssss?", 2 },
        { "oof c sssssssssssssssssss!", 1 },
        { "oof c ssssssssssssssssssss o ss?", 3 },
        { "oof x", 1 },
        /* Two failures bring a new one down, one at a time or together. */
        { "ofcU ofcD!", 0 },
        { "oo fcU fcD!", 0 },
        { "ofc ofc !m?", 0 },
        /* One probe, and no other while it lasts. */
        { "ofcofc m ?oP! mmm !", 0 },
        { "ofcofc m o scU ?o!", 1 },
        { "ofcofc m os!s?o!", 2 },
        { "ofcofc m o s ss o", 2 },
        /* Its failure waits longer each time: 1, 2, 4, 8, 16, 30, 30 minutes. */
        { "ofcofc m ofcD! m!m?", 0 },
        { "ofcofc m ofc mm ofc mmm!m?", 0 },
        { "ofcofc m ofc mm ofc mmmm ofc mmmmmmm!m?", 0 },
        { "ofcofc m ofc mm ofc mmmm ofc mmmmmmmm ofc mmmmmmmmmmmmmmm!m?", 0 },
        { "ofcofc m ofc mm ofc mmmm ofc mmmmmmmm ofc mmmmmmmmmmmmmmmm ofc"
          " mmmmmmmmmmmmmmmmmmmmmmmmmmmmm!m? ofc mmmmmmmmmmmmmmmmmmmmmmmmmmmmm!m?",
          0 },
        /* Up again it begins anew, and so does the wait when it goes down once more. */
        { "ofcofc m ofc mm oscU ofcD!m?", 0 },
        /* A probe that ends without a word leaves it down. */
        { "ofcofc m oPcD?", 0 },
        /* What was open before: no probe beside it, its failure says nothing new, its success does.
         */
        { "ooss o sss o fcfcfcD m! fc?", 0 },
        { "ooss o ffD m! s U! c x c k! c?", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        play(cases[i].life, cases[i].allowed);
}

/* A host that takes only so many connections at once: the rest it refuses. */
static void test_finds_what_a_host_takes(void **state)
{
    (void)state;
    for (uint32_t takes = 1; takes <= DESTINATION_MAX + 5; takes++) {
        struct destination d;
        destination_init(&d);
        unsigned refused = 0, messages = 0;
        for (unsigned turn = 0; turn < 2000; turn++) {
            while (destination_may_open(&d, turn * MINUTE)) {
                destination_opened(&d);
                if (d.open <= takes)
                    continue;
                refused++;
                destination_failed(&d, turn * MINUTE, EXACT);
                destination_closed(&d);
            }
            for (uint32_t i = d.open; i > 0; i--) {
                destination_succeeded(&d);
                messages++;
                if (!destination_may_keep(&d))
                    destination_closed(&d);
            }
        }
        uint32_t best = takes < DESTINATION_MAX ? takes : DESTINATION_MAX;
        assert_true(messages >= 2000 * best * 9 / 10);
        assert_true(refused <= 1 + 2000 / DESTINATION_PATIENCE);
        assert_true(best < DESTINATION_MAX || d.allowed == DESTINATION_MAX);
    }
}

/* Dead for five days: few probes, never two at a time. */
static void test_dead_for_days(void **state)
{
    (void)state;
    struct destination d;
    destination_init(&d);
    unsigned tries = 0;
    for (uint64_t minute = 0; minute < 5 * 24 * 60; minute++)
        while (destination_may_open(&d, minute * MINUTE)) {
            destination_opened(&d);
            assert_true(d.open == 1);
            destination_failed(&d, minute * MINUTE, EXACT);
            destination_closed(&d);
            tries++;
        }
    assert_int_equal(tries, 2 + 5 + (5 * 24 * 60 - 1 - 31) / 30);
}

static void test_spread(void **state)
{
    (void)state;
    for (unsigned spread = 0; spread < DESTINATION_SPREAD; spread++) {
        struct destination d;
        destination_init(&d);
        for (int i = 0; i < 2; i++) {
            destination_opened(&d);
            destination_failed(&d, 0, spread);
            destination_closed(&d);
        }
        assert_in_range(d.probe_at_ms, 54000, 65999);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_finds_what_a_host_takes),
        cmocka_unit_test(test_dead_for_days),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
