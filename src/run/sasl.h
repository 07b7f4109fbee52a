/* sasl.h - one SASL exchange, the server's side: PLAIN, LOGIN, SCRAM-SHA-256 and SCRAM-SHA-1
 * with their -PLUS.
 *
 * An exchange is fed what the client says, decoded, and says what must happen next.  It asks nobody
 * itself: passwords are checked and verifiers found by its owner, who may take his time.
 *
 *   PLAIN, LOGIN   ...  SASL_PASSWORD: check name and password; the exchange is over
 *   SCRAM          ...  SASL_VERIFIER: sasl_give() brings it and goes on  ...  SASL_RIGHT
 *
 * For one thread at a time, the service too.
 */
#ifndef RUN_SASL_H
#define RUN_SASL_H

#include "base/buffer.h"
#include "run/secret.h"
#include "run/tls.h"

/* What exchanges of one loop share. */
struct sasl_service;
bool sasl_service_new(struct sasl_service **out, struct error *);
void sasl_service_free(struct sasl_service **);

/* The mechanisms, as EHLO and CAPA list them, the strongest first. */
#define SASL_MECHANISMS            "SCRAM-SHA-256 PLAIN LOGIN"
#define SASL_BOUND_MECHANISMS      "SCRAM-SHA-256-PLUS " SASL_MECHANISMS
/* ... where SHA-1 is wanted */
#define SASL_SHA1_MECHANISMS       "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN"
#define SASL_SHA1_BOUND_MECHANISMS "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS " SASL_SHA1_MECHANISMS

struct sasl;

/* `mechanism` is one of those above, in upper case.  `stream` is where channel bindings come from;
 * it must outlive the exchange.  NULL: memory is short. */
struct sasl *sasl_new(struct sasl_service *, struct text mechanism, const struct stream *stream);
/* Wipes every secret. */
void sasl_free(struct sasl **);

enum sasl_verdict {
    SASL_CHALLENGE, /* send sasl_challenge(), step again with the response */
    SASL_PASSWORD,  /* is sasl_password() right for sasl_name()? */
    SASL_VERIFIER,  /* who is sasl_name()? then sasl_give() */
    SASL_RIGHT,     /* the client has proved to know the password */
    SASL_WRONG,
    SASL_MALFORMED, /* no message of this mechanism */
    SASL_TEMPORARY, /* memory is short */
};

/* What the client said; `initial` tells whether it said anything (AUTH without an initial response
 * says nothing). */
enum sasl_verdict sasl_step(struct sasl *, struct text words, bool initial);
/* Answers SASL_VERIFIER, whose name may be nobody's: then with a verifier that nothing fits. */
enum sasl_verdict sasl_give(struct sasl *, const struct verifier *);

/* All are borrowed until the next call.  The name that logs in, the password for PLAIN and LOGIN,
 * and whom the client wants to act for: empty, or a name that the owner must find to be the same
 * (RFC 4422 2). */
struct text sasl_challenge(const struct sasl *);
struct text sasl_name(const struct sasl *);
struct text sasl_password(const struct sasl *);
struct text sasl_acting_for(const struct sasl *);

#endif
