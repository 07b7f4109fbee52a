/* check.c - godwit check: looks at everything that a server will need, and makes nothing.
 *
 * Each finding is a line on standard output; the exit code is that of the worst.
 */
#include "cli/check.h"

#include "base/escape.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { ITERATIONS_WANTED = 100000 };

void check_say(struct check *c, enum check_level level, const char *area, const char *format, ...)
{
    static const char *const words[] = { "ok", "warn", "error", "error" };
    char line[ERROR_WORDS_MAX];
    struct buffer b;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_init(&b, 8 * ERROR_WORDS_MAX);
    escape_text(&b, text_of(line));
    printf("%s %s: %.*s\n", words[level], area, TEXT_ARGS(buffer_as_text(&b)));
    buffer_clear(&b);
    c->count.fine += level == CHECK_FINE;
    c->count.warnings += level == CHECK_WARN;
    c->count.wrong += level == CHECK_WRONG;
    c->count.config += level == CHECK_CONFIG;
}

static void config_warning(void *owner, const char *words)
{
    check_say(owner, CHECK_WARN, "config", "%s", words);
}

static bool check_config(struct check *c)
{
    struct error e;
    struct config_notices notices = { config_warning, c };
    if (!config_load(c->cli->file, &notices, &c->cli->config, &e)) {
        check_say(c, e.kind == ERROR_CONFIG ? CHECK_CONFIG : CHECK_WRONG, "config", "%s", e.words);
        return false;
    }
    const struct config *config = c->cli->config;
    if (config->file.len == 0)
        check_say(c, CHECK_WARN, "config",
                  "no file: the setting for trying things out, on loopback only");
    else
        check_say(c, CHECK_FINE, "config", "%.*s", TEXT_ARGS(config->file));
    if (config->file.len && text_find(config->hostname, '.') == config->hostname.len)
        check_say(c, CHECK_WARN, "config",
                  "hostname is %.*s, which is no full name: other servers may not believe it",
                  TEXT_ARGS(config->hostname));
    if (config->iterations < ITERATIONS_WANTED)
        check_say(c, CHECK_WARN, "auth",
                  "iterations is %u: whoever steals directory.db guesses passwords quickly; remove "
                  "it, or write %d at least",
                  config->iterations, ITERATIONS_WANTED);
    return true;
}

/* --- The store --- */

static void store_finding(void *owner, bool is_trouble, const char *words)
{
    check_say(owner, is_trouble ? CHECK_WRONG : CHECK_WARN, "store", "%s", words);
}

static void check_store(struct check *c)
{
    struct error e;
    uint64_t findings = 0;
    if (!store_verify(cli_data(c->cli), store_finding, c, &findings, &e))
        check_say(c, CHECK_WRONG, "store", "%s", e.words);
    else if (findings == 0)
        check_say(c, CHECK_FINE, "store", "every message, reference and index row verifies");
}

static void rebuild_notice(void *owner, bool is_trouble, const char *words)
{
    check_say(owner, is_trouble ? CHECK_WRONG : CHECK_FINE, "store", "%s", words);
}

static void rebuild_store(struct check *c)
{
    struct error e;
    if (store_rebuild(cli_data(c->cli), rebuild_notice, c, &e))
        check_say(c, CHECK_FINE, "store", "the index was made anew from the journal");
    else
        check_say(c, CHECK_WRONG, "store", "%s", e.words);
}

struct check_options {
    bool store, rebuild;
};
static const struct option rows[] = {
    { "--store", 0, OPTION_FLAG, NULL, offsetof(struct check_options, store),
      "verify everything that is stored" },
    { "--rebuild", 0, OPTION_FLAG, NULL, offsetof(struct check_options, rebuild),
      "make the index anew from the journal" },
};
const struct option_table cli_check_options = OPTION_TABLE(rows, struct check_options);

/* Whatever opens DATA does so as its owner. */
static void check_data(struct check *c)
{
    struct error e;
    const struct check_options *options = c->cli->options;
    if (!cli_enter_data(c->cli, false, &e)) {
        check_say(c, e.kind == ERROR_CONFIG ? CHECK_CONFIG : CHECK_WRONG, "data", "%s", e.words);
        return;
    }
    if (options->rebuild)
        rebuild_store(c);
    if (options->store)
        check_store(c);
    check_own_certificate(c);
    check_people(c);
}

enum cli_exit cli_check(struct cli *cli)
{
    struct check c = { .cli = cli };
    if (check_config(&c)) {
        check_machine(&c);
        if (c.count.config == 0)
            check_data(&c);
        if (c.count.config == 0)
            check_dns(&c);
    }
    return c.count.config ? CLI_CONFIG : c.count.wrong ? CLI_NO : CLI_DONE;
}
