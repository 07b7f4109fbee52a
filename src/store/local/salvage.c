/* salvage.c - the units of a batch, and what verifies of a damaged stretch (store rule 6).
 *
 * A unit is found by its magic and its own offset, and counts only if its keyed checksums agree:
 * a message that holds a copy of a unit, or a forged one, gives nothing.  Never writes.
 */
#include "store/local/salvage.h"

#include <inttypes.h>

enum { LOOK_OCTETS = 64 * 1024 };

static struct bytes skip_bytes(struct bytes b, uint64_t count)
{
    return (struct bytes){ b.at + count, b.len - count };
}

/* --- A batch --- */

/* One unit at the front of *rest, of the batch `h`; false when it does not verify. */
static bool next_unit(const struct scan *s, const struct batch_header *h, struct bytes *rest,
                      struct unit_header *out)
{
    const struct format_key *key = &s->segment->header.key;
    uint64_t offset = h->offset + h->octets - rest->len;
    if (!unit_header_decode(key, *rest, offset, out) || out->sequence != h->sequence ||
        out->octets > rest->len || unit_body_verify(key, out, *rest) != UNIT_ALL_GOOD)
        return false;
    *rest = skip_bytes(*rest, out->octets);
    return true;
}

static bool is_whole(const struct scan *s, const struct batch_header *h)
{
    struct bytes rest = buffer_bytes(&s->batch);
    if (rest.len < h->octets)
        return false;
    rest = skip_bytes(rest, BATCH_HEADER);
    uint8_t checksums[JOURNAL_BATCH_UNITS_MAX * 8];
    for (uint32_t i = 0; i < h->units; i++) {
        struct unit_header unit;
        if (!next_unit(s, h, &rest, &unit))
            return false;
        format_put_checksum(checksums, i, unit.checksum);
    }
    return rest.len == 0 &&
           h->units_checksum ==
               format_checksum(&s->segment->header.key, (struct bytes){ checksums, h->units * 8 });
}

bool salvage_load(struct scan *s, const struct batch_header *h, bool *whole_out, struct error *e)
{
    if (!scan_fetch(s, h->offset, h->octets, e))
        return false;
    *whole_out = is_whole(s, h);
    return true;
}

/* Turns the block checksums of a large unit into numbers. */
static bool fill_table(struct scan *s, const struct unit_header *h, const uint8_t *table,
                       struct error *e)
{
    s->table.len = 0;
    uint64_t *to = (uint64_t *)(void *)buffer_reserve(&s->table, h->blocks * sizeof *to);
    if (!to)
        return error_set(e, ERROR_TEMPORARY, "memory is short while reading the journal");
    for (uint32_t i = 0; i < h->blocks; i++)
        to[i] = format_get_checksum(table, i);
    return true;
}

/* Hands out one verified unit that begins at the front of `in`. */
static bool hand_out(struct scan *s, const struct unit_header *h, struct bytes in, struct error *e)
{
    bool large = h->flags & UNIT_LARGE;
    struct iovec content = { (void *)(uintptr_t)(in.at + unit_content_at(h)), h->content_octets };
    struct unit unit = {
        .message = h->message,
        .changes = { in.at + unit_changes_at(h), h->changes_octets },
        .content = large ? NULL : &content,
        .content_count = large ? 0 : 1,
        .content_octets = h->content_octets,
        .large = large,
        .place = { s->segment->header.number, h->offset, h->octets,
                   large ? 0 : unit_content_at(h) },
    };
    if (large) {
        if (!fill_table(s, h, in.at + UNIT_HEADER, e))
            return false;
        unit.large_checksums = (const uint64_t *)(void *)s->table.at;
    }
    return s->events->replay(s->events->owner, &unit, &s->at, e);
}

bool salvage_replay(struct scan *s, const struct batch_header *h, struct error *e)
{
    struct bytes rest = skip_bytes(buffer_bytes(&s->batch), BATCH_HEADER);
    for (uint32_t i = 0; i < h->units; i++) {
        struct unit_header unit;
        struct bytes in = rest;
        if (!unit_header_decode(&s->segment->header.key, in, h->offset + h->octets - in.len, &unit))
            return error_set(e, ERROR_DAMAGED, "a unit changed while the journal was being read");
        rest = skip_bytes(rest, unit.octets);
        if (!hand_out(s, &unit, in, e))
            return false;
    }
    return true;
}

/* --- A damaged stretch --- */

/* Moves lost->from to the first place from it on where a unit's header might lie, and gives what it
 * claims, unverified; false, and at the end or beyond, when there is none. */
static bool find_unit(struct scan *s, struct salvage *lost, struct unit_header *claim_out)
{
    uint8_t window[LOOK_OCTETS + UNIT_HEADER];
    for (uint64_t at = lost->from; at + UNIT_HEADER <= lost->to; at += LOOK_OCTETS) {
        size_t got;
        scan_read(s, at, (struct iovec){ window, sizeof window }, &got);
        for (size_t i = 0; i < LOOK_OCTETS && i + UNIT_HEADER <= got; i += 8)
            if (unit_header_peek(window + i, at + i, claim_out)) {
                lost->from = at + i;
                return lost->from < lost->to; /* what lies behind is not lost */
            }
    }
    lost->from = lost->to;
    return false;
}

static void tell_lost_unit(struct scan *s, const struct unit_header *h, enum unit_part part)
{
    char id[MESSAGE_ID_TEXT + 1];
    const char *what = part == UNIT_CHANGES_BAD ? "changes" : "content";
    if (h->message)
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offset %" PRIu64 ", batch %" PRIu64
                    ": message %s is lost: its %s cannot be read",
                    s->segment->header.number, h->offset, h->sequence,
                    message_id_print(h->message, id).at, what);
    else
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offset %" PRIu64 ", batch %" PRIu64 ": %" PRIu32
                    " octets of changes are lost",
                    s->segment->header.number, h->offset, h->sequence, h->changes_octets);
}

/* Whoever listens may know more of it by what it says. */
static void tell_what_it_said(struct scan *s, const struct unit_header *h, struct bytes in)
{
    struct unit unit = {
        .message = h->message,
        .changes = { in.at + unit_changes_at(h), h->changes_octets },
        .content_octets = h->content_octets,
        .place = { s->segment->header.number, h->offset, h->octets, unit_content_at(h) },
    };
    if (s->events->lost)
        s->events->lost(s->events->owner, &unit);
}

/* Which part of it is bad; it may be cut off by the end of the file. */
static enum unit_part find_bad_part(const struct format_key *key, const struct unit_header *h,
                                    struct bytes in)
{
    if (in.len == h->octets)
        return unit_body_verify(key, h, in);
    struct bytes changes = { in.at + unit_changes_at(h), h->changes_octets };
    bool cut = unit_changes_at(h) + (uint64_t)h->changes_octets > in.len;
    return cut || format_checksum(key, changes) != h->changes_checksum ? UNIT_CHANGES_BAD
                                                                       : UNIT_CONTENT_BAD;
}

/* Takes what claims to be a unit at lost->from: hands it out if it verifies, and goes on. */
static bool try_unit(struct scan *s, struct salvage *lost, const struct unit_header *claim,
                     struct error *e)
{
    const struct format_key *key = &s->segment->header.key;
    uint64_t offset = lost->from;
    struct unit_header h;
    lost->from += 8;
    if (claim->octets > lost->to - offset)
        return true;
    if (!scan_fetch(s, offset, claim->octets, e))
        return false;
    struct bytes in = buffer_bytes(&s->batch);
    if (!unit_header_decode(key, in, offset, &h))
        return true;
    lost->from = offset + h.octets;
    enum unit_part part = find_bad_part(key, &h, in);
    if (part != UNIT_ALL_GOOD) {
        tell_lost_unit(s, &h, part);
        if (part == UNIT_CONTENT_BAD)
            tell_what_it_said(s, &h, in);
        return true;
    }
    lost->kept++;
    return hand_out(s, &h, in, e);
}

static void tell_stretch(struct scan *s, const struct salvage *lost, uint64_t from)
{
    uint64_t number = s->segment->header.number;
    if (lost->units)
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offset %" PRIu64 ": batch %" PRIu64
                    " is damaged; of its %" PRIu32 " units %" PRIu32 " are kept",
                    number, from, lost->first, lost->units, lost->kept);
    else if (lost->last >= lost->first)
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offsets %" PRIu64 " to %" PRIu64 ": batches %" PRIu64
                    " to %" PRIu64 " are damaged; %" PRIu32 " units of them are kept",
                    number, from, lost->to, lost->first, lost->last, lost->kept);
    else
        scan_notice(s->events, true,
                    "segment %" PRIu64 ", offsets %" PRIu64 " to %" PRIu64 " are damaged; %" PRIu32
                    " units in them are kept",
                    number, from, lost->to, lost->kept);
}

bool salvage_units(struct scan *s, struct salvage *lost, struct error *e)
{
    struct unit_header claim;
    uint64_t from = lost->from;
    if (!s->events)
        return true;
    while (lost->from < lost->to)
        if (find_unit(s, lost, &claim) && !try_unit(s, lost, &claim, e))
            return false;
    tell_stretch(s, lost, from);
    return true;
}
