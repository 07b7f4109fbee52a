/* store_inner.h - the local store as its own files see it.
 *
 * Who owns what: the index's writer and the journal's writing end belong to the commit lane
 * (commit.c); the reading index has a mutex; a spool and a content belong to their loop, except
 * while one of their jobs is on its way; all else here is constant or atomic.
 */
#ifndef STORE_LOCAL_STORE_INNER_H
#define STORE_LOCAL_STORE_INNER_H

#include "run/disk.h"
#include "store/local/commit.h"
#include "store/local/index.h"
#include "store/local/locks.h"
#include "store/maildrop.h"

#include <pthread.h>
#include <stdatomic.h>

/* Why no new mail is wanted: bits of store.ails. */
enum ailment {
    AILS_SPACE = 1,       /* free space is below the reserve */
    AILS_LOG = 2,         /* the index's write-ahead log is too long */
    AILS_PREPARATION = 4, /* the next segment could not be made */
    AILS_INDEX = 8,       /* the index lags behind the journal */
    AILS_JOURNAL = 16,    /* nothing can be written any more */
};

/* The index as lanes read it.  The mutex is held for a job, and by the commit lane while it puts
 * another index in this one's place. */
struct reading {
    pthread_mutex_t mutex;
    struct index *index; /* NULL: it could not be opened; the next who reads tries again */
};

/* The last messages that turned out to be damaged in their midst: the next who reads one is told at
 * its beginning, and a session that would end there every time can go on to the next message. */
enum { DAMAGED_KEPT = 64 };
struct damaged {
    pthread_mutex_t mutex;
    atomic_size_t count; /* ever */
    message_id ids[DAMAGED_KEPT];
};

struct figures {
    atomic_uint_fast64_t batches, units, messages, octets, syncs, checkpoints;
    atomic_uint_fast64_t rewritten, segments_removed, looks, compaction;
};

struct store {
    char *path;
    void (*notice)(void *owner, bool is_trouble, const char *words);
    void (*failed)(void *owner);
    void *owner;
    struct disk *disk;
    struct disk_file *lock;
    uint8_t uuid[INDEX_UUID];
    struct journal *journal;

    struct lane *fast;    /* width 1: reading the index */
    struct lane *reads;   /* content that is not in memory */
    struct lane *bulk;    /* large messages while they arrive */
    struct lane *prepare; /* width 1: the next segment */
    struct lane *upkeep;  /* width 1: checkpoints */
    struct commit_line commits;
    struct reading reading;
    struct lock_table locks;

    atomic_uint ails;
    atomic_uint_fast64_t next_id;
    atomic_uint_fast64_t next_poke_ms; /* when whoever asks for health may wake the commit lane */

    uint64_t segment_octets; /* the largest */
    uint64_t body_memory;
    atomic_uint_fast64_t body_used;

    uint64_t reserve_octets;
    atomic_uint_fast64_t unseen_octets; /* written since free space was last looked at */
    atomic_uint_fast64_t next_look_ms;

    struct damaged damaged;
    struct figures figures;
};

/* Tells people; `format` is a sentence. */
void store_tell(struct store *, bool is_trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets or clears an ailment; tells whether that changed anything. */
bool store_ails(struct store *, enum ailment, bool);

/* space.c: whether nobody has looked at the free space for a second; others may have filled the
 * disk.  Any thread. */
bool space_is_unseen(const struct store *);
/* space.c: these octets were written; looks at the free space when it is time to.  For lanes. */
void space_wrote(struct store *, uint64_t octets);

/* maildrop.c: what a placement is to a reader; its prefix is borrowed. */
struct maildrop_entry maildrop_entry_of(const struct index_placement *);

/* open.c: the reading index, held until reading_end().  NULL on failure. */
struct index *reading_begin(struct store *, struct error *);
/* `trouble`: what happened meanwhile; damage is passed on to whoever can cure it. */
void reading_end(struct store *, const struct error *trouble);

/* open.c: brings the index up to the journal's end, or makes it anew when it is damaged. */
bool store_catch_up(struct store *, struct index **writer, struct error *);

#endif
