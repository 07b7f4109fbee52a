/* maildrop.h - one mailbox as a reader sees it: the exclusive lock, the counts, the list. */
#ifndef STORE_MAILDROP_H
#define STORE_MAILDROP_H

#include "store/store.h"

/* Takes the mailbox's lock, in memory, any thread.  0 when another session holds it and touched it
 * at or after `stale_before_ms` (monotonic): a session past its idle limit is taken over.  The
 * token is never 0 and never repeats; the old holder's token no longer counts. */
uint64_t maildrop_lock(struct store *, mailbox_id, uint64_t now_ms, uint64_t stale_before_ms);
/* The holder is alive.  False when the lock was taken over. */
bool maildrop_touch(struct store *, mailbox_id, uint64_t token, uint64_t now_ms);
/* Harmless with a token that no longer holds. */
void maildrop_unlock(struct store *, mailbox_id, uint64_t token);

/* Where a message lies; opaque to all but content.h.  Stale ones are noticed and looked up again.
 */
struct content_place {
    uint64_t segment;
    uint64_t offset;
    uint32_t frame_octets;
    uint32_t content_at;
    bool large;
};

struct maildrop_entry {
    uint32_t uid;
    message_id message;
    uint64_t octets; /* prefix and content, as transferred */
    uint64_t content_octets;
    struct text prefix;
    bool dot_lines; /* in prefix or content */
    uint32_t flags; /* mail/flags.h */
    int64_t arrived_ms;
    struct content_place place;
};

/* Counting and listing read the index on a lane. */
struct maildrop_read {
    mailbox_id mailbox;
    bool list;          /* false: only count, octets, uidvalidity and uid_next */
    uint32_t uid_below; /* list: entries with smaller uids only; 0: all */

    struct loop *home;
    void (*done)(struct maildrop_read *);
    bool ok;
    struct error error;
    uint32_t count;
    uint64_t octets;
    uint32_t uid_validity, uid_next;
    struct maildrop_entry *entries; /* in order of uid; freed by maildrop_read_clear() */

    struct arena *memory; /* private */
    struct store *store;  /* private */
    struct job job;       /* private */
};
/* False when the lane is full: nothing happens, a temporary failure.  While the store is behind
 * (store.h) `ok` is false with ERROR_TEMPORARY: what was answered would not be seen. */
bool maildrop_read_start(struct store *, struct maildrop_read *);
void maildrop_read_clear(struct maildrop_read *);

/* --- For the command line, blocking, with or without a running server --- */
struct mailbox_summary {
    mailbox_id mailbox;
    struct text address; /* of the account it was opened for */
    uint32_t count, uid_validity, uid_next;
    uint64_t octets;
};
bool store_each_mailbox(const char *path, void (*each)(void *owner, const struct mailbox_summary *),
                        void *owner, struct error *);
/* `each` returns false to stop. */
bool store_each_message(const char *path, mailbox_id,
                        bool (*each)(void *owner, const struct maildrop_entry *), void *owner,
                        struct error *);
/* Appends prefix and content, verified, to `out` in pieces. */
bool store_show_message(const char *path, const struct maildrop_entry *,
                        bool (*piece)(void *owner, struct bytes), void *owner, struct error *);

/* The same two for many messages: what they need stays open. */
struct store_view;
bool store_view_open(const char *path, struct store_view **out, struct error *);
void store_view_close(struct store_view **);
/* As the mailbox is now; `each` must not use the view. */
bool store_view_each(struct store_view *, mailbox_id,
                     bool (*each)(void *owner, const struct maildrop_entry *), void *owner,
                     struct error *);
/* ERROR_REFUSED: the message is gone meanwhile. */
bool store_view_show(struct store_view *, const struct maildrop_entry *,
                     bool (*piece)(void *owner, struct bytes), void *owner, struct error *);

#endif
