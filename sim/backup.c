/* backup.c - backups of a server's store: when they are made, how they are cut, what they hold. */
#include "sim/backup.h"

#include "sim/books.h"
#include "sim/guest.h"
#include "sim/medium.h"
#include "sim/node.h"
#include "store/store.h"

#include <stdio.h>

enum {
    STEPS_MAX = 300, /* of a backup that is cut */
    PACE_FAST_US = 200,
    PACE_SLOW_US = 1000 * 1000,
    PATH_OCTETS = 40,
};

static void copy(void *owner)
{
    struct backup *b = owner;
    const struct host *h = b->node->host;
    struct store_copied copied;
    char to[PATH_OCTETS];
    snprintf(to, sizeof to, "/n%u/vault", h->number);
    b->ok = store_backup(h->data, to, &copied, &b->error);
}

/* It may begin before the server has made a journal. */
static void expect_good(const struct backup *b)
{
    bool good = b->ok || b->node->starts == 0 || world_troubles() != b->troubles ||
                text_ends_nocase(text_of(b->error.words), T("there is no mail"));
    world_expect(CHECK_BACKUP, good, "%s: a backup failed: %s", b->node->host->name,
                 b->error.words);
}

static void come_to_end(struct backup *b)
{
    bool dead = guest_is_dead(b->guest);
    guest_free(&b->guest);
    event_cancel(&b->step);
    trace_words("%s: a backup %s", b->node->host->name,
                dead    ? "is cut"
                : b->ok ? "is complete"
                        : b->error.words);
    if (dead) {
        fault_count(FAULT_BACKUP_CUT);
        return;
    }
    expect_good(b);
    if (b->ok)
        b->counts_us = b->begun_us;
}

static void step(struct event *e)
{
    struct backup *b = OWNER_OF(e, struct backup, step);
    if (b->steps_left && --b->steps_left == 0 && !e->host->world->calm)
        guest_kill(b->guest);
    else if (guest_step(b->guest)) {
        event_in(e, 1 + chance_below(b->pace_us));
        return;
    }
    come_to_end(b);
}

static void begin(struct event *e)
{
    struct backup *b = OWNER_OF(e, struct backup, next);
    struct world *w = e->host->world;
    if (w->calm)
        return;
    event_some_time(e, w->weather.backup_every_us);
    if (b->guest)
        return;
    trace_words("%s: a backup begins", b->node->host->name);
    b->begun_us = w->now_us;
    b->troubles = world_troubles();
    b->pace_us = chance_below(2) ? PACE_FAST_US : PACE_SLOW_US;
    b->steps_left = chance_below(3) ? 0 : (unsigned)chance_from(1, STEPS_MAX);
    b->guest = guest_new(b->node->host, copy, b);
    event_in(&b->step, 1);
}

void backup_cut(struct backup *b)
{
    if (!b->guest)
        return;
    guest_kill(b->guest);
    come_to_end(b);
}

void backup_open(struct backup *b, struct node *n)
{
    struct world *w = n->host->world;
    *b = (struct backup){ .node = n };
    b->next = (struct event){ .fire = begin, .host = &w->hosts[0] };
    b->step = (struct event){ .fire = step, .host = &w->hosts[0] };
    event_some_time(&b->next, w->weather.backup_every_us);
}

void backup_close(struct backup *b)
{
    backup_cut(b);
    event_cancel(&b->next);
}

/* --- What it is worth --- */

static void finding(void *owner, bool is_trouble, const char *words)
{
    const struct backup *b = owner;
    if (is_trouble)
        world_fail("%s: what was restored does not verify: %s", b->node->host->name, words);
}

static void restore(struct backup *b, const char *from, const char *to)
{
    const struct host *h = b->node->host;
    struct store_restored restored;
    struct error e;
    uint64_t findings = 0;
    bool ok = store_restore(from, to, &restored, &e);
    world_expect(CHECK_BACKUP, ok, "%s: a backup cannot be restored: %s", h->name, e.words);
    if (!ok)
        return;
    ok = store_verify(to, finding, b, &findings, &e);
    world_expect(CHECK_BACKUP, ok, "%s: what was restored cannot be verified: %s", h->name,
                 e.words);
    books_compare(b->node, to,
                  (struct books_of){
                      .check = CHECK_RESTORED, .what = "the backup", .counts_us = b->counts_us });
}

void backup_examine(struct backup *b)
{
    struct host *h = b->node->host;
    struct world *w = h->world;
    char from[PATH_OCTETS], to[PATH_OCTETS];
    if (!b->counts_us)
        return;
    snprintf(from, sizeof from, "/n%u/vault", h->number);
    snprintf(to, sizeof to, "/n%u/spare", h->number);
    w->current = h;
    restore(b, from, to);
    w->current = NULL;
}
