/* shelf.h - a folder of files that belong to people: others made them, others will read them.
 *
 * Nothing is taken for what it is not: links are not followed below the folder, and only plain
 * files are opened.  What is written comes into being whole: under a name that nobody reads,
 * synced, then renamed.  Names are relative to the folder ("cur/NAME").  Every call blocks: for the
 * command line.
 *
 * A name that is missing or there already is ERROR_REFUSED, and so is what may not be read; trouble
 * that may pass (a full disk) is ERROR_TEMPORARY.
 */
#ifndef RUN_SHELF_H
#define RUN_SHELF_H

#include "base/buffer.h"
#include "base/error.h"

struct shelf;

/* What a path is. */
enum shelf_kind {
    SHELF_NOTHING,
    SHELF_FILE, /* anything but a folder */
    SHELF_PLAIN,
    SHELF_MAILDIR, /* has cur, new and tmp */
};
/* SHELF_NOTHING too when it cannot be seen. */
enum shelf_kind shelf_look(const char *path);

bool shelf_open(const char *path, struct shelf **out, struct error *);
void shelf_close(struct shelf **);
/* Calls `found` for each name but those with a dot in front, in no order. */
bool shelf_list(struct shelf *, const char *name, void (*found)(void *owner, const char *name),
                void *owner, struct error *);
/* Those with a dot in front, "." and ".." left out. */
bool shelf_list_hidden(struct shelf *, void (*found)(void *owner, const char *name), void *owner,
                       struct error *);
bool shelf_sync(struct shelf *, const char *name, struct error *);
/* If it can. */
void shelf_remove(struct shelf *, const char *name);
/* Never over something that is there: ERROR_REFUSED. */
bool shelf_rename_new(struct shelf *, const char *from, const char *to, struct error *);

/* --- One file --- */

struct shelf_file {
    int descriptor;
    const char *name; /* for the words of errors; borrowed */
    uint64_t octets;  /* of one that was opened for reading */
    int64_t dated_ms; /* when it was last changed */
};
bool shelf_file_open(struct shelf *, const char *name, struct shelf_file *out, struct error *);
/* The same for a path of its own, whose last part may be a link. */
bool shelf_file_at(const char *path, struct shelf_file *out, struct error *);
/* Standard input, of which nobody knows the length or the date. */
struct shelf_file shelf_file_stdin(void);
/* One that somebody is writing is ERROR_TEMPORARY (fcntl locks, as mail programs use them). */
bool shelf_file_lock(struct shelf_file *, struct error *);
/* Appends up to `len` octets; *got_out is 0 at the end only. */
bool shelf_file_read(struct shelf_file *, struct buffer *, size_t len, size_t *got_out,
                     struct error *);
/* Appends what stands at `offset`, up to `len` octets; fewer only at the end. */
bool shelf_file_look(struct shelf_file *, uint64_t offset, struct buffer *, size_t len,
                     struct error *);

/* Mode 0600, empty; what a dead process has left under this name is thrown away.  ERROR_REFUSED:
 * another process is at it, or it is another user's. */
bool shelf_file_make(struct shelf *, const char *name, struct shelf_file *out, struct error *);
void shelf_file_close(struct shelf_file *);

#endif
