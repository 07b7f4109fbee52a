/* fuzz_units.c - durations and sizes: what is read is printed as a text that is read as the same.
 */
#include "base/check.h"
#include "config/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t DURATION_MAX = (uint64_t)1 << 53, SIZE_LIMIT = (uint64_t)1 << 63;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text words = { (const char *)data, size };
    char out[UNITS_TEXT_MAX];
    uint64_t value, again;
    enum units_verdict verdict = duration_parse(words, &value);
    CHECK(text_of(units_problem(verdict)).len > 0 || verdict == UNITS_OK);
    if (verdict == UNITS_OK) {
        CHECK(value < DURATION_MAX);
        CHECK(duration_parse(duration_print(value, out), &again) == UNITS_OK);
        CHECK(again == value);
    }
    if (size_parse(words, &value) == UNITS_OK) {
        CHECK(value < SIZE_LIMIT);
        CHECK(size_parse(size_print(value, out), &again) == UNITS_OK);
        CHECK(again == value);
    }
    return 0;
}
