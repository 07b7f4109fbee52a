/* apart.h - a world in a process of its own. */
#ifndef SIM_APART_H
#define SIM_APART_H

#include "sim/run.h"

/* Runs it and waits.  `result` is on a page that processes share.  A world that aborts, or does not
 * end within two minutes, has failed.  False: there is no process to be had. */
bool run_apart(const struct run_options *, struct run_result *);
/* The command that runs it again, and shows it. */
void apart_print_again(const struct run_options *);

#endif
