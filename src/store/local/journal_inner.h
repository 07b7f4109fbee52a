/* journal_inner.h - the journal as its own files see it. Private to the journal's .c files.
 *
 *   state      what holds                                           leaves by
 *   BROKEN     no segment yet, or a write or sync failed and        abandon
 *              `current` is given up
 *   READY      `current` is begun; the next batch goes to `offset`  append, turn
 *   WRITTEN    a batch is written that is not synced                sync
 *   SEALED     a turn failed: the next header may lie on the disk   turn, abandon
 *              already, so nothing may be added to `current`
 *
 * The writing thread owns all but what stands behind the mutex.
 */
#ifndef STORE_LOCAL_JOURNAL_INNER_H
#define STORE_LOCAL_JOURNAL_INNER_H

#include "base/buffer.h"
#include "store/local/descriptors.h"
#include "store/local/segment.h"

#include <pthread.h>

enum journal_state {
    JOURNAL_BROKEN,
    JOURNAL_READY,
    JOURNAL_WRITTEN,
    JOURNAL_SEALED,
};

enum preparation { PREPARATION_NONE, PREPARATION_RUNS, PREPARATION_DONE };

/* What one batch is put together from, kept between batches. */
struct assembly {
    struct iovec *parts;
    size_t part_count, part_room;
    uint8_t *heads; /* the batch header, then each unit's header and block checksums */
    size_t head_octets, head_room;
    void *hasher; /* XXH3_state_t */
};

struct journal {
    struct disk *disk;
    uint8_t uuid[FORMAT_UUID];
    uint64_t segment_octets_max;
    bool may_write;               /* opened for more than reading; set once */
    struct journal_extent extent; /* for reading only */

    enum journal_state state;

    struct segment current;
    uint64_t offset;                 /* where the next batch goes */
    uint64_t retiring;               /* what the next segment's header says of the oldest one */
    struct journal_position written; /* behind the batch that waits for its sync */
    struct assembly assembly;

    pthread_mutex_t mutex;        /* for the rest */
    pthread_cond_t prepared_ends; /* a preparation ended */
    struct journal_position position;
    uint64_t current_number;
    uint64_t oldest;            /* segments before it do not count: a header on the disk says so */
    uint64_t left, left_octets; /* the segment that was left early, and what it has without the
                                   zeros at its end; 0: none, or they were given back */
    enum preparation preparation;
    struct segment prepared;
    uint64_t next_number, next_octets; /* of the segment to prepare; whoever prepares owns them */
    struct descriptors descriptors;    /* has its own mutex */
};

void assembly_clear(struct assembly *);

#endif
