/* reader.c - the content of a unit, any thread: nothing is handed out that has not been verified
 * (store rules 22, 23).
 *
 * The common case, a few KB that lie in memory, costs one read and one pass for the checksums.  A
 * reader holds the unit's head and one block of content.
 *
 *   memory:  header | block checksums | changes (unless many) | one block of content
 */
#include "store/local/large.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    HEAD_MAX = 16 * 1024, /* a larger head is read without its changes */
    AHEAD_BLOCKS = 4,     /* a read that may block brings 256 KB into memory */
};

struct unit_reader {
    struct journal *journal;
    struct descriptor *segment; /* pinned */
    struct disk_file *large;    /* NULL unless the content lies there */
    struct large_header large_header;
    struct unit_header header;
    struct disk_file *file;       /* that the content lies in */
    const struct format_key *key; /* of the content's checksums */
    uint64_t start;               /* of the content in the file */

    bool now;         /* this call may not wait */
    bool would_block; /* and failed because it would have had to */

    uint64_t block;       /* that is held in `data` */
    size_t block_octets;  /* of it; 0: none is held */
    bool is_verified;     /* and may be handed out */
    uint64_t ahead_block; /* up to here blocks have been brought into memory */

    struct bytes head;  /* in `memory`, or in long_head */
    uint8_t *long_head; /* NULL unless it does not fit there */
    uint8_t *data;      /* behind the head in `memory` */
    uint8_t memory[];
};

/* --- Reading --- */

static bool read_exactly(struct unit_reader *r, struct disk_file *file, uint64_t offset,
                         struct iovec to, struct error *e)
{
    size_t got;
    if (r->now) {
        r->would_block = !disk_read_now(file, offset, to.iov_base, to.iov_len);
        return !r->would_block;
    }
    if (!disk_file_read(file, offset, to.iov_base, to.iov_len, &got, e))
        return false;
    return got == to.iov_len || error_set(e, ERROR_DAMAGED, "a file of the journal is cut off");
}

static size_t octets_of_block(const struct unit_reader *r, uint64_t block)
{
    uint64_t left = r->header.content_octets - block * JOURNAL_BLOCK;
    return left < JOURNAL_BLOCK ? (size_t)left : JOURNAL_BLOCK;
}

/* The caller waits for the disk anyway: the blocks that it will want next come along. */
static void read_ahead(struct unit_reader *r, uint64_t block)
{
    if (block < r->ahead_block)
        return;
    r->ahead_block = block + AHEAD_BLOCKS;
    for (uint64_t next = block + 1; next < r->ahead_block && next < r->header.blocks; next++) {
        struct iovec to = { r->data, octets_of_block(r, next) };
        if (!read_exactly(r, r->file, r->start + next * JOURNAL_BLOCK, to, NULL))
            return;
    }
}

static bool load_block(struct unit_reader *r, uint64_t block, struct error *e)
{
    size_t octets = octets_of_block(r, block);
    r->block_octets = 0;
    r->is_verified = false;
    if (!r->now)
        read_ahead(r, block);
    if (!read_exactly(r, r->file, r->start + block * JOURNAL_BLOCK,
                      (struct iovec){ r->data, octets }, e))
        return false;
    r->block = block;
    r->block_octets = octets;
    return true;
}

static bool verify_block(struct unit_reader *r, struct error *e)
{
    char id[MESSAGE_ID_TEXT + 1];
    uint64_t checksum = format_checksum_block(r->key, r->header.message, r->block,
                                              (struct bytes){ r->data, r->block_octets });
    r->is_verified = checksum == format_get_checksum(r->head.at + UNIT_HEADER, r->block);
    return r->is_verified ||
           error_set(e, ERROR_DAMAGED,
                     "message %s: octets %" PRIu64 " to %" PRIu64 " are damaged on disk",
                     message_id_print(r->header.message, id).at, r->block * JOURNAL_BLOCK,
                     r->block * JOURNAL_BLOCK + r->block_octets);
}

static bool hold_block(struct unit_reader *r, uint64_t block, struct error *e)
{
    bool is_held = r->block_octets && r->block == block;
    return (is_held || load_block(r, block, e)) && (r->is_verified || verify_block(r, e));
}

bool unit_read(struct unit_reader *r, uint64_t offset, bool now, bool *would_block_out,
               struct bytes *out, struct error *e)
{
    size_t skipped = offset % JOURNAL_BLOCK;
    *out = (struct bytes){ NULL, 0 };
    *would_block_out = false;
    if (offset >= r->header.content_octets)
        return true;
    r->now = now;
    r->would_block = false;
    bool ok = hold_block(r, offset / JOURNAL_BLOCK, e);
    *would_block_out = r->would_block;
    if (ok)
        *out = (struct bytes){ r->data + skipped, r->block_octets - skipped };
    return ok;
}

uint64_t unit_content_octets(const struct unit_reader *r)
{
    return r->header.content_octets;
}

/* --- Opening --- */

/* What is read first: the head, and the first block when it lies right behind. */
struct front {
    size_t head, data;
    bool has_data;
};

static struct front front_of(const struct unit_place *p)
{
    bool large = p->content_at == 0;
    struct front f = { large ? p->octets : p->content_at,
                       large ? JOURNAL_BLOCK : p->octets - p->content_at, !large };
    if (f.data > JOURNAL_BLOCK)
        f.data = JOURNAL_BLOCK;
    if (f.head > HEAD_MAX) {
        f.head = HEAD_MAX;
        f.has_data = false;
    }
    return f;
}

static struct unit_reader *reader_new(struct journal *j, struct descriptor *segment,
                                      const struct front *f)
{
    struct unit_reader *r = malloc(sizeof *r + f->head + f->data);
    if (!r)
        return NULL;
    *r = (struct unit_reader){
        .journal = j,
        .segment = segment,
        .file = segment->segment.file,
        .key = &segment->segment.header.key,
        .head = { r->memory, f->head },
        .data = r->memory + f->head,
    };
    return r;
}

/* The block checksums of a very large message do not fit: reads header and checksums again. */
static bool read_long_head(struct unit_reader *r, const struct unit_place *p, size_t octets,
                           struct error *e)
{
    r->long_head = malloc(octets);
    if (!r->long_head)
        return error_set(e, ERROR_TEMPORARY, "memory is short for reading a message");
    r->head = (struct bytes){ r->long_head, octets };
    return read_exactly(r, r->file, p->offset, (struct iovec){ r->long_head, octets }, e);
}

static bool read_front(struct unit_reader *r, const struct unit_place *p, const struct front *f,
                       struct error *e)
{
    struct unit_header claim;
    struct iovec to = { r->memory, f->has_data ? f->head + f->data : f->head };
    if (!read_exactly(r, r->file, p->offset, to, e))
        return false;
    r->block_octets = f->has_data ? f->data : 0;
    bool is_long = f->head >= UNIT_HEADER && unit_header_peek(r->memory, p->offset, &claim) &&
                   unit_changes_at(&claim) > f->head && claim.octets == p->octets;
    return !is_long || read_long_head(r, p, unit_changes_at(&claim), e);
}

/* Whether what was read is that message's unit, all of it. */
static bool check_front(struct unit_reader *r, message_id message, const struct unit_place *p,
                        struct error *e)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct unit_header *h = &r->header;
    bool large = p->content_at == 0;
    if (!unit_header_decode(&r->segment->segment.header.key, r->head, p->offset, h) ||
        h->message != message || h->octets != p->octets || large != (bool)(h->flags & UNIT_LARGE) ||
        (!large && unit_content_at(h) != p->content_at))
        return error_set(e, ERROR_DAMAGED,
                         "message %s is not at offset %" PRIu64 " of segment %" PRIu64
                         ", or is damaged there",
                         message_id_print(message, id).at, p->offset, p->segment);
    r->start = p->offset + p->content_at;
    if (r->block_octets)
        r->block_octets = h->blocks ? octets_of_block(r, 0) : 0;
    return true;
}

static bool open_large(struct unit_reader *r, struct error *e)
{
    if (!large_file_open(r->journal, r->header.message, &r->large, &r->large_header, e))
        return false;
    r->file = r->large;
    r->key = &r->large_header.key;
    r->start = LARGE_START;
    return true;
}

static bool place_is_possible(const struct unit_place *p)
{
    return p->octets >= UNIT_HEADER && p->octets <= BATCH_OCTETS_LIMIT &&
           p->content_at <= p->octets && p->offset >= SEGMENT_START;
}

/* Pins the segment; NULL and no error: it would have to be opened, and that may wait. */
static struct descriptor *pin(struct journal *j, const struct unit_place *p, bool now,
                              struct error *e)
{
    struct descriptor *segment = NULL;
    if (!place_is_possible(p))
        error_set(e, ERROR_DAMAGED,
                  "offset %" PRIu64 " of segment %" PRIu64 " is no place of a unit", p->offset,
                  p->segment);
    else if (now)
        segment = p->content_at ? descriptors_find(&j->descriptors, p->segment) : NULL;
    else
        descriptors_open(&j->descriptors, p->segment, &segment, e);
    return segment;
}

bool unit_open(struct journal *j, message_id message, const struct unit_place *p, bool now,
               bool *would_block_out, struct unit_reader **out, struct error *e)
{
    *out = NULL;
    struct front f = front_of(p);
    struct descriptor *segment = pin(j, p, now, e);
    *would_block_out = now && !segment;
    if (!segment)
        return false;
    struct unit_reader *r = *out = reader_new(j, segment, &f);
    if (!r) {
        descriptors_unpin(&j->descriptors, segment);
        return error_set(e, ERROR_TEMPORARY, "memory is short for reading a message");
    }
    r->now = now;
    bool ok = read_front(r, p, &f, e) && check_front(r, message, p, e) &&
              (p->content_at || open_large(r, e));
    *would_block_out = r->would_block;
    if (!ok)
        unit_close(out);
    return ok;
}

void unit_close(struct unit_reader **reader_ref)
{
    struct unit_reader *r = *reader_ref;
    if (!r)
        return;
    disk_file_close(&r->large);
    descriptors_unpin(&r->journal->descriptors, r->segment);
    free(r->long_head);
    free(r);
    *reader_ref = NULL;
}
