/* sasl_client.h - one SASL exchange, the client's side: SCRAM-SHA-256 and its -PLUS, SCRAM-SHA-1,
 * PLAIN and LOGIN, so that a server can log in with another one.
 *
 * The strongest mechanism that the server offers is taken, unless one is asked for.  Whether a
 * password may be said on a connection at all is the owner's to decide, before he makes one.
 *
 *   sasl_client_new -> sasl_client_step("") -> SAYS -> sasl_client_step(challenge) -> SAYS ...
 *
 * It may be moved from thread to thread between calls: a step that sasl_client_is_slow() tells of
 * belongs on a lane.
 */
#ifndef RUN_SASL_CLIENT_H
#define RUN_SASL_CLIENT_H

#include "base/buffer.h"
#include "base/error.h"
#include "run/tls.h"

struct sasl_client;

enum {
    SASL_CLIENT_TEXT_MAX = 1024, /* octets of a user's name, and of a password */
    /* What a server may ask to be computed (half a second); real ones ask for 4096 to 600,000. */
    SASL_CLIENT_ITERATIONS_MAX = 1000 * 1000,
};

struct sasl_client_options {
    struct text offered;         /* the server's mechanisms, separated by spaces */
    struct text mechanism;       /* the only one that will do; "": the strongest */
    struct text user, password;  /* copied; without NUL */
    const struct stream *stream; /* what mechanisms can be bound to, for this call; NULL: no TLS */
};

/* False: there is no such mechanism (ERROR_REFUSED), or memory is short (ERROR_TEMPORARY). */
bool sasl_client_new(const struct sasl_client_options *, struct sasl_client **out, struct error *);
/* Wipes every secret. */
void sasl_client_free(struct sasl_client **);
/* In upper case; lives as long as the program. */
struct text sasl_client_mechanism(const struct sasl_client *);

enum sasl_client_verdict {
    SASL_CLIENT_SAYS,   /* sasl_client_words() */
    SASL_CLIENT_SILENT, /* only at the beginning: no initial response */
    SASL_CLIENT_DOUBTS, /* the server makes no sense, or has not shown that it knows the password:
                         *error; the exchange is over */
};
/* The next thing to say, to nothing at first and then to each challenge. */
enum sasl_client_verdict sasl_client_step(struct sasl_client *, struct text challenge,
                                          struct error *);
/* Whether the next step takes milliseconds, or half a second if the server wants it so. */
bool sasl_client_is_slow(const struct sasl_client *);
/* Borrowed until the next call; a secret. */
struct text sasl_client_words(const struct sasl_client *);
/* Whether the server may say yes to these words: all that has to be said was said, and it has
 * shown whatever the mechanism wants shown. */
bool sasl_client_may_end(const struct sasl_client *);

#endif
