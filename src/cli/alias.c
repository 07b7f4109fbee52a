/* alias.c - godwit alias add, del, list, import. */
#include "cli/input.h"
#include "cli/out.h"
#include "cli/people.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMPORT_FILE_MAX = 16 << 20, ALIAS_TEXT_MAX = 4 << 20 };

/* --- add, del --- */

/* Targets of the command line, canonical, in the arena. */
static bool read_targets(const struct cli *cli, struct arena *arena, struct text **out,
                         struct error *e)
{
    size_t count = cli->word_count - 1;
    *out = arena_take(arena, (count + 1) * sizeof **out);
    if (!*out)
        return error_set(e, ERROR_TEMPORARY, "too many targets");
    for (size_t i = 0; i < count; i++) {
        struct address target;
        if (!cli_address(cli->words[i + 1], &target, e))
            return false;
        if (!arena_text(arena, address_text(&target), &(*out)[i]))
            return error_set(e, ERROR_TEMPORARY, "too many targets");
    }
    return true;
}

enum cli_exit cli_alias_add(struct cli *cli)
{
    struct error e;
    struct address address;
    struct address_key key;
    struct directory *d = NULL;
    struct text *targets = NULL;
    struct arena arena;
    arena_init(&arena, ALIAS_TEXT_MAX);
    bool ok = cli_load(cli, &e) && cli_local_address(cli, cli->words[0], &address, &e) &&
              read_targets(cli, &arena, &targets, &e) && people_create(cli, &d, &e);
    if (ok) {
        address_key(&address, &key);
        ok = alias_add(d, address_key_text(&key), address_text(&address), targets,
                       cli->word_count - 1, &e);
    }
    if (ok)
        people_changed(cli, &d);
    directory_close(&d);
    arena_reset(&arena);
    return ok ? CLI_DONE : cli_fail(&e);
}

enum cli_exit cli_alias_del(struct cli *cli)
{
    struct error e;
    struct address address;
    struct address_key key;
    struct directory *d = NULL;
    struct text *targets = NULL;
    struct arena arena;
    arena_init(&arena, ALIAS_TEXT_MAX);
    bool ok = cli_address(cli->words[0], &address, &e) && cli_load(cli, &e) &&
              read_targets(cli, &arena, &targets, &e) && people_open(cli, &d, &e);
    if (ok && !d)
        ok = error_set(&e, ERROR_REFUSED, "there is no alias %.*s",
                       TEXT_ARGS(address_text(&address)));
    if (ok) {
        address_key(&address, &key);
        ok = alias_remove(d, address_key_text(&key), targets, cli->word_count - 1, &e);
    }
    if (ok)
        people_changed(cli, &d);
    directory_close(&d);
    arena_reset(&arena);
    return ok ? CLI_DONE : cli_fail(&e);
}

/* --- list --- */

/* The targets of one alias come one after the other; they are printed when the next one begins. */
struct listing {
    bool json, failed;
    size_t count;
    struct text only;       /* the key of the one alias that is wanted; empty: all */
    struct address_key key; /* of the alias that is being read */
    struct buffer address, targets;
    json_t *array;
};

static void print_alias(struct listing *l)
{
    if (l->address.len == 0)
        return;
    l->count++;
    if (!l->json)
        printf("%.*s: %.*s\n", TEXT_ARGS(buffer_as_text(&l->address)),
               TEXT_ARGS(buffer_as_text(&l->targets)));
    else if (!out_json(json_pack("{s:o,s:O}", "address", out_text(buffer_as_text(&l->address)),
                                 "targets", l->array)))
        l->failed = true;
    json_decref(l->array);
    l->array = NULL;
    l->failed |= l->address.failed || l->targets.failed;
    buffer_clear(&l->address);
    buffer_clear(&l->targets);
}

/* The same name may have been written in different case: what it is called is in its key. */
static void list_target(void *owner, const struct alias *alias)
{
    struct listing *l = owner;
    struct address address;
    struct address_key key = { 0 };
    if (address_parse(alias->address, ADDRESS_UTF8, &address) == ADDRESS_OK)
        address_key(&address, &key);
    if (l->only.len && !text_equal(address_key_text(&key), l->only))
        return;
    if (l->address.len == 0 || !text_equal(address_key_text(&key), address_key_text(&l->key))) {
        print_alias(l);
        buffer_text(&l->address, alias->address);
        l->key = key;
        l->array = json_array();
    }
    if (l->targets.len)
        buffer_text(&l->targets, T(", "));
    buffer_text(&l->targets, alias->target);
    if (json_array_append_new(l->array, out_text(alias->target)) != 0)
        l->failed = true;
}

/* What was asked for: an address, a domain, or everything. */
static bool read_selector(const struct cli *cli, struct address_key *key,
                          char domain[ADDRESS_DOMAIN_MAX + 1], struct error *e)
{
    struct address address;
    key->len = 0;
    domain[0] = 0;
    if (cli->word_count == 0)
        return true;
    if (!strchr(cli->words[0], '@')) {
        if (address_parse_domain(text_of(cli->words[0]), domain) == ADDRESS_OK)
            return true;
        return error_set(e, ERROR_USAGE, "%.100s: neither an address nor a domain", cli->words[0]);
    }
    if (!cli_address(cli->words[0], &address, e))
        return false;
    address_key(&address, key);
    memcpy(domain, address_domain(&address).at, address_domain(&address).len);
    domain[address_domain(&address).len] = 0;
    return true;
}

enum cli_exit cli_alias_list(struct cli *cli)
{
    struct error e;
    struct directory *d = NULL;
    struct address_key key;
    struct listing l = { .json = cli->json };
    char domain[ADDRESS_DOMAIN_MAX + 1];
    buffer_init(&l.address, ALIAS_TEXT_MAX);
    buffer_init(&l.targets, ALIAS_TEXT_MAX);
    bool ok = read_selector(cli, &key, domain, &e) && cli_load(cli, &e) && people_open(cli, &d, &e);
    l.only = ok ? address_key_text(&key) : T("");
    ok = ok && (!d || alias_each(d, text_of(domain), list_target, &l, &e));
    print_alias(&l);
    directory_close(&d);
    if (!ok)
        return cli_fail(&e);
    if (l.failed)
        return cli_say(CLI_AGAIN, "memory is short: the listing is not complete");
    if (l.count == 0 && cli->word_count)
        return cli_say(CLI_NO, "%s: no alias", cli->words[0]);
    return CLI_DONE;
}

/* --- import --- */

struct import {
    const struct cli *cli;
    struct text domain;  /* of names without one */
    struct directory *d; /* NULL: only look */
    size_t bad, good;
    bool failed; /* the directory did not take one; *error */
    struct error *error;
};

/* A name of the file, with the domain behind it when it has none. */
static enum address_verdict complete(const struct import *i, struct text word, struct address *out)
{
    char words[2 * ADDRESS_TEXT_MAX];
    bool has_domain = word.len && memchr(word.at, '@', word.len);
    int len = snprintf(words, sizeof words, "%.*s%s%.*s", TEXT_ARGS(word), has_domain ? "" : "@",
                       TEXT_ARGS(has_domain ? T("") : i->domain));
    if (len < 0 || (size_t)len >= sizeof words)
        return ADDRESS_TOO_LONG;
    return address_parse((struct text){ words, (size_t)len }, ADDRESS_UTF8, out);
}

static void bad_line(struct import *i, const struct alias_line *line, struct text word,
                     const char *problem)
{
    i->bad++;
    cli_say(CLI_NO, "%.200s:%u: %.*s%s%s", i->cli->words[0], line->line,
            TEXT_ARGS(text_first(word, 100)), word.len ? ": " : "", problem);
}

static void import_line(void *owner, const struct alias_line *line)
{
    struct import *i = owner;
    struct address name, target;
    struct address_key key;
    enum address_verdict verdict;
    if (line->problem)
        bad_line(i, line, line->target, line->problem);
    else if ((verdict = complete(i, line->name, &name)) != ADDRESS_OK)
        bad_line(i, line, line->name, address_problem(verdict));
    else if (!config_domain(i->cli->config, address_domain(&name)))
        bad_line(i, line, line->name, "its domain is not configured");
    else if ((verdict = complete(i, line->target, &target)) != ADDRESS_OK)
        bad_line(i, line, line->target, address_problem(verdict));
    else if (i->d && !i->failed) {
        struct text text = address_text(&target);
        address_key(&name, &key);
        i->failed =
            !alias_add(i->d, address_key_text(&key), address_text(&name), &text, 1, i->error);
        i->good += !i->failed;
    }
}

struct import_options {
    const char *domain;
};
static const struct option import_rows[] = {
    { "--domain", 0, OPTION_TEXT, "DOMAIN", offsetof(struct import_options, domain),
      "the domain of names that are written without one" },
};
const struct option_table cli_alias_import_options =
    OPTION_TABLE(import_rows, struct import_options);

/* --domain, or the only one. */
static bool choose_domain(const struct cli *cli, char out[ADDRESS_DOMAIN_MAX + 1], struct error *e)
{
    const struct config *c = cli->config;
    const char *given = ((const struct import_options *)cli->options)->domain;
    if (given && address_parse_domain(text_of(given), out) != ADDRESS_OK)
        return error_set(e, ERROR_USAGE, "--domain %.100s: not a domain", given);
    if (!given && c->domain_count > 1)
        return error_set(e, ERROR_USAGE,
                         "several domains are configured: say --domain DOMAIN for "
                         "names that are written without one");
    if (!given)
        snprintf(out, ADDRESS_DOMAIN_MAX + 1, "%.*s", TEXT_ARGS(c->domains[0].name));
    if (config_domain(c, text_of(out)))
        return true;
    return error_set(e, ERROR_CONFIG, "--domain %.100s: not configured", given);
}

static bool slurp(const char *name, struct buffer *to, struct error *e)
{
    FILE *from = fopen(name, "re");
    size_t got = 1;
    if (!from)
        return error_system(e, ERROR_REFUSED, errno, "%.200s", name);
    while (got && !to->failed) {
        uint8_t *at = buffer_reserve(to, 65536);
        got = at ? fread(at, 1, 65536, from) : 0;
        to->len += got;
    }
    int number = errno;
    bool broken = ferror(from) != 0;
    fclose(from);
    if (broken)
        return error_system(e, ERROR_REFUSED, number, "%.200s", name);
    if (to->failed)
        return error_set(e, ERROR_REFUSED, "%.200s: larger than %d octets", name, IMPORT_FILE_MAX);
    return true;
}

/* Nothing is imported unless everything can be. */
static enum cli_exit import(struct cli *cli, struct text file, struct text domain, struct error *e)
{
    struct import i = { .cli = cli, .domain = domain, .error = e };
    input_aliases(file, import_line, &i);
    if (i.bad)
        return cli_say(CLI_NO, "%.200s: nothing was imported", cli->words[0]);
    if (!people_create(cli, &i.d, e))
        return cli_fail(e);
    input_aliases(file, import_line, &i);
    people_changed(cli, &i.d);
    if (i.failed)
        return cli_fail(e);
    printf("%zu target%s imported into %.*s\n", i.good, i.good == 1 ? "" : "s", TEXT_ARGS(domain));
    return CLI_DONE;
}

enum cli_exit cli_alias_import(struct cli *cli)
{
    struct error e;
    struct buffer file;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    buffer_init(&file, IMPORT_FILE_MAX);
    bool ok =
        cli_load(cli, &e) && choose_domain(cli, domain, &e) && slurp(cli->words[0], &file, &e);
    enum cli_exit code =
        ok ? import(cli, buffer_as_text(&file), text_of(domain), &e) : cli_fail(&e);
    buffer_clear(&file);
    return code;
}
