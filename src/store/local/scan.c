/* scan.c - one segment, from where replay begins to its end: what verifies, what is torn.
 *
 * Never writes.  What the salvage of a damaged stretch may keep is in salvage.c.
 */
#include "store/local/scan.h"

#include "store/local/salvage.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LOOK_OCTETS = 64 * 1024 };

static bool step(struct scan *, uint64_t limit, struct error *);
static bool take_batch(struct scan *, const struct batch_header *, struct error *);
static bool skip_unreadable(struct scan *, uint64_t limit, struct error *);
static bool skip_damaged(struct scan *, const struct batch_header *, uint64_t limit,
                         struct error *);

void scan_init(struct scan *s, const struct segment *segment)
{
    *s = (struct scan){
        .segment = segment,
        .at = segment->header.previous,
        .offset = SEGMENT_START,
    };
    buffer_init(&s->batch, BATCH_OCTETS_LIMIT);
    buffer_init(&s->table, BATCH_OCTETS_LIMIT);
}

void scan_clear(struct scan *s)
{
    buffer_clear(&s->batch);
    buffer_clear(&s->table);
}

bool scan_run(struct scan *s, uint64_t stop, struct error *e)
{
    uint64_t limit = format_align(s->segment->octets);
    if (s->end == SCAN_NAMED)
        limit = s->named.offset;
    while (!s->over && s->offset < limit && (stop == 0 || s->offset < stop))
        if (!step(s, limit, e))
            return false;
    return true;
}

bool scan_fetch(struct scan *s, uint64_t offset, uint64_t octets, struct error *e)
{
    s->batch.len = 0;
    uint8_t *to = buffer_reserve(&s->batch, octets);
    if (!to)
        return error_set(e, ERROR_TEMPORARY, "memory is short while reading the journal");
    scan_read(s, offset, (struct iovec){ to, octets }, &s->batch.len);
    return true;
}

bool scan_read(struct scan *s, uint64_t offset, struct iovec to, size_t *read_out)
{
    uint64_t bad;
    s->unread = !segment_read(s->segment->file, offset, to, read_out, &bad);
    s->met_unread |= s->unread;
    if (!s->unread || !s->events || bad < s->told)
        return !s->unread;
    s->told = offset + to.iov_len;
    scan_notice(s->events, true,
                "segment %" PRIu64 ", offset %" PRIu64 ": the disk cannot read what lies there",
                s->segment->header.number, bad);
    return false;
}

void scan_move(struct scan *s, const struct journal_position *to)
{
    s->over = false;
    s->at = *to;
    s->offset = to->offset;
}

/* --- Steps --- */

static bool read_header(struct scan *s, uint64_t offset, struct batch_header *out)
{
    uint8_t octets[BATCH_HEADER];
    size_t got;
    scan_read(s, offset, (struct iovec){ octets, sizeof octets }, &got);
    const struct segment_header *h = &s->segment->header;
    return got == sizeof octets && batch_header_decode(&h->key, octets, h->number, offset, out);
}

static uint64_t batch_end(const struct batch_header *h)
{
    return h->offset + format_align(h->octets);
}

/* Stands behind that batch, or behind what was lost up to there. */
static void move_to(struct scan *s, uint64_t offset, uint64_t sequence, uint64_t checksum)
{
    s->offset = offset;
    s->at = (struct journal_position){ s->segment->header.number, offset, sequence, checksum };
}

static bool step(struct scan *s, uint64_t limit, struct error *e)
{
    struct batch_header h;
    if (!read_header(s, s->offset, &h) || batch_end(&h) > limit)
        return skip_unreadable(s, limit, e);
    if (!s->events) {
        s->last = h;
        move_to(s, batch_end(&h), h.sequence, h.checksum);
        return true;
    }
    bool whole;
    if (!salvage_load(s, &h, &whole, e))
        return false;
    return whole ? take_batch(s, &h, e) : skip_damaged(s, &h, limit, e);
}

static bool take_batch(struct scan *s, const struct batch_header *h, struct error *e)
{
    if (h->sequence != s->at.sequence + 1 || h->previous != s->at.checksum)
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offset %" PRIu64 ": batch %" PRIu64
                    " does not continue batch %" PRIu64 "; what lay between is missing",
                    h->segment, h->offset, h->sequence, s->at.sequence);
    s->last = *h;
    move_to(s, batch_end(h), h->sequence, h->checksum);
    return salvage_replay(s, h, e);
}

static void tear(struct scan *s)
{
    s->over = true;
    scan_notice(s->events, false,
                "segment %" PRIu64 " ends at offset %" PRIu64
                " in a batch that was not written to its end; nobody was told that it counts",
                s->segment->header.number, s->offset);
}

/* The first batch header that verifies from `from` on. */
static bool find_header(struct scan *s, uint64_t from, uint64_t limit, struct batch_header *out)
{
    const struct segment_header *h = &s->segment->header;
    uint8_t window[LOOK_OCTETS];
    for (uint64_t at = from; at < limit; at += sizeof window) {
        size_t got;
        scan_read(s, at, (struct iovec){ window, sizeof window }, &got);
        for (size_t i = 0; i + BATCH_HEADER <= got && at + i < limit; i += JOURNAL_ALIGN)
            if (batch_header_decode(&h->key, window + i, h->number, at + i, out))
                return true;
    }
    return false;
}

/* What was named as the end is the file's own when its last batch could not be read; all of that
 * may be there now. */
static bool is_all_there(const struct scan *s)
{
    return s->end == SCAN_NAMED && s->at.sequence == s->named.sequence &&
           segment_is_zero(s->segment->file, s->offset);
}

/* There is no header where one is expected. */
static bool skip_unreadable(struct scan *s, uint64_t limit, struct error *e)
{
    struct batch_header later;
    bool unread = s->unread;
    struct salvage lost = { .from = s->offset, .first = s->at.sequence + 1 };
    if (is_all_there(s)) {
        scan_move(s, &s->named);
        return true;
    }
    if (find_header(s, s->offset + JOURNAL_ALIGN, limit, &later)) {
        move_to(s, later.offset, later.sequence - 1, later.previous);
    } else if (s->end == SCAN_NAMED) {
        scan_move(s, &s->named);
    } else {
        s->over = true;
        if (segment_is_zero(s->segment->file, s->offset))
            return true;
        if (s->end == SCAN_OPEN && !unread) {
            tear(s);
            return true;
        }
        /* Of its last batches nothing is known but that there may be some. */
        move_to(s, limit, s->at.sequence + (s->end == SCAN_OPEN), s->at.checksum);
    }
    lost.to = s->offset;
    lost.last = s->at.sequence;
    return salvage_units(s, &lost, e);
}

/* The header is good, but not all that it heads. */
static bool skip_damaged(struct scan *s, const struct batch_header *h, uint64_t limit,
                         struct error *e)
{
    struct batch_header later;
    if (s->end == SCAN_OPEN && !s->unread && !find_header(s, batch_end(h), limit, &later)) {
        tear(s);
        return true;
    }
    struct salvage lost = {
        .from = h->offset,
        .to = batch_end(h),
        .first = h->sequence,
        .last = h->sequence,
        .units = h->units,
    };
    move_to(s, lost.to, h->sequence, h->checksum);
    return salvage_units(s, &lost, e);
}

void scan_notice(const struct journal_events *events, bool is_trouble, const char *format, ...)
{
    if (!events || !events->notice)
        return;
    char words[ERROR_WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    events->notice(events->owner, is_trouble, words);
}
