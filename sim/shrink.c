/* shrink.c - a shorter world that fails.
 *
 * A world with something taken away is another world: what failed may not happen in it, but in that
 * of one of the next seeds.  So each simplification is tried with several, and stays if one of them
 * fails earlier than what was best so far.
 */
#include "sim/shrink.h"

#include <stdio.h>

enum { SEEDS_TRIED = 16 };

/* Whether one of the next seeds fails in fewer steps; then that is the best. */
static bool is_better(const struct run_options *tried, struct run_options *best,
                      uint64_t *steps_best, struct run_result *result)
{
    struct run_options o = *tried;
    for (unsigned i = 0; i < SEEDS_TRIED; i++, o.seed++) {
        if (!run_apart(&o, result) || !result->failed || result->steps >= *steps_best)
            continue;
        *best = o;
        *steps_best = result->steps;
        printf("shorter: %llu steps: %s\n", (unsigned long long)result->steps, result->why);
        apart_print_again(best);
        return true;
    }
    return false;
}

static bool try_fewer(struct run_options *best, uint64_t *steps_best, struct run_result *result)
{
    struct run_options o = *best;
    if (o.letters > 1) {
        o.letters /= 2;
        if (is_better(&o, best, steps_best, result))
            return true;
    }
    o = *best;
    if (o.nodes > 1 && !o.swarm) {
        o.nodes--;
        if (is_better(&o, best, steps_best, result))
            return true;
    }
    return false;
}

static bool try_without(struct run_options *best, uint64_t *steps_best, struct run_result *result)
{
    for (enum fault f = 0; f < FAULTS; f++) {
        struct run_options o = *best;
        o.without |= (uint64_t)1 << f;
        if (fault_word(f) && o.without != best->without && is_better(&o, best, steps_best, result))
            return true;
    }
    return false;
}

void shrink(struct run_options *options, struct run_result *result)
{
    uint64_t steps = result->steps;
    options->show_from = UINT64_MAX;
    while (try_fewer(options, &steps, result) || try_without(options, &steps, result))
        ;
}
