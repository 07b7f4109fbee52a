/* open.h - from a folder to a store that is whole, and another index in the place of this one. */
#ifndef STORE_LOCAL_OPEN_H
#define STORE_LOCAL_OPEN_H

#include "store/local/store_inner.h"

struct open_options {
    uint64_t segment_octets; /* 0: the format's own */
};

/* With DATA open and locked: finds out which store it is, and claims directory.db for it. */
bool open_identity(struct store *, struct error *);
/* Then: recovers index and journal, and removes what nothing refers to. */
bool open_all(struct store *, const struct open_options *, struct index **writer, struct error *);

/* An empty index.new, whatever was left of another. */
bool open_fresh(const char *path, struct disk *, const uint8_t *uuid, struct index **out,
                struct error *);
/* Closes both; the fresh one becomes index.db, which is then opened as the writer. */
bool open_swap(const char *path, struct disk *, struct index **fresh, struct index **writer,
               struct error *);

#endif
