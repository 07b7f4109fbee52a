/* format.h - the octets of the journal's files: encode, decode, verify. Pure.
 *
 * docs/store-format.md draws them.  Each header begins with a magic and a checksum of all that
 * follows in it.  All checksums of a file are keyed with the 192 random octets in the file's own
 * header (store rule 8): what a message says, it cannot verify.  They are not derived from fewer,
 * because XXH3_generateSecret() is not a stable part of xxHash and gave other results before 0.8.1.
 * Integers are little-endian; every header lies at a multiple of 8.
 */
#ifndef STORE_LOCAL_FORMAT_H
#define STORE_LOCAL_FORMAT_H

#include "base/text.h"
#include "store/ids.h"
#include "store/local/journal.h"

enum {
    FORMAT_VERSION = 1,
    FORMAT_UUID = 16,
    FORMAT_SECRET = 192,
    FILE_HEADER = JOURNAL_ALIGN,
    SEGMENT_START = 2 * FILE_HEADER, /* the header lies there twice; behind it the first batch */
    LARGE_START = FILE_HEADER,       /* content begins here in a large file */
    BATCH_HEADER = 64,
    UNIT_HEADER = 72, /* without the block checksums that follow it */
    BATCH_OCTETS_LIMIT = 2 * JOURNAL_BATCH_OCTETS_MAX,
};

struct format_key {
    uint8_t secret[FORMAT_SECRET];
};

/* --- Files --- */

struct segment_header {
    uint64_t number;
    uint64_t octets;                  /* that were zero-written; a batch may reach beyond */
    int64_t created_ms;               /* wall clock, for people */
    struct journal_position previous; /* the last good batch before this segment; zero: none */
    uint64_t oldest; /* segments before this one do not count any more; 0: all do */
    struct format_key key;
};

struct large_header {
    message_id message;
    int64_t created_ms;
    struct format_key key;
};

enum header_state {
    HEADER_GOOD,
    HEADER_BAD,     /* does not verify */
    HEADER_FOREIGN, /* verifies, but belongs to another store */
    HEADER_NEWER,   /* verifies, but is of a format that this program does not know */
};

void segment_header_encode(const struct segment_header *, const uint8_t uuid[FORMAT_UUID],
                           uint8_t out[FILE_HEADER]);
enum header_state segment_header_decode(const uint8_t in[FILE_HEADER],
                                        const uint8_t uuid[FORMAT_UUID],
                                        struct segment_header *out);
/* Which store a segment belongs to, when that is not known; false, and *uuid_out stays as it is:
 * the header is not good. */
bool segment_header_uuid(const uint8_t in[FILE_HEADER], uint8_t uuid_out[FORMAT_UUID]);
void large_header_encode(const struct large_header *, const uint8_t uuid[FORMAT_UUID],
                         uint8_t out[FILE_HEADER]);
enum header_state large_header_decode(const uint8_t in[FILE_HEADER],
                                      const uint8_t uuid[FORMAT_UUID], struct large_header *out);

/* --- Batches --- */

struct batch_header {
    uint64_t segment;
    uint64_t offset; /* of this header in the segment */
    uint64_t sequence;
    uint64_t previous;       /* checksum of the batch before */
    uint64_t units_checksum; /* of the units' checksums, in order */
    uint32_t octets;         /* header and units, without the padding */
    uint32_t units;
    uint64_t checksum; /* out in both directions: the batch's own, which covers all of the above */
};

void batch_header_encode(const struct format_key *, struct batch_header *,
                         uint8_t out[BATCH_HEADER]);
/* True only for a header that was written with this key at this offset of this segment. */
bool batch_header_decode(const struct format_key *, const uint8_t in[BATCH_HEADER],
                         uint64_t segment, uint64_t offset, struct batch_header *out);

/* --- Units --- */

enum { UNIT_LARGE = 1, UNIT_FLAGS_KNOWN = 1 };

struct unit_header {
    uint64_t offset; /* of this header in the segment */
    uint64_t sequence;
    message_id message;
    uint64_t content_octets;
    uint32_t octets; /* all of the unit, a multiple of 8 */
    uint32_t changes_octets;
    uint32_t blocks; /* of content: so many checksums follow the header */
    uint32_t flags;
    uint64_t changes_checksum;
    uint64_t checksum; /* out in both directions; covers the block checksums too */
};

/* Where the parts begin, counted from the unit's header. */
uint32_t unit_changes_at(const struct unit_header *);
uint32_t unit_content_at(const struct unit_header *);
/* Blocks that so much content has. */
uint64_t format_blocks(uint64_t content_octets);
/* The next multiple of 8 and of JOURNAL_ALIGN. */
uint64_t format_pad(uint64_t octets);
uint64_t format_align(uint64_t octets);

/* `out` holds the block checksums already, from UNIT_HEADER on, by format_put_checksum(). */
void unit_header_encode(const struct format_key *, struct unit_header *, uint8_t *out);
/* Looks at the front of `in`, which must hold the header and should hold the block checksums. False
 * when it does not verify or says what cannot be. */
bool unit_header_decode(const struct format_key *, struct bytes in, uint64_t offset,
                        struct unit_header *out);
/* The same without the checksum: whether this can be a unit's header at that offset.  `in` holds
 * UNIT_HEADER octets. */
bool unit_header_peek(const uint8_t *in, uint64_t offset, struct unit_header *out);
/* Whether changes and content verify; `in` begins with the verified header. */
enum unit_part { UNIT_ALL_GOOD, UNIT_CHANGES_BAD, UNIT_CONTENT_BAD };
enum unit_part unit_body_verify(const struct format_key *, const struct unit_header *,
                                struct bytes in);

/* --- Checksums --- */

uint64_t format_checksum(const struct format_key *, struct bytes);
/* The checksum of a block of content: bound to its message and place in it (store rule 22). `plain`
 * is format_checksum() of its octets, or the same computed in pieces. */
uint64_t format_block_checksum(const struct format_key *, message_id, uint64_t block,
                               uint64_t plain);
/* Both in one, for octets that lie together. */
uint64_t format_checksum_block(const struct format_key *, message_id, uint64_t block, struct bytes);
void format_put_checksum(uint8_t *table, uint64_t index, uint64_t checksum);
uint64_t format_get_checksum(const uint8_t *table, uint64_t index);

#endif
