/* records.h - the DNS records of a lab, from its plan. */
#ifndef LAB_RECORDS_H
#define LAB_RECORDS_H

#include "lab/plan.h"
#include "lab/zone.h"

/* For every domain SOA, NS, MX, SPF and the services of RFC 6186; for every host its address and
 * the name of that address; and a root, so that all other names do not exist. */
bool records_fill(const struct lab_plan *, struct zones *, struct error *);

#endif
