/* fuzz_date.c - a date that is read is printed and read again as the same moment. */
#include "base/check.h"
#include "mail/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1900-01-01 and the end of 9999, between which dates are read. */
static const int64_t FIRST_MS = -2208988800000, LAST_MS = 253402300799000, DAY_MS = 86400000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text words = { (const char *)data + 1, size - 1 };
    int64_t wall_ms, again;
    if (!date_parse_rfc5322(words, &wall_ms))
        return 0;
    char out[DATE_TEXT_MAX];
    int zone_seconds = (data[0] - 128) * 600;
    struct text printed = date_rfc5322(wall_ms, zone_seconds, out);
    CHECK(printed.len < DATE_TEXT_MAX);
    /* A zone can carry the ends of the calendar over them. */
    if (date_parse_rfc5322(printed, &again))
        CHECK(again == wall_ms);
    else
        CHECK(wall_ms < FIRST_MS + DAY_MS || wall_ms > LAST_MS - DAY_MS);
    CHECK(date_rfc3339(wall_ms, true, out).len < DATE_TEXT_MAX);
    return 0;
}
