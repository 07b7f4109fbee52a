/* parse.c - libConfuse's tables made from the schema, and its callbacks turned into draft calls.
 *
 * The library knows syntax, names and sections; every value reaches it as a string and goes to the
 * draft at once, while the line is known.  Two things it has no means for are done with rows of our
 * own in every section, under names that no file can reach (a name with '|' is taken for a path):
 *   - its callbacks get no pointer of ours: row 0 carries one;
 *   - it does not tell when a titled section begins: row 1 has a default, which the library parses
 *     at that moment, with the section's title and line.
 */
#include "config/parse.h"

#include "base/check.h"
#include "config/guard.h"
#include "config/nearest.h"
#include "config/values.h"

#include <confuse.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ROW_CONTEXT, ROW_BEGIN, ROWS_OWN, OPTIONS_MAX = 32 };

struct parser {
    struct draft *draft;
    void *target; /* of the titled section that is open */
    cfg_opt_t options[SECTION_COUNT_MAX + 1][OPTIONS_MAX];
};

static struct parser *parser_of(cfg_t *cfg)
{
    return (struct parser *)(void *)cfg->opts[ROW_CONTEXT].simple_value.ptr;
}

/* The schema's name of a section of the library. */
static struct text section_of(cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0 ? T("") : text_of(cfg->name);
}

/* --- Callbacks --- */

/* A titled section begins.  Must not fail (the library would abort): a problem stays in the draft,
 * and whatever comes next ends the parse. */
static int begins(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    (void)opt;
    struct parser *p = parser_of(cfg);
    const struct section *section = schema_find_section(section_of(cfg));
    *(const char **)result = value;
    if (!cfg->title || p->draft->failed)
        return 0;
    p->draft->line = (unsigned)cfg->line;
    section->actions.begin(p->draft, text_of(cfg->title), &p->target);
    return 0;
}

static void *target_of(struct parser *p, struct text section)
{
    if (text_equal(section, T("tls")))
        return &p->draft->standard_certificate;
    const struct section *s = schema_find_section(section);
    return s && s->actions.begin ? p->target : p->draft->config;
}

/* A value of a setting. */
static int value_given(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct parser *p = parser_of(cfg);
    struct text section = section_of(cfg);
    const struct setting *setting = schema_find(section, text_of(opt->name));
    *(const char **)result = value;
    if (p->draft->failed)
        return 1;
    p->draft->line = (unsigned)cfg->line;
    if (setting && setting->read == value_secret)
        *(const char **)result = ""; /* what the library keeps it would not wipe */
    if (!setting) {
        draft_problem(p->draft, "\"%s\": names have no |", shown(text_of(opt->name)).words);
        return 1;
    }
    bool first = opt->nvalues <= 1;
    return draft_value(p->draft, setting, text_of(value), first, target_of(p, section)) ? 0 : 1;
}

/* The end of a section; lists that were written without an element are only seen here. */
static int section_ends(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parser *p = parser_of(cfg);
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const struct section *s = schema_find_section(text_of(opt->name));
    p->draft->line = (unsigned)cfg->line;
    for (size_t i = ROWS_OWN; !p->draft->failed && section->opts[i].name; i++) {
        const cfg_opt_t *o = &section->opts[i];
        const struct setting *setting = schema_find(text_of(opt->name), text_of(o->name));
        if (setting && setting->list && (o->flags & CFGF_MODIFIED) && o->nvalues == 0)
            draft_empty_list(p->draft, setting);
    }
    if (!p->draft->failed && s->actions.end)
        s->actions.end(p->draft, p->target);
    p->draft->line = 0;
    return p->draft->failed;
}

/* --- Unknown names --- */

/* Where the name would be right, when it is a setting of another section. */
static bool belongs_elsewhere(struct draft *d, struct text name)
{
    for (size_t i = 0; i < schema_settings(); i++) {
        const struct setting *s = schema_setting(i);
        if (!text_equal(text_of(s->row.key), name))
            continue;
        if (s->row.section[0])
            draft_problem(d, "\"%s\" is unknown here; it belongs in %s { }", s->row.key,
                          s->row.section);
        else
            draft_problem(d, "\"%s\" is unknown here; it stands outside of all sections",
                          s->row.key);
        return true;
    }
    return false;
}

static void unknown_name(cfg_t *cfg, struct text name)
{
    struct draft *d = parser_of(cfg)->draft;
    struct nearest nearest = nearest_to(name);
    if (belongs_elsewhere(d, name))
        return;
    for (size_t i = ROWS_OWN; cfg->opts[i].name; i++)
        nearest_offer(&nearest, cfg->opts[i].name);
    struct text section = section_of(cfg);
    draft_problem(d, "\"%s\" is unknown%s%.*s; nearest: %s", shown(name).words,
                  section.len ? " in " : "", TEXT_ARGS(section), nearest.name);
}

/* The library's own complaints: syntax and unknown names. */
static void complaint(cfg_t *cfg, const char *format, va_list args)
{
    char words[ERROR_WORDS_MAX];
    struct parser *p = parser_of(cfg);
    vsnprintf(words, sizeof words, format, args);
    struct text rest = text_of(words);
    if (p->draft->failed)
        return;
    p->draft->line = (unsigned)cfg->line;
    p->draft->setting = NULL;
    if (text_take_nocase(&rest, T("no such option '")) && rest.len) {
        unknown_name(cfg, text_first(rest, rest.len - 1));
        return;
    }
    draft_problem(p->draft, "%s", shown(text_of(words)).words);
}

/* --- Tables --- */

static cfg_opt_t *add_option(cfg_opt_t *options, const char *name, cfg_type_t type,
                             cfg_flag_t flags)
{
    size_t i = 0;
    while (options[i].name)
        i++;
    CHECK(i + 1 < OPTIONS_MAX);
    options[i] = (cfg_opt_t){ .name = name, .type = type, .flags = flags };
    return &options[i];
}

static void add_settings(cfg_opt_t *options, const char *section)
{
    for (size_t i = 0; i < schema_settings(); i++) {
        const struct setting *s = schema_setting(i);
        if (strcmp(s->row.section, section) != 0)
            continue;
        cfg_flag_t flags = CFGF_NODEFAULT | (s->list ? CFGF_LIST : 0);
        add_option(options, s->row.key, CFGT_STR, flags)->parsecb = value_given;
    }
}

/* The options of one section ("" is the top level): our two rows, its settings. */
static void fill_options(struct parser *p, size_t index, const char *section)
{
    cfg_opt_t *options = p->options[index];
    add_option(options, "context|", CFGT_PTR, CFGF_NODEFAULT)->simple_value.ptr =
        (void **)(void *)p;
    cfg_opt_t *begin = add_option(options, "begin|", CFGT_STR, CFGF_NONE);
    begin->def.parsed = (char *)"begins";
    begin->parsecb = begins;
    add_settings(options, section);
}

static void fill_tables(struct parser *p)
{
    size_t sections = schema_sections();
    fill_options(p, sections, "");
    for (size_t i = 0; i < sections; i++)
        fill_options(p, i, schema_section(i)->name);
    for (size_t i = 0; i < sections; i++) {
        const struct section *s = schema_section(i);
        const struct section *parent = schema_find_section(text_of(s->parent));
        size_t above = sections;
        for (size_t j = 0; parent && j < sections; j++)
            if (schema_section(j) == parent)
                above = j;
        cfg_flag_t flags = s->actions.begin ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;
        cfg_opt_t *option = add_option(p->options[above], s->name, CFGT_SEC, flags);
        option->subopts = p->options[i];
        option->validcb = section_ends;
    }
}

/* The library's scanner is one for the whole process, which may hold several servers. */
static pthread_mutex_t scanner = PTHREAD_MUTEX_INITIALIZER;

static int scan(cfg_t *cfg, const char *text)
{
    pthread_mutex_lock(&scanner);
    errno = 0;
    int result = cfg_parse_buf(cfg, text);
    int number = errno;
    pthread_mutex_unlock(&scanner);
    errno = number;
    return result;
}

bool parse_text(struct draft *d, char *text, size_t len)
{
    struct error error;
    if (!guard_check(text, len, &d->line, &error))
        return draft_problem(d, "%s", error.words);
    struct parser p = { .draft = d };
    fill_tables(&p);
    cfg_t *cfg = cfg_init(p.options[schema_sections()], CFGF_NONE);
    if (!cfg)
        return draft_no_memory(d);
    cfg_set_error_function(cfg, complaint);
    int result = scan(cfg, text);
    /* The library refuses two things without a word: a missing name, and when memory is short.
     * The errno of the former need not survive what it does afterwards. */
    if (result != CFG_SUCCESS && !d->failed && errno != ENOMEM) {
        d->line = (unsigned)cfg->line;
        draft_problem(d, "a name is missing");
    }
    cfg_free(cfg);
    if (result == CFG_SUCCESS || d->failed)
        return !d->failed;
    return draft_no_memory(d);
}
