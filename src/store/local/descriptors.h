/* descriptors.h - segments kept open for reading: a table with pins, for any thread.
 *
 * A pinned segment is not closed, and may be read on even when its file is gone.  Segments that
 * nobody pins stay open, the least recently used one is closed when the table is full.
 */
#ifndef STORE_LOCAL_DESCRIPTORS_H
#define STORE_LOCAL_DESCRIPTORS_H

#include "base/list.h"
#include "store/local/segment.h"

#include <pthread.h>

enum { DESCRIPTORS_MAX = 512, DESCRIPTORS_BUCKETS = 256 };

struct descriptor {
    struct segment segment; /* its header is good */
    unsigned pins;
    bool forgotten;
    struct list idle; /* in descriptors.idle while nobody pins it */
    struct descriptor *next;
};

struct descriptors {
    struct disk *disk;
    const uint8_t *uuid;
    pthread_mutex_t mutex; /* for the rest; held without any I/O */
    struct descriptor *buckets[DESCRIPTORS_BUCKETS];
    struct list idle; /* least recently used first */
    unsigned count;
};

/* `uuid` must live as long as the table. */
void descriptors_init(struct descriptors *, struct disk *, const uint8_t *uuid);
/* Closes all of them; none may be pinned. */
void descriptors_clear(struct descriptors *);
/* Pins the segment if it is open; NULL otherwise.  Does not block. */
struct descriptor *descriptors_find(struct descriptors *, uint64_t number);
/* Pins the segment, opening it when needed.  ERROR_DAMAGED: it is not there or its header is bad;
 * ERROR_TEMPORARY: all of the table is pinned, or it cannot be opened now. */
bool descriptors_open(struct descriptors *, uint64_t number, struct descriptor **out,
                      struct error *);
void descriptors_unpin(struct descriptors *, struct descriptor *);
/* Closes the segment, once nobody pins it any more: its file is to go. */
void descriptors_forget(struct descriptors *, uint64_t number);

#endif
