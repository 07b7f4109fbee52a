/* sts_lookup.h - which MTA-STS policy counts for a domain now (RFC 8461): from the cache, from its
 * web server when the cache has none or DNS tells of another one, or none.  On one loop.
 *
 * Nothing here fails: a policy that cannot be had is none, unless an earlier one still counts, and
 * the log says so.
 */
#ifndef QUEUE_STS_LOOKUP_H
#define QUEUE_STS_LOOKUP_H

#include "mail/sts.h"
#include "queue/office.h"

struct sts_lookup;

struct sts_lookup_options {
    const struct office *office;
    unsigned loop;              /* whose thread this is */
    const char *domain;         /* A-labels; copied */
    struct text session;        /* for the log; borrowed for as long as it lasts */
    void (*ready)(void *owner); /* when it is over, unless it was at once; never within a call */
    void *owner;
};

/* NULL: memory is short. */
struct sts_lookup *sts_lookup_new(const struct sts_lookup_options *);
/* `ready` will not come. */
void sts_lookup_free(struct sts_lookup **);
/* False: `ready` will come. */
bool sts_lookup_is_over(const struct sts_lookup *);
/* Once it is over: NULL for none; lives as long as the lookup. */
const struct sts_policy *sts_lookup_policy(const struct sts_lookup *);

/* --- What the cache keeps: pure, for tests --- */

/* An entry's value: "FAILED_S ID\nPOLICY"; without a policy it says when the last one could not be
 * had. */
struct sts_entry {
    int64_t failed_s; /* Unix time of the last attempt, when it failed; 0 */
    struct text id;   /* "" when there is no policy */
    struct text policy;
};
bool sts_entry_read(struct text, struct sts_entry *out);
bool sts_entry_write(const struct sts_entry *, struct buffer *out);

#endif
