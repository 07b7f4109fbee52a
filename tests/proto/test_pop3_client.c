/* test_pop3_client.c - every dialogue in the folder named on the command line, played in every
 * weather: the client must say and tell the same however the replies are cut, whenever answers
 * come, and however slowly its output is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "pop3_script.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRIPTS_MAX = 100, CUTS_MAX = 1000, CUTS_OF_MUCH_MAX = 50, MUCH = 100000 };

static void print_first_difference(struct text expected, struct text got)
{
    struct text a, b;
    for (unsigned line = 1;; line++) {
        bool more = text_cut(&expected, '\n', &a);
        more |= text_cut(&got, '\n', &b);
        if (!text_equal(a, b) || !more) {
            print_error("line %u:\n  expected %.*s\n  got      %.*s\n", line, TEXT_ARGS(a),
                        TEXT_ARGS(b));
            print_error("then got\n%.*s\n", TEXT_ARGS(text_first(got, 2000)));
            return;
        }
    }
}

static void expect(const struct pop3_script *script, const char *name,
                   const struct pop3_weather *weather)
{
    struct buffer log;
    buffer_init(&log, 1 << 24);
    assert_true(pop3_script_play(script, weather, &log));
    if (!text_equal(buffer_as_text(&log), pop3_script_expected(script))) {
        print_error("%s: cut=%zu piece=%zu late=%d trickle=%d\n", name, weather->cut,
                    weather->piece, weather->late, weather->trickle);
        print_first_difference(pop3_script_expected(script), buffer_as_text(&log));
        buffer_clear(&log);
        fail();
    }
    buffer_clear(&log);
}

static void test_script(void **state)
{
    const char *name = *state;
    struct pop3_script *script = pop3_script_load(name);
    size_t input = pop3_script_input(script);
    expect(script, name, &(struct pop3_weather){ .cut = 0 });
    expect(script, name, &(struct pop3_weather){ .late = true });
    if (input > 0) /* else what arrives together means something else alone */
        expect(script, name, &(struct pop3_weather){ .trickle = true, .late = true });
    size_t stride = input / (input > MUCH ? CUTS_OF_MUCH_MAX : CUTS_MAX) + 1;
    for (size_t cut = 1; cut < input; cut += stride)
        expect(script, name, &(struct pop3_weather){ .cut = cut, .late = cut % 2 });
    /* Half a line is looked at again each time it grows. */
    size_t slow = input > MUCH ? 1000 : 1;
    for (size_t piece = slow; input && piece <= slow * 7; piece += slow)
        expect(script, name, &(struct pop3_weather){ .piece = piece, .trickle = piece % 2 });
    pop3_script_free(&script);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[SCRIPTS_MAX];
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.txt", argc > 1 ? argv[1] : "tests/proto/pop3_client");
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc > SCRIPTS_MAX) {
        fprintf(stderr, "%s: no scripts, or too many\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        tests[i] =
            (struct CMUnitTest){ found.gl_pathv[i], test_script, NULL, NULL, found.gl_pathv[i] };
    int failed =
        _cmocka_run_group_tests("POP3 client transcripts", tests, found.gl_pathc, NULL, NULL);
    globfree(&found);
    return failed;
}
