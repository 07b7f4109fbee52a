/* world.c - the simulated world: its time, its chance and its hosts. */
#include "sim/world.h"

#include "base/check.h"
#include "sim/medium.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { UNWIND_EVENTS_MAX = 1000 * 1000, TRACE_LINE = 600 };

/* Which world this thread is in: run/'s functions cannot be told. */
static _Thread_local struct world *this_world;

struct world *world_now(void)
{
    return this_world;
}

void world_enter(struct world *w)
{
    this_world = w;
}

/* --- Chance: xoshiro256**, seeded by splitmix64 --- */

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t turn_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t chance_u64(void)
{
    uint64_t *s = this_world->chance.state;
    uint64_t result = turn_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = turn_left(s[3], 45);
    return result;
}

uint64_t chance_below(uint64_t below)
{
    CHECK(below > 0);
    return chance_u64() % below;
}

uint64_t chance_from(uint64_t low, uint64_t high)
{
    return low + chance_below(high - low + 1);
}

bool chance_of(uint32_t millionths)
{
    return millionths && !this_world->calm && chance_below(1000000) < millionths;
}

static bool is_trouble(enum fault fault)
{
    switch (fault) {
    case FAULT_WRITE_ERROR:
    case FAULT_PART_WRITTEN:
    case FAULT_SYNC_ERROR:
    case FAULT_NAME_ERROR:
    case FAULT_READ_ERROR:
    case FAULT_NO_SPACE:
    case FAULT_MEMORY:
        return true;
    default:
        return false;
    }
}

void fault_count(enum fault fault)
{
    this_world->faults[fault]++;
    if (is_trouble(fault))
        this_world->current->troubles++;
}

bool fault_strikes(enum fault fault, uint32_t millionths)
{
    bool may = !(this_world->without >> fault & 1), strikes = may && chance_of(millionths);
    if (strikes)
        fault_count(fault);
    return strikes;
}

uint64_t world_troubles(void)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < this_world->host_count; i++)
        count += this_world->hosts[i].troubles;
    return count;
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULTS] = {
        [FAULT_CUT] = "connections cut",
        [FAULT_STALL] = "stalls",
        [FAULT_SHORT_WRITE] = "short writes of streams",
        [FAULT_CRUMBS] = "input in crumbs",
        [FAULT_RUDE] = "peers gone",
        [FAULT_KILL] = "kills",
        [FAULT_POWER] = "power cuts",
        [FAULT_IN_DISK_CALL] = "of both, within a disk call",
        [FAULT_LOST_PAGE] = "pages lost",
        [FAULT_TORN_PAGE] = "pages torn",
        [FAULT_LOST_NAME] = "names lost",
        [FAULT_WRITE_ERROR] = "failed writes",
        [FAULT_PART_WRITTEN] = "partial writes",
        [FAULT_SYNC_ERROR] = "failed syncs",
        [FAULT_BACKUP_CUT] = "backups cut",
        [FAULT_DAMAGE] = "damaged journals",
        [FAULT_NAME_ERROR] = "failed changes of names",
        [FAULT_READ_ERROR] = "failed reads",
        [FAULT_NO_SPACE] = "full disks",
        [FAULT_COLD_READ] = "cold reads",
        [FAULT_MEMORY] = "times no memory",
        [FAULT_CLOCK] = "jumps of the wall clock",
        [FAULT_DNS] = "questions to DNS unanswered",
        [FAULT_DNS_FAILS] = "answers of SERVFAIL",
        [FAULT_DNS_BOGUS] = "answers that do not verify",
        [FAULT_DNS_GONE] = "names gone for a moment",
        [FAULT_DNS_LIES] = "wrong answers of DNS",
        [FAULT_MOVE] = "moves of mail hosts",
        [FAULT_DOWN] = "domains out of reach",
        [FAULT_STEER] = "requests about the queue",
        [FAULT_CERTIFICATE] = "wrong certificates",
        [FAULT_STRIPPED] = "sessions without an offer of TLS",
        [FAULT_FETCH] = "policies that could not be fetched",
        [FAULT_DEFER] = "deferrals by hosts outside",
        [FAULT_RELOAD] = "reloads",
        [FAULT_HANG_UP] = "of those that hung up",
    };
    return names[fault];
}

const char *fault_word(enum fault fault)
{
    static const char *const words[FAULTS] = {
        [FAULT_CUT] = "cut",           [FAULT_STALL] = "stall",     [FAULT_SHORT_WRITE] = "part",
        [FAULT_CRUMBS] = "crumbs",     [FAULT_RUDE] = "rude",       [FAULT_KILL] = "crash",
        [FAULT_IN_DISK_CALL] = "call", [FAULT_LOST_PAGE] = "lost",  [FAULT_TORN_PAGE] = "torn",
        [FAULT_WRITE_ERROR] = "write", [FAULT_SYNC_ERROR] = "sync", [FAULT_READ_ERROR] = "read",
        [FAULT_NAME_ERROR] = "name",   [FAULT_DAMAGE] = "damage",   [FAULT_BACKUP_CUT] = "backup",
        [FAULT_NO_SPACE] = "full",     [FAULT_COLD_READ] = "cold",  [FAULT_MEMORY] = "memory",
        [FAULT_CLOCK] = "clock",       [FAULT_DNS] = "dns",         [FAULT_DNS_FAILS] = "servfail",
        [FAULT_DNS_BOGUS] = "bogus",   [FAULT_DNS_GONE] = "gone",   [FAULT_DNS_LIES] = "lie",
        [FAULT_MOVE] = "move",         [FAULT_DEFER] = "defer",     [FAULT_HANG_UP] = "hangup",
        [FAULT_RELOAD] = "reload",     [FAULT_DOWN] = "down",       [FAULT_CERTIFICATE] = "wrong",
        [FAULT_STRIPPED] = "strip",    [FAULT_FETCH] = "fetch",     [FAULT_STEER] = "steer",
    };
    return words[fault];
}

bool fault_of_word(struct text word, enum fault *out)
{
    for (enum fault f = 0; f < FAULTS; f++)
        if (fault_word(f) && text_equal(text_of(fault_word(f)), word)) {
            *out = f;
            return true;
        }
    return false;
}

/* --- The trace --- */

void trace_hash(const void *octets, size_t len)
{
    this_world->trace = XXH3_64bits_withSeed(octets, len, this_world->trace);
}

bool trace_is_shown(void)
{
    return this_world->steps >= this_world->show_from;
}

static void show(const char *words)
{
    const struct host *h = this_world->current;
    printf("%8llu %12.6f %-3s %s\n", (unsigned long long)this_world->steps,
           (double)world_time_us() / 1e6, h ? h->name : "-", words);
}

void trace_show(const char *format, ...)
{
    char line[TRACE_LINE];
    va_list args;
    if (!trace_is_shown())
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    show(line);
}

void trace_words(const char *format, ...)
{
    char line[TRACE_LINE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    trace_hash(line, len < TRACE_LINE ? (size_t)len : TRACE_LINE - 1);
    if (trace_is_shown())
        show(line);
}

static void fail(const char *format, va_list args)
{
    if (this_world->failed)
        return;
    this_world->failed = true;
    vsnprintf(this_world->why, sizeof this_world->why, format, args);
    trace_words("FAILED: %s", this_world->why);
}

void world_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(format, args);
    va_end(args);
}

void world_expect(enum check check, bool holds, const char *format, ...)
{
    va_list args;
    this_world->checks[check]++;
    if (holds)
        return;
    va_start(args, format);
    fail(format, args);
    va_end(args);
}

const char *check_name(enum check check)
{
    static const char *const names[CHECKS] = {
        [CHECK_STARTS] = "a server starts on what a crash has left",
        [CHECK_ENDS] = "a server stops in finite time",
        [CHECK_KEPT] = "what was accepted is there",
        [CHECK_REFUSED] = "what was refused is not",
        [CHECK_WHOLE] = "to all recipients or to none",
        [CHECK_ONCE] = "once to each",
        [CHECK_OCTETS] = "octet for octet",
        [CHECK_TRACE] = "the fields in front",
        [CHECK_REPORT] = "who sends to nobody is told so once",
        [CHECK_TOLD] = "no failure is told that nobody meant",
        [CHECK_OUTCOME] = "each recipient elsewhere ends in one way",
        [CHECK_DRAINED] = "the queue drains when it is calm",
        [CHECK_EXPIRED] = "what is given up is old enough",
        [CHECK_WARNED] = "a delay is told once, in time",
        [CHECK_STEERED] = "held is held, and dropped was asked for",
        [CHECK_SECURE] = "in secret, to the right host, where published",
        [CHECK_LOGIN] = "only who has logged in submits, as himself",
        [CHECK_QUOTA] = "nobody submits more than he may",
        [CHECK_AMENDED] = "what a submitted header lacks is added",
        [CHECK_SIZES] = "STAT, LIST and RETR agree",
        [CHECK_DELETED] = "what was deleted stays away",
        [CHECK_UNDELETED] = "nothing is deleted without QUIT",
        [CHECK_LOCK] = "a box that nobody reads can be read",
        [CHECK_RELOAD] = "what a reload has changed is in effect",
        [CHECK_OWN_LOOP] = "a loop's own is touched by that loop only",
        [CHECK_ORDER] = "each reply is one to its command",
        [CHECK_REBUILT] = "a rebuilt index is the live one",
        [CHECK_VERIFIED] = "everything in the store verifies",
        [CHECK_COMPACTED] = "it does after each compaction",
        [CHECK_SPACE] = "the space of deleted mail comes back",
        [CHECK_BACKUP] = "a backup can be made and restored",
        [CHECK_DAMAGE] = "damage is named, and nothing else is lost",
        [CHECK_RESTORED] = "and has all that counted before it",
    };
    return names[check];
}

/* --- Time --- */

struct host *world_current(void)
{
    return this_world->current;
}

uint64_t world_time_us(void)
{
    const struct host *h = this_world->current;
    return h && h->dead ? h->after_us : this_world->now_us;
}

void event_at(struct event *e, uint64_t at_us)
{
    CHECK(e->host && e->fire);
    this_world->own_work++;
    CHECK(heap_set(&e->host->events, &e->node, at_us));
    this_world->own_work--;
}

void event_in(struct event *e, uint64_t us)
{
    const struct host *h = e->host;
    event_at(e, (h->dead ? h->after_us : h->world->now_us) + us);
}

void event_some_time(struct event *e, uint64_t every_us)
{
    if (every_us)
        event_in(e, chance_below(2 * every_us));
}

void event_cancel(struct event *e)
{
    if (e->host)
        heap_remove(&e->host->events, &e->node);
}

static void let_happen(struct host *h)
{
    struct heap_node *first = heap_first(&h->events);
    struct event *e = OWNER_OF(first, struct event, node);
    struct world *w = h->world;
    heap_remove(&h->events, first);
    w->current = h;
    w->turning = e->loop;
    w->on_lane = e->on_lane;
    e->fire(e);
    w->current = NULL;
    w->turning = NULL;
    w->on_lane = false;
}

/* --- Hosts --- */

void host_init(struct host *h, struct world *w, unsigned number)
{
    *h = (struct host){ .world = w, .number = number };
    snprintf(h->name, sizeof h->name, number ? "n%u.test" : "outside", number);
    snprintf(h->data, sizeof h->data, "/n%u/data", number);
    snprintf(h->vault_path, sizeof h->vault_path, "/n%u/vault", number);
    snprintf(h->spare_path, sizeof h->spare_path, "/n%u/spare", number);
    h->address = (struct endpoint){ NET_IPV4, { 10, 0, 0, (uint8_t)number }, 0 };
    list_init(&h->streams);
    list_init(&h->listeners);
}

void host_clear(struct host *h)
{
    medium_free(&h->disk);
    medium_free(&h->vault);
    medium_free(&h->spare);
    heap_clear(&h->events);
}

void host_die(struct host *h, const char *how)
{
    if (h->dead || h->number == 0)
        return;
    h->after_us = h->world->now_us;
    h->dead = true;
    trace_words("%s: %s", h->name, how);
}

bool host_unwind(struct host *h, const bool *ends)
{
    struct heap_node *first;
    CHECK(h->dead);
    for (unsigned i = 0; i < UNWIND_EVENTS_MAX; i++) {
        if ((ends && *ends) || !(first = heap_first(&h->events)))
            return true;
        if (first->key > h->after_us)
            h->after_us = first->key;
        let_happen(h);
    }
    return false;
}

static struct medium *disk_named(const struct host *h, struct text root)
{
    if (text_equal(root, T("data")))
        return h->disk;
    if (text_equal(root, T("vault")))
        return h->vault;
    return text_equal(root, T("spare")) ? h->spare : NULL;
}

/* "/n1/data/lock" */
struct medium *world_disk_of_path(const char *path, const char **name_out)
{
    struct text rest = text_of(path), host, root;
    uint64_t number = 0;
    *name_out = "";
    if (!text_starts(rest, T("/n")))
        return NULL;
    rest = text_skip(rest, 2);
    text_cut(&rest, '/', &host);
    text_cut(&rest, '/', &root);
    if (!text_to_u64(host, &number) || number == 0 || number >= this_world->host_count)
        return NULL;
    if (rest.len)
        *name_out = rest.at;
    return disk_named(&this_world->hosts[number], root);
}

/* --- The world --- */

void world_init(struct world *w, uint64_t seed)
{
    uint64_t mix = seed;
    *w = (struct world){ .seed = seed, .show_from = UINT64_MAX, .next_socket = 1000000 };
    for (int i = 0; i < 4; i++)
        w->chance.state[i] = split_mix(&mix);
    /* A moment that is nothing special: clocks that begin with 0 hide mistakes. */
    w->now_us = 5000000000u;
    host_init(&w->hosts[0], w, 0);
    w->host_count = 1;
}

void world_clear(struct world *w)
{
    for (unsigned i = 0; i < w->host_count; i++)
        host_clear(&w->hosts[i]);
}

struct stand world_look_as(struct host *h)
{
    struct stand before = { this_world->current, this_world->calm };
    this_world->current = h;
    this_world->calm = true;
    return before;
}

void world_look_back(struct stand before)
{
    this_world->current = before.current;
    this_world->calm = before.was_calm;
}

static struct host *host_of_the_next(struct world *w)
{
    struct host *next = NULL;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < w->host_count; i++) {
        const struct heap_node *first = heap_first(&w->hosts[i].events);
        if (!w->hosts[i].dead && first && first->key < least) {
            least = first->key;
            next = &w->hosts[i];
        }
    }
    return next;
}

void world_run(struct world *w)
{
    while (!w->ends && !w->failed) {
        struct host *next = host_of_the_next(w);
        if (!next) {
            world_fail("nothing will ever happen any more");
            return;
        }
        uint64_t at = heap_first(&next->events)->key;
        if (at > w->now_us)
            w->now_us = at;
        w->steps++;
        if (w->steps_told)
            *w->steps_told = w->steps;
        uint64_t mark[2] = { w->now_us, next->number };
        trace_hash(mark, sizeof mark);
        let_happen(next);
        if (next->stepped)
            next->stepped(next);
    }
}
