/* guard.h - who may come in, and what comes of what they do: between sessions, the table of bans
 * and cache.db.
 *
 * Loopback, trusted and logged-in peers are never looked at (conn.exempt), nor those in
 * abuse.allow.
 */
#ifndef SERVE_GUARD_H
#define SERVE_GUARD_H

#include "proto/penance.h"
#include "serve/bans.h"
#include "serve/server.h"
#include "store/cache.h"

struct conn;

/* What was known at the last end: bans and logins.  Before the loops turn; blocks. */
void guard_load(struct shared *, struct cache *, int64_t now_ms);

enum { GUARD_WORDS_MAX = 160 };
/* A new connection of a stranger.  False: it is turned away with these words, which name the rule.
 */
bool guard_admits(struct server_loop *, const struct endpoint *, char words_out[GUARD_WORDS_MAX]);
/* How many mistakes a new session of this stranger begins with. */
uint32_t guard_mistakes(struct server_loop *, const struct endpoint *);

/* The session has done this so often more: counted; when it was too much, the session is ended and
 * its peer banned, if that is configured. */
void guard_count(struct conn *, enum offence, uint32_t count);
/* The same for what its machine has counted since the last time. */
void guard_watch(struct conn *, const struct mistakes *);
/* Somebody has logged in. */
void guard_logged_in(struct conn *);

/* The limits of a configuration, now. */
struct bans_limits guard_limits(const struct config *);

#endif
