/* recover.c - all segments together: which of them count, how far, and what they replay.
 *
 * A segment's header names the last good batch before it.  That decides where the segment before
 * ends, whatever lies behind that place; a segment between the named one and the naming one holds
 * nothing that counts (its first write failed, or it was never written to).
 * Never appends to a segment and never cuts off anything but zeros.
 */
#include "store/local/recover.h"

#include "store/local/backup.h"
#include "store/local/scan.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- Listing --- */

static bool list_segments(struct chain *c, struct error *e)
{
    struct segment_list list;
    bool ok = segment_list_read(c->disk, &list, e);
    c->links = ok && list.count ? calloc(list.count, sizeof *c->links) : NULL;
    if (ok && list.count && !c->links)
        ok = error_set(e, ERROR_TEMPORARY, "memory is short for the list of segments");
    for (size_t i = 0; ok && i < list.count; i++)
        c->links[c->count++].number = c->highest = list.numbers[i];
    segment_list_clear(&list);
    return ok;
}

static void keep_range(struct chain *c, uint64_t first, uint64_t last)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->links[i].number >= first && c->links[i].number <= last)
            c->links[kept++] = c->links[i];
    c->count = kept;
}

static bool read_link(struct chain *c, struct chain_link *link, struct error *e)
{
    struct segment s;
    if (!segment_open(c->disk, link->number, c->may_write ? DISK_WRITE : DISK_READ, c->uuid, &s, e))
        return false;
    bool ok = !c->may_write || disk_file_sync(s.file, e);
    bool zero = ok && s.state == HEADER_BAD && !s.unread && segment_is_zero(s.file, SEGMENT_START);
    segment_close(&s);
    if (!ok)
        return false;
    if (s.state == HEADER_FOREIGN)
        return error_set(e, ERROR_REFUSED,
                         "segment %" PRIu64 " of the journal belongs to another store; move it "
                         "away",
                         link->number);
    if (s.state == HEADER_NEWER)
        return error_set(e, ERROR_REFUSED,
                         "segment %" PRIu64 " of the journal is of a newer format; run the "
                         "version of godwit that wrote it",
                         link->number);
    link->header = s.header;
    link->state = s.state == HEADER_GOOD ? CHAIN_GOOD : zero ? CHAIN_UNUSED : CHAIN_UNREADABLE;
    return true;
}

/* --- Making lasting what may be replayed --- */

/* Writes the last batch again as it is, and syncs.  Nothing is written over what cannot be read
 * now: it may be another time. */
static bool rewrite_last(struct scan *s, struct error *e)
{
    struct disk_file *file = s->segment->file;
    if (!scan_fetch(s, s->last.offset, s->last.octets, e))
        return false;
    if (s->unread)
        return true;
    struct iovec part = { s->batch.at, s->batch.len };
    return disk_file_write(file, s->last.offset, &part, 1, e) && disk_file_sync(file, e);
}

/* Every segment has been synced.  But when the last sync before the end failed and the process
 * ended without a word, the kernel takes the pages of the last batch for clean: a sync succeeds and
 * writes nothing.  Every earlier batch was followed by another, so its own sync had succeeded, and
 * so had that of a batch which the index knows. */
static bool settle(struct chain *c, const struct journal_position *from, struct error *e)
{
    struct segment segment;
    struct scan s;
    size_t i = c->count;
    while (i && c->links[i - 1].state != CHAIN_GOOD)
        i--;
    if (i == 0)
        return true;
    if (!segment_open(c->disk, c->links[i - 1].number, DISK_WRITE, c->uuid, &segment, e))
        return false;
    scan_init(&s, &segment);
    bool ok = scan_run(&s, 0, e);
    if (ok && s.last.sequence > from->sequence)
        ok = rewrite_last(&s, e);
    scan_clear(&s);
    segment_close(&segment);
    return ok;
}

/* The newest header knows best which segments still count. */
static void leave_out_retired(struct chain *c, const struct journal_position *from)
{
    for (size_t i = c->count; i > 0 && c->oldest == 0; i--)
        if (c->links[i - 1].state == CHAIN_GOOD)
            c->oldest = c->links[i - 1].header.oldest;
    if (from->segment == 0)
        keep_range(c, c->oldest, UINT64_MAX);
}

bool chain_load(struct chain *c, const struct journal_position *from,
                const struct journal_position *until, struct error *e)
{
    if (!list_segments(c, e))
        return false;
    keep_range(c, from->segment, until && c->last == 0 ? until->segment : UINT64_MAX);
    if (c->last > 0)
        keep_range(c, c->first, c->last);
    for (size_t i = 0; i < c->count; i++)
        if (!read_link(c, &c->links[i], e))
            return false;
    leave_out_retired(c, from);
    return !c->may_write || settle(c, from, e);
}

void chain_clear(struct chain *c)
{
    free(c->links);
    c->links = NULL;
    c->count = 0;
}

/* --- Where a segment ends --- */

bool chain_set_end(const struct chain *c, size_t i, struct scan *s)
{
    uint64_t number = c->links[i].number;
    s->end = SCAN_OPEN;
    for (size_t j = i + 1; j < c->count; j++) {
        const struct chain_link *later = &c->links[j];
        if (later->state == CHAIN_UNREADABLE)
            s->end = SCAN_CLOSED;
        if (later->state != CHAIN_GOOD)
            continue;
        if (later->header.previous.segment < number)
            return false;
        s->end = later->header.previous.segment == number ? SCAN_NAMED : SCAN_CLOSED;
        s->named = later->header.previous;
        return true;
    }
    return true;
}

/* --- Replay --- */

struct replay {
    struct chain *chain;
    const struct journal_position *from;
    const struct journal_position *until; /* or NULL */
    const struct journal_events *events;
    struct journal_position at; /* behind the last batch */
    bool any;                   /* a segment that counts was read before this one */
};

static bool positions_equal(const struct journal_position *a, const struct journal_position *b)
{
    return a->segment == b->segment && a->offset == b->offset && a->sequence == b->sequence &&
           a->checksum == b->checksum;
}

/* The first segment that counts follows those that do not. */
static void tell_missing(const struct replay *r, const struct chain_link *link)
{
    const struct journal_position *previous = &link->header.previous;
    if (r->from->segment == 0 && previous->segment > 0 && previous->segment >= r->chain->oldest)
        scan_notice(r->events, true,
                    "segment %" PRIu64 " is the first of the journal, but it follows segment "
                    "%" PRIu64 ", which is not there",
                    link->number, previous->segment);
}

static void tell_gap(const struct replay *r, const struct chain_link *link)
{
    const struct journal_position *previous = &link->header.previous;
    if (!r->any)
        tell_missing(r, link);
    if (!r->any || (previous->sequence == r->at.sequence && previous->checksum == r->at.checksum))
        return;
    scan_notice(r->events, true,
                "segment %" PRIu64 " follows batch %" PRIu64 " of segment %" PRIu64
                ", but what is there ends with batch %" PRIu64 " of segment %" PRIu64,
                link->number, previous->sequence, previous->segment, r->at.sequence, r->at.segment);
}

/* The index knows what lies in front of `from`; that the journal cannot say so now does not mean
 * that it is not so. */
static void pass_unread(const struct replay *r, struct scan *s)
{
    if (s->end == SCAN_NAMED && r->from->offset > s->named.offset)
        return;
    scan_move(s, r->from);
    scan_notice(r->events, false,
                "segment %" PRIu64 ": the disk cannot read some of what the index has already; "
                "see godwit check --store",
                s->segment->header.number);
}

/* Follows the batch headers up to `from` and sees whether the same batch ends there. */
static bool check_from(const struct replay *r, struct scan *s, bool counts, struct error *e)
{
    if (counts && !scan_run(s, r->from->offset, e))
        return false;
    if (counts && s->met_unread)
        pass_unread(r, s);
    if (!positions_equal(&s->at, r->from))
        return error_set(e, ERROR_DAMAGED,
                         "the index stands at batch %" PRIu64 ", segment %" PRIu64 ", offset "
                         "%" PRIu64 ", where the journal has no such batch",
                         r->from->sequence, r->from->segment, r->from->offset);
    return true;
}

/* Gives the zeros behind the last batch back to the file system. */
static bool trim(struct chain *c, struct segment *segment, uint64_t end, struct error *e)
{
    if (!c->may_write || end >= segment->octets)
        return true;
    return !segment_is_zero(segment->file, end) || disk_file_truncate(segment->file, end, e);
}

/* One batch may be there without counting: its sync failed.  A second one was written only because
 * it had not: the later header was made while this segment was not there. */
static bool tell_disowned(const struct replay *r, struct scan *s, struct error *e)
{
    const struct segment_header *h = &s->segment->header;
    if (!scan_run(s, 0, e))
        return false;
    if (s->last.offset > SEGMENT_START && s->last.sequence > h->previous.sequence + 1)
        scan_notice(r->events, true,
                    "segment %" PRIu64 " has batches up to %" PRIu64
                    ", but the segments behind it were begun without them; they do not count: the "
                    "mail in it is lost",
                    h->number, s->last.sequence);
    return true;
}

static bool replay_open_segment(struct replay *r, size_t i, struct segment *segment,
                                struct error *e)
{
    struct scan s;
    struct chain_link *link = &r->chain->links[i];
    scan_init(&s, segment);
    bool counts = chain_set_end(r->chain, i, &s);
    if (r->until && link->number > r->until->segment)
        counts = false; /* its header says which segments count */
    if (r->until && link->number == r->until->segment) {
        s.end = SCAN_NAMED;
        s.named = *r->until;
    }
    bool ok = true;
    if (r->from->segment == link->number)
        ok = check_from(r, &s, counts, e);
    else if (counts)
        tell_gap(r, link);
    else if (!r->until || link->number < r->until->segment)
        ok = tell_disowned(r, &s, e);
    if (ok && counts) {
        s.events = r->events;
        ok = scan_run(&s, 0, e);
        r->at = s.at;
        r->any = true;
    }
    link->empty = ok && s.offset == SEGMENT_START && segment_is_zero(segment->file, SEGMENT_START);
    ok = ok && (!counts || trim(r->chain, segment, s.offset, e));
    scan_clear(&s);
    return ok;
}

static bool replay_segment(struct replay *r, size_t i, struct error *e)
{
    struct chain_link *link = &r->chain->links[i];
    struct segment segment;
    if (link->state == CHAIN_UNREADABLE)
        scan_notice(r->events, true,
                    "segment %" PRIu64 " cannot be read: both copies of its header are damaged; "
                    "what lies in it is lost unless the file is restored",
                    link->number);
    if (link->state != CHAIN_GOOD)
        return true;
    if (!segment_open(r->chain->disk, link->number, r->chain->may_write ? DISK_WRITE : DISK_READ,
                      r->chain->uuid, &segment, e))
        return false;
    bool ok = segment.state == HEADER_GOOD
                  ? replay_open_segment(r, i, &segment, e)
                  : error_set(e, ERROR_DAMAGED, "segment %" PRIu64 " changed while it was read",
                              link->number);
    segment_close(&segment);
    return ok;
}

static bool has_segment(const struct chain *c, uint64_t number)
{
    return c->count && c->links[0].number == number && c->links[0].state == CHAIN_GOOD;
}

bool chain_replay(struct chain *c, const struct journal_position *from,
                  const struct journal_position *until, const struct journal_events *events,
                  struct journal_position *at_out, struct error *e)
{
    struct replay r = { c, from, until, events, *from, from->segment != 0 };
    if (from->segment && !has_segment(c, from->segment))
        return error_set(e, ERROR_DAMAGED,
                         "the index stands in segment %" PRIu64 " of the journal, which is not "
                         "there",
                         from->segment);
    for (size_t i = 0; i < c->count; i++)
        if (!replay_segment(&r, i, e))
            return false;
    *at_out = r.at;
    return true;
}

/* --- Removing --- */

static bool is_unused(const struct chain_link *link)
{
    return link->state == CHAIN_UNUSED;
}

static bool is_empty(const struct chain_link *link)
{
    return link->empty;
}

static bool remove_segment(struct chain *c, uint64_t number, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    return disk_unlink(c->disk, name, e);
}

/* They may stay as well as go, and stay while a backup reads them. */
static bool remove_those(struct chain *c, bool (*is_one)(const struct chain_link *),
                         struct error *e)
{
    struct disk_file *hold = NULL;
    size_t i = 0;
    bool ok = true;
    while (i < c->count && !is_one(&c->links[i]))
        i++;
    if (i == c->count || !disk_lock(c->disk, BACKUP_HOLD, &hold, NULL))
        return true;
    for (; ok && i < c->count; i++)
        ok = !is_one(&c->links[i]) || remove_segment(c, c->links[i].number, e);
    disk_unlock(&hold);
    return ok;
}

bool chain_remove_unused(struct chain *c, struct error *e)
{
    return remove_those(c, is_unused, e);
}

bool chain_remove_empty(struct chain *c, struct error *e)
{
    return remove_those(c, is_empty, e);
}
