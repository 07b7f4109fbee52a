/* sender.h - a session that sends mail: to any submission server, as many messages as there are.
 *
 *   sender_open() -> sender_run(source) ... -> sender_close()
 *
 * The source gives messages and their content, and gets the results; where the server lets messages
 * follow each other closely they do.  When a server ends an old session between two messages, or
 * takes only so many in one, another session is begun without a word.
 */
#ifndef AGENT_SENDER_H
#define AGENT_SENDER_H

#include "agent/agent.h"
#include "agent/find.h"
#include "agent/login.h"
#include "agent/trace.h"
#include "proto/smtp_client.h"

struct sender;

/* Borrowed as long as the sender, with all that it points to. */
struct sender_options {
    const struct servers *servers;
    const struct credentials *credentials; /* NULL: nobody logs in */
    enum agent_tls tls;
    const struct trace *trace; /* NULL: nobody listens */
    struct text hostname;      /* for EHLO; "": our address, as a literal */
    bool lmtp;
};

/* Connects, greets, starts TLS, logs in. */
bool sender_open(struct agent *, const struct sender_options *, struct sender **out,
                 struct failure *);
/* QUIT, when there is anybody to say it to.  Frees and clears; harmless with NULL inside. */
void sender_close(struct sender **);

/* What a message of the source became: for `count` of its recipients, from `first` on.  A message
 * for many recipients gets several of these. */
enum { SENDER_RESULTS_MAX = 64 };
struct sender_sent {
    const struct smtp_client_message *message;
    uint32_t first, count;
    const struct smtp_client_result *results[SENDER_RESULTS_MAX]; /* borrowed for the call */
};

struct sender_source {
    /* The next message, borrowed until all its results have been told; NULL: no more for now. */
    const struct smtp_client_message *(*next)(void *owner);
    /* 1..n octets of its content from there on, borrowed until the next call.  False: it cannot be
     * read, and the server never sees an end of the message. */
    bool (*read)(void *owner, const struct smtp_client_message *, uint64_t offset,
                 struct bytes *piece_out);
    /* Each recipient of each message exactly once. */
    void (*sent)(void *owner, const struct sender_sent *);
    void *owner;
};
/* Sends what the source has.  False: the session failed; messages that were under way have got
 * their results, temporary ones, and the source was not asked for more. */
bool sender_run(struct sender *, const struct sender_source *, struct failure *);

/* One message whose content is in memory: the same for callers with one.  `sent` may be NULL. */
struct sender_letter {
    struct smtp_client_message message;
    struct bytes content;
    void (*sent)(void *owner, const struct sender_sent *);
    void *owner;
};
bool sender_send(struct sender *, const struct sender_letter *, struct failure *);

/* "mx.example.org[192.0.2.1]:587", for messages; lives as long as the sender. */
const char *sender_where(const struct sender *);
/* What the server said of itself. */
const struct smtp_client_offers *sender_offers(const struct sender *);

/* Why a recipient was refused, for people: the server's words, whom it is about, what to try. */
void sender_explain(const struct sender *, struct text recipient, const struct smtp_client_result *,
                    struct failure *out);
/* The name that the server gave the message ("queued as ID", "accepted as ID", "id=ID"), within the
 * reply; "" when it told none.  Pure. */
struct text sender_queue_id(struct text reply);

#endif
