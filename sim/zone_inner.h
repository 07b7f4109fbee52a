/* zone_inner.h - between zone.c, which says where mail goes, and zone_tls.c, which says how. */
#ifndef SIM_ZONE_INNER_H
#define SIM_ZONE_INNER_H

#include "sim/zone.h"

struct zone {
    struct world *world;
    struct place *places[PLACES_MAX];
    size_t count;
    struct event move, down, wrong;
};

/* The answer is this record, with a copy of the data, if there are any. */
void zone_found(struct dns_query *, const struct dns_record *, struct bytes data);
struct place *zone_find_domain(const struct zone *, struct text name);

/* zone_tls.c */
void zone_go_wrong(struct event *);
void zone_answer_tlsa(const struct place *, unsigned machine, struct dns_query *);
void zone_answer_policy_id(const struct place *, struct dns_query *);

#endif
