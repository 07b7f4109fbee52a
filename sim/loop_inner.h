/* loop_inner.h - what streams and nodes know of a loop of the simulated world. */
#ifndef SIM_LOOP_INNER_H
#define SIM_LOOP_INNER_H

#include "run/loop.h"
#include "sim/world.h"

enum { LOOP_SLAB_OCTETS = 64 * 1024 };

struct loop {
    struct host *host;
    struct heap deadlines;
    struct event timer;
    bool firing;
    struct post *first_post;
    struct post *last_post;
    struct event wake;
    bool stopped;
    struct list finishing; /* streams without an owner */
    struct loop_figures figures;
    uint8_t slab[LOOP_SLAB_OCTETS];
};

/* Whoever runs now is on this loop: streams and timers have no other protection. */
void loop_expect_own(const struct loop *);

void stream_close_finishing(struct loop *);

#endif
