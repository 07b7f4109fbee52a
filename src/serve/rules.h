/* rules.h - the named rules about who a stranger is: one table, pure functions of what is known.
 *
 * A row has the rule's name, what it looks at, where its action is configured, and its status
 * codes.  Each can be off, warn (in the log), defer (450) or reject (550), and every refusal names
 * its rule.  They are judged at RCPT, so that the log knows whose mail it was, and postmaster can
 * always be reached (RFC 5321 4.5.1).
 *
 * Elsewhere are the rules about what a peer does: greeting_delay, errors and logins (the session's
 * machine), hourly_... and bans (serve/bans.h), greylist (serve/greylist.h).
 */
#ifndef SERVE_RULES_H
#define SERVE_RULES_H

#include "config/config.h"
#include "proto/smtp_server.h"

enum reverse {
    REVERSE_UNKNOWN, /* not asked, or DNS was in trouble: refuses nobody */
    REVERSE_CONFIRMED,
    REVERSE_MISSING,     /* no PTR record */
    REVERSE_UNCONFIRMED, /* a name that does not have this address */
};

enum { RULE_ZONE_MAX = 254, RULE_TEXT_MAX = 200 };

/* What a blocklist says of the peer. */
struct rule_listing {
    char zone[RULE_ZONE_MAX]; /* terminated */
    enum rule_action action;
    bool listed;
    char words[RULE_TEXT_MAX]; /* its TXT record, or ""; terminated */
};

struct rule_facts {
    const struct config *config;
    struct text hello; /* as said */
    struct endpoint peer;
    struct endpoint local; /* the address that it called */
    enum reverse reverse;
    const struct rule_listing *listings;
    size_t listing_count;
};

/* A rule that is broken, and is not off. */
struct rule_finding {
    const char *rule;
    enum rule_action action;
    struct smtp_answer answer; /* of defer and reject; its words name the rule; also for warn */
};

/* Tells each finding, in the order of the table; it lives for the call. */
void rules_judge(const struct rule_facts *, void (*found)(void *owner, const struct rule_finding *),
                 void *owner);

/* "1.2.0.192.ZONE", nibbles for IPv6 (RFC 5782 2.1, 2.4; RFC 3596 2.5); terminated.  False: it is
 * too long for a name. */
bool rules_reverse_name(const struct endpoint *, struct text zone, char out[RULE_ZONE_MAX]);
/* Whether the answer of a list means that the peer is on it: 127.0.0.2 to 127.0.0.255.  All else is
 * trouble of the list: 127.255.255.0/24 says that it does not serve this resolver, and an address
 * outside 127/8 that somebody has put a search page in its place. */
bool rules_is_listed(const struct endpoint *answer);

#endif
