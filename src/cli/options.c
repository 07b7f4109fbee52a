/* options.c - reads a command line by a table of options, and prints the table as help.
 *
 * Nothing is known here of any command: what is meant, and whether it fits together, is theirs.
 */
#include "cli/options.h"

#include "config/nearest.h"
#include "config/units.h"

#include <stdlib.h>
#include <string.h>

enum { USAGE_ROWS_MAX = 6, HELP_WIDTH_MIN = 17 };

static char letter_of(const struct option *o)
{
    return o->name[1] == '-' ? o->letter : o->name[1];
}

/* --- Which option --- */

/* "--domain" of "--domain=x". */
static struct text long_name(const char *word)
{
    struct text rest = text_of(word), name;
    text_cut(&rest, '=', &name);
    return name;
}

static const struct option *find_in(const struct option_table *table, const char *word)
{
    for (size_t i = 0; table && i < table->count; i++) {
        const struct option *o = &table->rows[i];
        bool is_long = word[1] == '-';
        if (is_long ? text_equal(text_of(o->name), long_name(word)) : letter_of(o) == word[1])
            return o;
    }
    return NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* A word is what does not begin with '-', and "-" itself. */
static bool is_word(const char *word)
{
    return word[0] != '-' || !word[1];
}

static const struct option *find_in_any(const struct option_table *const tables[], size_t count,
                                        const char *word)
{
    const struct option *o = NULL;
    for (size_t t = 0; !o && t < count; t++)
        o = find_in(tables[t], word);
    return o;
}

/* Whether the options that stand here take the next of argv as a value. */
static bool takes_next(const struct option_table *const tables[], size_t count, const char *word)
{
    if (word[1] == '-') {
        const struct option *o = find_in_any(tables, count, word);
        return o && o->kind != OPTION_FLAG && !strchr(word, '=');
    }
    for (size_t i = 1; word[i]; i++) {
        char one[] = { '-', word[i], 0 };
        const struct option *o = find_in_any(tables, count, one);
        if (!o || o->kind != OPTION_FLAG)
            return o && !word[i + 1];
    }
    return false;
}

int options_first_word(const struct option_table *const tables[], size_t count, int argc,
                       char **argv)
{
    int i = 0;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_word(argv[i]))
            return i;
        if (takes_next(tables, count, argv[i]))
            i++;
    }
    return i + 1 < argc ? i + 1 : argc;
}

/* An option that other commands have gets a better answer than the nearest name. */
static bool unknown(const struct options *p, const char *word, struct error *e)
{
    for (size_t i = 0; i < p->elsewhere_count; i++) {
        const struct option *o = find_in(p->elsewhere[i], word);
        if (o && (word[1] == '-' || !word[2]))
            return error_set(e, ERROR_USAGE, "this command does not take %s", o->name);
    }
    struct nearest nearest = nearest_to(word[1] == '-' ? long_name(word) : text_of(word));
    for (size_t part = 0; part < OPTION_PARTS_MAX; part++)
        for (size_t i = 0; p->parts[part].table && i < p->parts[part].table->count; i++)
            nearest_offer(&nearest, p->parts[part].table->rows[i].name);
    if (!nearest.name)
        return error_set(e, ERROR_USAGE, "unknown option %s: this command has none", word);
    return error_set(e, ERROR_USAGE, "unknown option %s; nearest: %s", word, nearest.name);
}

/* --- Values --- */

static bool keep_in_list(struct option_list *list, const char *value, int argc, struct error *e)
{
    if (!list->at)
        list->at = calloc((size_t)argc, sizeof *list->at);
    if (!list->at)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    list->at[list->count++] = value;
    return true;
}

static bool keep_number(const struct option *o, struct option_number *to, const char *value,
                        struct error *e)
{
    to->given = text_to_u64(text_of(value), &to->value);
    return to->given || error_set(e, ERROR_USAGE, "%s %.60s: not a number", o->name, value);
}

static bool keep_duration(const struct option *o, struct option_number *to, const char *value,
                          struct error *e)
{
    enum units_verdict verdict = duration_parse(text_of(value), &to->value);
    to->given = verdict == UNITS_OK;
    return to->given || error_set(e, ERROR_USAGE, "%s %.60s: %s, as in 90s, 5m or 1h30m", o->name,
                                  value, units_problem(verdict));
}

static bool keep_choice(const struct option *o, unsigned *to, const char *value, struct error *e)
{
    struct text rest = text_of(o->value), word;
    for (unsigned number = 1; rest.len; number++) {
        text_cut(&rest, '|', &word);
        if (text_equal(word, text_of(value))) {
            *to = number;
            return true;
        }
    }
    return error_set(e, ERROR_USAGE, "%s %.60s: one of %s", o->name, value, o->value);
}

static bool keep(const struct option *o, void *member, const char *value, int argc, struct error *e)
{
    if (o->kind != OPTION_FLAG && o->kind != OPTION_ANY_TEXT && !value[0])
        return error_set(e, ERROR_USAGE, "%s wants its %s", o->name, o->value);
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)member = true;
        return true;
    case OPTION_TEXT:
    case OPTION_ANY_TEXT:
        *(const char **)member = value;
        return true;
    case OPTION_LIST:
        return keep_in_list(member, value, argc, e);
    case OPTION_NUMBER:
        return keep_number(o, member, value, e);
    case OPTION_DURATION:
        return keep_duration(o, member, value, e);
    case OPTION_CHOICE:
        return keep_choice(o, member, value, e);
    }
    return false;
}

/* --- The command line --- */

struct reader {
    struct options *p;
    int argc, i;
    char **argv;
    struct error *error;
};

/* Looks `word` up in all parts. */
static const struct option *find(const struct options *p, const char *word, void **member_out)
{
    for (size_t i = 0; i < OPTION_PARTS_MAX; i++) {
        const struct option *o = find_in(p->parts[i].table, word);
        if (o) {
            *member_out = (char *)p->parts[i].into + o->at;
            return o;
        }
    }
    return NULL;
}

/* The value behind the name: `attached` in the same word, or the next. */
static bool take_value(struct reader *r, const struct option *o, void *member, const char *attached)
{
    const char *value = attached;
    if (o->kind == OPTION_FLAG && attached)
        return error_set(r->error, ERROR_USAGE, "%s takes no value", o->name);
    if (o->kind != OPTION_FLAG && !attached) {
        if (r->i + 1 == r->argc)
            return error_set(r->error, ERROR_USAGE, "%s wants its %s", o->name, o->value);
        value = r->argv[++r->i];
    }
    return keep(o, member, value, r->argc, r->error);
}

static bool read_long(struct reader *r, const char *word)
{
    void *member;
    const struct option *o = find(r->p, word, &member);
    const char *equals = strchr(word, '=');
    if (!o)
        return unknown(r->p, word, r->error);
    return take_value(r, o, member, equals ? equals + 1 : NULL);
}

/* "-c FILE", "-cFILE", "-ab", "-abc FILE". */
static bool read_short(struct reader *r, const char *word)
{
    for (size_t i = 1; word[i]; i++) {
        void *member;
        char one[] = { '-', word[i], 0 };
        const struct option *o = find(r->p, one, &member);
        if (!o)
            return unknown(r->p, word, r->error);
        bool attached = o->kind != OPTION_FLAG && word[i + 1];
        if (!take_value(r, o, member, attached ? word + i + 1 : NULL))
            return false;
        if (o->kind != OPTION_FLAG)
            break;
    }
    return true;
}

bool options_parse(struct options *p, int argc, char **argv, struct error *e)
{
    struct reader r = { .p = p, .argc = argc, .argv = argv, .error = e };
    bool only_words = false;
    p->words = argv;
    for (; r.i < argc; r.i++) {
        char *word = argv[r.i];
        if (only_words || is_word(word))
            p->words[p->word_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (is_help(word))
            p->help = true;
        else if (!(word[1] == '-' ? read_long(&r, word) : read_short(&r, word)))
            return false;
    }
    return true;
}

void options_clear(struct options *p)
{
    for (size_t part = 0; part < OPTION_PARTS_MAX; part++) {
        const struct option_table *table = p->parts[part].table;
        for (size_t i = 0; table && i < table->count; i++) {
            if (table->rows[i].kind != OPTION_LIST)
                continue;
            struct option_list *list =
                (struct option_list *)((char *)p->parts[part].into + table->rows[i].at);
            free(list->at);
            *list = (struct option_list){ 0 };
        }
    }
}

/* --- Help --- */

static void print_in_usage(FILE *to, const struct option *o)
{
    if (o->kind == OPTION_FLAG)
        fprintf(to, " [%s]", o->name);
    else
        fprintf(to, " [%s %s]%s", o->name, o->value, o->kind == OPTION_LIST ? "..." : "");
}

void options_print_usage(FILE *to, const struct options *p)
{
    size_t count = 0;
    for (size_t i = 0; i < OPTION_PARTS_MAX; i++)
        count += p->parts[i].table ? p->parts[i].table->count : 0;
    if (count > USAGE_ROWS_MAX) {
        fputs(" [OPTIONS]", to);
        return;
    }
    for (size_t part = 0; part < OPTION_PARTS_MAX; part++)
        for (size_t i = 0; p->parts[part].table && i < p->parts[part].table->count; i++)
            print_in_usage(to, &p->parts[part].table->rows[i]);
}

/* "--json", "--to, -t ADDRESS"; returns how wide that is.  NULL: only that. */
static size_t print_names(FILE *to, const struct option *o)
{
    char letter[] = { ',', ' ', '-', o->letter, 0 };
    const char *parts[] = { o->name, o->letter ? letter : "", o->kind == OPTION_FLAG ? "" : " ",
                            o->kind == OPTION_FLAG ? "" : o->value };
    size_t width = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        width += strlen(parts[i]);
        if (to)
            fputs(parts[i], to);
    }
    return width;
}

void options_print_help(FILE *to, const struct options *p)
{
    size_t width = HELP_WIDTH_MIN;
    for (size_t part = 0; part < OPTION_PARTS_MAX; part++)
        for (size_t i = 0; p->parts[part].table && i < p->parts[part].table->count; i++) {
            size_t wide = print_names(NULL, &p->parts[part].table->rows[i]);
            width = wide > width ? wide : width;
        }
    for (size_t part = 0; part < OPTION_PARTS_MAX; part++)
        for (size_t i = 0; p->parts[part].table && i < p->parts[part].table->count; i++) {
            const struct option *o = &p->parts[part].table->rows[i];
            fputs("  ", to);
            size_t wide = print_names(to, o);
            fprintf(to, "%*s %s\n", (int)(width - wide), "", o->help);
        }
}
