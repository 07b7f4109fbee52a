/* node.c - a server in the simulated world: its starts, its crashes, its ends.
 *
 * A crash is a moment after which nothing that the process does has any effect.  What it would have
 * done is then done all the same, without effect, until the ordinary stop has given everything
 * back; the disk is left as a kill or a power cut leaves it, and some time later a new process
 * starts on it.
 */
#include "sim/node.h"

#include "base/check.h"
#include "mail/address.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "serve/ports.h"
#include "sim/compaction.h"
#include "sim/ledger.h"
#include "sim/medium.h"
#include "sim/stream_inner.h"
#include "sim/town.h"
#include "sim/zone.h"
#include "store/accounts.h"
#include "store/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOWN_US_MAX = 3 * 1000 * 1000,
    DUMP_MAX = 256 << 20,
    MORE_OCTETS = 4 << 20,
    FULL_US_MAX = 60 * 1000 * 1000,
    SKEW_MS_MAX = 30 * 60 * 1000,
    LOOPS_MAX = 4,
};

static const uint64_t disk_octets = (uint64_t)4 << 30;

static struct node *node_of(struct host *h)
{
    return h->node;
}

/* --- Before the first start: who lives there --- */

static bool add_user(struct node *n, struct directory *d, unsigned number, struct error *e)
{
    char words[BOX_ADDRESS_MAX];
    uint8_t salt[SECRET_SALT];
    struct address address;
    struct address_key key;
    struct verifier verifier;
    snprintf(words, sizeof words, "u%u@d%u.test", number, n->host->number);
    CHECK(address_parse(text_of(words), 0, &address) == ADDRESS_OK);
    address_key(&address, &key);
    entropy_fill(salt, sizeof salt);
    struct account account = {
        .address = address_text(&address),
        .mailbox = entropy_u64() >> 1,
        .created_ms = clock_wall_ms(),
    };
    ledger_add_box(n->ledger, n->host->number, words);
    return secret_verifier(T(TOWN_PASSWORD), 4096, salt, &verifier, e) &&
           account_add(d, address_key_text(&key), &account, &verifier, e);
}

static void settle_people(struct node *n)
{
    struct directory *d;
    struct error e;
    struct stand before = world_look_as(n->host);
    bool ok = directory_open(n->host->data, true, &d, &e);
    for (unsigned i = 0; ok && i < n->users; i++)
        ok = add_user(n, d, i, &e);
    directory_close(&d);
    world_look_back(before);
    if (!ok)
        world_fail("%s: no users: %s", n->host->name, e.words);
    n->has_people = true;
}

/* --- Starting --- */

static bool open_server(struct node *n, struct error *e)
{
    struct config *config = NULL;
    struct bound_ports ports = { 0 };
    if (!node_read_config(n, &config, e) || !server_new(config, NULL, n->loops, &n->server, e))
        return false;
    n->server->segment_octets = n->segment_octets;
    bool ok = ports_new(n->loops, &ports, e) &&
              ports_bind(n->server->settings->config, &ports, e) &&
              server_open(n->server, &ports, e);
    ports_clear(&ports);
    return ok;
}

/* The sockets that no loop has taken are the process's, and go with it. */
static void forget_sockets(struct host *h)
{
    while (!list_empty(&h->listeners)) {
        struct list *link = list_take_first(&h->listeners);
        free(listener_of_link(link));
    }
}

static void start_later(struct node *n)
{
    event_in(&n->start, 1000 + chance_below(DOWN_US_MAX));
}

/* A crash may come while it starts, and a fault of the disk may make it give up. */
static void could_not_start(struct node *n, const struct error *e)
{
    bool faults = n->host->dead || (n->host->troubles != n->troubles && e->kind == ERROR_TEMPORARY);
    trace_words("%s does not start: %s", n->host->name, e->words);
    world_expect(CHECK_STARTS, faults, "%s does not start: %s", n->host->name, e->words);
}

static void bury(struct node *);

static void start(struct event *event)
{
    struct node *n = OWNER_OF(event, struct node, start);
    struct host *h = n->host;
    struct error e = { 0 };
    if (!n->has_people)
        settle_people(n);
    trace_words("%s starts", h->name);
    n->starts++;
    node_settle(n);
    n->started_us = h->world->now_us;
    n->troubles = h->troubles;
    if (!open_server(n, &e)) {
        could_not_start(n, &e);
        bury(n);
        return;
    }
    server_begin(n->server);
    n->begun = true;
    n->has_swept = h->troubles == n->troubles && !n->backup.guest &&
                   !medium_has(h->disk, "journal.damaged") &&
                   !medium_has(h->disk, "journal.damaged.new");
    world_expect(CHECK_STARTS, true, "-");
    if (!h->dead)
        node_examine(n, false);
    event_some_time(&n->crash, h->world->weather.crash_every_us);
}

/* --- Ending --- */

static void orphan_streams(struct host *h, bool silently)
{
    for (struct list *at = h->streams.next; at != &h->streams; at = at->next)
        stream_orphan(OWNER_OF(at, struct stream, link), silently);
}

/* Lets the ordinary stop of a dead server go to its end, without effect on anybody. */
static void unwind(struct node *n)
{
    struct host *h = n->host;
    const bool *stopped = &n->server->loops[0].loop->stopped;
    h->world->current = h;
    server_stop(n->server);
    bool ends = host_unwind(h, stopped);
    world_expect(CHECK_ENDS, ends && *stopped, "%s: a server that stops never ends", h->name);
}

/* What the process had goes.  Of a dead one nothing has an effect, but memory is given back. */
static void take_apart(struct node *n)
{
    struct host *h = n->host;
    if (n->begun && h->dead)
        unwind(n);
    n->begun = false;
    h->world->current = h;
    if (n->server)
        server_free(&n->server);
    forget_sockets(h);
    h->after_us = h->world->now_us;
    h->dead = true;
    CHECK(host_unwind(h, NULL));
    h->world->current = NULL;
}

static void cut_power(struct node *n)
{
    backup_cut(&n->backup);
    medium_power_cut(n->host->disk);
    medium_power_cut(n->host->vault);
}

/* The process is at its end, or dead: nothing of it stays but the disk. */
static void bury(struct node *n)
{
    struct host *h = n->host;
    bool crashed = h->dead;
    bool power = crashed && chance_below(2);
    event_cancel(&n->crash);
    event_cancel(&n->start);
    orphan_streams(h, power);
    take_apart(n);
    if (crashed) {
        n->crashes++;
        fault_count(power ? FAULT_POWER : FAULT_KILL);
        trace_words("%s: %s, %llu octets not synced", h->name, power ? "power cut" : "kill",
                    (unsigned long long)medium_unsynced(h->disk));
    }
    if (power)
        cut_power(n);
    h->dead = false;
    if (!n->stays_down)
        start_later(n);
}

/* Somebody else fills the disk, and makes room again. */
static void fill(struct event *event)
{
    struct node *n = OWNER_OF(event, struct node, fill);
    const struct world *w = n->host->world;
    uint64_t used = disk_octets - medium_free_octets(n->host->disk);
    n->is_full = !n->is_full && !w->calm;
    medium_set_capacity(n->host->disk, n->is_full ? used + chance_below(MORE_OCTETS) : disk_octets);
    trace_words("%s: the disk %s", n->host->name, n->is_full ? "is full" : "has room");
    if (n->is_full)
        event_in(event, chance_below(FULL_US_MAX));
    else if (!w->calm)
        event_some_time(event, w->weather.full_every_us);
}

static void jump(struct event *event)
{
    struct node *n = OWNER_OF(event, struct node, jump);
    const struct world *w = n->host->world;
    if (w->calm)
        return;
    fault_count(FAULT_CLOCK);
    n->host->wall_skew_ms = (int64_t)chance_below(2 * SKEW_MS_MAX) - SKEW_MS_MAX;
    event_some_time(event, w->weather.jump_every_us);
}

static void crash(struct event *event)
{
    struct node *n = OWNER_OF(event, struct node, crash);
    if (!n->host->world->calm && n->server)
        host_die(n->host, "dies");
}

/* After each event of the host. */
static void stepped(struct host *h)
{
    struct node *n = node_of(h);
    compaction_watch(n);
    if (n->server && (h->dead || n->server->loops[0].loop->stopped))
        bury(n);
    else if (h->dead)
        h->dead = false;
}

/* --- Examining --- */

/* The first lines that are not the same. */
static void show_difference(struct text live, struct text rebuilt)
{
    struct text a = { 0 }, b = { 0 };
    while ((live.len || rebuilt.len) && text_equal(a, b)) {
        text_cut(&live, '\n', &a);
        text_cut(&rebuilt, '\n', &b);
    }
    trace_show("live:    %.*s", TEXT_ARGS(a));
    trace_show("rebuilt: %.*s", TEXT_ARGS(b));
}

static void expect_rebuilt(struct node *n)
{
    struct buffer live, rebuilt;
    struct error e;
    buffer_init(&live, DUMP_MAX);
    buffer_init(&rebuilt, DUMP_MAX);
    if (!store_dump(n->host->data, false, &live, &e) ||
        !store_dump(n->host->data, true, &rebuilt, &e)) {
        world_fail("%s: no dump: %s", n->host->name, e.words);
    } else {
        bool equal = text_equal(buffer_as_text(&live), buffer_as_text(&rebuilt));
        if (!equal)
            show_difference(buffer_as_text(&live), buffer_as_text(&rebuilt));
        world_expect(CHECK_REBUILT, equal, "%s: a rebuilt index differs from the live one",
                     n->host->name);
    }
    buffer_clear(&live);
    buffer_clear(&rebuilt);
}

struct verified {
    const struct host *host;
    const char *what;
};

static void finding(void *owner, bool is_trouble, const char *words)
{
    const struct verified *v = owner;
    if (is_trouble)
        world_fail("%s: %s does not verify: %s", v->host->name, v->what, words);
}

void node_expect_verified(const struct node *n, const char *path, const char *what,
                          enum check check)
{
    struct verified v = { n->host, what };
    uint64_t findings = 0;
    struct error e;
    if (!store_verify(path, finding, &v, &findings, &e))
        world_fail("%s: %s cannot be verified: %s", n->host->name, what, e.words);
    world_expect(check, findings == 0, "%s: %s does not verify", n->host->name, what);
}

void node_verify(struct node *n, enum check check)
{
    struct stand before = world_look_as(n->host);
    node_expect_verified(n, n->host->data, "the store", check);
    world_look_back(before);
}

void node_examine(struct node *n, bool all)
{
    struct stand before = world_look_as(n->host);
    expect_rebuilt(n);
    world_look_back(before);
    if (all)
        node_verify(n, CHECK_VERIFIED);
}

struct row_count {
    uint64_t count;
    bool tell;
};

static bool count_row(void *owner, const struct queue_item *item)
{
    struct row_count *c = owner;
    char id[MESSAGE_ID_TEXT + 1];
    c->count++;
    if (c->tell)
        trace_show("waits: %.*s to %.*s, due in %lld ms, %u attempts: %.*s",
                   TEXT_ARGS(message_id_print(item->row.message, id)), TEXT_ARGS(item->row.address),
                   (long long)(item->row.due_ms - clock_wall_ms()), item->row.attempts,
                   TEXT_ARGS(item->row.last));
    return true;
}

uint64_t node_waiting(struct node *n, bool tell)
{
    struct stand before = world_look_as(n->host);
    struct row_count rows = { 0, tell };
    struct error e;
    if (!store_each_queued(n->host->data, count_row, &rows, &e))
        world_fail("%s: its queue cannot be read: %s", n->host->name, e.words);
    world_look_back(before);
    return rows.count;
}

/* --- Its life --- */

void node_open(struct node *n, struct world *w, struct ledger *ledger, unsigned users)
{
    unsigned number = w->host_count++;
    struct host *h = &w->hosts[number];
    host_init(h, w, number);
    h->disk = medium_new(h, disk_octets, true);
    h->vault = medium_new(h, disk_octets, false);
    h->spare = medium_new(h, disk_octets, false);
    zone_add_host(w->zone, h);
    h->node = n;
    h->stepped = stepped;
    h->compaction = compaction_of;
    *n = (struct node){ .host = h, .ledger = ledger, .users = users };
    n->segment_octets = (uint64_t)(64 * 1024) << chance_below(w->weather.tidy ? 2 : 6);
    n->loops = chance_below(2) ? 1 : (unsigned)chance_from(2, LOOPS_MAX);
    node_begin_reloads(n);
    snprintf(n->control, sizeof n->control, "%s/control.sock", h->data);
    n->start = (struct event){ .fire = start, .host = h };
    n->crash = (struct event){ .fire = crash, .host = h };
    n->fill = (struct event){ .fire = fill, .host = &w->hosts[0] };
    n->jump = (struct event){ .fire = jump, .host = &w->hosts[0] };
    event_some_time(&n->fill, w->weather.full_every_us);
    event_some_time(&n->jump, w->weather.jump_every_us);
    backup_open(&n->backup, n);
    event_in(&n->start, 1);
}

void node_calm(struct node *n)
{
    event_cancel(&n->fill);
    event_cancel(&n->reload);
    medium_set_capacity(n->host->disk, disk_octets);
}

void node_stop(struct node *n)
{
    n->stays_down = true;
    event_cancel(&n->start);
    if (!n->server)
        return;
    n->host->world->current = n->host;
    server_stop(n->server);
    n->host->world->current = NULL;
}

void node_close(struct node *n)
{
    backup_close(&n->backup);
    event_cancel(&n->start);
    event_cancel(&n->crash);
    event_cancel(&n->fill);
    event_cancel(&n->jump);
    event_cancel(&n->reload);
    if (n->server) /* a conversation of the fuzzer that has failed */
        take_apart(n);
}
