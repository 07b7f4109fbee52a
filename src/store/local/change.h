/* change.h - the changes that a journal unit is made of, and their octets on disk. Pure.
 *
 * Changes are absolute states with a version (store rule 18), so replay may see them in any order
 * and keeps the highest version.  Everything assigned stands in them: replay reads no clock, no
 * configuration and no directory.
 */
#ifndef STORE_LOCAL_CHANGE_H
#define STORE_LOCAL_CHANGE_H

#include "base/buffer.h"
#include "store/queue.h"

enum change_kind {
    CHANGE_MAILBOX = 1, /* mailbox opened, or rewritten by compaction: all its counters */
    CHANGE_MESSAGE = 2, /* the unit's message: envelope and facts; at most one, first in its unit */
    CHANGE_PLACED = 3,  /* a message is in a mailbox, with these flags and this prefix */
    CHANGE_EXPUNGED = 4,  /* a placement is gone: its tombstone */
    CHANGE_PURGED = 5,    /* a mailbox is gone with all in it: its tombstone */
    CHANGE_RECIPIENT = 6, /* one row of the queue as it is from now on; its version: generation */
    CHANGE_ENVELOPE = 7,  /* what the rows of the unit's message share, unless all of it is empty;
                             at most one, right behind CHANGE_MESSAGE */
};

enum { CHANGE_WORDS_MAX = 64 * 1024, CHANGE_DOMAIN_MAX = QUEUE_NAME_MAX };

/* Which members count for which kind: */
struct change {
    enum change_kind kind;
    mailbox_id mailbox;             /* MAILBOX, PLACED, EXPUNGED, PURGED */
    message_id message;             /* MESSAGE, PLACED, ENVELOPE */
    uint32_t uid;                   /* PLACED, EXPUNGED */
    uint64_t modseq;                /* PLACED, EXPUNGED; MAILBOX: the highest */
    uint32_t uid_validity;          /* MAILBOX */
    uint32_t uid_next;              /* MAILBOX */
    uint32_t flags;                 /* PLACED */
    int64_t when_ms;                /* MESSAGE: arrived; PLACED: placed; MAILBOX: opened */
    struct text words;              /* MAILBOX: address; MESSAGE: sender; PLACED: prefix */
    struct content_facts facts;     /* MESSAGE: of the content; PLACED: of the prefix */
    struct queue_row row;           /* RECIPIENT: all of it */
    struct queue_envelope envelope; /* ENVELOPE */
};

/* What an envelope has that is one bit each, as it stands in the journal and in the index. */
enum {
    ENVELOPE_UTF8 = 1,
    ENVELOPE_REQUIRES_TLS = 2,
    ENVELOPE_WAIVES_TLS = 4,
    ENVELOPE_BINARY = 8,
    ENVELOPE_KNOWN = 15,
};
uint32_t envelope_bits(const struct queue_envelope *);
void envelope_set_bits(struct queue_envelope *, uint32_t bits);

/* Appends one change.  Kinds are tagged and length-prefixed; integers little-endian.  False, and
 * nothing appended: no room, or the change is not one that change_decode() would take (an id or uid
 * or generation of 0, an id or modseq over 2^63-1, words over the maximum). */
bool change_encode(struct buffer *, const struct change *);
/* Takes one change off the front of *rest; its texts point into the input.  False when it does not
 * parse, or is of a kind that this version does not know. */
bool change_decode(struct bytes *rest, struct change *out);

#endif
