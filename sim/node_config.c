/* node_config.c - what a server of the simulated world is told, and told anew while it serves.
 *
 * Its file is in nobody's disk: it is put together from the node's wish whenever it is read.  Now
 * and then it has a mistake in it; then everything has to stay as it was.
 */
#include "base/check.h"
#include "config/config.h"
#include "serve/reload.h"
#include "sim/node.h"

#include <stdio.h>

enum {
    CONFIG_MAX = 4096,
    SECOND_WORDS_MAX = 120,
    SECOND_ODDS = 2,
    BAD_ODDS = 6,
    LONG_S = 5 * 86400
};

/* --- The file --- */

static void write_second(const struct node *n, char out[SECOND_WORDS_MAX])
{
    unsigned number = n->host->number;
    out[0] = 0;
    if (n->wish.has_second)
        snprintf(out, SECOND_WORDS_MAX, "domain \"e%u.test\" { catch_all = \"u0@d%u.test\" }\n",
                 number, number);
}

static struct text write_file(const struct node *n, char words[CONFIG_MAX])
{
    char second[SECOND_WORDS_MAX];
    unsigned number = n->host->number;
    /* What is logged needs memory: when that may be short, as much whether somebody looks or not.
     */
    bool shown = n->host->world->show_from != UINT64_MAX || n->host->world->weather.memory;
    write_second(n, second);
    int len = snprintf(words, CONFIG_MAX,
                       "hostname = \"%s\"\n"
                       "data = \"%s\"\n"
                       "listen smtp { address = {\"10.0.0.%u:25\", \"10.0.1.%u:25\"} }\n"
                       "listen submission { address = \"10.0.0.%u:587\" }\n"
                       "listen pop3 { address = \"10.0.0.%u:110\" }\n"
                       "domain \"d%u.test\" { }\n"
                       "%s%s"
                       "auth { cleartext = \"always\"  iterations = 4096 }\n"
                       "dns { dnssec = \"%s\"  resolvers = {\"10.0.0.%u\"} }\n"
                       "relay { retry = {\"2s\", \"10s\", \"1m\", \"10m\"}\n"
                       "        warn = \"%us\"  expire = \"%us\"  trusted = {%s} }\n"
                       "submission { messages = %u }\n"
                       "abuse { errors = 0  hourly_errors = 0  hourly_unknown = 0\n"
                       "        hourly_logins = 0 }\n"
                       "log { protocol = \"%s\" }\n",
                       n->host->name, n->host->data, number, number, number, number, number, second,
                       n->file_is_bad ? "domain {\n" : "", n->validates ? "require" : "off",
                       250 + n->wish.resolver, n->warn_s, n->expire_s,
                       n->host->world->host_count > 2 ? "\"192.0.0.0/16\"" : "",
                       n->wish.messages_hourly, shown ? "commands" : "off");
    CHECK(len > 0 && len < CONFIG_MAX);
    return (struct text){ words, (size_t)len };
}

bool node_read_config(const struct node *n, struct config **out, struct error *e)
{
    char words[CONFIG_MAX];
    return config_read("/godwit.conf", write_file(n, words), NULL, out, e);
}

/* What a reload calls (sim/meson.build). */
bool __wrap_config_load(const char *file, const struct config_notices *, struct config **out,
                        struct error *);
bool __wrap_config_load(const char *file, const struct config_notices *notices, struct config **out,
                        struct error *e)
{
    char words[CONFIG_MAX];
    return config_read(file, write_file(world_current()->node, words), notices, out, e);
}

/* --- Something new --- */

static struct node_wish any_wish(void)
{
    return (struct node_wish){
        .has_second = chance_below(SECOND_ODDS) == 0,
        .messages_hourly = chance_below(3) ? 0 : (uint32_t)chance_from(2, 12),
        .resolver = (unsigned)chance_below(3),
    };
}

bool node_is_settled(const struct node *n)
{
    return !n->reloads && n->host->world->now_us - n->settled_us > SETTLED_US;
}

bool node_expires(const struct node *n)
{
    return n->expire_s < LONG_S;
}

void node_settle(struct node *n)
{
    n->reloads = n->file_is_bad = false;
    n->settled_us = n->host->world->now_us;
}

/* What cannot be read for want of memory, or since the disk is in trouble, is no mistake. */
static bool is_excused(const struct node *n)
{
    return n->host->dead || n->host->troubles != n->troubles;
}

static void reloaded(void *owner, bool ok, const struct error *e)
{
    struct node *n = owner;
    world_expect(CHECK_RELOAD, ok ? !n->file_is_bad : n->file_is_bad || is_excused(n),
                 "%s: the reload of a file that is %s ends with: %s", n->host->name,
                 n->file_is_bad ? "wrong" : "right", ok ? "it is in effect" : e->words);
    if (!ok)
        n->wish = n->wish_before;
    node_settle(n);
}

static void reload(struct event *event)
{
    struct node *n = OWNER_OF(event, struct node, reload);
    struct world *w = n->host->world;
    struct host *before = w->current;
    struct error e;
    if (w->calm)
        return;
    event_some_time(event, w->weather.reload_every_us);
    if (!n->begun || n->host->dead || n->reloads)
        return;
    fault_count(FAULT_RELOAD);
    n->wish_before = n->wish;
    n->wish = any_wish();
    n->file_is_bad = chance_below(BAD_ODDS) == 0;
    trace_words("%s: %s%s, %u messages an hour", n->host->name, n->file_is_bad ? "a mistake, " : "",
                n->wish.has_second ? "two domains" : "one domain", n->wish.messages_hourly);
    n->troubles = n->host->troubles;
    w->current = n->host;
    n->reloads = reload_start(n->server, NULL, reloaded, n, &e);
    w->current = before;
    if (!n->reloads) {
        n->wish = n->wish_before;
        node_settle(n);
    }
}

void node_begin_reloads(struct node *n)
{
    struct world *w = n->host->world;
    n->wish = any_wish();
    n->expire_s = chance_below(2) ? LONG_S : (uint32_t)chance_from(300, 1800);
    n->validates = chance_below(2);
    n->warn_s = chance_below(2) ? 0 : (uint32_t)chance_from(20, 600);
    n->reload = (struct event){ .fire = reload, .host = &w->hosts[0] };
    event_some_time(&n->reload, w->weather.reload_every_us);
}
