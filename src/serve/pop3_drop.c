/* pop3_drop.c - the maildrop of one POP3 session. */
#include "serve/pop3_drop.h"

#include "base/check.h"

#include <stdlib.h>

struct part;

struct pop3_drop {
    struct store *store;
    struct server_loop *home;
    const struct pop3_drop_events *events;
    void *owner; /* NULL: the session has gone */
    mailbox_id mailbox;
    uint64_t token;
    struct maildrop_read read; /* counting, then listing */
    bool reading;
    uint32_t count;
    uint64_t octets;
    uint32_t uid_next;
    struct pop3_message *messages;
    struct content *content; /* of message `open` */
    uint32_t open;

    uint32_t *uids; /* of UPDATE */
    struct part *parts;
    size_t part_count, parts_left;
    bool part_failed, part_lost;
    struct error error; /* of the first part that failed, or of listing */
};

/* A unit's share of an UPDATE. */
struct part {
    struct pop3_drop *maildrop;
    struct expunge expunge;
    struct commit commit;
};

static void maildrop_free(struct pop3_drop *m)
{
    if (m->content)
        content_close(&m->content);
    maildrop_unlock(m->store, m->mailbox, m->token);
    maildrop_read_clear(&m->read);
    free(m->messages);
    free(m->uids);
    free(m->parts);
    free(m);
}

static bool is_busy(const struct pop3_drop *m)
{
    return m->reading || m->parts_left > 0;
}

void pop3_drop_close(struct pop3_drop **maildrop)
{
    struct pop3_drop *m = *maildrop;
    *maildrop = NULL;
    if (!m)
        return;
    m->owner = NULL;
    if (m->content)
        content_close(&m->content);
    if (!is_busy(m))
        maildrop_free(m);
}

/* What a completion does first: false when the session has gone and the maildrop with it. */
static bool goes_on(struct pop3_drop *m)
{
    if (m->owner)
        return true;
    if (!is_busy(m))
        maildrop_free(m);
    return false;
}

/* --- Opening: lock, then count --- */

static void counted(struct maildrop_read *read)
{
    struct pop3_drop *m = OWNER_OF(read, struct pop3_drop, read);
    struct server_loop *home = m->home;
    m->reading = false;
    if (goes_on(m)) {
        m->count = read->count;
        m->octets = read->octets;
        m->uid_next = read->uid_next;
        if (!read->ok)
            m->error = read->error;
        m->events->opened(m->owner, read->ok ? POP3_ACCEPT : POP3_TEMPORARY);
    }
    server_loop_release(home);
}

static bool start_read(struct pop3_drop *m, bool list, void (*done)(struct maildrop_read *))
{
    m->read = (struct maildrop_read){
        .mailbox = m->mailbox,
        .list = list,
        .uid_below = list ? m->uid_next : 0,
        .home = m->home->loop,
        .done = done,
    };
    m->reading = maildrop_read_start(m->store, &m->read);
    if (m->reading)
        server_loop_hold(m->home);
    return m->reading;
}

struct pop3_drop *pop3_drop_open(const struct pop3_drop_options *o, enum pop3_verdict *verdict_out)
{
    uint64_t now_ms = loop_now_ms(o->home->loop);
    uint64_t stale_before_ms = o->idle_ms && now_ms > o->idle_ms ? now_ms - o->idle_ms : 0;
    struct pop3_drop *m = calloc(1, sizeof *m);
    *verdict_out = POP3_TEMPORARY;
    if (!m)
        return NULL;
    m->store = o->home->server->store;
    m->home = o->home;
    m->events = o->events;
    m->owner = o->owner;
    m->mailbox = o->mailbox;
    m->token = maildrop_lock(m->store, m->mailbox, now_ms, stale_before_ms);
    if (m->token == 0) {
        *verdict_out = POP3_IN_USE;
        free(m);
        return NULL;
    }
    if (!start_read(m, false, counted)) {
        maildrop_free(m);
        return NULL;
    }
    return m;
}

bool pop3_drop_touch(struct pop3_drop *m, uint64_t now_ms)
{
    return maildrop_touch(m->store, m->mailbox, m->token, now_ms);
}

const struct error *pop3_drop_error(const struct pop3_drop *m)
{
    return &m->error;
}

uint32_t pop3_drop_count(const struct pop3_drop *m)
{
    return m->count;
}

uint64_t pop3_drop_octets(const struct pop3_drop *m)
{
    return m->octets;
}

/* --- Listing --- */

/* The list must be what the login has counted; the lock keeps others from changing it. */
static enum pop3_verdict take_list(struct pop3_drop *m)
{
    const struct maildrop_read *read = &m->read;
    if (!read->ok) {
        m->error = read->error;
        return POP3_TEMPORARY;
    }
    if (read->count != m->count) {
        error_set(&m->error, ERROR_DAMAGED, "%u messages were counted and %u are listed", m->count,
                  read->count);
        return POP3_TEMPORARY;
    }
    m->messages = calloc(m->count ? m->count : 1, sizeof *m->messages);
    if (!m->messages)
        return POP3_TEMPORARY;
    for (uint32_t i = 0; i < m->count; i++)
        m->messages[i] = (struct pop3_message){
            .octets = read->entries[i].octets,
            .uidl_message = read->entries[i].message,
            .uidl_placement = read->entries[i].uid,
            .dot_lines = read->entries[i].dot_lines,
        };
    return POP3_ACCEPT;
}

static void listed(struct maildrop_read *read)
{
    struct pop3_drop *m = OWNER_OF(read, struct pop3_drop, read);
    struct server_loop *home = m->home;
    m->reading = false;
    if (goes_on(m))
        m->events->listed(m->owner, take_list(m));
    server_loop_release(home);
}

bool pop3_drop_list(struct pop3_drop *m)
{
    maildrop_read_clear(&m->read);
    return start_read(m, true, listed);
}

const struct pop3_message *pop3_drop_messages(const struct pop3_drop *m)
{
    return m->messages;
}

/* --- Reading --- */

static void content_is_ready(void *owner)
{
    struct pop3_drop *m = owner;
    if (m->owner)
        m->events->content_ready(m->owner);
}

enum content_state pop3_drop_read(struct pop3_drop *m, uint32_t message, uint64_t offset,
                                  struct bytes *out)
{
    CHECK(message < m->count);
    const struct maildrop_entry *entry = &m->read.entries[message];
    bool in_prefix = offset < entry->prefix.len;
    if (m->content && m->open != message)
        content_close(&m->content);
    if (!m->content)
        m->content = content_open(m->store, m->home->loop, entry);
    if (!m->content)
        return CONTENT_BUSY;
    m->open = message;
    /* Nothing is said of a message before its content is known to be readable. */
    enum content_state state = content_read(m->content, in_prefix ? 0 : offset - entry->prefix.len,
                                            out, content_is_ready, m);
    if (in_prefix && (state == CONTENT_HERE || state == CONTENT_END)) {
        *out = bytes_of_text(text_skip(entry->prefix, offset));
        return CONTENT_HERE;
    }
    if (state == CONTENT_BUSY || state == CONTENT_DAMAGED)
        content_close(&m->content); /* whoever asks again begins anew */
    return state;
}

/* --- Updating --- */

static void update_ended(struct pop3_drop *m)
{
    if (m->part_lost)
        m->events->lost(m->owner);
    else
        m->events->updated(m->owner, m->part_failed ? POP3_TEMPORARY : POP3_ACCEPT);
}

static void part_done(struct commit *commit)
{
    struct part *part = OWNER_OF(commit, struct part, commit);
    struct pop3_drop *m = part->maildrop;
    struct server_loop *home = m->home;
    m->parts_left--;
    m->part_lost |= commit->verdict == STORE_UNKNOWN;
    if (commit->verdict != STORE_STORED && !m->part_failed) {
        m->part_failed = true;
        m->error = commit->error;
    }
    if (m->parts_left == 0 && goes_on(m))
        update_ended(m);
    server_loop_release(home);
}

static void submit_part(struct pop3_drop *m, struct part *part, const uint32_t *uids, size_t count)
{
    part->maildrop = m;
    part->expunge = (struct expunge){ m->mailbox, m->token, uids, count };
    part->commit.expunge = &part->expunge;
    part->commit.home = m->home->loop;
    part->commit.done = part_done;
    server_loop_hold(m->home);
    store_submit(m->store, &part->commit);
}

bool pop3_drop_update(struct pop3_drop *m, const uint32_t *deleted, uint32_t count)
{
    CHECK(count > 0);
    m->part_count = (count + STORE_CHANGES_MAX - 1) / STORE_CHANGES_MAX;
    m->uids = calloc(count, sizeof *m->uids);
    m->parts = calloc(m->part_count, sizeof *m->parts);
    if (!m->uids || !m->parts)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(deleted[i] < m->count);
        m->uids[i] = m->read.entries[deleted[i]].uid;
    }
    m->parts_left = m->part_count;
    for (size_t i = 0; i < m->part_count; i++) {
        size_t from = i * STORE_CHANGES_MAX;
        size_t left = count - from;
        submit_part(m, &m->parts[i], m->uids + from,
                    left < STORE_CHANGES_MAX ? left : STORE_CHANGES_MAX);
    }
    return true;
}
