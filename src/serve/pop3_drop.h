/* pop3_drop.h - the maildrop of one POP3 session: locked, counted, listed, read, updated.
 *
 * Between the session and the store.  It is a snapshot: what arrives after the login is not in it.
 * Operations that a lane works on outlive it; the lock is given up when the last of them is over.
 */
#ifndef SERVE_POP3_DROP_H
#define SERVE_POP3_DROP_H

#include "proto/pop3_server.h"
#include "serve/server.h"
#include "store/content.h"

struct pop3_drop;

struct pop3_drop_events {
    /* Opening, listing and updating end with one of these; on the loop, never within the call. */
    void (*opened)(void *owner, enum pop3_verdict);
    void (*listed)(void *owner, enum pop3_verdict);
    void (*updated)(void *owner, enum pop3_verdict);
    /* In its place: nobody knows what became of the update, so say nothing and go (store rule 14).
     */
    void (*lost)(void *owner);
    /* Content that was not in memory is there now: read again. */
    void (*content_ready)(void *owner);
};

struct pop3_drop_options {
    struct server_loop *home;
    mailbox_id mailbox;
    uint64_t idle_ms; /* a holder that was silent for longer is taken over; 0: never */
    const struct pop3_drop_events *events;
    void *owner;
};

/* Takes the lock; *verdict_out tells why not (NULL returned): POP3_IN_USE or POP3_TEMPORARY. */
struct pop3_drop *pop3_drop_open(const struct pop3_drop_options *, enum pop3_verdict *verdict_out);
/* Lets go; frees now or when what is under way is done. */
void pop3_drop_close(struct pop3_drop **);
/* The session is alive.  False: another has taken the maildrop over; end this session. */
bool pop3_drop_touch(struct pop3_drop *, uint64_t now_ms);

/* After an event that was not POP3_ACCEPT: what went wrong, for the log. */
const struct error *pop3_drop_error(const struct pop3_drop *);
uint32_t pop3_drop_count(const struct pop3_drop *);
uint64_t pop3_drop_octets(const struct pop3_drop *);

/* False: a lane is full or memory short; `listed` will not come. */
bool pop3_drop_list(struct pop3_drop *);
/* After `listed`. */
const struct pop3_message *pop3_drop_messages(const struct pop3_drop *);

/* Prefix and content of one message from `offset` on; CONTENT_WAIT: `content_ready` will come. */
enum content_state pop3_drop_read(struct pop3_drop *, uint32_t message, uint64_t offset,
                                  struct bytes *out);

/* Expunges the messages (0-based indices).  False: memory is short, nothing was done. */
bool pop3_drop_update(struct pop3_drop *, const uint32_t *deleted, uint32_t count);

#endif
