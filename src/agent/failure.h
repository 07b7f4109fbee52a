/* failure.h - why something that a user asked for did not happen: what, where, what to try.
 *
 * The kind is decided once, where the failure is seen; exit codes follow from it, the words are one
 * sentence or two for people.  They may hold what a server said, with whatever octets: who prints
 * them makes them harmless.
 */
#ifndef AGENT_FAILURE_H
#define AGENT_FAILURE_H

#include "base/error.h"

enum failure_kind {
    FAILURE_NONE,
    FAILURE_USAGE,       /* the user's words are wrong: an address, an option */
    FAILURE_DATA,        /* the message is not one, or this server can never take it */
    FAILURE_NO_INPUT,    /* a file that is needed is missing, or cannot be read */
    FAILURE_NO_USER,     /* a recipient is unknown */
    FAILURE_NO_HOST,     /* no server was found, or its name is unknown */
    FAILURE_REFUSED,     /* the server says no, for good */
    FAILURE_CREATE,      /* a file cannot be made */
    FAILURE_LATER,       /* may succeed later: nobody answers, 4xx, memory, a disk */
    FAILURE_PROTOCOL,    /* what the server says makes no sense, or TLS did not come about */
    FAILURE_DENIED,      /* the login was refused, or the password must not be said there */
    FAILURE_CONFIG,      /* the configuration is wrong */
    FAILURE_INTERRUPTED, /* by the user */
};

enum { FAILURE_WORDS_MAX = 800, FAILURE_REPLY_MAX = 400 };

struct failure {
    enum failure_kind kind;
    char words[FAILURE_WORDS_MAX]; /* terminated */
};

/* Fills it and returns false.  Words past the maximum are cut. */
bool failure_set(struct failure *, enum failure_kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A reply within such words, terminated: of several lines one, with its codes once
 * ("550-5.1.1 who", "550 5.1.1 is that": "550 5.1.1 who is that"); of a longer one the beginning,
 * and "...". */
const char *failure_reply(struct text reply, char out[FAILURE_REPLY_MAX]);
/* From an error; false. */
bool failure_of(struct failure *, const struct error *);
/* As an error: its kind is the nearest; false. */
bool failure_to_error(const struct failure *, struct error *);

/* What sysexits.h has for it: what programs that call sendmail know. */
int failure_sysexit(enum failure_kind);

#endif
