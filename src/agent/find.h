/* find.h - from an address to the servers of its domain.
 *
 * Who has a say, the first that knows any server:
 *   what the user wrote (--smtp HOST:PORT)
 *   the user's own file (accounts.h)
 *   a configuration of godwit on this machine that has the domain: its listeners
 *   the DNS: SRV records (RFC 6186, RFC 8314 5.1)
 *   the usual names in the domain, on the usual ports
 *
 * Servers come in the order in which they are to be tried.  What DNS says without a signature may
 * be anybody's word: a server that it names outside the domain is marked, and is not given a
 * password (RFC 6186 6).
 *
 * All but find_servers() is pure.
 */
#ifndef AGENT_FIND_H
#define AGENT_FIND_H

#include "agent/agent.h"
#include "config/config.h"
#include "mail/address.h"
#include "run/dns.h"

enum find_service { FIND_SMTP, FIND_POP };

enum server_source { SERVER_WRITTEN, SERVER_ACCOUNT, SERVER_OURS, SERVER_SRV, SERVER_USUAL };

struct server {
    char host[DNS_NAME_MAX];  /* terminated; the name that a certificate must have */
    struct endpoint endpoint; /* its address, where that is known; .port always */
    bool tls_first;           /* TLS from the first octet on: 465, 995 */
    bool is_foreign;          /* outside of the domain, and nobody vouches for it */
    enum server_source source;
};

enum { SERVERS_MAX = 24 };
struct servers {
    struct server at[SERVERS_MAX];
    size_t count;
};

/* "HOST", "HOST:PORT", "[2001:db8::1]:587", "smtps://HOST:PORT": one server, or without a port one
 * for each usual port, that with TLS first.  ERROR_USAGE. */
bool servers_add_written(struct servers *, enum find_service, struct text, struct error *);
/* The listeners of this configuration for the service, if the domain is one of its own. */
void servers_add_ours(struct servers *, enum find_service, const struct config *,
                      struct text domain);
/* The SRV records of one name in the order of RFC 2782, weights drawn with this seed; a target "."
 * is left out. */
struct servers_srv {
    enum find_service service;
    bool tls_first; /* _submissions, _pop3s */
    bool secure;    /* the answer was signed */
    struct text domain;
    uint64_t seed;
};
void servers_add_srv(struct servers *, const struct servers_srv *, const struct dns_record *,
                     size_t count);
void servers_add_usual(struct servers *, enum find_service, struct text domain);
/* Whether records say that there is no such service (RFC 2782: the only target is "."). */
bool servers_are_denied(const struct dns_record *, size_t count);

struct find_options {
    enum find_service service;
    const struct address *address;
    const char *written;         /* NULL: nothing */
    const char *account;         /* as written in the user's file; NULL: nothing */
    const struct config *config; /* NULL: none */
};
/* FAILURE_USAGE, FAILURE_CONFIG: what was written is no server.  FAILURE_NO_HOST: the domain says
 * that it offers no such service.  FAILURE_LATER: the DNS does not answer. */
bool find_servers(struct agent *, const struct find_options *, struct servers *out,
                  struct failure *);

#endif
