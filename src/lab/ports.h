/* ports.h - the ports of a lab: the usual ones plus some thousands, or the next that are free. */
#ifndef LAB_PORTS_H
#define LAB_PORTS_H

#include "lab/name_server.h"
#include "lab/plan.h"

/* Chooses plan->ports and plan->dns, so that every host has the same.  The name server's sockets
 * are bound and keep the choice from other labs; the rest is free at this moment. */
bool ports_choose(struct lab_plan *, struct name_sockets *, struct error *);

#endif
