/* foreign.h - hosts outside that take mail by SMTP, each for the domain of its place. */
#ifndef SIM_FOREIGN_H
#define SIM_FOREIGN_H

#include "sim/town.h"
#include "sim/zone.h"

struct foreign;

/* The domain with TLSA records, and the one with a policy. */
#define SIGNED  "t1.test"
#define POLICED "p1.test"

/* They listen, and their people are in the ledger, from now on. */
struct foreign *foreign_open(struct town *);
/* When all sessions with them are over. */
void foreign_close(struct foreign **);

#endif
