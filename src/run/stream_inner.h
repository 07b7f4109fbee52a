/* stream_inner.h - what listeners and TLS know of streams, and all of sockets. Private to src/run.
 */
#ifndef RUN_STREAM_INNER_H
#define RUN_STREAM_INNER_H

#include "run/stream.h"

#include <sys/socket.h>

/* A stream over the socket, whose peer is known.  Takes the socket, also on failure; it must not
 * block.  For a socket of TCP, its options are set already: it has them from its listener. */
bool stream_adopt(struct loop *, int socket, const struct sockaddr_storage *peer,
                  struct stream **out, struct error *);

/* --- For TLS (stream_tls.c), which stands between a stream and its owner --- */

struct stream_tls;

/* Where the stream keeps its TLS; NULL inside: there is none.  The stream frees it. */
struct stream_tls **stream_tls_of(struct stream *);
struct loop *stream_loop(const struct stream *);
/* Whether the owner may be told anything now: neither paused nor past the end. */
bool stream_may_hear(const struct stream *);
void stream_tell_input(struct stream *, struct bytes);
void stream_tell_end(struct stream *, const struct error *why);
/* Past the end, without telling it. */
void stream_silence(struct stream *);
/* The end comes soon, with this errno value. */
void stream_break(struct stream *, int number);
void stream_read_on(struct stream *);
/* To the kernel, or kept for it: not while the stream is sending. */
enum stream_sent stream_send(struct stream *, struct bytes);
bool stream_is_sending(const struct stream *);

/* And what the stream hands over where it has TLS.  Sealed octets from the kernel: */
void stream_tls_input(struct stream_tls *, struct bytes sealed);
/* No more will come.  False: the owner is to be told the end. */
bool stream_tls_ended(struct stream_tls *, const struct error *trouble);
void stream_tls_resumed(struct stream_tls *);
enum stream_sent stream_tls_write(struct stream_tls *, struct bytes plain);
/* The kernel has taken everything so far: sends what TLS itself has to say. */
enum stream_sent stream_tls_flush(struct stream_tls *);
/* The owner has finished. */
void stream_tls_farewell(struct stream_tls *);
/* No callback after this. */
void stream_tls_stop(struct stream_tls *);
void stream_tls_free(struct stream_tls **);

/* --- Sockets --- */

/* No delay for small writes, and keepalive: a peer that vanished is noticed after two minutes.  On
 * a listening socket this holds for all that it accepts, and costs a connection nothing. */
void socket_tune(int socket);

/* The endpoint of a socket address, an IPv4-mapped one as IPv4; NET_NONE for other families. */
struct endpoint endpoint_of_socket(const struct sockaddr_storage *);
/* The length of what was written to *out; the endpoint must have a family. */
socklen_t endpoint_to_socket(const struct endpoint *, struct sockaddr_storage *out);

#endif
