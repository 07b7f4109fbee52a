/* cache.h - what is worth keeping over a restart and may be lost (cache.db, store rule 21).
 *
 * A table of keys and values by kind; each entry expires, each kind has a bound, and the entries
 * that expire first make room for others.  Nothing here is synced when it is written.  It never
 * stops mail: a file that is damaged, or of another version, is made anew; one that cannot be
 * opened or made is replaced by memory, until the next start; both are told to `notice`.
 *
 * A handle is for one thread at a time and blocks: for start-up and the command line.  Loops ask
 * through a cache_lane, which takes the handle over.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "base/buffer.h"
#include "run/lane.h"

struct cache;

/* The numbers stand in the file. */
enum cache_kind {
    CACHE_GREYLIST = 1, /* serve/greylist.h */
    CACHE_BAN = 2,      /* serve/bans.h */
    CACHE_LOGIN = 3,    /* addresses from which somebody has logged in; likewise */
    CACHE_POLICY = 4,   /* MTA-STS policies, by domain */
    CACHE_KINDS = 5     /* one more than the last */
};

enum { CACHE_KEY_MAX = 1024, CACHE_VALUE_MAX = 96 * 1024 };

struct cache_options {
    const char *path; /* DATA, which exists */
    bool create;      /* and mend: for the server, which holds DATA/lock */
    /* Of each kind; the bound is kept within a few hundred.  0: the standard one of the kind. */
    uint32_t entries_max;
    /* Told what people should know; on the thread that uses the handle.  May be NULL. */
    void (*notice)(void *owner, const char *words);
    void *owner;
};

/* With `create` only memory can be lacking (ERROR_TEMPORARY).  Without: ERROR_REFUSED when there is
 * no cache.db, ERROR_DAMAGED when it is none. */
bool cache_open(const struct cache_options *, struct cache **out, struct error *);
void cache_close(struct cache **);

/* One entry; all is borrowed.  `now_ms` is the wall clock's. */
struct cache_entry {
    enum cache_kind kind;
    struct text key;   /* 1 to CACHE_KEY_MAX octets, any */
    struct text value; /* at most CACHE_VALUE_MAX octets, any */
    int64_t expires_ms;
};

/* Replaces an entry of this key. */
bool cache_keep(struct cache *, const struct cache_entry *, int64_t now_ms, struct error *);
/* Looks for entry->kind and key; fills expires_ms and appends the value to the buffer.
 * *found_out false (and true returned): there is none, or it has expired. */
bool cache_find(struct cache *, struct cache_entry *, int64_t now_ms, struct buffer *value_out,
                bool *found_out, struct error *);
/* *found_out: there was one, perhaps an expired one. */
bool cache_drop(struct cache *, enum cache_kind, struct text key, bool *found_out, struct error *);
/* Every entry of the kind that has not expired, in order of key.  `each` must not use the cache. */
bool cache_each(struct cache *, enum cache_kind, int64_t now_ms,
                void (*each)(void *owner, const struct cache_entry *), void *owner, struct error *);

/* --- For loops --- */

struct cache_lane;

/* A thread of its own with a bounded queue.  Takes the cache over, also on failure. */
bool cache_lane_new(struct cache **, struct cache_lane **out, struct error *);
/* Carries out what was asked, then closes the cache.  The loops must still be there. */
void cache_lane_free(struct cache_lane **);

enum cache_do { CACHE_FIND, CACHE_KEEP, CACHE_DROP };

/* A question; it and what it points to must stay as they are until `done`. */
struct cache_op {
    enum cache_do what;
    struct cache_entry entry; /* FIND: value and expires_ms are the answer's */
    int64_t now_ms;
    struct loop *home;
    void (*done)(struct cache_op *); /* on home, exactly once; clears with cache_op_clear() */

    bool ok; /* false: the cache could not be asked; go on without it */
    bool found;

    struct buffer value;      /* private: of entry.value that was found */
    struct cache_lane *cache; /* private */
    struct job job;           /* private */
};

/* Any loop.  False when too much is asked already: nothing happens, go on without the cache. */
bool cache_ask(struct cache_lane *, struct cache_op *);
/* Frees what was found. */
void cache_op_clear(struct cache_op *);
/* Any thread.  Keeps a copy of the entry, later, and nobody is told; it may come to nothing. */
void cache_note(struct cache_lane *, const struct cache_entry *, int64_t now_ms);
/* The same for dropping one. */
void cache_note_gone(struct cache_lane *, enum cache_kind, struct text key);

#endif
