/* format.c - the octets of the journal's files: encode, decode, verify. Pure.
 *
 * Never trusts a length before the checksum over it has verified, except to find the end of what
 * that checksum covers, and then only within what was given.
 */
#include "store/local/format.h"

#include "base/check.h"
#include "store/local/little.h"

#include <xxhash.h>

enum {
    MAGIC = 8,
    CHECKSUM_AT = 8,
    COVERED_AT = 16,
    /* of the files */
    VERSION_AT = 16,
    UUID_AT = 24,
    FIELDS_AT = 40,
    SECRET_AT = 128,
};

static const uint8_t magic_segment[MAGIC] = "GODWITJ1";
static const uint8_t magic_large[MAGIC] = "GODWITL1";
static const uint8_t magic_batch[MAGIC] = "GODWITB1";
static const uint8_t magic_unit[MAGIC] = "GODWITU1";

_Static_assert(FORMAT_SECRET >= XXH3_SECRET_SIZE_MIN, "the secret is too short for XXH3");

/* --- Checksums --- */

uint64_t format_checksum(const struct format_key *key, struct bytes b)
{
    return XXH3_64bits_withSecret(b.len ? b.at : key->secret, b.len, key->secret, FORMAT_SECRET);
}

uint64_t format_block_checksum(const struct format_key *key, message_id message, uint64_t block,
                               uint64_t plain)
{
    uint8_t bound[24];
    little_put_u64(bound, message);
    little_put_u64(bound + 8, block);
    little_put_u64(bound + 16, plain);
    return format_checksum(key, (struct bytes){ bound, sizeof bound });
}

uint64_t format_checksum_block(const struct format_key *key, message_id message, uint64_t block,
                               struct bytes b)
{
    return format_block_checksum(key, message, block, format_checksum(key, b));
}

void format_put_checksum(uint8_t *table, uint64_t index, uint64_t checksum)
{
    little_put_u64(table + index * 8, checksum);
}

uint64_t format_get_checksum(const uint8_t *table, uint64_t index)
{
    return little_u64(table + index * 8);
}

/* Sets magic and checksum of a header of `octets` and returns the checksum. */
static uint64_t seal(const struct format_key *key, const uint8_t *magic, uint8_t *header,
                     uint64_t octets)
{
    memcpy(header, magic, MAGIC);
    uint64_t checksum =
        format_checksum(key, (struct bytes){ header + COVERED_AT, octets - COVERED_AT });
    little_put_u64(header + CHECKSUM_AT, checksum);
    return checksum;
}

static bool is_sealed(const struct format_key *key, const uint8_t *magic, const uint8_t *header,
                      uint64_t octets)
{
    return memcmp(header, magic, MAGIC) == 0 &&
           little_u64(header + CHECKSUM_AT) ==
               format_checksum(key, (struct bytes){ header + COVERED_AT, octets - COVERED_AT });
}

/* --- Files --- */

static void file_header_encode(const struct format_key *key, const uint8_t *magic,
                               const uint8_t *uuid, uint8_t *out)
{
    little_put_u32(out + VERSION_AT, FORMAT_VERSION);
    memcpy(out + UUID_AT, uuid, FORMAT_UUID);
    memcpy(out + SECRET_AT, key->secret, FORMAT_SECRET);
    seal(key, magic, out, FILE_HEADER);
}

static enum header_state file_header_decode(const uint8_t *in, const uint8_t *magic,
                                            const uint8_t *uuid, struct format_key *key_out)
{
    memcpy(key_out->secret, in + SECRET_AT, FORMAT_SECRET);
    if (!is_sealed(key_out, magic, in, FILE_HEADER))
        return HEADER_BAD;
    if (little_u32(in + VERSION_AT) != FORMAT_VERSION)
        return HEADER_NEWER;
    return memcmp(in + UUID_AT, uuid, FORMAT_UUID) == 0 ? HEADER_GOOD : HEADER_FOREIGN;
}

void segment_header_encode(const struct segment_header *h, const uint8_t uuid[FORMAT_UUID],
                           uint8_t out[FILE_HEADER])
{
    memset(out, 0, FILE_HEADER);
    uint8_t *at = out + FIELDS_AT;
    little_put_u64(at, h->number);
    little_put_u64(at + 8, h->octets);
    little_put_u64(at + 16, (uint64_t)h->created_ms);
    little_put_u64(at + 24, h->previous.segment);
    little_put_u64(at + 32, h->previous.offset);
    little_put_u64(at + 40, h->previous.sequence);
    little_put_u64(at + 48, h->previous.checksum);
    little_put_u64(at + 56, h->oldest);
    file_header_encode(&h->key, magic_segment, uuid, out);
}

enum header_state segment_header_decode(const uint8_t in[FILE_HEADER],
                                        const uint8_t uuid[FORMAT_UUID], struct segment_header *out)
{
    const uint8_t *at = in + FIELDS_AT;
    out->number = little_u64(at);
    out->octets = little_u64(at + 8);
    out->created_ms = (int64_t)little_u64(at + 16);
    out->previous.segment = little_u64(at + 24);
    out->previous.offset = little_u64(at + 32);
    out->previous.sequence = little_u64(at + 40);
    out->previous.checksum = little_u64(at + 48);
    out->oldest = little_u64(at + 56);
    return file_header_decode(in, magic_segment, uuid, &out->key);
}

bool segment_header_uuid(const uint8_t in[FILE_HEADER], uint8_t uuid_out[FORMAT_UUID])
{
    struct segment_header h;
    if (segment_header_decode(in, in + UUID_AT, &h) != HEADER_GOOD)
        return false;
    memcpy(uuid_out, in + UUID_AT, FORMAT_UUID);
    return true;
}

void large_header_encode(const struct large_header *h, const uint8_t uuid[FORMAT_UUID],
                         uint8_t out[FILE_HEADER])
{
    memset(out, 0, FILE_HEADER);
    little_put_u64(out + FIELDS_AT, h->message);
    little_put_u64(out + FIELDS_AT + 8, (uint64_t)h->created_ms);
    file_header_encode(&h->key, magic_large, uuid, out);
}

enum header_state large_header_decode(const uint8_t in[FILE_HEADER],
                                      const uint8_t uuid[FORMAT_UUID], struct large_header *out)
{
    out->message = little_u64(in + FIELDS_AT);
    out->created_ms = (int64_t)little_u64(in + FIELDS_AT + 8);
    return file_header_decode(in, magic_large, uuid, &out->key);
}

/* --- Batches --- */

void batch_header_encode(const struct format_key *key, struct batch_header *h,
                         uint8_t out[BATCH_HEADER])
{
    little_put_u64(out + 16, h->segment);
    little_put_u64(out + 24, h->offset);
    little_put_u64(out + 32, h->sequence);
    little_put_u64(out + 40, h->previous);
    little_put_u64(out + 48, h->units_checksum);
    little_put_u32(out + 56, h->octets);
    little_put_u32(out + 60, h->units);
    h->checksum = seal(key, magic_batch, out, BATCH_HEADER);
}

bool batch_header_decode(const struct format_key *key, const uint8_t in[BATCH_HEADER],
                         uint64_t segment, uint64_t offset, struct batch_header *out)
{
    if (!is_sealed(key, magic_batch, in, BATCH_HEADER))
        return false;
    *out = (struct batch_header){
        .segment = little_u64(in + 16),
        .offset = little_u64(in + 24),
        .sequence = little_u64(in + 32),
        .previous = little_u64(in + 40),
        .units_checksum = little_u64(in + 48),
        .octets = little_u32(in + 56),
        .units = little_u32(in + 60),
        .checksum = little_u64(in + CHECKSUM_AT),
    };
    return out->segment == segment && out->offset == offset && out->sequence != 0 &&
           out->units >= 1 && out->units <= JOURNAL_BATCH_UNITS_MAX &&
           out->octets >= BATCH_HEADER + out->units * UNIT_HEADER &&
           out->octets <= BATCH_OCTETS_LIMIT;
}

/* --- Units --- */

uint64_t format_blocks(uint64_t content_octets)
{
    return content_octets / JOURNAL_BLOCK + (content_octets % JOURNAL_BLOCK != 0);
}

uint64_t format_pad(uint64_t octets)
{
    return (octets + 7) & ~(uint64_t)7;
}

uint64_t format_align(uint64_t octets)
{
    return (octets + JOURNAL_ALIGN - 1) & ~(uint64_t)(JOURNAL_ALIGN - 1);
}

uint32_t unit_changes_at(const struct unit_header *h)
{
    return UNIT_HEADER + h->blocks * 8;
}

uint32_t unit_content_at(const struct unit_header *h)
{
    return unit_changes_at(h) + (uint32_t)format_pad(h->changes_octets);
}

void unit_header_encode(const struct format_key *key, struct unit_header *h, uint8_t *out)
{
    little_put_u64(out + 16, h->offset);
    little_put_u64(out + 24, h->sequence);
    little_put_u64(out + 32, h->message);
    little_put_u64(out + 40, h->content_octets);
    little_put_u32(out + 48, h->octets);
    little_put_u32(out + 52, h->changes_octets);
    little_put_u32(out + 56, h->blocks);
    little_put_u32(out + 60, h->flags);
    little_put_u64(out + 64, h->changes_checksum);
    h->checksum = seal(key, magic_unit, out, unit_changes_at(h));
}

static struct unit_header unit_header_take(const uint8_t *in)
{
    return (struct unit_header){
        .offset = little_u64(in + 16),
        .sequence = little_u64(in + 24),
        .message = little_u64(in + 32),
        .content_octets = little_u64(in + 40),
        .octets = little_u32(in + 48),
        .changes_octets = little_u32(in + 52),
        .blocks = little_u32(in + 56),
        .flags = little_u32(in + 60),
        .changes_checksum = little_u64(in + 64),
        .checksum = little_u64(in + CHECKSUM_AT),
    };
}

/* Whether the lengths fit each other; 64 bits throughout, so that nothing wraps. */
static bool unit_is_consistent(const struct unit_header *h)
{
    bool large = h->flags & UNIT_LARGE;
    if ((h->flags & ~(uint32_t)UNIT_FLAGS_KNOWN) || h->octets > BATCH_OCTETS_LIMIT ||
        h->changes_octets == 0 || h->blocks != format_blocks(h->content_octets))
        return false;
    if ((h->message == 0 && h->content_octets) || (large && h->content_octets == 0))
        return false;
    uint64_t octets = UNIT_HEADER + (uint64_t)h->blocks * 8 + format_pad(h->changes_octets);
    if (!large)
        octets += format_pad(h->content_octets);
    return octets == h->octets;
}

bool unit_header_peek(const uint8_t *in, uint64_t offset, struct unit_header *out)
{
    if (memcmp(in, magic_unit, MAGIC) != 0)
        return false;
    *out = unit_header_take(in);
    return out->offset == offset && unit_is_consistent(out);
}

bool unit_header_decode(const struct format_key *key, struct bytes in, uint64_t offset,
                        struct unit_header *out)
{
    return in.len >= UNIT_HEADER && unit_header_peek(in.at, offset, out) &&
           unit_changes_at(out) <= in.len &&
           is_sealed(key, magic_unit, in.at, unit_changes_at(out));
}

enum unit_part unit_body_verify(const struct format_key *key, const struct unit_header *h,
                                struct bytes in)
{
    CHECK(in.len >= h->octets);
    struct bytes changes = { in.at + unit_changes_at(h), h->changes_octets };
    if (format_checksum(key, changes) != h->changes_checksum)
        return UNIT_CHANGES_BAD;
    if (h->flags & UNIT_LARGE)
        return UNIT_ALL_GOOD;
    const uint8_t *table = in.at + UNIT_HEADER;
    struct bytes content = { in.at + unit_content_at(h), h->content_octets };
    for (uint64_t i = 0; i < h->blocks; i++) {
        size_t len = content.len < JOURNAL_BLOCK ? content.len : JOURNAL_BLOCK;
        uint64_t checksum =
            format_checksum_block(key, h->message, i, (struct bytes){ content.at, len });
        if (checksum != format_get_checksum(table, i))
            return UNIT_CONTENT_BAD;
        content = (struct bytes){ content.at + len, content.len - len };
    }
    return UNIT_ALL_GOOD;
}
