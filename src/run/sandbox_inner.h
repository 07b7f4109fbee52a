/* sandbox_inner.h - between sandbox.c and sandbox_calls.c.  Private to src/run. */
#ifndef RUN_SANDBOX_INNER_H
#define RUN_SANDBOX_INNER_H

#include "run/sandbox.h"

/* Lets only the known system calls through from now on.  False: the kernel has no such filter. */
bool sandbox_filter_calls(struct error *);

#endif
