/* locks.c - who has which maildrop.  As many entries as there are sessions that hold one; it never
 * asks whether a mailbox exists. */
#include "store/local/locks.h"

#include <stdlib.h>

enum { BUCKETS_FIRST = 64 };

struct lock_entry {
    struct lock_entry *next;
    mailbox_id mailbox;
    uint64_t token;
    uint64_t touched_ms;
};

void locks_init(struct lock_table *t)
{
    *t = (struct lock_table){ 0 };
    pthread_mutex_init(&t->mutex, NULL);
}

void locks_clear(struct lock_table *t)
{
    for (size_t i = 0; i < t->bucket_count; i++) {
        while (t->buckets[i]) {
            struct lock_entry *entry = t->buckets[i];
            t->buckets[i] = entry->next;
            free(entry);
        }
    }
    free(t->buckets);
    pthread_mutex_destroy(&t->mutex);
    *t = (struct lock_table){ 0 };
}

/* The ids are random already. */
static struct lock_entry **bucket_of(struct lock_table *t, mailbox_id mailbox)
{
    return &t->buckets[mailbox & (t->bucket_count - 1)];
}

static struct lock_entry *find(struct lock_table *t, mailbox_id mailbox)
{
    struct lock_entry *entry = t->bucket_count ? *bucket_of(t, mailbox) : NULL;
    while (entry && entry->mailbox != mailbox)
        entry = entry->next;
    return entry;
}

/* Keeps the chains short; when memory is short they may as well grow. */
static bool widen(struct lock_table *t)
{
    size_t before = t->bucket_count, wider = before ? before * 2 : BUCKETS_FIRST;
    struct lock_entry **old = t->buckets, **buckets = calloc(wider, sizeof *buckets);
    if (!buckets)
        return before > 0;
    t->buckets = buckets;
    t->bucket_count = wider;
    for (size_t i = 0; i < before; i++) {
        while (old[i]) {
            struct lock_entry *entry = old[i];
            old[i] = entry->next;
            struct lock_entry **bucket = bucket_of(t, entry->mailbox);
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    free(old);
    return true;
}

static struct lock_entry *add(struct lock_table *t, mailbox_id mailbox)
{
    if (t->count >= t->bucket_count && !widen(t))
        return NULL;
    struct lock_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    struct lock_entry **bucket = bucket_of(t, mailbox);
    entry->mailbox = mailbox;
    entry->next = *bucket;
    *bucket = entry;
    t->count++;
    return entry;
}

static void forget(struct lock_table *t, struct lock_entry *entry)
{
    struct lock_entry **at = bucket_of(t, entry->mailbox);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    t->count--;
    free(entry);
}

/* The entry while this token holds. */
static struct lock_entry *find_held(struct lock_table *t, mailbox_id mailbox, uint64_t token)
{
    struct lock_entry *entry = find(t, mailbox);
    return entry && entry->token == token ? entry : NULL;
}

uint64_t locks_take(struct lock_table *t, mailbox_id mailbox, uint64_t now_ms,
                    uint64_t stale_before_ms)
{
    uint64_t token = 0;
    pthread_mutex_lock(&t->mutex);
    struct lock_entry *entry = find(t, mailbox);
    bool is_free = !entry || entry->touched_ms < stale_before_ms;
    if (!entry)
        entry = add(t, mailbox);
    if (entry && is_free) {
        token = entry->token = ++t->last_token;
        entry->touched_ms = now_ms;
    }
    pthread_mutex_unlock(&t->mutex);
    return token;
}

bool locks_touch(struct lock_table *t, mailbox_id mailbox, uint64_t token, uint64_t now_ms)
{
    pthread_mutex_lock(&t->mutex);
    struct lock_entry *entry = find_held(t, mailbox, token);
    if (entry)
        entry->touched_ms = now_ms;
    pthread_mutex_unlock(&t->mutex);
    return entry != NULL;
}

void locks_give(struct lock_table *t, mailbox_id mailbox, uint64_t token)
{
    pthread_mutex_lock(&t->mutex);
    struct lock_entry *entry = find_held(t, mailbox, token);
    if (entry)
        forget(t, entry);
    pthread_mutex_unlock(&t->mutex);
}

bool locks_holds(struct lock_table *t, mailbox_id mailbox, uint64_t token)
{
    pthread_mutex_lock(&t->mutex);
    bool holds = find_held(t, mailbox, token) != NULL;
    pthread_mutex_unlock(&t->mutex);
    return holds;
}
