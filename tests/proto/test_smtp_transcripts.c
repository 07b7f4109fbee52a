/* test_smtp_transcripts.c - every dialogue in the folder named on the command line, played in every
 * weather: the session must say and do the same however its input is cut, whenever its answers
 * come, and however slowly its output is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "smtp_script.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRIPTS_MAX = 100, CUTS_MAX = 3000 };

static void print_first_difference(struct text expected, struct text got)
{
    struct text a, b;
    for (unsigned line = 1;; line++) {
        bool more = text_cut(&expected, '\n', &a);
        more |= text_cut(&got, '\n', &b);
        if (!text_equal(a, b) || !more) {
            print_error("line %u:\n  expected %.*s\n  got      %.*s\n", line, TEXT_ARGS(a),
                        TEXT_ARGS(b));
            print_error("  then got %.*s\n", TEXT_ARGS(text_first(got, 1000)));
            return;
        }
    }
}

static void expect(const struct script *script, const struct script_weather *weather)
{
    struct buffer log;
    buffer_init(&log, 1 << 24);
    assert_true(script_play(script, weather, &log));
    if (!text_equal(buffer_as_text(&log), script_expected(script))) {
        print_error("%s: cut=%zu piece=%zu lockstep=%d late=%d trickle=%d\n", script_name(script),
                    weather->cut, weather->piece, weather->lockstep, weather->late,
                    weather->trickle);
        print_first_difference(script_expected(script), buffer_as_text(&log));
        buffer_clear(&log);
        fail();
    }
    buffer_clear(&log);
}

static void test_script(void **state)
{
    struct script *script = script_load(*state);
    size_t input = script_input(script);
    expect(script, &(struct script_weather){ .lockstep = true });
    expect(script, &(struct script_weather){ .cut = 0 });
    expect(script, &(struct script_weather){ .late = true });
    expect(script, &(struct script_weather){ .late = true, .lockstep = true, .trickle = true });
    size_t stride = input / CUTS_MAX + 1;
    for (size_t cut = 1; cut < input; cut += stride)
        expect(script, &(struct script_weather){ .cut = cut, .late = cut % 2 });
    size_t slow =
        input > 100000 ? 1000 : 1; /* half a line at a time is looked at again each time */
    for (size_t piece = slow; piece <= slow * 7; piece += slow)
        expect(script, &(struct script_weather){ .piece = piece, .trickle = piece % 2 });
    script_free(&script);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCRIPTS_MAX];
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.txt", argc > 1 ? argv[1] : "tests/proto/smtp");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > SCRIPTS_MAX) {
        fprintf(stderr, "%s: no scripts, or too many\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i] =
            (struct CMUnitTest){ found.gl_pathv[i], test_script, NULL, NULL, found.gl_pathv[i] };
    int failed = _cmocka_run_group_tests("transcripts", tests, found.gl_pathc, NULL, NULL);
    globfree(&found);
    return failed;
}
