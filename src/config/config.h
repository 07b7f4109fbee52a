/* config.h - the configuration file as a value.
 *
 * The schema is schema.c.  Everything is parsed and checked here, from the first version; what a
 * service that does not exist yet will want is there already.  A config is immutable after
 * config_load() and owns all that its texts point to; each has a zero behind it, so that a path can
 * be handed to the system as it is.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/error.h"
#include "base/net.h"

enum role {
    ROLE_SMTP,
    ROLE_SUBMISSION,
    ROLE_SUBMISSIONS,
    ROLE_POP3,
    ROLE_POP3S,
    ROLE_COUNT,
    ROLE_LOCAL = ROLE_COUNT /* local.socket: no service of a listen section */
};
enum cleartext { CLEARTEXT_NEVER, CLEARTEXT_LOOPBACK, CLEARTEXT_ALWAYS };
enum submission_from { SUBMISSION_FROM_ANY, SUBMISSION_FROM_CHECK };
enum relay_tls {
    RELAY_TLS_NONE,
    RELAY_TLS_MAY,
    RELAY_TLS_ENCRYPT,
    RELAY_TLS_VERIFY,
    RELAY_TLS_DANE,
    RELAY_TLS_AS_RELAY /* of a route: what relay.tls says */
};
enum tls_begins { TLS_BEGINS_AUTO, TLS_BEGINS_CONNECT, TLS_BEGINS_STARTTLS };
enum dnssec { DNSSEC_AUTO, DNSSEC_OFF, DNSSEC_REQUIRE };
enum rule_action { RULE_OFF, RULE_WARN, RULE_DEFER, RULE_REJECT };
enum protocol_log { PROTOCOL_LOG_OFF, PROTOCOL_LOG_COMMANDS, PROTOCOL_LOG_ALL };

struct config_listener {
    enum role role;
    struct endpoint endpoint;
    bool written;  /* named in the file: not binding it is fatal */
    bool optional; /* its family may be missing on this machine */
};

struct config_domain {
    struct text name;      /* canonical: lower case, A-labels */
    struct text catch_all; /* an address; empty: none */
    bool plus_addressing;
};

struct config_certificate {
    struct text host;             /* empty: the default */
    struct text certificate, key; /* absolute paths */
};

/* Ways to log in elsewhere, in the order of the setting's words. */
enum mechanism {
    MECHANISM_AUTO, /* the strongest that is offered */
    MECHANISM_PLAIN,
    MECHANISM_LOGIN,
    MECHANISM_SCRAM_SHA_1,
    MECHANISM_SCRAM_SHA_256,
    MECHANISM_SCRAM_SHA_256_PLUS
};

/* As whom this server logs in with a smarthost or the host of a route. */
struct config_login {
    struct text user;                    /* empty: nobody logs in */
    struct text password, password_file; /* one of them, when there is a user; an absolute path */
    enum mechanism mechanism;
    enum cleartext cleartext; /* where the password may go without TLS */
};

enum { CONFIG_LOGIN_MAX = 255 }; /* octets of a user's name */

struct config_route {
    struct text domain;
    struct text host; /* "host[:port]" as written; empty: as without the route, but for tls */
    enum relay_tls tls;
    enum tls_begins tls_begins;
    struct config_login login;
};

enum { CONFIG_BLOCKLISTS_MAX = 8 };

/* A list of senders in the DNS (RFC 5782). */
struct config_blocklist {
    struct text zone;
    enum rule_action action;
};

struct config {
    struct text file;     /* as named; empty when there is none */
    struct text hostname; /* canonical; default: the machine's name */
    struct text data;     /* absolute path */
    struct text user;
    bool user_written, data_written;
    bool sandbox;
    struct text postmaster; /* an address, or empty */
    struct text catch_all;  /* an address: mail for domains that are not ours goes nowhere else */

    const struct config_listener *listeners;
    size_t listener_count;
    const struct config_domain *domains;
    size_t domain_count;
    const struct config_certificate *certificates;
    size_t certificate_count;
    bool certificate_made; /* the file names none: the only one is DATA's, which the server makes */

    const struct network *trusted;
    size_t trusted_count;
    struct text smarthost;
    struct config_login smarthost_login;
    enum tls_begins smarthost_tls_begins;
    uint16_t relay_port;
    enum relay_tls relay_tls;
    bool relay_tls_written;
    struct text relay_ca; /* a file; empty: the system's */
    bool relay_mta_sts;
    uint16_t relay_mta_sts_port;
    const struct config_route *routes;
    size_t route_count;
    const uint64_t *retry_ms;
    size_t retry_count;
    uint64_t warn_ms, expire_ms;

    enum cleartext cleartext;
    uint32_t iterations; /* of the verifier of a new password */
    bool scram_sha1;
    enum submission_from submission_from;
    uint32_t messages_hourly, recipients_hourly; /* of one user; 0: no limit */
    const struct endpoint *resolvers;
    size_t resolver_count;
    enum dnssec dnssec;
    struct text anchors; /* a file; empty: the root's own */

    uint64_t message_octets;
    uint32_t recipients, transactions, connections, connections_per_peer;
    uint64_t line_octets;
    uint32_t hops;
    uint64_t smtp_command_ms, smtp_message_ms, pop3_idle_ms, login_delay_ms;
    uint64_t body_memory;

    bool ban; /* abuse.ban: see ban_ms */
    uint64_t ban_ms;
    uint32_t errors, logins;
    const struct network *ban_allow;
    size_t ban_allow_count;
    uint32_t hourly_connections, hourly_commands, hourly_errors, hourly_logins, hourly_unknown;
    uint32_t hourly_network;
    uint64_t greeting_delay_ms, greylist_ms, greylist_life_ms;
    enum rule_action helo_name, helo_ours, reverse_dns;
    const struct config_blocklist *blocklists;
    size_t blocklist_count;

    struct text local_socket, local_spool; /* absolute paths; empty: there is none */
    bool local_socket_written;             /* named in the file: not having it is fatal */
    bool local_standard;                   /* places of an installation, which root makes */
    struct text local_domain;              /* canonical; empty: users are at hostname only */
    const struct text *local_trusted;      /* accounts that may use any sender */
    size_t local_trusted_count;

    uint64_t record_keep_ms, record_octets;
    bool record_bodies;
    struct text log_file;
    bool log_json;
    enum protocol_log log_protocol;
};

/* Warnings that are no errors (warn >= expire...) are told one by one. */
struct config_notices {
    void (*warning)(void *owner, const char *words);
    void *owner;
};

/* Reads the file; `file` NULL: /etc/godwit/godwit.conf if it exists, else the built-in loopback
 * setting for trying things out (docs/border.md, "No file at all").  ERROR_CONFIG with file, line,
 * reason and the nearest valid name.  Any thread: callers wait for each other. */
bool config_load(const char *file, const struct config_notices *, struct config **out,
                 struct error *);
/* The same from text in memory, as if it had been read from the file of this name. */
bool config_read(const char *file, struct text, const struct config_notices *, struct config **out,
                 struct error *);
/* For a file with a mistake, to find the server that would tell it too: a config of which only
 * `data` is the file's, as far as it can be recognised.  `file` as for config_load(). */
bool config_load_data(const char *file, struct config **out, struct error *);
/* Wipes the passwords in it. */
void config_free(struct config **);

/* The local domain with this canonical name, or NULL. */
const struct config_domain *config_domain(const struct config *, struct text name);
/* The logins that there are, one after the other; NULL past the last. */
const struct config_login *config_login(const struct config *, size_t index);
bool config_trusts(const struct config *, const struct endpoint *peer);
/* Whether a user of the machine may send as anybody: in local.trusted. */
bool config_trusts_account(const struct config *, struct text account);
/* In abuse.allow. */
bool config_allows(const struct config *, const struct endpoint *peer);
const char *role_name(enum role);

/* For a reload: `next` keeps what `now` has of the keys that need a restart, but for `listen`,
 * which only says what would be bound.  False: memory is short. */
bool config_keep(struct config *next, const struct config *now, struct error *);

enum { CONFIG_RESTART_MAX = 5 };
/* Names of the keys that differ and need a restart (data, user, listen, sandbox, local: socket and
 * spool), for reload;
 * returns how many were written to `out`. */
size_t config_needs_restart(const struct config *now, const struct config *next,
                            const char *out[CONFIG_RESTART_MAX]);

/* One row of the schema, for help, check and the man page. */
struct config_row {
    const char *section; /* "" for the top level */
    const char *key;
    const char *type;     /* "size", "duration", "list of networks", ... */
    const char *standard; /* the default as written in a file */
    const char *meaning;  /* a sentence or two */
};
/* The rows in the order of the man page; NULL past the last. */
const struct config_row *config_row(size_t index);
/* What a section is for; false past the last. */
struct config_section {
    const char *name;
    const char *parent; /* the section that it stands in, or "" */
    bool titled;
    const char *meaning;
};
bool config_section(size_t index, struct config_section *out);

#endif
