/* short_countdown.h - memory that is short once: at the call for it that a test has counted out.
 *
 * Included, instead of short_memory.h, in one file of a program that is linked as that says.  What
 * other threads than the test's call for, they get.
 */
#ifndef TESTS_SHORT_COUNTDOWN_H
#define TESTS_SHORT_COUNTDOWN_H

#include "short_memory.h"

/* How many calls of this thread still succeed before one fails; negative: all do. */
static _Thread_local int until_failure = -1;
static _Thread_local bool has_failed;

static bool fails(void)
{
    if (until_failure < 0 || until_failure-- != 0)
        return false;
    has_failed = true;
    return true;
}

static void fail_after(int calls)
{
    has_failed = false;
    until_failure = calls;
}

/* All succeed again; returns whether one has failed. */
static bool end_failing(void)
{
    until_failure = -1;
    return has_failed;
}

#endif
