/* fault.c - what may be wrong with a host: one row a kind. */
#include "lab/fault.h"

#include "config/units.h"

enum argument { ARGUMENT_NONE, ARGUMENT_TIMES, ARGUMENT_DELAY };

static const struct {
    const char *name;
    enum argument argument;
    bool passes; /* mail reaches the server behind it, sooner or later */
    const char *words;
} kinds[] = {
    [FAULT_NONE] = { "none", ARGUMENT_NONE, true, "as it should be" },
    [FAULT_DEAD] = { "dead", ARGUMENT_NONE, false, "nobody listens" },
    [FAULT_SILENT] = { "silent", ARGUMENT_TIMES, false, "accepts a connection, says nothing" },
    [FAULT_BUSY] = { "busy", ARGUMENT_TIMES, false, "says 421 instead of a greeting" },
    [FAULT_REFUSE] = { "refuse", ARGUMENT_TIMES, false, "says 550 to every recipient" },
    [FAULT_DEFER] = { "defer", ARGUMENT_TIMES, false, "says 451 after the message" },
    [FAULT_CUT] = { "cut", ARGUMENT_TIMES, false, "hangs up after the message, without a reply" },
    [FAULT_LIAR] = { "liar", ARGUMENT_TIMES, false, "says 250 and throws the message away" },
    [FAULT_SLOW] = { "slow", ARGUMENT_DELAY, true, "says everything late" },
    [FAULT_GREYLIST] = { "greylist", ARGUMENT_DELAY, true,
                         "says 451 until sender and recipient have waited" },
};

static bool find_kind(struct text name, enum fault_kind *out)
{
    for (enum fault_kind kind = FAULT_NONE; kind < sizeof kinds / sizeof *kinds; kind++)
        if (text_equal(name, text_of(kinds[kind].name))) {
            *out = kind;
            return true;
        }
    return false;
}

static bool read_argument(struct text words, struct fault *f, struct error *error)
{
    const char *name = kinds[f->kind].name;
    switch (kinds[f->kind].argument) {
    case ARGUMENT_NONE:
        return words.len == 0 || error_set(error, ERROR_USAGE, "%s takes no argument", name);
    case ARGUMENT_TIMES:
        return words.len == 0 || (text_to_u64(words, &f->times) && f->times > 0) ||
               error_set(error, ERROR_USAGE, "%s:%.*s: how many sessions is it for? (%s:2)", name,
                         TEXT_ARGS(words), name);
    case ARGUMENT_DELAY:
        return duration_parse(words, &f->delay_ms) == UNITS_OK ||
               error_set(error, ERROR_USAGE, "%s:%.*s: how long is it? (%s:2s)", name,
                         TEXT_ARGS(words), name);
    }
    return false;
}

bool fault_parse(struct text words, struct fault *out, struct error *error)
{
    struct text name;
    *out = (struct fault){ .kind = FAULT_NONE };
    text_cut(&words, ':', &name);
    if (!find_kind(name, &out->kind))
        return error_set(error, ERROR_USAGE,
                         "%.*s: no such fault; there are dead, silent, busy, refuse, defer, cut, "
                         "liar, slow:TIME, greylist:TIME",
                         TEXT_ARGS(name));
    return read_argument(words, out, error);
}

const char *fault_name(enum fault_kind kind)
{
    return kinds[kind].name;
}

const char *fault_words(enum fault_kind kind)
{
    return kinds[kind].words;
}

bool fault_passes(const struct fault *f)
{
    return kinds[f->kind].passes || f->times > 0;
}
