/* segment.h - the files of the journal: names, making, taking into use, opening.
 *
 *   made        zeros from end to end, synced, its name synced: "prepared"
 *   begun       the header is written and synced: from now on it counts
 *
 * A file whose header does not verify and that holds nothing but zeros behind it was never used.
 */
#ifndef STORE_LOCAL_SEGMENT_H
#define STORE_LOCAL_SEGMENT_H

#include "run/disk.h"
#include "store/local/format.h"

enum {
    SEGMENT_NAME_MAX = 40,
    SEGMENT_OCTETS_MIN = 64 * 1024,
    SEGMENT_OCTETS_FIRST = 8 * 1024 * 1024,
    SEGMENT_OCTETS_DEFAULT = 64 * 1024 * 1024,
};

struct segment {
    struct disk_file *file; /* NULL: none */
    uint64_t octets;        /* of the file */
    enum header_state state;
    bool unread;                  /* a copy of the header lies where the disk cannot read */
    struct segment_header header; /* its number always; the rest when the state is good */
};

/* "journal/00000012.seg", terminated. */
void segment_name(uint64_t number, char out[SEGMENT_NAME_MAX]);
/* The number of a file in journal/; 0 when that is not a segment's name. */
uint64_t segment_number(const char *name);

/* The segments that there are. */
struct segment_list {
    uint64_t *numbers; /* in order */
    size_t count;
};
/* To be cleared, after a failure too. */
bool segment_list_read(struct disk *, struct segment_list *out, struct error *);
void segment_list_clear(struct segment_list *);

/* Makes the file, zero-writes and syncs it and its name.  On failure the file is removed again as
 * far as that works. */
bool segment_make(struct disk *, uint64_t number, uint64_t octets, struct segment *out,
                  struct error *);
/* Takes a made segment into use behind `previous`, as one before which those under `oldest` do not
 * count: draws the key, writes both headers with one write, syncs.  After a failure the file is
 * spoilt. */
bool segment_begin(struct segment *, const uint8_t *uuid, const struct journal_position *previous,
                   uint64_t oldest, struct error *);
/* Opens a file and reads its header, the second copy when the first is bad or cannot be read,
 * whatever that says; see `state`.  False: the file cannot be opened. */
bool segment_open(struct disk *, uint64_t number, enum disk_mode, const uint8_t *uuid,
                  struct segment *out, struct error *);
void segment_close(struct segment *);

/* Writes the slices behind each other, with as few calls as the system allows. */
bool segment_write(struct disk_file *, uint64_t offset, const struct iovec *, size_t count,
                   struct error *);
/* As disk_file_read(), but pages that the disk cannot read are given as zeros: what is lost is for
 * checksums to find.  False: there was one; *bad_out is the offset of the first. */
bool segment_read(struct disk_file *, uint64_t offset, struct iovec to, size_t *read_out,
                  uint64_t *bad_out);
/* Whether the file holds only zeros from `from` to its end, as far as the disk can read all of it.
 */
bool segment_is_zero(struct disk_file *, uint64_t from);

#endif
