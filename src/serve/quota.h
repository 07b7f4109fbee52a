/* quota.h - how much each user has sent within the last hour.
 *
 * One table for all loops, behind one mutex that is held for a lookup.  It has an entry for each
 * user who sent something within the hour, so it is as small as the directory at most.
 */
#ifndef SERVE_QUOTA_H
#define SERVE_QUOTA_H

#include "base/error.h"
#include "store/ids.h"

struct quota;

bool quota_new(struct quota **out, struct error *);
void quota_free(struct quota **);

enum quota_of { QUOTA_MESSAGES, QUOTA_RECIPIENTS, QUOTAS };

/* Any thread.  Counts one more and says true, unless `max` were counted within an hour (a little
 * more: up to 65 minutes), or memory is short.  0: there is no maximum, and nothing is counted. */
bool quota_take(struct quota *, mailbox_id user, enum quota_of, uint32_t max, uint64_t now_ms);

#endif
