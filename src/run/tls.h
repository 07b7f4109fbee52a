/* tls.h - TLS 1.2 and 1.3 over streams, behind OpenSSL.
 *
 * One of the interfaces with two implementations (src/run and sim).  A stream becomes a TLS stream
 * by tls_accept() or tls_connect(); everything in stream.h then means the plain octets.  Its owner
 * learns one thing more: how the handshake ended.
 *
 *                 owner hears of         writing     left by
 *   HANDSHAKE     `shaken`, once         not yet     its end; close, finish: then no `shaken` comes
 *   SHAKEN        input, end, drained    yes         as any stream; finish says close_notify
 *   FAILED        nothing any more       broken      close; finish, which lets our alert go out
 *
 * An end of the connection without close_notify is an orderly end: SMTP and POP3 say themselves
 * what is complete.  There is no renegotiation, no compression, no early data, and no ALPN.
 *
 * Contexts are immutable and may be used by all loops.  A server's context may be freed while
 * streams use it: they keep what they need of it; a client's must outlive the turns of its streams.
 * A service must outlive all of them.
 */
#ifndef RUN_TLS_H
#define RUN_TLS_H

#include "run/stream.h"

/* --- What a server has once: the keys of its tickets --- */

struct tls_service;
/* Keys are made here, replaced every few hours, and never leave the process. */
bool tls_service_new(struct tls_service **out, struct error *);
void tls_service_free(struct tls_service **);

/* --- Contexts --- */

struct tls_context;

/* A certificate with its chain, and its key: what two PEM files hold. */
struct tls_pair {
    struct text host;             /* the server name it is for; empty: any other */
    const char *certificate_name; /* of the files, for messages */
    const char *key_name;
    struct bytes certificate, key; /* borrowed for the call */
};

/* For accepting, with a certificate by server name (SNI).  A peer that names another host, or
 * none, gets the pair without a host; when there is none, the handshake fails.  ERROR_CONFIG: a
 * file holds nothing usable, or key and certificate do not belong together. */
bool tls_server_context_new(struct tls_service *, const struct tls_pair *, size_t count,
                            struct tls_context **out, struct error *);
/* For calling.  Trusts the authorities in this PEM file; NULL: those that the system trusts.
 * ERROR_CONFIG: the file holds none, or cannot be read.
 * Sessions are resumed, a few hundred at most: with the same address under the same name, and only
 * where the same is demanded of the peer. */
bool tls_client_context_new(const char *authorities, struct tls_context **out, struct error *);
/* The same without authorities, which take a while to read: for TLS_VERIFY_NONE and
 * TLS_VERIFY_DANE. */
bool tls_client_context_new_lax(struct tls_context **out, struct error *);
void tls_context_free(struct tls_context **);

/* --- Streams --- */

enum tls_verify {
    TLS_VERIFY_NONE, /* any certificate: encryption, but nobody is known */
    TLS_VERIFY_NAME, /* a chain to a trusted root, and for this name */
    TLS_VERIFY_DANE, /* what one of the associations names (RFC 7671); trusted roots have no say */
};

/* What a TLSA record says (RFC 6698 2.1): a certificate, or its key, or a digest of either. */
enum { TLS_USAGE_TA = 2, TLS_USAGE_EE = 3 };
struct tls_association {
    uint8_t usage, selector, matching;
    struct bytes data;
};
/* Whether SMTP has a use for it (RFC 7672 3.1): DANE-TA(2) or DANE-EE(3), a selector and a matching
 * type that there are, and data of the right form.  Any octets will do. */
bool tls_association_is_usable(const struct tls_association *);

struct tls_options {
    /* Server: what the tickets are for; those of another service are not taken. */
    const char *service;
    /* Client: the server name, sent (SNI) and, if so wished, verified; borrowed for the call. */
    struct text name;
    enum tls_verify verify;
    /* TLS_VERIFY_DANE, borrowed for the call: at least one, all usable; and the names besides
     * `name` that a certificate may have which is vouched for by DANE-TA(2). */
    const struct tls_association *associations;
    size_t association_count;
    const struct text *names;
    size_t name_count;

    uint64_t timeout_ms; /* for the handshake */
    /* NULL: done.  Otherwise why not, for people, and the stream is FAILED. */
    void (*shaken)(void *owner, const struct error *why);
    void *owner;
};

/* For a started stream, in the clear so far.  What was read before is the owner's; he should throw
 * it away.  `shaken` never comes within the call.  False: memory is short (*error), and the stream
 * is as it was. */
bool tls_accept(struct stream *, const struct tls_context *, const struct tls_options *,
                struct error *);
bool tls_connect(struct stream *, const struct tls_context *, const struct tls_options *,
                 struct error *);

/* --- What is known of a stream, from `shaken` on --- */

enum { TLS_NAME_MAX = 255, TLS_SUBJECT_MAX = 200, TLS_PRINT = 32 };

struct tls_facts {
    /* "TLSv1.3"; of a handshake that failed: what an old client offered, "none" before a hello. */
    const char *version;
    const char *cipher;          /* the suite's standard name; both live as long as the library */
    bool resumed;                /* by a ticket */
    char name[TLS_NAME_MAX + 1]; /* the server name that the client sent, as it came; or "" */
    /* What ended a handshake that failed, as RFC 8446 6 calls it, and whose it was; or NULL. */
    const char *alert;
    bool alert_is_ours;
    /* The peer's certificate. */
    bool has_certificate;
    bool verified;                     /* TLS_VERIFY_NAME or TLS_VERIFY_DANE held */
    char subject[TLS_SUBJECT_MAX + 1]; /* cut when longer */
    uint8_t print[TLS_PRINT];          /* SHA-256 of the certificate */
    int64_t expires_s;                 /* Unix time */
};
/* False for a stream without TLS, or before the handshake's end, which may have failed. */
bool tls_facts(const struct stream *, struct tls_facts *out);

/* Channel bindings for SASL. */
enum tls_binding {
    TLS_BINDING_EXPORTER, /* RFC 9266 */
    TLS_BINDING_UNIQUE,   /* RFC 5929 3: TLS 1.2 with an extended master secret only */
};
enum { TLS_BINDING_MAX = 64 };
/* How many octets; 0: there is none. */
size_t tls_binding(const struct stream *, enum tls_binding, uint8_t out[TLS_BINDING_MAX]);

/* --- Looking at certificates, for godwit check --- */

struct tls_certificate {
    char subject[TLS_SUBJECT_MAX + 1];
    char serial[64]; /* hexadecimal, cut when longer */
    int64_t from_s, until_s;
    bool for_name; /* the asked name is one of its names */
};
/* The first certificate in the PEM text.  ERROR_CONFIG when there is none. */
bool tls_read_certificate(const struct tls_pair *, struct text name, struct tls_certificate *out,
                          struct error *);

/* --- Making certificates, for servers that were given none --- */

/* The common name of all that are made here. */
#define TLS_MAKER "made by godwit"

/* Appends, in PEM form, a key (P-256) and a certificate for the host that it signs itself, good for
 * 825 days.  The key is the first in the PEM text `known_key`, and a new one when there is none.
 * Its buffer is the caller's to wipe, on failure too.  ERROR_TEMPORARY. */
bool tls_make_certificate(struct text host, struct bytes known_key, struct buffer *certificate,
                          struct buffer *key, struct error *);

#endif
