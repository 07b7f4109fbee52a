/* backup_end.c - where a backup ends, and whether the store goes on from there.
 *
 * A batch counts once a later segment begins behind it, and no more once one begins behind an
 * earlier batch: it was refused, or the store is one that was brought back from an earlier backup
 * and has had other mail since.  The headers alone say it, so damage does not matter.  Never reads
 * batches, and writes nothing.
 */
#include "store/local/backup.h"

#include <string.h>

/* How a later segment stands to a batch. */
enum standing {
    STANDS_ALONE,   /* it was not begun; or is gone, as a start of the server removes such ones */
    STANDS_NEXT,    /* behind that batch */
    STANDS_LATER,   /* behind more */
    STANDS_AGAINST, /* behind one before it, or another of its number */
};

static enum standing standing_of(const struct segment *s, const struct journal_position *end)
{
    const struct journal_position *previous = &s->header.previous;
    if (s->state != HEADER_GOOD)
        return STANDS_ALONE;
    if (previous->sequence == end->sequence && previous->checksum == end->checksum)
        return STANDS_NEXT;
    return previous->sequence > end->sequence ? STANDS_LATER : STANDS_AGAINST;
}

/* One that is not there is as one that was not begun. */
static bool read_header(const struct backup *b, struct disk *disk, uint64_t number,
                        struct segment *out, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    if (!segment_open(disk, number, DISK_READ, b->uuid, out, e)) {
        out->state = HEADER_BAD;
        return !disk_exists(disk, name);
    }
    segment_close(out);
    return true;
}

static bool find_standing(const struct backup *b, uint64_t number,
                          const struct journal_position *end, enum standing *out, struct error *e)
{
    struct segment segment;
    *out = STANDS_NEXT;
    if (number <= end->segment)
        return true;
    if (!read_header(b, b->from, number, &segment, e))
        return false;
    *out = standing_of(&segment, end);
    return true;
}

/* --- Of this backup --- */

uint64_t backup_limit(const struct journal_extent *x, uint64_t number)
{
    if (number < x->end.segment)
        return UINT64_MAX;
    return number == x->end.segment ? x->end.offset : SEGMENT_START;
}

bool backup_find_limit(const struct backup *b, uint64_t number, uint64_t *limit_out,
                       struct error *e)
{
    enum standing standing;
    if (!find_standing(b, number, &b->extent.end, &standing, e))
        return false;
    *limit_out = standing == STANDS_NEXT ? backup_limit(&b->extent, number) : 0;
    return true;
}

bool backup_check_end(const struct backup *b, struct error *e)
{
    struct segment_list now = { 0 };
    enum standing standing = STANDS_NEXT;
    bool ok = segment_list_read(b->from, &now, e);
    for (size_t i = 0; ok && standing != STANDS_AGAINST && i < now.count; i++)
        ok = find_standing(b, now.numbers[i], &b->extent.end, &standing, e);
    segment_list_clear(&now);
    return ok && (standing != STANDS_AGAINST ||
                  error_set(e, ERROR_TEMPORARY,
                            "the server could not keep its last batch, which was copied: once "
                            "more, please"));
}

/* --- Of the one before --- */

/* Two files of one number are the same one as far as both go, or have different keys. */
static bool is_other(const struct segment *a, const struct segment *b)
{
    return a->state == HEADER_GOOD && b->state == HEADER_GOOD &&
           memcmp(a->header.key.secret, b->header.key.secret, FORMAT_SECRET) != 0;
}

static bool find_conflict(const struct backup *b, uint64_t number, bool *found_out, struct error *e)
{
    struct segment ours, theirs;
    enum standing standing = STANDS_NEXT;
    *found_out = false;
    if (journal_extent_has(&b->before, number)) {
        if (!read_header(b, b->from, number, &ours, e) ||
            !read_header(b, b->to, number, &theirs, e))
            return false;
        *found_out = is_other(&ours, &theirs);
    }
    if (b->before.last > 0 && !find_standing(b, number, &b->before.end, &standing, e))
        return false;
    *found_out = *found_out || standing == STANDS_AGAINST;
    return true;
}

/* The segment that it ends in is there, unless compaction has given it up with all before it. */
static bool has_end(const struct backup *b)
{
    const struct segment_list *list = &b->segments;
    uint64_t end = b->before.end.segment;
    size_t i = 0;
    while (i < list->count && list->numbers[i] < end)
        i++;
    return i == 0 || (i < list->count && list->numbers[i] == end);
}

bool backup_check_before(struct backup *b, struct error *e)
{
    if (!disk_exists(b->to, BACKUP_MARK)) {
        b->before = (struct journal_extent){ .first = UINT64_MAX, .last = UINT64_MAX };
        return true;
    }
    if (!backup_read_mark(b->to, &b->before, e))
        return false;
    bool conflict = b->before.last > 0 && !has_end(b);
    for (size_t i = 0; !conflict && i < b->segments.count; i++)
        if (!find_conflict(b, b->segments.numbers[i], &conflict, e))
            return false;
    return !conflict ||
           error_set(e, ERROR_REFUSED,
                     "the backup in %s holds mail that %s has no more, as after a restore from an "
                     "earlier one: back up into another folder",
                     b->target, b->path);
}
