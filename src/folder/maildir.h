/* maildir.h - messages put into a Maildir, many with one sync.
 *
 *     begin, add ..., end       a message is whole in tmp/            nothing counts yet
 *     begin, add ..., end       another
 *     sync                      what is in tmp/ is on the disk        a crash can be made good
 *     show                      all are in new/ or cur/, on the disk  they count
 *
 * Nobody sees a message before `show`.  Between `sync` and `show` a caller may note the names where
 * they last: after a crash maildir_finish() shows what was only synced, so that a message comes
 * neither twice nor not at all.  Content is written as given: line ends are the caller's.
 *
 * Calls block.  What fails is ERROR_TEMPORARY with the file's name, but ERROR_REFUSED when the
 * Maildir itself is not one or cannot be made.
 */
#ifndef FOLDER_MAILDIR_H
#define FOLDER_MAILDIR_H

#include "base/error.h"

struct maildir; /* opaque */

enum {
    MAILDIR_TARGET_MAX = 128,  /* with its end */
    MAILDIR_WINDOW_MAX = 4096, /* messages between two maildir_show() */
};

/* Opens it; makes it, with tmp, new and cur (0700), when nothing else is there. */
bool maildir_open(const char *path, struct maildir **out, struct error *);
/* What was not shown is removed, unless it was synced: that is left for maildir_finish(). */
void maildir_close(struct maildir **);

/* Until the Maildir is closed no other caller of this has it: ERROR_REFUSED while one does. */
bool maildir_lock(struct maildir *, struct error *);

struct maildir_facts {
    /* What its name is made of, by maildir_path(): under lock, since what is in tmp/ under this
     * name is thrown away.  Empty: a name that no other has. */
    struct text base;
    int64_t received_ms; /* becomes the file's time; 0: now */
    unsigned flags;      /* as mail/flags.h: into cur/; 0: new/ */
};
/* A new message, in a file of its own (0600).  Not when maildir_window() is at its maximum. */
bool maildir_begin(struct maildir *, const struct maildir_facts *, struct error *);
bool maildir_add(struct maildir *, struct bytes, struct error *);
/* The message is whole.  *target_out is what maildir_finish() wants: its name in tmp/, as
 * mail/maildir.h makes a path of it ("new/17...", "cur/17...:2,S"). */
bool maildir_end(struct maildir *, char target_out[MAILDIR_TARGET_MAX], struct error *);
/* Forgets the message that was begun; harmless without one. */
void maildir_drop(struct maildir *);

/* Messages that are whole and not shown. */
size_t maildir_window(const struct maildir *);
bool maildir_sync(struct maildir *, struct error *);
bool maildir_show(struct maildir *, struct error *);

enum maildir_finished {
    MAILDIR_SHOWN, /* it is there, whoever has moved or marked it since, or it was shown now */
    MAILDIR_GONE,  /* there is no such message; if it was shown, somebody has taken it away */
    MAILDIR_TROUBLE,
};
/* Makes good what a crash interrupted.  Counts only after maildir_finish_end(). */
enum maildir_finished maildir_finish(struct maildir *, const char *target, struct error *);
bool maildir_finish_end(struct maildir *, struct error *);

#endif
