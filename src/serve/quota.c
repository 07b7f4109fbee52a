/* quota.c - how much each user has sent: a ring of counts for each, a count for five minutes. */
#include "serve/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 1024,
    SLOT_MS = 5 * 60 * 1000,
    SLOTS = 13, /* the one that is running, and an hour before it */
};

struct user {
    struct user *next;
    mailbox_id id;
    uint64_t slot; /* the newest */
    uint32_t counts[QUOTAS][SLOTS];
};

struct quota {
    pthread_mutex_t lock;
    struct user *users[BUCKETS];
};

bool quota_new(struct quota **out, struct error *error)
{
    struct quota *q = calloc(1, sizeof *q);
    if (!q)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    pthread_mutex_init(&q->lock, NULL);
    *out = q;
    return true;
}

void quota_free(struct quota **quota)
{
    struct quota *q = *quota;
    if (!q)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct user *u = q->users[i], *next; u; u = next) {
            next = u->next;
            free(u);
        }
    pthread_mutex_destroy(&q->lock);
    free(q);
    *quota = NULL;
}

/* Mailbox ids are random.  Whoever has been silent for an hour is forgotten on the way. */
static struct user *find_user(struct quota *q, mailbox_id id, uint64_t slot)
{
    struct user **at = &q->users[id % BUCKETS], *found = NULL;
    while (*at) {
        struct user *u = *at;
        if (u->slot + SLOTS <= slot) {
            *at = u->next;
            free(u);
            continue;
        }
        if (u->id == id)
            found = u;
        at = &u->next;
    }
    return found;
}

static struct user *add_user(struct quota *q, mailbox_id id, uint64_t slot)
{
    struct user *u = calloc(1, sizeof *u), **at = &q->users[id % BUCKETS];
    if (!u)
        return NULL;
    u->id = id;
    u->slot = slot;
    u->next = *at;
    return *at = u;
}

/* The slots that have begun since are empty; there are fewer of them than SLOTS. */
static void move_on(struct user *u, uint64_t slot)
{
    while (u->slot < slot) {
        u->slot++;
        for (size_t of = 0; of < QUOTAS; of++)
            u->counts[of][u->slot % SLOTS] = 0;
    }
}

static bool count(struct user *u, enum quota_of of, uint32_t max)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SLOTS; i++)
        sum += u->counts[of][i];
    if (sum >= max)
        return false;
    u->counts[of][u->slot % SLOTS]++;
    return true;
}

bool quota_take(struct quota *q, mailbox_id id, enum quota_of of, uint32_t max, uint64_t now_ms)
{
    uint64_t slot = now_ms / SLOT_MS;
    if (max == 0)
        return true;
    pthread_mutex_lock(&q->lock);
    struct user *u = find_user(q, id, slot);
    if (!u)
        u = add_user(q, id, slot);
    if (u)
        move_on(u, slot);
    bool taken = u && count(u, of, max);
    pthread_mutex_unlock(&q->lock);
    return taken;
}
