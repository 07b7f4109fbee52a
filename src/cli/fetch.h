/* fetch.h - godwit fetch: what its parts share.  Private to the command. */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "agent/maildrop.h"
#include "cli/progress.h"
#include "cli/user_words.h"
#include "folder/fetched.h"
#include "folder/landing.h"

/* Options as written. */
struct fetch_words {
    struct user_words user;
    const char *to, *state;
    bool keep, deletes, quiet;
};

/* A message that the server has. */
struct fetch_message {
    uint32_t number;
    uint32_t uid_at, uid_len; /* uid_len 0: it has none that can be relied on */
    uint64_t octets;          /* 0: not known */
    bool landed;              /* whole, in the window */
    bool here;                /* on our disk, or with the reader of standard output */
    bool before;              /* ... since an earlier run */
    bool deleted;             /* marked, which counts with QUIT */
};

/* One account while it is fetched. */
struct fetch {
    const struct fetch_words *words;
    struct landing *landing;
    struct fetched *fetched;
    struct maildrop *maildrop;
    struct progress progress;
    struct failure *failure; /* of what is under way; the first that counts stays */

    struct fetch_message *messages; /* in ascending order of their numbers */
    size_t count, room;
    struct buffer uids;
    bool has_uids; /* the server told them */

    size_t asked;        /* messages before this index were looked at by next() */
    size_t answer;       /* index of the one whose answer comes next */
    size_t window_begin; /* messages from here to `answer` may be in the window */
    bool broken;         /* a window could not be ended */
    size_t refused;      /* the server would not give them, or not delete them */
    size_t deleted;      /* marked */
    uint64_t octets;
};

static inline struct text fetch_uid(const struct fetch *f, const struct fetch_message *m)
{
    return (struct text){ (const char *)f->uids.at + m->uid_at, m->uid_len };
}

/* NULL: the server did not list it. */
struct fetch_message *fetch_find(struct fetch *, uint32_t number);
/* What the server has: fills the messages, and forgets what it has no more. */
bool fetch_list(struct fetch *);
/* What is not here yet comes here: window by window, each on the disk and noted before the next.
 * False: not all did; what was whole is here all the same. */
bool fetch_retrieve(struct fetch *);
/* Marks what is here for deletion. */
bool fetch_delete(struct fetch *);
/* What is marked is deleted: its unique-ids may be those of other messages from now on. */
bool fetch_forget(struct fetch *);
/* What an earlier run has left half done is made good. */
bool fetch_make_good(struct fetch *);

#endif
