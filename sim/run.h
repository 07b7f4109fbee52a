/* run.h - one world from its beginning to its end. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim/ledger.h"
#include "sim/world.h"

enum { RUN_LETTERS = 400 };

struct run_options {
    uint64_t seed;
    uint64_t letters, hours;
    unsigned nodes;
    bool swarm;         /* the seed draws how much of all that there is */
    uint64_t without;   /* kinds of fault that do not happen: 1 << enum fault */
    uint64_t show_from; /* the step from which the trace is shown; UINT64_MAX: never */
};

struct run_result {
    bool over, failed;
    char why[ERROR_WORDS_MAX];
    uint64_t steps, world_us, trace, crashes, sessions;
    struct ledger_figures letters;
    uint64_t faults[FAULTS], checks[CHECKS];
    struct points points;
};

/* Once in a process. */
bool run_set_up(void);
/* Keeps result->steps as it goes on, so that a process that dies in it leaves that behind. */
void run_world(const struct run_options *, struct run_result *);

#endif
