/* check.c - what happens when a bug is found: say where, then stop. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "godwit: bug: %s:%d: this does not hold: %s\n", file, line, condition);
    abort();
}
