/* zone.h - the records of a little internet, in memory.
 *
 * Records are written as in a master file (RFC 1035 5.1), one a line, names complete.  A zone
 * begins at each SOA; a name belongs to the zone that begins nearest above it.  There are no
 * delegations: whoever has these records is authoritative for all of them.  Immutable once filled,
 * and small: looking up is a walk.
 */
#ifndef LAB_ZONE_H
#define LAB_ZONE_H

#include "base/error.h"

#include <ldns/ldns.h>

enum { ZONE_RECORDS_MAX = 4096 };

struct zones;

/* A library that is short of memory makes these false too. */
bool zones_new(struct zones **out, struct error *);
void zones_free(struct zones **);
/* "a.test. 60 IN MX 10 mx.a.test."; one that is there already stays once.  ERROR_USAGE. */
bool zones_add(struct zones *, const char *line, struct error *);
bool zones_addf(struct zones *, struct error *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The SOA of the zone that answers for this name and type: for DS (RFC 4035 3.1.4.1) the one above
 * a zone's first name.  NULL: none does.  Borrowed, as all that follows. */
const ldns_rr *zones_soa(const struct zones *, const ldns_rdf *name, ldns_rr_type);
/* The next record of this name and type (or any, with LDNS_RR_TYPE_ANY) from *at on, which begins
 * with 0; NULL when there is no more. */
const ldns_rr *zones_next(const struct zones *, const ldns_rdf *name, ldns_rr_type, size_t *at);
/* Whether the name or one below it has any record (RFC 8020, RFC 4592 2.2.2). */
bool zones_has_name(const struct zones *, const ldns_rdf *name);

#endif
