/* units.c - durations and sizes as people write them.  Pure: no locale, no libc number parser. */
#include "config/units.h"

#include <stdio.h>

static const uint64_t DURATION_END = 1ULL << 53;
static const uint64_t SIZE_END = 1ULL << 63;

struct unit {
    char letter;
    uint64_t factor;
};

/* From the largest to the smallest; the printers take the first that divides. */
static const struct unit times[] = {
    { 'w', 7 * 86400000ULL }, { 'd', 86400000 }, { 'h', 3600000 }, { 'm', 60000 }, { 's', 1000 },
};
static const struct unit sizes[] = { { 'G', 1 << 30 }, { 'M', 1 << 20 }, { 'K', 1 << 10 } };
enum { TIMES = sizeof times / sizeof *times, SIZES = sizeof sizes / sizeof *sizes };

static size_t unit_find(const struct unit *units, size_t count, char letter)
{
    size_t i = 0;
    while (i < count && units[i].letter != letter)
        i++;
    return i;
}

/* Takes the digits off the front. */
static enum units_verdict take_number(struct text *rest, uint64_t *out)
{
    size_t digits = 0;
    while (digits < rest->len && text_is_digit(rest->at[digits]))
        digits++;
    if (digits == 0)
        return rest->len && rest->at[0] == '-' ? UNITS_NEGATIVE : UNITS_NO_NUMBER;
    if (!text_to_u64(text_first(*rest, digits), out))
        return UNITS_TOO_LARGE;
    *rest = text_skip(*rest, digits);
    return UNITS_OK;
}

/* sum + number * factor, kept below the end. */
static enum units_verdict add(uint64_t *sum, uint64_t number, uint64_t factor, uint64_t end)
{
    uint64_t product;
    if (__builtin_mul_overflow(number, factor, &product) ||
        __builtin_add_overflow(*sum, product, sum) || *sum >= end)
        return UNITS_TOO_LARGE;
    return UNITS_OK;
}

enum units_verdict duration_parse(struct text t, uint64_t *ms_out)
{
    *ms_out = 0;
    if (t.len == 0)
        return UNITS_EMPTY;
    if (text_equal(t, T("0")))
        return UNITS_OK;
    uint64_t sum = 0, number;
    size_t smallest = 0; /* the units from here on may still come */
    while (t.len) {
        enum units_verdict verdict = take_number(&t, &number);
        if (verdict != UNITS_OK)
            return verdict;
        if (t.len == 0)
            return UNITS_NO_UNIT;
        size_t unit = unit_find(times, TIMES, t.at[0]);
        if (unit == TIMES)
            return UNITS_BAD_UNIT;
        if (unit < smallest)
            return UNITS_ORDER;
        smallest = unit + 1;
        verdict = add(&sum, number, times[unit].factor, DURATION_END);
        if (verdict != UNITS_OK)
            return verdict;
        t = text_skip(t, 1);
    }
    *ms_out = sum;
    return UNITS_OK;
}

enum units_verdict size_parse(struct text t, uint64_t *octets_out)
{
    *octets_out = 0;
    if (t.len == 0)
        return UNITS_EMPTY;
    uint64_t number, factor = 1, sum = 0;
    enum units_verdict verdict = take_number(&t, &number);
    if (verdict != UNITS_OK)
        return verdict;
    if (t.len) {
        size_t unit = unit_find(sizes, SIZES, t.at[0]);
        if (unit == SIZES || t.len > 1)
            return UNITS_BAD_UNIT;
        factor = sizes[unit].factor;
    }
    verdict = add(&sum, number, factor, SIZE_END);
    if (verdict == UNITS_OK)
        *octets_out = sum;
    return verdict;
}

const char *units_problem(enum units_verdict verdict)
{
    switch (verdict) {
    case UNITS_OK:
        return "right";
    case UNITS_EMPTY:
        return "it is empty";
    case UNITS_NEGATIVE:
        return "it is negative";
    case UNITS_NO_NUMBER:
        return "a digit is missing";
    case UNITS_NO_UNIT:
        return "the unit is missing";
    case UNITS_BAD_UNIT:
        return "the unit is unknown";
    case UNITS_ORDER:
        return "units go from the largest to the smallest, each once";
    case UNITS_TOO_LARGE:
        return "it is too large";
    }
    return "it is wrong";
}

struct text duration_print(uint64_t ms, char out[UNITS_TEXT_MAX])
{
    size_t len = 0;
    for (size_t i = 0; i < TIMES; i++) {
        uint64_t number = ms / times[i].factor;
        ms %= times[i].factor;
        if (number)
            len += (size_t)snprintf(out + len, UNITS_TEXT_MAX - len, "%llu%c",
                                    (unsigned long long)number, times[i].letter);
    }
    if (len == 0)
        len = (size_t)snprintf(out, UNITS_TEXT_MAX, "0s");
    return (struct text){ out, len };
}

struct text size_print(uint64_t octets, char out[UNITS_TEXT_MAX])
{
    int len;
    for (size_t i = 0; i < SIZES; i++)
        if (octets && octets % sizes[i].factor == 0) {
            len = snprintf(out, UNITS_TEXT_MAX, "%llu%c",
                           (unsigned long long)(octets / sizes[i].factor), sizes[i].letter);
            return (struct text){ out, (size_t)len };
        }
    len = snprintf(out, UNITS_TEXT_MAX, "%llu", (unsigned long long)octets);
    return (struct text){ out, (size_t)len };
}
