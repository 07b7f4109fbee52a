/* shared.h - everything that the loops share, each table behind its own mutex.
 *
 * No mutex is held for more than a lookup: no I/O, no callback, no allocation of unbounded size
 * under it.  What is not listed here belongs to one loop.
 *
 *   connections   how many in all, and for each peer          admitted at accept, released at close
 *   logins        passwords that were right, recognisable     written and read by auth
 *   login times   when a mailbox was last opened              LOGIN-DELAY
 *   bans          what peers have done, who is banned       see bans.h
 *   directory     its generation, a number that only grows    every address cache compares it
 */
#ifndef SERVE_SHARED_H
#define SERVE_SHARED_H

#include "base/error.h"
#include "base/net.h"
#include "store/ids.h"

#include <stdatomic.h>

struct shared;

bool shared_new(struct shared **out, struct error *);
void shared_free(struct shared **);

/* --- Connections --- */
enum admission { ADMITTED, FULL_IN_ALL, FULL_FOR_PEER };
/* Counts the connection unless a maximum is reached.  An IPv4 address or an IPv6 /64 is one peer;
 * `exempt` peers (loopback, trusted) are only counted in all.  0: no maximum. */
enum admission shared_admit(struct shared *, const struct endpoint *, bool exempt,
                            uint32_t connections_max, uint32_t per_peer_max);
/* The same endpoint and `exempt` as admitted. */
void shared_release(struct shared *, const struct endpoint *, bool exempt);
uint32_t shared_connections(struct shared *);

/* --- Logins that succeeded --- */
/* A login is recognised by a MAC over account key and password under a secret of this process, so
 * nothing here can be used elsewhere.  Valid for one generation of the directory. */
bool shared_login_known(struct shared *, struct text key, struct text password,
                        mailbox_id *mailbox_out);
void shared_login_remember(struct shared *, struct text key, struct text password, mailbox_id,
                           uint64_t generation);

/* --- LOGIN-DELAY (RFC 2449 8.1.1) --- */
/* Whether this mailbox was opened less than delay_ms ago; if not, it is opened now. */
bool shared_login_too_soon(struct shared *, mailbox_id, uint64_t now_ms, uint64_t delay_ms);

/* --- The directory's generation --- */
uint64_t shared_generation(const struct shared *);
void shared_directory_changed(struct shared *);

/* What peers have done within an hour, who is banned, who has logged in; locked on its own. */
struct bans;
struct bans *shared_bans(struct shared *);

/* A secret of this process for hashing what peers choose. */
uint64_t shared_hash_key(const struct shared *);

#endif
