/* bans.h - what each peer has done within an hour, who is banned, and who has logged in.
 *
 * One table for all loops, behind one mutex that is held for a lookup.  It is pure otherwise: time
 * is an argument (the wall clock's, since bans survive a restart), and what must be kept on disk or
 * told to people is its caller's to do (serve/guard.h).
 *
 *   tally   counts of one peer, or of one network, within an hour; a fixed number of them, the
 *           least recent makes room.
 *   ban     until when, and for what; survives in cache.db (CACHE_BAN).
 *   login   that somebody has logged in from here within a day (CACHE_LOGIN): such a peer is
 *           neither turned away nor banned, so that nobody shuts himself out by a mistyped password
 *           on his telephone.
 *
 * Loopback, trusted and allowed peers are never asked about: that is the caller's to know.
 */
#ifndef SERVE_BANS_H
#define SERVE_BANS_H

#include "base/error.h"
#include "serve/peer.h"

struct bans;

enum offence {
    OFFENCE_CONNECTION, /* none by itself */
    OFFENCE_ERROR,
    OFFENCE_LOGIN,
    OFFENCE_UNKNOWN, /* a recipient who does not exist */
    OFFENCE_COMMAND, /* none by itself */
    OFFENCES
};

/* "hourly_logins": the setting that was exceeded, and the name of the rule. */
const char *offence_rule(enum offence);

enum { BANS_LOGIN_WEIGHT = 5 };
enum { BANS_HOUR_MS = 3600 * 1000, BANS_LOGIN_MS = 24 * 3600 * 1000 };

/* In an hour, of one peer; 0: none.  A network may do `network` times as much; 0: it is not
 * counted. */
struct bans_limits {
    uint32_t most[OFFENCES];
    uint32_t network;
    int64_t now_ms; /* what time it is */
};

/* What was done, and how often. */
struct deed {
    enum offence offence;
    uint32_t count;
};

enum { BAN_RULE_MAX = 24 };
struct ban {
    int64_t since_ms, until_ms;
    char rule[BAN_RULE_MAX]; /* terminated */
    uint32_t count;          /* how often within the hour; 0: it was one session */
};

bool bans_new(uint64_t hash_secret, struct bans **out, struct error *);
void bans_free(struct bans **);

enum bans_verdict {
    BANS_WELCOME,
    BANS_BANNED,       /* *ban_out */
    BANS_PEER_OVER,    /* ban_out has rule, count and the end of the hour */
    BANS_NETWORK_OVER, /* likewise */
};

/* Adds to what the peer and its network have done, and says whether that is too much now. A peer
 * with a login is only counted. */
enum bans_verdict bans_count(struct bans *, const struct endpoint *, struct deed,
                             const struct bans_limits *, struct ban *ban_out);
/* A new connection: whether it is banned, or over any of the limits; it is not counted. */
enum bans_verdict bans_meet(struct bans *, const struct endpoint *, const struct bans_limits *,
                            struct ban *ban_out);
/* Errors of the last hour, without its network's; a failed login counts as BANS_LOGIN_WEIGHT more.
 */
uint32_t bans_mistakes(struct bans *, const struct endpoint *, int64_t now_ms);

/* False, and nothing happens: somebody has logged in from there within a day, or there are too many
 * bans.  A longer ban that is there already stays. */
bool bans_put(struct bans *, const struct endpoint *, const struct ban *, int64_t now_ms);
/* Lifts the ban and forgets what was counted.  False: it was not banned. */
bool bans_lift(struct bans *, const struct endpoint *, int64_t now_ms);
/* Somebody has logged in; *news_out: the last time that was written down is more than an hour ago.
 * A ban ends with it. */
void bans_logged_in(struct bans *, const struct endpoint *, int64_t at_ms, bool *news_out);
bool bans_has_login(struct bans *, const struct endpoint *, int64_t now_ms);

/* What is known of a peer, for people. */
struct bans_report {
    bool banned, logged_in;
    struct ban ban;
    int64_t login_ms;
    uint32_t counts[OFFENCES]; /* in the hour that began at hour_ms; 0: none began */
    int64_t hour_ms;
};
void bans_report(struct bans *, const struct endpoint *, int64_t now_ms, struct bans_report *out);

/* A ban as it stands in cache.db: "SINCE COUNT RULE". */
struct text ban_print(const struct ban *, char *out, size_t room);
/* Fills all but until_ms. */
bool ban_parse(struct text, struct ban *out);

#endif
