/* store_world.c - a store in a folder of its own, one loop, and commits that are waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "store_world.h"

#include <pthread.h>
#include <string.h>

/* --- The world --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for what is noted */

static void note(void *owner, bool is_trouble, const char *words)
{
    struct world *w = owner;
    pthread_mutex_lock(&mutex);
    snprintf(is_trouble ? w->last_trouble : w->last_notice, sizeof w->last_notice, "%s", words);
    w->troubles += is_trouble;
    w->notices++;
    pthread_mutex_unlock(&mutex);
}

bool world_told(struct world *w, const char *words)
{
    pthread_mutex_lock(&mutex);
    bool told = strstr(w->last_trouble, words) != NULL;
    pthread_mutex_unlock(&mutex);
    return told;
}

bool world_open(struct world *w)
{
    return store_open(&w->options, &w->store, &w->error);
}

void world_close(struct world *w)
{
    store_close(&w->store);
}

void world_reopen(struct world *w)
{
    world_close(w);
    if (!world_open(w))
        fail_msg("%s", w->error.words);
}

int world_set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w || !scratch_make(w->path) || !loop_new(&w->loop, &w->error))
        return -1;
    w->options = (struct store_options){
        .path = w->path,
        .create = true,
        .segment_octets = 64 * 1024,
        .reserve_octets = 1,
        .notice = note,
        .owner = w,
    };
    *state = w;
    if (world_open(w))
        return 0;
    fprintf(stderr, "%s\n", w->error.words);
    return -1;
}

int world_tear_down(void **state)
{
    struct world *w = *state;
    world_close(w);
    loop_free(&w->loop);
    scratch_remove(w->path);
    free(w);
    return 0;
}

/* --- Waiting --- */

static void one_less(struct world *w)
{
    if (--w->waiting == 0)
        loop_stop(w->loop);
}

void world_wait(struct world *w)
{
    if (w->waiting > 0)
        loop_run(w->loop);
}

static void wake(void *owner)
{
    one_less(owner);
}

/* --- Delivering --- */

static void make_body(unsigned seed, uint8_t *body, size_t octets)
{
    uint64_t x = seed * 0x9E3779B97F4A7C15u + 1;
    for (size_t i = 0; i < octets; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        body[i] = (uint8_t)(i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'a' + x % 26);
    }
}

bool delivery_begin(struct world *w, struct delivery *d, unsigned seed, size_t octets, size_t piece)
{
    *d = (struct delivery){ .world = w, .octets = octets };
    d->body = malloc(octets + 1);
    d->commit = (struct commit){
        .message = store_new_message_id(w->store),
        .sender = T("sender@b.test"),
        .arrived_ms = 1792568487123,
        .placements = d->placements,
        .home = w->loop,
    };
    if (!d->body)
        return false;
    make_body(seed, d->body, octets);
    d->spool = spool_open(w->store, d->commit.message, w->loop, wake, w);
    if (!d->spool)
        return false;
    d->commit.spool = d->spool;
    for (size_t at = 0; at < octets;) {
        size_t len = piece && piece < octets - at ? piece : octets - at;
        enum spool_state s = spool_append(d->spool, (struct bytes){ d->body + at, len });
        at += len;
        if (s == SPOOL_FAILED)
            return false;
        if (s != SPOOL_WAIT)
            continue;
        w->waiting++;
        world_wait(w);
    }
    return spool_octets(d->spool) == octets;
}

void delivery_to(struct delivery *d, mailbox_id mailbox)
{
    struct placement *p = &d->placements[d->commit.placement_count++];
    snprintf(d->prefix, sizeof d->prefix, "Delivered-To: someone@a.test\r\n");
    p->mailbox = mailbox;
    p->address = T("someone@a.test");
    p->prefix = text_of(d->prefix);
    p->prefix_facts = (struct content_facts){ .octets = p->prefix.len, .ends_with_crlf = true };
}

static void delivery_done(struct commit *c)
{
    struct delivery *d = OWNER_OF(c, struct delivery, commit);
    one_less(d->world);
}

void delivery_submit(struct delivery *d)
{
    d->commit.done = delivery_done;
    d->world->waiting++;
    store_submit(d->world->store, &d->commit);
}

void delivery_end(struct delivery *d)
{
    spool_close(&d->spool);
    free(d->body);
}

enum store_verdict world_deliver(struct world *w, mailbox_id mailbox, unsigned seed, size_t octets)
{
    struct delivery d;
    if (!delivery_begin(w, &d, seed, octets, 0)) {
        delivery_end(&d);
        return STORE_REFUSED;
    }
    delivery_to(&d, mailbox);
    delivery_submit(&d);
    world_wait(w);
    delivery_end(&d);
    w->error = d.commit.error;
    return d.commit.verdict;
}

enum store_verdict world_expunge(struct world *w, mailbox_id mailbox, const uint32_t *uids,
                                 size_t count)
{
    struct delivery d = { .world = w };
    d.expunge = (struct expunge){ mailbox, maildrop_lock(w->store, mailbox, 0, 0), uids, count };
    d.commit = (struct commit){ .expunge = &d.expunge, .home = w->loop };
    delivery_submit(&d);
    world_wait(w);
    maildrop_unlock(w->store, mailbox, d.expunge.token);
    w->error = d.commit.error;
    return d.commit.verdict;
}

enum store_verdict world_purge(struct world *w, mailbox_id mailbox)
{
    struct delivery d = { .world = w };
    d.commit = (struct commit){ .purge = mailbox, .home = w->loop };
    delivery_submit(&d);
    world_wait(w);
    return d.commit.verdict;
}

/* --- Reading --- */

struct listing {
    struct maildrop_read read;
    struct world *world;
};

static void listed(struct maildrop_read *read)
{
    one_less(OWNER_OF(read, struct listing, read)->world);
}

struct maildrop_read world_try_list(struct world *w, mailbox_id mailbox)
{
    struct listing l = { .world = w };
    l.read =
        (struct maildrop_read){ .mailbox = mailbox, .list = true, .home = w->loop, .done = listed };
    w->waiting++;
    assert_true(maildrop_read_start(w->store, &l.read));
    world_wait(w);
    return l.read;
}

struct maildrop_read world_list(struct world *w, mailbox_id mailbox)
{
    struct maildrop_read read = world_try_list(w, mailbox);
    if (!read.ok)
        fail_msg("%s", read.error.words);
    return read;
}

bool world_reads_back(struct world *w, const struct maildrop_entry *entry, unsigned seed)
{
    struct content *content = content_open(w->store, w->loop, entry);
    uint8_t *body = malloc(entry->content_octets + 1);
    uint64_t offset = 0;
    enum content_state state;
    struct bytes out;
    make_body(seed, body, entry->content_octets);
    while ((state = content_read(content, offset, &out, wake, w)) == CONTENT_HERE ||
           state == CONTENT_WAIT) {
        if (state == CONTENT_WAIT) {
            w->waiting++;
            world_wait(w);
            continue;
        }
        if (out.len == 0 || memcmp(out.at, body + offset, out.len) != 0)
            break;
        offset += out.len;
    }
    content_close(&content);
    free(body);
    return state == CONTENT_END && offset == entry->content_octets;
}

static void finding(void *owner, bool is_trouble, const char *words)
{
    (void)owner;
    if (is_trouble)
        fail_msg("%s", words);
}

void world_is_whole(struct world *w)
{
    struct buffer live, rebuilt;
    uint64_t findings;
    buffer_init(&live, 64 << 20);
    buffer_init(&rebuilt, 64 << 20);
    assert_true(store_dump(w->path, false, &live, &w->error));
    assert_true(store_dump(w->path, true, &rebuilt, &w->error));
    assert_int_equal(live.len, rebuilt.len);
    assert_true(live.len == 0 || memcmp(live.at, rebuilt.at, live.len) == 0);
    if (!store_verify(w->path, finding, NULL, &findings, &w->error))
        fail_msg("%s", w->error.words);
    assert_int_equal(findings, 0);
    buffer_clear(&live);
    buffer_clear(&rebuilt);
}
