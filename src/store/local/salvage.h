/* salvage.h - the units of a batch: loading and verifying them, and keeping what verifies of a
 * damaged stretch.  Private to scan.c. */
#ifndef STORE_LOCAL_SALVAGE_H
#define STORE_LOCAL_SALVAGE_H

#include "store/local/scan.h"

/* A stretch of a segment that holds damage. */
struct salvage {
    uint64_t from, to;
    uint64_t first, last; /* sequences of the batches in it; last < first: not known */
    uint32_t units;       /* that it should hold; 0: not known */
    uint32_t kept;        /* out */
};

/* Reads the batch into scan.batch; *whole_out tells whether it and each unit in it verify. */
bool salvage_load(struct scan *, const struct batch_header *, bool *whole_out, struct error *);
/* Hands out the units of the batch just loaded; scan.at stands behind it. */
bool salvage_replay(struct scan *, const struct batch_header *, struct error *);
/* Hands out every unit in the stretch that verifies and tells what is lost; scan.at stands behind
 * it.  Does nothing without events. */
bool salvage_units(struct scan *, struct salvage *, struct error *);

#endif
