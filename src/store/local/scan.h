/* scan.h - one segment, from where replay begins to its end: what verifies, what is torn, what is
 * damaged (store rule 6).
 *
 * Batch n+1 is written only after the sync of n returned.  So the header of any later batch, or a
 * later segment, proves that a batch was once whole: if it does not verify now, that is damage, and
 * every unit in it that verifies is kept.  Without such proof it is a torn tail: nobody was told
 * that it counts, and all of it is dropped.  A page that the disk cannot read holds what nobody
 * knows, and may be read another time: at the end it is damage, and no torn tail.
 */
#ifndef STORE_LOCAL_SCAN_H
#define STORE_LOCAL_SCAN_H

#include "base/buffer.h"
#include "store/local/segment.h"

enum scan_end {
    SCAN_OPEN,   /* nothing follows: what does not verify at the end is a torn tail */
    SCAN_CLOSED, /* something follows: every batch in it was synced */
    SCAN_NAMED,  /* its last good batch is known; what lies behind never counted */
};

struct scan {
    const struct segment *segment;       /* open, its header good */
    const struct journal_events *events; /* NULL: follow the batch headers and read no unit */
    enum scan_end end;
    struct journal_position named; /* SCAN_NAMED */
    struct journal_position at;    /* behind the last batch; maybe of an earlier segment */
    uint64_t offset;               /* where the next batch is expected */
    struct batch_header last;      /* out: of the last batch in it; offset 0: none */

    bool met_unread; /* out: at least one page could not be read */

    bool over;           /* private */
    bool unread;         /* private: a page of what was read last could not be */
    uint64_t told;       /* private: up to here that was told */
    struct buffer batch; /* the octets of one batch or unit: by scan_fetch() */
    struct buffer table; /* private: the block checksums of one large unit */
};

/* From the first batch of the segment; `end`, `named` and `events` are then set by the caller. */
void scan_init(struct scan *, const struct segment *);
void scan_clear(struct scan *);
/* From `offset` on to the end, or until offset is `stop` or beyond; 0: to the end.  False:
 * memory is short, or the replay callback said so. */
bool scan_run(struct scan *, uint64_t stop, struct error *);
/* Reads; pages that the disk cannot read are zeros, and are told once.  Returns whether it could
 * read all of them. */
bool scan_read(struct scan *, uint64_t offset, struct iovec to, size_t *read_out);
/* Reads into `batch` in this way; what the file lacks is missing at the end. */
bool scan_fetch(struct scan *, uint64_t offset, uint64_t octets, struct error *);
/* Goes on behind this batch, whatever was found up to there. */
void scan_move(struct scan *, const struct journal_position *);
/* Tells people; nothing without events. */
void scan_notice(const struct journal_events *, bool is_trouble, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
