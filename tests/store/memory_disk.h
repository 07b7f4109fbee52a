/* memory_disk.h - run/disk.h in memory, for tests and fuzzers: it fails and crashes when told.
 *
 * Linked in place of src/run/disk.c.  What was not synced is kept or lost in a crash, each sector
 * of 512 octets and each name by itself.  A failed sync takes all to the disk, or some of it, and
 * forgets what was dirty, as Linux does: the next one succeeds and writes nothing.
 */
#ifndef STORE_MEMORY_DISK_H
#define STORE_MEMORY_DISK_H

#include "run/disk.h"

enum { MEMORY_SECTOR = 512 };

struct disk *memory_disk_new(void);
/* All of it, with what is not synced; no file of the copy is open. */
struct disk *memory_disk_copy(const struct disk *);
/* No file may be open. */
void memory_disk_free(struct disk **);

/* The octets of a file, NULL when there is none; they may be changed in place. */
uint8_t *memory_disk_octets(struct disk *, const char *name, size_t *len_out);
/* Makes a file of these octets, synced. */
void memory_disk_put(struct disk *, const char *name, const void *octets, size_t len);

/* How many calls that change or sync something there have been. */
uint64_t memory_disk_operations(const struct disk *);
/* The operation of that number fails, half done; 0: none. */
void memory_disk_fail(struct disk *, uint64_t operation);
/* The same, and all later ones fail too, without any effect, until the crash. */
void memory_disk_die(struct disk *, uint64_t operation);
/* The power goes.  Open files stay open, but may only be closed. */
void memory_disk_crash(struct disk *, uint64_t seed);
/* Whether disk_read_now() finds everything in memory; true at first. */
void memory_disk_set_warm(struct disk *, bool);

#endif
