/* front.h - what stands in front of a host with a fault: it takes the calls of others.
 *
 * A session that shows the fault is answered here (lab/sink.h) or, when the fault lets mail pass,
 * is handed on line by line to the real server behind.
 */
#ifndef LAB_FRONT_H
#define LAB_FRONT_H

#include "lab/plan.h"
#include "run/loop.h"

struct front;

/* Listens where the host's smtp is looked for; a dead host gets nobody (*out is NULL then). */
bool front_start(struct loop *, const struct lab_plan *, const struct lab_host *,
                 struct front **out, struct error *);
void front_stop(struct front **);

#endif
