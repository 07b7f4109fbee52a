/* What programs say to sendmail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sendmail.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 16 };

/* What came of it: "mode errors tiv sender name words..." or "error". */
static void describe(const struct sendmail_options *o, char *out, size_t max)
{
    static const char *const modes[] = { "send", "smtp", "queue", "retry", "aliases", "help" };
    int len = snprintf(out, max, "%s", modes[o->mode]);
    const char *texts[][2] = { { " C=", o->file },
                               { " f=", o->sender },
                               { " F=", o->name },
                               { " R=", o->ret },
                               { " V=", o->envid } };
    static const char *const errors[] = { "", " em", " ee", " eq" };
    len += snprintf(out + len, max - (size_t)len, "%s%s%s%s", errors[o->errors],
                    o->from_header ? " t" : "", o->dots ? " i" : "", o->verbose ? " v" : "");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i][1])
            len += snprintf(out + len, max - (size_t)len, "%s%s", texts[i][0], texts[i][1]);
    if (o->notify)
        len += snprintf(out + len, max - (size_t)len, " N=%u", o->notify);
    for (size_t i = 0; i < o->word_count; i++)
        len += snprintf(out + len, max - (size_t)len, " %s", o->words[i]);
}

static void expect(const char *line, bool mixed, const char *wanted)
{
    char room[256], found[512] = "error";
    char *argv[WORDS_MAX];
    int argc = 0;
    struct sendmail_options o = { 0 };
    struct error e;
    snprintf(room, sizeof room, "%s", line);
    char *rest = room;
    while (rest[0] && argc < WORDS_MAX) {
        char *end = strchr(rest, ' ');
        argv[argc++] = rest;
        if (!end)
            break;
        *end = 0;
        rest = end + 1;
    }
    if (sendmail_options_read(argc, argv, mixed, &o, &e))
        describe(&o, found, sizeof found);
    else
        assert_int_equal(e.kind, ERROR_USAGE);
    assert_string_equal(found, wanted);
}

static void test_options(void **state)
{
    (void)state;
    static const struct {
        const char *line, *wanted;
    } rows[] = {
        { "bob@a.test", "send bob@a.test" },
        { "-t -i", "send t i" },
        { "-ti", "send t i" },
        { "-it -v", "send t i v" },
        { "-oi -t", "send t i" },
        { "-o i bob", "send i bob" },
        { "-f alice bob", "send f=alice bob" },
        { "-falice bob", "send f=alice bob" },
        { "-tfalice", "send t f=alice" },
        { "-f <> bob", "send f=<> bob" },
        { "-r alice bob", "send f=alice bob" },
        { "-FName bob", "send F=Name bob" },
        { "-f", "error" },
        { "-oem bob", "send em bob" },
        { "-em bob", "send em bob" },
        { "-oee bob", "send ee bob" },
        { "-oew bob", "send em bob" },
        { "-oeq bob", "send eq bob" },
        { "-oem -oep bob", "send bob" },
        { "-oex bob", "error" },
        { "-odb -odi -om -oQ/var -oA/x bob", "send bob" },
        { "-bm bob", "send bob" },
        { "-bs", "smtp" },
        { "-bp", "queue" },
        { "-bi", "aliases" },
        { "-I", "aliases" },
        { "-bd", "error" },
        { "-bv bob", "error" },
        { "-q", "retry" },
        { "-q30m", "retry" },
        { "-B8BITMIME bob", "send bob" },
        { "-B 8BITMIME bob", "send bob" },
        { "-h 3 -L tag -O A=b -p x -X /log -G -m -n -U bob", "send bob" },
        { "-d0.1 bob", "send bob" },
        { "-Am bob", "send bob" },
        { "-N never bob", "send N=1 bob" },
        { "-N success,failure,delay bob", "send N=14 bob" },
        { "-N never,delay bob", "error" },
        { "-N often bob", "error" },
        { "-R hdrs -V id bob", "send R=HDRS V=id bob" },
        { "-R some bob", "error" },
        { "-C /x bob", "send C=/x bob" },
        { "-c /x bob", "send C=/x bob" },
        { "-- -t", "send -t" },
        { "-", "send -" },
        { "-y bob", "error" },
        { "--help", "help" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].line, false, rows[i].wanted);
}

/* Whoever puts a recipient behind another may not thereby choose a configuration. */
static void test_options_behind_recipients(void **state)
{
    (void)state;
    expect("bob -c /x", false, "send bob -c /x");
    expect("bob -c /x", true, "send C=/x bob");
    expect("-t bob -C/x -- -t", true, "send t C=/x bob -t");
    expect("-t bob -C/x", false, "send t bob -C/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_options_behind_recipients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
