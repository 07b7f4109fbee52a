/* name_server.h - the DNS of a little internet, on an address and a port, over UDP and TCP. */
#ifndef LAB_NAME_SERVER_H
#define LAB_NAME_SERVER_H

#include "lab/zone.h"

#include "base/net.h"
#include "run/loop.h"

struct name_server;

/* The two sockets of one port; -1: none. */
struct name_sockets {
    int datagram, stream;
};

/* Both or none; who has them has the port.  *in_use_out: somebody else has it. */
bool name_sockets_bind(const struct endpoint *, struct name_sockets *out, bool *in_use_out,
                       struct error *);
void name_sockets_close(struct name_sockets *);

/* On the loop's thread.  Takes the sockets, on failure too.  The zones must outlive it. */
bool name_server_start(struct loop *, const struct zones *, struct name_sockets *,
                       struct name_server **out, struct error *);
void name_server_stop(struct name_server **);

#endif
