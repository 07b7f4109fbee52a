/* store_world.h - a store in a folder of its own, one loop, and commits that are waited for. */
#ifndef TESTS_STORE_STORE_WORLD_H
#define TESTS_STORE_STORE_WORLD_H

#include "scratch.h"

#include "store/content.h"
#include "store/spool.h"

enum { WORLD_NOTICES = 64 };

struct world {
    char path[SCRATCH_PATH];
    struct loop *loop;
    struct store *store;
    struct store_options options;
    struct error error;
    int waiting; /* commits on their way */
    int troubles, notices;
    char last_notice[1024];
    char last_trouble[1024];
};

/* As cmocka's fixtures: with a store that is open. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* As a restart: what is not on the disk stays lost. */
void world_reopen(struct world *);
void world_close(struct world *);
bool world_open(struct world *);

/* One message on its way, with its parts. */
struct delivery {
    struct commit commit;
    struct world *world;
    struct spool *spool;
    struct placement placements[8];
    char prefix[64];
    uint8_t *body;
    size_t octets;
    struct expunge expunge;
    uint32_t uids[8];
};

/* Fills a body of so many octets, different for each seed, and spools it.  Appends in pieces of
 * `piece` octets and waits when it is told to; 0: in one. */
bool delivery_begin(struct world *, struct delivery *, unsigned seed, size_t octets, size_t piece);
void delivery_to(struct delivery *, mailbox_id);
void delivery_submit(struct delivery *);
/* Turns the loop until nothing is on its way. */
void world_wait(struct world *);
/* All of the above, and the verdict. */
enum store_verdict world_deliver(struct world *, mailbox_id, unsigned seed, size_t octets);
void delivery_end(struct delivery *);

/* Removes these uids with a lock of its own. */
enum store_verdict world_expunge(struct world *, mailbox_id, const uint32_t *uids, size_t count);
enum store_verdict world_purge(struct world *, mailbox_id);

/* Lists the mailbox; to be cleared with maildrop_read_clear(). */
struct maildrop_read world_list(struct world *, mailbox_id);
/* The same, which may fail. */
struct maildrop_read world_try_list(struct world *, mailbox_id);
/* Reads the content of an entry and compares it with the body of that seed. */
bool world_reads_back(struct world *, const struct maildrop_entry *, unsigned seed);

/* The live index and one from the journal alone say the same, and nothing is found wrong. */
void world_is_whole(struct world *);
/* `words` became the last notice of trouble. */
bool world_told(struct world *, const char *words);

#endif
