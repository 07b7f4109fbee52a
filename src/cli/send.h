/* send.h - godwit send: what its parts share.  Private to the command. */
#ifndef CLI_SEND_H
#define CLI_SEND_H

#include "agent/letter.h"
#include "agent/sender.h"
#include "base/arena.h"
#include "cli/progress.h"
#include "cli/user_words.h"

enum {
    SEND_FILE_MAX = 256 << 20, /* octets of a message that is read, and of a text */
    SEND_ID_MAX = 128,
    SEND_KEPT = 4, /* messages whose results were told, and which the session may still look at */
};

/* Options as written. */
struct send_words {
    struct user_words user;
    const char *from, *subject, *body_file, *html_file, *notify;
    struct option_list to, cc, bcc, attach;
    unsigned ret; /* 1: full, 2: hdrs */
    bool from_header, quiet;
};

/* A message on its way. */
struct outgoing {
    struct arena arena;
    struct letter letter;
    struct smtp_client_message message;
    const char *name;         /* of the file; NULL: it was composed */
    uint32_t told, delivered; /* recipients */
    bool refused;             /* as a whole, not only for some */
    bool lost;                /* the session failed before a word about it */
    char id[SEND_ID_MAX];     /* what the server calls it */
};

/* One call of the command. */
struct send {
    struct cli *cli;
    const struct send_words *words;
    struct user *user;
    struct sender *sender;
    struct progress progress;
    unsigned notify;
    size_t next_file;                 /* of the command's words */
    struct outgoing *first;           /* made before anybody was called */
    struct outgoing *kept[SEND_KEPT]; /* finished, the oldest is freed for the next */
    size_t kept_at;
    size_t sent;        /* messages */
    enum cli_exit code; /* of the first thing that went wrong */
};

/* The message of the options, or of a file ("-": standard input).  False: *f. */
bool send_compose(struct send *, struct outgoing **out, struct failure *f);
bool send_read(struct send *, const char *name, struct outgoing **out, struct failure *f);
void send_free(struct outgoing **);

/* Reads a whole file; FAILURE_NO_INPUT, or FAILURE_DATA when it is too large. */
bool send_slurp(const char *name, struct buffer *, struct failure *);

/* All messages over one session. */
bool send_all(struct send *, struct failure *);
/* Tells what went wrong, and keeps the first exit code. */
void send_tell(struct send *, const struct failure *);

#endif
