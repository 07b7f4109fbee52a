/* datagram.h - datagrams (UDP): a socket that takes them in and sends them out.
 *
 * One of the interfaces with two implementations (src/run and sim), chosen at link time.  All
 * functions but datagram_bind() are for the loop's thread.  Nothing is promised about a datagram:
 * it may be lost, here too, and then nobody is told.
 */
#ifndef RUN_DATAGRAM_H
#define RUN_DATAGRAM_H

#include "base/net.h"
#include "run/loop.h"

struct datagrams; /* opaque: one socket */

/* A datagram has come; the bytes live for the call only.  The callee may send and close. */
typedef void datagram_received(void *owner, const struct endpoint *from, struct bytes);

/* Binds but takes nothing in yet.  *in_use_out tells whether it failed with EADDRINUSE. */
bool datagram_bind(const struct endpoint *, int *socket_out, bool *in_use_out, struct error *);
/* Takes the bound socket into the loop; on failure it stays the caller's. */
bool datagram_start(struct loop *, int socket, datagram_received *, void *owner,
                    struct datagrams **out, struct error *);
/* Sends one if the kernel takes it at once. */
void datagram_send(struct datagrams *, const struct endpoint *to, struct bytes);
/* Closes the socket; no callback after this. */
void datagram_close(struct datagrams **);

#endif
