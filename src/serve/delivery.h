/* delivery.h - one SMTP transaction on its way into the store: into mailboxes, into the queue.
 *
 * It gathers whom the message is for, then the body, then is committed.  It may outlive its
 * session: a commit in flight is never revoked, only its answer is lost.
 */
#ifndef SERVE_DELIVERY_H
#define SERVE_DELIVERY_H

#include "mail/amend.h"
#include "mail/convert.h"
#include "mail/trace.h"
#include "serve/recipients.h"
#include "serve/server.h"
#include "store/spool.h"

struct delivery;

struct delivery_events {
    void (*body_ready)(void *owner);                   /* after SPOOL_WAIT */
    void (*body_complete)(void *owner);                /* see delivery_body_end() */
    void (*committed)(void *owner, struct delivery *); /* see delivery_verdict() */
};

/* NULL: memory is short. */
struct delivery *delivery_new(struct server_loop *, const struct delivery_events *, void *owner);
/* The session lets go.  Frees it now, or when its commit is done; the message is not stored unless
 * its commit has begun. */
void delivery_release(struct delivery **);

/* Adds one accepted RCPT. */
enum recipients_add delivery_add(struct delivery *, const struct recipient_named *);

/* Before it is opened: the message is a submission by this author, so that its header will be
 * mended on the way (mail/amend.h).  False: memory is short. */
bool delivery_amend(struct delivery *, struct text author);
/* Likewise: it comes with BODY=BINARYMIME. */
void delivery_is_binary(struct delivery *);
/* Takes a message id and begins the body with the trace fields; `only_recipient`, `id` and the
 * times of it are filled in here.  False: memory is short. */
bool delivery_open(struct delivery *, struct trace_received *, const struct address *recipient,
                   uint32_t recipient_count);
/* False after SPOOL_FAILED: the rest may be thrown away. *wait_out: give no more before
 * body_ready. */
void delivery_body(struct delivery *, struct bytes, bool *wait_out);
/* Whether all of the body so far could be kept. */
bool delivery_is_whole(const struct delivery *);
/* The body is complete.  False: what came as binary is looked at first, and `body_complete` will
 * come. */
bool delivery_body_end(struct delivery *);
/* Behind that, of a submission: whom its header names; valid until the delivery ends. */
struct amend_author delivery_author(const struct delivery *);
enum delivery_end {
    DELIVERY_COMMITTING, /* `committed` will come */
    DELIVERY_LOOPS,      /* everybody it is for has had it before (RFC 5321 6.3); not sent */
    DELIVERY_NO_MEMORY,  /* not sent */
    DELIVERY_NOT_LINES,  /* binary, and cannot be made into lines: delivery_obstacle(); not sent */
};
/* Sends it to the store.  `body`: what the decoder has counted on all that delivery_body() was
 * given. */
enum delivery_end delivery_commit(struct delivery *, const struct address *sender,
                                  const struct smtp_mail *, const struct content_facts *body);

enum convert_obstacle delivery_obstacle(const struct delivery *);

enum store_verdict delivery_verdict(const struct delivery *);
const struct error *delivery_error(const struct delivery *);
/* "accepted as ID"; lives as long as the delivery. */
struct text delivery_words(const struct delivery *);
struct text delivery_id(const struct delivery *);
uint64_t delivery_octets(const struct delivery *);
const struct recipients *delivery_recipients(const struct delivery *);

#endif
