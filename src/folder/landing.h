/* landing.h - where mail lands in the user's own files: a Maildir, an mbox, or a stream of mbox
 * form for a pipe.
 *
 * The windows are those of maildir.h and fetched.h:
 *
 *     begin, add ..., end     whole messages, which nobody sees
 *     sync                    they are on the disk
 *     show                    they are where they belong, on the disk
 *     done                    the caller has written down that they are: nothing is left to make
 *                             good
 *
 * After a stop, landing_finish() with the names that the caller has noted between `sync` and `show`
 * brings a window to its end.  A stream has no second chance: what was shown is with its reader.
 *
 * Content comes as mail, with CRLF, and is kept with LF, as files have it.  All calls block; what
 * fails is ERROR_TEMPORARY, or ERROR_REFUSED for a place that cannot be one.
 */
#ifndef FOLDER_LANDING_H
#define FOLDER_LANDING_H

#include "base/error.h"

enum landing_kind { LANDING_MAILDIR, LANDING_MBOX, LANDING_STREAM };

enum {
    LANDING_NAME_MAX = 128,
    LANDING_WINDOW_MAX = 1024,        /* messages between two landing_show() */
    LANDING_WINDOW_OCTETS = 32 << 20, /* behind which landing_is_full() */
    LANDING_TARGET_MAX = 4096,
};

struct landing; /* opaque */

/* "maildir:PATH", "mbox:PATH", "-" for standard output.  ERROR_USAGE. */
bool landing_parse(const char *target, enum landing_kind *out, const char **path_out,
                   struct error *);
bool landing_open(const char *target, struct landing **out, struct error *);
/* The same with the path alone; of a stream it means nothing. */
bool landing_open_at(enum landing_kind, const char *path, struct landing **out, struct error *);
/* A stream into an open file, which stays the caller's; `name` is for the words of errors. */
bool landing_open_file(int file, const char *name, struct landing **out, struct error *);
void landing_close(struct landing **);
/* Until it is closed no other caller of this has the place, if it is a Maildir: ERROR_REFUSED while
 * one does. */
bool landing_lock(struct landing *, struct error *);
enum landing_kind landing_kind(const struct landing *);
/* As it is opened again from anywhere: with an absolute path. */
const char *landing_target(const struct landing *);

struct landing_facts {
    struct text base;   /* in a Maildir, which is locked: of its name, as maildir.h has it; or "" */
    struct text sender; /* in an mbox: "" is MAILER-DAEMON */
    int64_t received_ms; /* 0: now */
    unsigned flags;      /* as mail/flags.h */
};
bool landing_begin(struct landing *, const struct landing_facts *, struct error *);
bool landing_add(struct landing *, struct bytes, struct error *);
bool landing_end(struct landing *, char name_out[LANDING_NAME_MAX], struct error *);
/* Forgets the message that was begun; harmless without one. */
void landing_drop(struct landing *);

/* How many are in the window, and whether it should end. */
size_t landing_messages(const struct landing *);
bool landing_is_full(const struct landing *);
bool landing_sync(struct landing *, struct error *);
bool landing_show(struct landing *, struct error *);
bool landing_done(struct landing *, struct error *);

enum landing_finished {
    LANDING_SHOWN,
    LANDING_GONE, /* it never was, or somebody has taken it away */
    LANDING_TROUBLE,
};
/* Before any landing_begin(), for each message of the window that a dead process has left. */
enum landing_finished landing_finish(struct landing *, const char *name, struct error *);
/* What landing_finish() has said counts now. */
bool landing_finish_end(struct landing *, struct error *);
/* Sweeps up what a process that died before landing_done() has left of this message's window, which
 * is known to be shown.  Harmless when there is nothing. */
void landing_sweep(const char *target, const char *name);

#endif
