/* backup.h - what backup.c and restore.c share, and what the server must know of them. */
#ifndef STORE_LOCAL_BACKUP_H
#define STORE_LOCAL_BACKUP_H

#include "store/local/journal.h"
#include "store/local/segment.h"
#include "store/store.h"

/* A folder with this file is a backup, and never served. */
#define BACKUP_MARK  "backup"
/* Who holds this file of DATA keeps all others from removing what the journal consists of. */
#define BACKUP_HOLD  "hold"
/* A backup with this file lacks what could not be read. */
#define BACKUP_HOLES "unreadable"

enum { BACKUP_NAME_MAX = 64 }; /* of a file in DATA */

struct backup {
    const char *path, *target; /* for people */
    struct disk *from, *to;
    struct store_copied *copied; /* NULL: it is a restore */
    uint8_t uuid[FORMAT_UUID];
    struct journal_extent extent; /* of what is copied */
    struct journal_extent before; /* of the backup that the folder holds already */
    struct segment_list segments; /* the store's; once copied, those that belong to the backup */
    bool has_holes;               /* files in the folder may lack what could not be read */
    bool failed;
    struct error error;
};

/* Makes the folder the backup that ends there, from now on. */
bool backup_write_mark(struct disk *, const struct journal_extent *, struct error *);
/* What belongs to the backup; everything, when the mark does not say it. */
bool backup_read_mark(struct disk *, struct journal_extent *out, struct error *);
/* Octets of this segment that belong to it. */
uint64_t backup_limit(const struct journal_extent *, uint64_t number);
/* The same while the store is in use: 0 for one behind the batch that the copy ends with, unless it
 * is next to it.  That one may hold no batch yet, but its header says which segments count. */
bool backup_find_limit(const struct backup *, uint64_t number, uint64_t *limit_out, struct error *);
/* The batch that the copy ends with was read beside its writer, who may have been refused it after
 * that: then this fails. */
bool backup_check_end(const struct backup *, struct error *);
/* Finds what the folder holds.  ERROR_REFUSED: a backup that the store does not continue; files of
 * both would lie under one name. */
bool backup_check_before(struct backup *, struct error *);
/* At most `limit` octets of it, under another name until it is synced.  What cannot be read is
 * counted with what is copied; for a restore, which counts nothing, it is an error. */
bool backup_copy_file(const struct backup *, const char *name, uint64_t limit, uint64_t *copied_out,
                      struct error *);
/* Whether the copy is there, of the same size and the same file; of one that grows no more. */
bool backup_is_copied(const struct backup *, const char *name, uint64_t limit);

#endif
