/* owner.h - whose the mail is: root never touches DATA, it becomes DATA's owner first.
 *
 * For commands and the server alike (docs/border.md, "Files and owners"): a DATA that exists keeps
 * its owner, a new one belongs to the configured user when that account exists.
 */
#ifndef RUN_OWNER_H
#define RUN_OWNER_H

#include "run/process.h"

/* A folder outside of DATA. */
struct owner_place {
    const char *path;
    unsigned mode;
};

struct owner_wish {
    const char *data;  /* absolute path of DATA */
    const char *user;  /* the configured account */
    bool user_written; /* in the file: then it must exist */
    bool create;       /* make DATA (0700) when it is missing */
    bool must_be_user; /* the server: `user` if there is such an account, even if DATA differs */
    const struct owner_place *places; /* root makes them for him when they are missing */
    size_t place_count;
};

/* Not root: nothing to do.  Root: makes DATA if wished, then becomes its owner for good; before any
 * thread exists.  *warning_out is one sentence, or "" (terminated, ERROR_WORDS_MAX octets).
 * ERROR_CONFIG: the written account does not exist, or DATA belongs to another one. */
bool owner_become(const struct owner_wish *, char warning_out[ERROR_WORDS_MAX], struct error *);

/* The same for files of people that root was asked to read or write: becomes the owner of this file
 * or folder, or of the folder that it would be made in.  A link counts as itself, not as what it
 * points to.  ERROR_REFUSED: there is not even such a folder. */
bool owner_become_of(const char *path, struct error *);

#endif
