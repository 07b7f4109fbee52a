/* backup.c - backups of a server's store: when they are made, how they are cut, what they hold. */
#include "sim/backup.h"

#include "sim/books.h"
#include "sim/guest.h"
#include "sim/medium.h"
#include "sim/node.h"
#include "store/store.h"

enum {
    STEPS_MAX = 300, /* of a backup that is cut */
    PACE_FAST_US = 200,
    PACE_SLOW_US = 1000 * 1000,
};

static void copy(void *owner)
{
    struct backup *b = owner;
    const struct host *h = b->node->host;
    struct store_copied copied;
    b->ok = store_backup(h->data, h->vault_path, &copied, &b->error);
    b->has_holes = b->ok && copied.holes.octets > 0;
}

/* It may begin before the server has made a journal. */
static void expect_good(const struct backup *b)
{
    bool good = (b->ok && !b->has_holes) || b->node->starts == 0 ||
                b->node->host->troubles != b->troubles ||
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
        b->counts_us = b->has_holes ? 0 : b->begun_us;
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
    b->troubles = b->node->host->troubles;
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

void backup_examine(struct backup *b)
{
    const struct host *h = b->node->host;
    struct store_restored restored;
    struct error e;
    if (!b->counts_us)
        return;
    bool ok = store_restore(h->vault_path, h->spare_path, &restored, &e);
    world_expect(CHECK_BACKUP, ok, "%s: a backup cannot be restored: %s", h->name, e.words);
    if (!ok)
        return;
    node_expect_verified(b->node, h->spare_path, "what was restored", CHECK_BACKUP);
    books_compare(b->node, h->spare_path,
                  (struct books_of){
                      .check = CHECK_RESTORED, .what = "the backup", .counts_us = b->counts_us });
}
