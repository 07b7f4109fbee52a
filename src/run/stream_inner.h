/* stream_inner.h - what a listener knows of streams, and both of sockets. Private to src/run. */
#ifndef RUN_STREAM_INNER_H
#define RUN_STREAM_INNER_H

#include "run/stream.h"

#include <sys/socket.h>

/* A stream over the socket, whose peer is known.  Takes the socket, also on failure; it must not
 * block.  For a socket of TCP, its options are set already: it has them from its listener. */
bool stream_adopt(struct loop *, int socket, const struct sockaddr_storage *peer,
                  struct stream **out, struct error *);

/* No delay for small writes, and keepalive: a peer that vanished is noticed after two minutes.  On
 * a listening socket this holds for all that it accepts, and costs a connection nothing. */
void socket_tune(int socket);

/* The endpoint of a socket address, an IPv4-mapped one as IPv4; NET_NONE for other families. */
struct endpoint endpoint_of_socket(const struct sockaddr_storage *);
/* The length of what was written to *out; the endpoint must have a family. */
socklen_t endpoint_to_socket(const struct endpoint *, struct sockaddr_storage *out);

#endif
