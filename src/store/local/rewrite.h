/* rewrite.h - what compaction writes once more: a message with all that is true of it now, or the
 * counters of mailboxes (store rule 18).
 *
 * It is a commit of its own kind.  Content is taken along as it was found, and verified, in the old
 * unit; everything else is asked of the index at the moment at which the new unit gets its place in
 * the journal, so that what the unit says is the state that all earlier units have led to.
 */
#ifndef STORE_LOCAL_REWRITE_H
#define STORE_LOCAL_REWRITE_H

#include "store/local/index.h"
#include "store/store.h"

enum { REWRITE_MAILBOXES_MAX = 400 };

struct rewrite {
    struct commit commit; /* commit.rewrite points back; its home and `done` are not used */
    void (*done)(struct rewrite *); /* on the commit lane, with commit.verdict */
    void *owner;

    message_id message; /* 0: mailboxes */
    struct unit_place place;
    uint8_t *found; /* its changes as found, and behind them its content unless that is large */
    size_t changes_octets;
    uint64_t content_octets;
    uint64_t *large_checksums; /* NULL: it is not large */
    struct iovec content;

    mailbox_id *mailboxes;
    size_t mailbox_count;

    struct buffer changes; /* rewrite_say() */
};

/* Copies the unit, which has a message.  NULL: memory is short. */
struct rewrite *rewrite_of_unit(const struct unit *);
/* At most REWRITE_MAILBOXES_MAX, copied.  NULL: memory is short. */
struct rewrite *rewrite_of_mailboxes(const mailbox_id *, size_t count);
void rewrite_free(struct rewrite *);

/* For the commit lane: fills `changes`; empty when there is nothing to say any more.
 * ERROR_REFUSED: not all that refers to the message is known from its unit. */
bool rewrite_say(struct rewrite *, struct index *, struct error *);
/* What the new unit is, but for its changes. */
void rewrite_fill(struct rewrite *, struct unit *);

#endif
