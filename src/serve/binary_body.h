/* binary_body.h - a body that came with BODY=BINARYMIME (RFC 3030 3) on its way into the store.
 *
 * What lies in a mailbox is lines, since its readers transfer lines: for those who are at home here
 * the message is converted once, before it is committed, and every reader finds it so.  When all
 * its recipients are elsewhere it stays as it came, and is converted where a next hop asks for it.
 *
 * A body is first kept as it comes, then read again, a part in each turn of the loop (see
 * mail/convert.h), and perhaps written anew.  On one loop only.
 */
#ifndef SERVE_BINARY_BODY_H
#define SERVE_BINARY_BODY_H

#include "mail/convert.h"
#include "run/loop.h"
#include "store/spool.h"

enum binary_end {
    BINARY_LINES,     /* the spool holds lines, as of any other message */
    BINARY_KEPT,      /* the spool holds what came: it may be binary, or say that it is */
    BINARY_NOT_LINES, /* it should be lines and cannot: the obstacle says why */
    BINARY_FAILED,    /* memory or disk are short */
};

struct binary_body_options {
    struct store *store;
    struct loop *loop;
    message_id message;         /* that it will be committed as */
    bool to_lines;              /* somebody is at home here */
    void (*ready)(void *owner); /* after SPOOL_WAIT */
    void (*ended)(void *owner, enum binary_end);
    void *owner;
};

struct binary_body;

/* NULL: memory is short. */
struct binary_body *binary_body_new(const struct binary_body_options *);
/* Any time. */
void binary_body_free(struct binary_body **);
/* As spool_append(). */
enum spool_state binary_body_append(struct binary_body *, struct bytes);
/* All of it is here: `ended` will come, not within this call.  False: memory is short. */
bool binary_body_end(struct binary_body *);
/* Once, behind an `ended` that left a spool: it is the caller's from now on. */
struct spool *binary_body_take(struct binary_body *);
enum convert_obstacle binary_body_obstacle(const struct binary_body *);

#endif
