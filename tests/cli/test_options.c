/* test_options.c - cli/options: what command lines mean, and what is said of those that mean
 * nothing. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct own {
    bool quiet, verbose;
    const char *name, *note, *file;
    struct option_list to;
    struct option_number count, wait;
    unsigned tls;
};

static const struct option rows[] = {
    { "--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct own, quiet), "say less" },
    { "--verbose", 'v', OPTION_FLAG, NULL, offsetof(struct own, verbose), "say more" },
    { "--name", 'n', OPTION_TEXT, "NAME", offsetof(struct own, name), "a name" },
    { "--note", 0, OPTION_ANY_TEXT, "TEXT", offsetof(struct own, note), "a note" },
    { "--to", 0, OPTION_LIST, "ADDRESS", offsetof(struct own, to), "to whom" },
    { "--count", 0, OPTION_NUMBER, "N", offsetof(struct own, count), "how many" },
    { "--wait", 0, OPTION_DURATION, "TIME", offsetof(struct own, wait), "how long" },
    { "--tls", 0, OPTION_CHOICE, "none|may|must", offsetof(struct own, tls), "whether" },
};
static const struct option_table table = OPTION_TABLE(rows, struct own);
static const struct option file_rows[] = {
    { "-c", 0, OPTION_TEXT, "FILE", offsetof(struct own, file), "a file" },
};
static const struct option_table file_table = OPTION_TABLE(file_rows, struct own);
static const struct option other_rows[] = {
    { "--purge", 0, OPTION_FLAG, NULL, 0, "of another command" },
};
static const struct option_table other_table = OPTION_TABLE(other_rows, bool);
static const struct option_table *const elsewhere[] = { &other_table };

enum { WORDS_MAX = 16 };

/* A command line in the words of a case, separated by '|'. */
struct line {
    char text[256];
    char *argv[WORDS_MAX];
    int argc;
};

static void split(struct line *l, const char *words)
{
    char *rest = NULL;
    l->argc = 0;
    snprintf(l->text, sizeof l->text, "%s", words);
    for (char *w = l->text; w; w = rest) {
        rest = strchr(w, '|');
        if (rest)
            *rest++ = 0;
        l->argv[l->argc++] = strcmp(w, "EMPTY") == 0 ? w + 5 : w;
    }
}

static bool parse(struct line *l, struct own *own, struct options *p, struct error *e)
{
    memset(own, 0, sizeof *own);
    *p = (struct options){ .parts = { { &table, own }, { &file_table, own } },
                           .elsewhere = elsewhere,
                           .elsewhere_count = 1 };
    return options_parse(p, l->argc, l->argv, e);
}

/* What was understood, in one line. */
static const char *shown(const struct own *own, const struct options *p, char out[512])
{
    struct buffer_like {
        char *at;
        size_t room;
    } b = { out, 512 };
#define PUT(...)                                                                                   \
    do {                                                                                           \
        int put = snprintf(b.at, b.room, __VA_ARGS__);                                             \
        b.at += put;                                                                               \
        b.room -= (size_t)put;                                                                     \
    } while (0)
    out[0] = 0;
    if (own->quiet)
        PUT("quiet ");
    if (own->verbose)
        PUT("verbose ");
    if (own->name)
        PUT("name=%s ", own->name);
    if (own->note)
        PUT("note=%s ", own->note);
    if (own->file)
        PUT("file=%s ", own->file);
    for (size_t i = 0; i < own->to.count; i++)
        PUT("to=%s ", own->to.at[i]);
    if (own->count.given)
        PUT("count=%llu ", (unsigned long long)own->count.value);
    if (own->wait.given)
        PUT("wait=%llu ", (unsigned long long)own->wait.value);
    if (own->tls)
        PUT("tls=%u ", own->tls);
    if (p->help)
        PUT("help ");
    for (size_t i = 0; i < p->word_count; i++)
        PUT("<%s>", p->words[i]);
#undef PUT
    return out;
}

static const struct {
    const char *words, *meant;
} good[] = {
    { "a|b", "<a><b>" },
    { "--quiet|a", "quiet <a>" },
    { "a|-q|b", "quiet <a><b>" },
    { "-qv", "quiet verbose " },
    { "-qn|x", "quiet name=x " },
    { "-qnx", "quiet name=x " },
    { "-nx|y", "name=x <y>" },
    { "--name|x", "name=x " },
    { "--name=x", "name=x " },
    { "--name=x=y", "name=x=y " },
    { "--name|--quiet", "name=--quiet " },
    { "--name|x|--name|y", "name=y " },
    { "--note|EMPTY", "note= " },
    { "--note=", "note= " },
    { "-c|f", "file=f " },
    { "-cf", "file=f " },
    { "--to|a|--to=b|c", "to=a to=b <c>" },
    { "--count|12", "count=12 " },
    { "--wait=1m30s", "wait=90000 " },
    { "--tls|may", "tls=2 " },
    { "--tls=must", "tls=3 " },
    { "--|--quiet|-x", "<--quiet><-x>" },
    { "-|a", "<-><a>" },
    { "--help|-q", "quiet help " },
    { "-h", "help " },
    { "a|EMPTY", "<a><>" },
};

static void what_is_meant(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct line l;
        struct own own;
        struct options p;
        struct error e;
        char out[512];
        split(&l, good[i].words);
        if (!parse(&l, &own, &p, &e))
            fail_msg("%s: %s", good[i].words, e.words);
        assert_string_equal(shown(&own, &p, out), good[i].meant);
        options_clear(&p);
        assert_null(own.to.at);
    }
}

static const struct {
    const char *words, *said;
} bad[] = {
    { "--nam", "unknown option --nam; nearest: --name" },
    { "--nam=x", "unknown option --nam=x; nearest: --name" },
    { "-x", "unknown option -x; nearest: -c" },
    { "-qx", "unknown option -qx; nearest: -c" },
    { "--purge", "this command does not take --purge" },
    { "--name", "--name wants its NAME" },
    { "--name|EMPTY", "--name wants its NAME" },
    { "--name=", "--name wants its NAME" },
    { "-c", "-c wants its FILE" },
    { "-qn", "--name wants its NAME" },
    { "--quiet=1", "--quiet takes no value" },
    { "--count|x", "--count x: not a number" },
    { "--count|99999999999999999999", "--count 99999999999999999999: not a number" },
    { "--wait|5", "--wait 5: " },
    { "--tls|yes", "--tls yes: one of none|may|must" },
    { "--tls|m", "--tls m: one of none|may|must" },
};

static void what_is_said_of_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct line l;
        struct own own;
        struct options p;
        struct error e;
        split(&l, bad[i].words);
        if (parse(&l, &own, &p, &e))
            fail_msg("%s was understood", bad[i].words);
        options_clear(&p);
        assert_int_equal(e.kind, ERROR_USAGE);
        if (strncmp(e.words, bad[i].said, strlen(bad[i].said)) != 0)
            fail_msg("%s: %s", bad[i].words, e.words);
    }
}

static const struct {
    const char *words;
    int first;
} firsts[] = {
    { "add|x", 0 },         { "--quiet|add", 1 }, { "-c|f|add", 2 },  { "-cf|add", 1 },
    { "--name=x|add", 1 },  { "--name|x", 2 },    { "--name", 1 },    { "--|add", 1 },
    { "--unknown|add", 1 }, { "-", 0 },           { "-qn|x|add", 2 },
};

static void the_first_word(void **state)
{
    (void)state;
    const struct option_table *const tables[] = { &table, &file_table };
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        struct line l;
        split(&l, firsts[i].words);
        if (options_first_word(tables, 2, l.argc, l.argv) != firsts[i].first)
            fail_msg("%s", firsts[i].words);
    }
}

static void help_names_every_option(void **state)
{
    (void)state;
    struct options p = { .parts = { { &table, NULL }, { &file_table, NULL } } };
    struct options few = { .parts = { { &file_table, NULL } } };
    char *text = NULL;
    size_t octets = 0;
    FILE *to = open_memstream(&text, &octets);
    assert_non_null(to);
    options_print_usage(to, &few);
    options_print_usage(to, &p);
    fputc('\n', to);
    options_print_help(to, &p);
    fclose(to);
    assert_true(strncmp(text, " [-c FILE] [OPTIONS]\n", 21) == 0);
    assert_non_null(strstr(text, "\n  --quiet, -q         say less\n"));
    assert_non_null(strstr(text, "\n  --tls none|may|must whether\n"));
    assert_non_null(strstr(text, "\n  -c FILE             a file\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_meant),
        cmocka_unit_test(what_is_said_of_the_rest),
        cmocka_unit_test(the_first_word),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
