/* lost.h - which messages cannot be had any more: for people, as far as anything still knows. */
#ifndef STORE_LOCAL_LOST_H
#define STORE_LOCAL_LOST_H

#include "store/local/index.h"

typedef void lost_notice(void *owner, bool is_trouble, const char *words);

/* Tells where the message of a unit was, whose content is lost: by what the unit says, and the
 * names that the index has for its mailboxes. */
void lost_unit_tell(struct index *, const struct unit *, lost_notice *, void *owner);

/* Ids of messages; the caller clears. */
struct lost {
    message_id *ids;
    size_t count, room;
};
bool lost_add(struct lost *, message_id, struct error *);
void lost_clear(struct lost *);
/* Sorts them, and tells where each of them is by this index: a sentence for each placement and each
 * recipient that waits, at most LOST_TOLD_MAX in all. */
enum { LOST_TOLD_MAX = 1000 };
bool lost_tell(struct lost *, struct index *, lost_notice *, void *owner, struct error *);
/* After lost_tell(): whether this message is one of them. */
bool lost_has(const struct lost *, message_id);

/* Tells what an index names and a later one has never heard the end of: neither the message, nor
 * that it was deleted or settled.  `now` is a fresh one, of the same store. */
bool lost_compare(struct index *before, struct index *now, lost_notice *, void *owner,
                  uint64_t *told_out, struct error *);

#endif
