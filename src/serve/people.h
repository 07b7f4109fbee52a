/* people.h - asking the directory from a loop: a lane of its own, and a cache for each loop.
 *
 * A question is a struct lookup; its answer comes on the loop.  Recipients that were found are kept
 * in the loop's address cache until anybody changes the directory or the configuration, so that the
 * message path has no lane hop.
 */
#ifndef SERVE_PEOPLE_H
#define SERVE_PEOPLE_H

#include "run/lane.h"
#include "serve/resolve.h"
#include "serve/settings.h"
#include "serve/shared.h"

struct people;
struct server_loop;

/* Opens (and makes, when missing) the directory in DATA and starts the lane. */
bool people_new(const char *data_path, struct shared *, struct people **out, struct error *);
void people_free(struct people **);

enum lookup_kind { LOOKUP_ADDRESS, LOOKUP_EXPAND, LOOKUP_VERIFIER };

struct lookup {
    enum lookup_kind kind;
    struct address address;
    const struct settings *settings;
    struct loop *home;
    void (*done)(struct lookup *); /* on home; frees with lookup_free() */
    void *owner;                   /* the asker's; it may set it to NULL and go */
    uint32_t request;              /* the asker's */
    struct server_loop *holds;     /* the asker's: what to release when done */

    /* The answer */
    struct resolved resolved;   /* ADDRESS; VERIFIER: verdict and error */
    struct expansion expansion; /* EXPAND */
    struct verifier verifier;   /* VERIFIER, when found */
    mailbox_id mailbox;
    bool found;
    uint64_t generation; /* of the directory, when it was asked */

    struct people *people; /* private */
    struct arena arena;    /* private: what the answer points to */
    struct job job;        /* private */
};

/* NULL: memory is short. */
struct lookup *lookup_new(enum lookup_kind, const struct address *);
void lookup_free(struct lookup **);
/* False when the lane is full: nothing happens; the lookup stays the caller's. */
bool people_ask(struct people *, struct lookup *);
/* Something to be done with the directory, for nobody who waits: run() is called on the lane, once,
 * and frees it.  False when the lane is full: nothing happens. */
struct people_chore {
    void (*run)(struct people_chore *, struct directory *);
    struct people *people; /* private */
    struct job job;        /* private */
};
bool people_do(struct people *, struct people_chore *);
/* Runs `passed` on the loop once everything asked before is answered. */
void people_barrier(struct people *, struct job *, struct loop *);

/* --- The cache of one loop --- */
struct address_cache;
struct address_cache *address_cache_new(struct shared *);
void address_cache_free(struct address_cache **);
/* Borrowed until the next call on the cache; NULL: not known. */
const struct resolved *address_cache_find(struct address_cache *, const struct address *);
/* Keeps what a lookup found, if it was RESOLVED and no change came meanwhile. */
void address_cache_keep(struct address_cache *, const struct lookup *);

#endif
