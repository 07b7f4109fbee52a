/* compaction.h - what the store of a server does to win space, seen from outside. */
#ifndef SIM_COMPACTION_H
#define SIM_COMPACTION_H

#include "sim/node.h"

/* What it does at the moment; without a store it rests. */
enum compaction_state compaction_of(const struct host *);
/* After each event of its host: examines the store whenever a round has come to its end. */
void compaction_watch(struct node *);
/* Whether it has looked since `looks` and has found nothing more to do. */
bool compaction_is_done(const struct node *, uint64_t looks);
uint64_t compaction_looks(const struct node *);
/* What lies in the journal is not much more than what it is there for. */
void compaction_expect_space(const struct node *);

#endif
