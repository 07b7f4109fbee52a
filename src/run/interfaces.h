/* interfaces.h - the addresses of this machine. */
#ifndef RUN_INTERFACES_H
#define RUN_INTERFACES_H

#include "base/net.h"

#include <stddef.h>

/* Writes at most `max` addresses, ports 0, of the interfaces that are up; returns how many.  None
 * when the system does not tell.  Any thread. */
size_t interfaces_list(struct endpoint *out, size_t max);

#endif
