/* scratch.h - an index for the moment, made from the journal alone. */
#ifndef STORE_LOCAL_SCRATCH_H
#define STORE_LOCAL_SCRATCH_H

#include "store/local/inspect.h"
#include "store/local/replay.h"

/* Opens the inspection's journal and replays it; `r` says who listens and how far. */
bool scratch_index(struct inspection *, struct replay *r, struct index **out, struct error *);

#endif
