/* dropbox.h - a folder into which every user of the machine may put files, and out of which one
 * takes them.  Blocks: for lanes and the command line.
 *
 * The folder has mode 3733 and belongs to who takes: others can neither list nor read it, nor
 * remove what is not theirs, and what they put in gets its group, which may read it.  The owner of
 * a file is who put it there; that, and nothing that stands in it, is believed.
 *
 * A file is written under a name that begins with a dot, synced and then renamed, so that whatever
 * has a plain name was complete once.  Its owner may still change, shorten or replace it: it is
 * read once, into memory.
 */
#ifndef RUN_DROPBOX_H
#define RUN_DROPBOX_H

#include "base/buffer.h"
#include "base/error.h"

struct dropbox;

enum { DROPBOX_NAME = 32 };
/* A name that nobody guesses: hexadecimal digits, terminated. */
void dropbox_make_name(char out[DROPBOX_NAME + 1]);

/* Puts a file of the parts, one after the other, into the folder; it is durable when the call
 * returns.  ERROR_REFUSED: the folder is missing, or not for us. */
bool dropbox_put(const char *folder, const char *name, const struct text *parts, size_t count,
                 struct error *);
/* For who takes to look at once: something has changed in the folder. */
bool dropbox_poke(const char *folder, struct error *);

/* Opens the folder to take; with `create` it is made when it is missing. */
bool dropbox_open(const char *folder, bool create, struct dropbox **out, struct error *);
void dropbox_close(struct dropbox **);

/* Calls `found` for every name but those of the system, until it returns false. */
bool dropbox_each(struct dropbox *, bool (*found)(void *owner, const char *name), void *owner,
                  struct error *);

struct dropbox_file {
    unsigned uid;
    uint64_t inode;
    uint64_t octets;
    int64_t changed_ms; /* wall clock */
};
enum dropbox_verdict {
    DROPBOX_TAKEN,
    DROPBOX_GONE,   /* there is no such file any more */
    DROPBOX_OTHER,  /* it is no file that was put here: a link, a pipe, a folder */
    DROPBOX_LINKED, /* a file with a second name */
    DROPBOX_LARGE,  /* over the buffer's maximum: the buffer has how it begins */
    DROPBOX_BUSY,   /* it changes while it is read, or cannot be read now; *error says why */
};
/* Appends the file to the buffer. */
enum dropbox_verdict dropbox_take(struct dropbox *, const char *name, struct buffer *,
                                  struct dropbox_file *, struct error *);
/* What it is, without opening it. */
enum dropbox_verdict dropbox_look(struct dropbox *, const char *name, struct dropbox_file *);
/* Whether names can be made and removed now, as far as the system tells without trying. */
bool dropbox_may_change(struct dropbox *, struct error *);
/* Removes the name, whatever it is, but a folder with something in it; durable. */
bool dropbox_remove(struct dropbox *, const char *name, struct error *);
bool dropbox_rename(struct dropbox *, const char *from, const char *to, struct error *);
/* dropbox_put() into the folder that is open. */
bool dropbox_put_back(struct dropbox *, const char *name, const struct text *parts, size_t count,
                      struct error *);

#endif
