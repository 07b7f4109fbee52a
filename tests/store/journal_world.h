/* journal_world.h - a journal on a memory disk, with messages that can be told by their id alone:
 * what the tests of the journal share. */
#ifndef STORE_JOURNAL_WORLD_H
#define STORE_JOURNAL_WORLD_H

#include "base/buffer.h"
#include "memory_disk.h"
#include "store/local/format.h"
#include "store/local/journal.h"

enum { WORLD_SEEN_MAX = 512, WORLD_UNITS_MAX = 64 };

struct seen {
    message_id message;
    struct unit_place place;
    struct journal_position after;
};

struct world {
    struct disk *disk;
    struct journal *journal;
    uint64_t segment_octets;
    struct error error;
    uint32_t counter; /* of messages */

    /* What the last replay brought. */
    struct seen seen[WORLD_SEEN_MAX];
    size_t seen_count;
    bool is_wrong; /* a unit was not what its id says */
    struct buffer notices;
    unsigned notice_count, trouble_count;
};

extern const uint8_t world_uuid[FORMAT_UUID];

void world_init(struct world *, uint64_t segment_octets);
/* A world of its own on a copy of the disk, closed. */
void world_copy(struct world *, const struct world *);
void world_clear(struct world *);
/* Recovery from there (NULL: from the beginning); forgets what was seen before. */
bool world_open(struct world *, const struct journal_position *from);
bool world_replay(struct world *, const struct journal_position *from);
void world_close(struct world *);

/* The next message of so many octets: id, changes and content follow from its number. */
message_id world_next_id(struct world *, size_t octets);
/* Writes one batch of messages of these sizes; ids and places are given out if asked for. */
bool world_append(struct world *, const size_t *sizes, size_t count, struct seen *out);
/* The same, synced; turns to a new segment when needed. All of it must work. */
void world_write(struct world *, const size_t *sizes, size_t count, struct seen *out);
/* The octets of a message of world_next_id(). */
void world_content(message_id, uint8_t *out);
size_t world_octets(message_id);
/* Whether this octet of the segment lies in the unit, but says nothing. */
bool world_is_padding(const struct seen *, uint64_t offset);
/* Whether the replay brought it. */
bool world_has_seen(const struct world *, message_id);
struct journal_events world_events(struct world *);

#endif
