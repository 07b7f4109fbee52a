/* tls_inner.h - what the files of TLS share. Private to src/run.
 *
 *   tls_context.c      contexts: rules, certificates by name, verification
 *   tls_tickets.c      the service: keys of tickets, and their rotation
 *   tls_certificate.c  PEM files
 *   tls_peer.c         whom a client wants at the other end
 *   tls_sessions.c     sessions that clients may resume
 *   tls_engine.c       one connection: sealed octets in and out, no stream
 *   tls_words.c        why something failed, for people
 *   stream_tls.c       an engine and a stream together, over time
 */
#ifndef RUN_TLS_INNER_H
#define RUN_TLS_INNER_H

#include "base/buffer.h"
#include "run/tls.h"

#include <openssl/ssl.h>

struct tls_sessions;

struct tls_context {
    SSL_CTX *ssl;
    struct tls_sessions *sessions; /* of clients; NULL for a server */
};

/* --- tls_tickets.c --- */

/* Makes tickets of this context with the service's keys. */
void tls_service_serve(struct tls_service *, SSL_CTX *);
/* Lets OpenSSL call `free_it` with the pointer when it lets go of the context; false: memory. */
bool tls_service_attach(struct tls_service *, SSL_CTX *, void *pointer);

/* --- tls_context.c --- */

struct tls_table;
void tls_table_free(struct tls_table *);

/* --- tls_certificate.c --- */

/* A pair as OpenSSL has it; zeroed is none. */
struct tls_loaded {
    X509 *leaf;
    STACK_OF(X509) * chain; /* without the leaf */
    EVP_PKEY *key;
};
bool tls_load(const struct tls_pair *, struct tls_loaded *out, struct error *);
void tls_unload(struct tls_loaded *);
/* The subject, for people. */
void tls_subject(const X509 *, char out[TLS_SUBJECT_MAX + 1]);
int64_t tls_unix_time(const ASN1_TIME *);

/* --- tls_peer.c --- */

/* What a client asks for, and whom it takes.  False: memory is short, or nobody could ever be
 * taken. */
bool tls_peer_demand(SSL *, const struct tls_options *);

enum { TLS_SESSION_KEY = 32 };

/* --- tls_engine.c --- */

/* One connection.  Octets for the peer gather in `out`; the owner takes them from there. */
struct tls_engine {
    SSL *ssl;
    BIO_METHOD *method;
    struct bytes in; /* sealed octets that are still to be taken; borrowed by the owner's call */
    struct buffer out;
    bool writing;      /* in tls_engine_seal(): what comes out is the owner's own doing */
    const char *alert; /* the fatal one, once there was one */
    bool alert_is_ours;
    bool has_session_key; /* a client's, for tls_sessions.c */
    uint8_t session_key[TLS_SESSION_KEY];
};

enum tls_verdict {
    TLS_DONE,   /* the handshake is over; or: these octets were opened */
    TLS_WAITS,  /* for more input */
    TLS_CLOSED, /* the peer said close_notify */
    TLS_FAILED, /* *error; maybe an alert is in `out` */
};

/* False: memory is short. */
bool tls_engine_init(struct tls_engine *, const struct tls_context *);
void tls_engine_clear(struct tls_engine *);
enum tls_verdict tls_engine_shake(struct tls_engine *, struct error *);
/* Opens up to `room` octets; TLS_DONE with *len_out >= 1. */
enum tls_verdict tls_engine_open(struct tls_engine *, uint8_t *to, size_t room, size_t *len_out,
                                 struct error *);
/* All of it goes to `out`, or it fails. */
bool tls_engine_seal(struct tls_engine *, struct bytes plain, struct error *);
/* close_notify goes to `out`, where a handshake is done. */
void tls_engine_farewell(struct tls_engine *);
void tls_engine_facts(const struct tls_engine *, struct tls_facts *out);
size_t tls_engine_binding(const struct tls_engine *, enum tls_binding,
                          uint8_t out[TLS_BINDING_MAX]);

/* --- tls_sessions.c --- */

/* For this context, which it must outlive, and all turns of its streams.  NULL: memory. */
struct tls_sessions *tls_sessions_new(SSL_CTX *);
void tls_sessions_free(struct tls_sessions **);
/* Resumes a session with this peer if there is one for these demands, and keeps those to come. */
void tls_sessions_offer(struct tls_sessions *, struct tls_engine *, const struct tls_options *,
                        const struct endpoint *peer);

/* --- tls_words.c --- */

/* What is in OpenSSL's queue of errors, as one sentence, and empties the queue.  `ssl` may be NULL.
 * Returns false. */
bool tls_explain(const SSL *ssl, enum error_kind, const char *what, struct error *);

#endif
