/* ports.h - the listening sockets, from before privileges are dropped until the loops have them. */
#ifndef SERVE_PORTS_H
#define SERVE_PORTS_H

#include "serve/server.h"

struct bound_port {
    int socket;
    enum role role;
    struct endpoint endpoint;
    bool handed_over; /* by the service manager: one socket, for loop 0 */
};

struct bound_ports {
    struct bound_port *ports; /* `loops` sockets for each listener, in order */
    size_t count;
    unsigned loops;
};

/* Room for the sockets of so many loops, none bound yet. */
bool ports_new(unsigned loops, struct bound_ports *out, struct error *);
/* The same with what the service manager hands over to the process. */
bool ports_take_handed(unsigned loops, struct bound_ports *out, struct error *);
/* Binds every listener once for each loop, but for the roles that were handed over. */
bool ports_bind(const struct config *, struct bound_ports *, struct error *);
/* Gives the sockets to the loops, which begin to accept.  Sockets that were not given stay open
 * only until ports_clear(). */
bool ports_start(struct bound_ports *, struct server *, struct error *);
void ports_clear(struct bound_ports *);
/* One line for each listener, for people who try godwit out. */
void ports_print(const struct bound_ports *);

#endif
