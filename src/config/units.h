/* units.h - durations and sizes as people write them.  Pure.
 *
 * A duration is integers with s, m, h, d or w, from the largest unit to the smallest: "90s",
 * "1h30m", "2w".  A size is an integer with K, M or G (powers of 1024) or without: octets.  A lone
 * 0 is both.  No sign, no space, no fraction.
 */
#ifndef CONFIG_UNITS_H
#define CONFIG_UNITS_H

#include "base/text.h"

enum units_verdict {
    UNITS_OK,
    UNITS_EMPTY,
    UNITS_NEGATIVE,
    UNITS_NO_NUMBER, /* something else where a digit should be */
    UNITS_NO_UNIT,   /* a duration's number without its letter */
    UNITS_BAD_UNIT,
    UNITS_ORDER, /* "30m1h", "1h2h" */
    UNITS_TOO_LARGE,
};

/* Milliseconds; too large from 2^53 on, so that sums with clocks never overflow. */
enum units_verdict duration_parse(struct text, uint64_t *ms_out);
/* Octets; too large from 2^63 on. */
enum units_verdict size_parse(struct text, uint64_t *octets_out);
/* What to tell a person: one short clause. */
const char *units_problem(enum units_verdict);

enum { UNITS_TEXT_MAX = 48 };
/* The shortest text that parses to the value; milliseconds below a second are dropped. */
struct text duration_print(uint64_t ms, char out[UNITS_TEXT_MAX]);
struct text size_print(uint64_t octets, char out[UNITS_TEXT_MAX]);

#endif
