/* content.c - reading a stored message on a loop.
 *
 * What is in the page cache is read at once; only when the disk would have to be asked does a lane
 * do it, and the loop finds the block in the reader afterwards.  Every octet was verified before it
 * is handed out; that is the journal's work (unit_read).  A place that no longer holds the message
 * is looked up again once, in the index.
 */
#include "store/content.h"

#include "store/local/bell.h"
#include "store/local/store_inner.h"

#include <stdlib.h>

struct content {
    struct store *store;
    struct loop *loop;
    message_id message;
    struct unit_place place;
    struct unit_reader *reader; /* the lane's while it is busy */
    bool looked_up;             /* the place is the index's latest word */
    uint64_t wanted;            /* offset that the lane is asked for */
    enum content_state trouble; /* DAMAGED or BUSY: what the lane found; else HERE */
    void (*ready)(void *owner);
    void *owner;
    struct bell *bell;
    struct job job;

    pthread_mutex_t mutex; /* for these */
    bool busy;             /* the lane is at work */
    bool closed;           /* the lane frees it */
};

struct content *content_open(struct store *store, struct loop *loop,
                             const struct maildrop_entry *entry)
{
    struct content *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->store = store;
    c->loop = loop;
    c->message = entry->message;
    c->place = (struct unit_place){
        .segment = entry->place.segment,
        .offset = entry->place.offset,
        .octets = entry->place.frame_octets,
        .content_at = entry->place.content_at,
    };
    c->trouble = CONTENT_HERE;
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

static void content_free(struct content *c)
{
    unit_close(&c->reader);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

void content_close(struct content **content_ref)
{
    struct content *c = *content_ref;
    *content_ref = NULL;
    if (!c)
        return;
    pthread_mutex_lock(&c->mutex);
    bell_free(&c->bell);
    c->closed = true;
    bool busy = c->busy;
    pthread_mutex_unlock(&c->mutex);
    if (!busy)
        content_free(c);
}

static enum content_state trouble_of(const struct error *error)
{
    return error->kind == ERROR_DAMAGED ? CONTENT_DAMAGED : CONTENT_BUSY;
}

/* --- What was found damaged before --- */

static void note_damage(struct content *c)
{
    struct damaged *d = &c->store->damaged;
    pthread_mutex_lock(&d->mutex);
    d->ids[atomic_load(&d->count) % DAMAGED_KEPT] = c->message;
    atomic_fetch_add(&d->count, 1);
    pthread_mutex_unlock(&d->mutex);
}

static bool is_noted(struct content *c)
{
    struct damaged *d = &c->store->damaged;
    bool noted = false;
    if (atomic_load(&d->count) == 0)
        return false;
    pthread_mutex_lock(&d->mutex);
    for (size_t i = 0; i < DAMAGED_KEPT; i++)
        noted |= d->ids[i] == c->message;
    pthread_mutex_unlock(&d->mutex);
    return noted;
}

/* --- On a lane --- */

/* True when the index knows another place. */
static bool look_up(struct content *c)
{
    struct index_message message;
    struct error error = { 0 };
    bool found = false;
    struct index *index = reading_begin(c->store, &error);
    if (!index)
        return false;
    bool ok = index_find_message(index, c->message, &message, &found, &error);
    reading_end(c->store, &error);
    if (!ok || !found || unit_place_equal(&message.place, &c->place))
        return false;
    c->place = message.place;
    return true;
}

static bool open_slowly(struct content *c, struct error *error)
{
    bool would_block;
    struct journal *journal = c->store->journal;
    if (unit_open(journal, c->message, &c->place, false, &would_block, &c->reader, error))
        return true;
    if (c->looked_up)
        return false;
    c->looked_up = true;
    return look_up(c) &&
           unit_open(journal, c->message, &c->place, false, &would_block, &c->reader, error);
}

static void run_content(struct job *job)
{
    struct content *c = OWNER_OF(job, struct content, job);
    struct error error = { 0 };
    struct bytes octets;
    bool would_block;
    if ((!c->reader && !open_slowly(c, &error)) ||
        !unit_read(c->reader, c->wanted, false, &would_block, &octets, &error))
        c->trouble = trouble_of(&error);
    pthread_mutex_lock(&c->mutex);
    c->busy = false;
    bool closed = c->closed;
    if (!closed)
        bell_ring(c->bell);
    pthread_mutex_unlock(&c->mutex);
    if (closed)
        content_free(c);
}

/* --- On the loop --- */

static void heard(void *owner)
{
    struct content *c = owner;
    c->ready(c->owner);
}

static enum content_state ask_lane(struct content *c, uint64_t offset)
{
    if (!c->bell)
        c->bell = bell_new(c->loop, heard, c);
    if (!c->bell)
        return CONTENT_BUSY;
    c->wanted = offset;
    c->job = (struct job){ .run = run_content };
    c->busy = true;
    if (lane_submit(c->store->reads, &c->job))
        return CONTENT_WAIT;
    c->busy = false;
    return CONTENT_BUSY;
}

static bool is_busy(struct content *c)
{
    pthread_mutex_lock(&c->mutex);
    bool busy = c->busy;
    pthread_mutex_unlock(&c->mutex);
    return busy;
}

static enum content_state read_now(struct content *c, uint64_t offset, struct bytes *out)
{
    struct error error = { 0 };
    bool would_block = false;
    if (!c->reader && !unit_open(c->store->journal, c->message, &c->place, true, &would_block,
                                 &c->reader, &error))
        return would_block || !c->looked_up ? ask_lane(c, offset) : trouble_of(&error);
    if (offset >= unit_content_octets(c->reader))
        return CONTENT_END;
    if (unit_read(c->reader, offset, true, &would_block, out, &error))
        return CONTENT_HERE;
    return would_block ? ask_lane(c, offset) : trouble_of(&error);
}

static enum content_state read_on(struct content *c, uint64_t offset, struct bytes *out)
{
    if (offset == 0 && is_noted(c))
        return CONTENT_DAMAGED;
    enum content_state state = c->trouble;
    if (state == CONTENT_HERE)
        state = read_now(c, offset, out);
    if (state == CONTENT_DAMAGED && offset > 0)
        note_damage(c);
    return state;
}

enum content_state content_read(struct content *c, uint64_t offset, struct bytes *out,
                                void (*ready)(void *owner), void *owner)
{
    *out = (struct bytes){ NULL, 0 };
    c->ready = ready;
    c->owner = owner;
    return is_busy(c) ? CONTENT_WAIT : read_on(c, offset, out);
}
