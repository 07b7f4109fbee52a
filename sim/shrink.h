/* shrink.h - a shorter world that fails. */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "sim/apart.h"

/* From a world that has failed (*result) to one with fewer letters, servers and kinds of fault, and
 * fewer steps; prints each that is found, and leaves the last one in *options. */
void shrink(struct run_options *, struct run_result *);

#endif
