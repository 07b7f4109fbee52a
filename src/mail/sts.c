/* sts.c - MTA-STS: records and policies.
 *
 * Whoever owns the domain writes them.  What makes no sense is no policy, which is what the RFC
 * asks for: a mistake there must not stop mail.
 */
#include "mail/sts.h"

#include <string.h>

static bool is_letter_or_digit(char c)
{
    return text_is_letter(c) || text_is_digit(c);
}

/* --- The record --- */

static const struct text version = TEXT("v=STSv1");

/* RFC 8461 3.1: what does not begin so is another record. */
static bool is_record(struct text record)
{
    return text_starts(record, version) &&
           text_starts(text_trim(text_skip(record, version.len)), T(";"));
}

static bool is_id(struct text id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!is_letter_or_digit(id.at[i]))
            return false;
    return id.len > 0 && id.len <= STS_ID_MAX;
}

static bool read_record(struct text record, struct text *id_out)
{
    struct text rest = text_trim(text_skip(record, version.len)), field;
    bool found = false;
    while (text_cut(&rest, ';', &field) || field.len) {
        field = text_trim(field);
        if (found || !text_starts(field, T("id=")))
            continue; /* fields that are not known have no meaning */
        *id_out = text_skip(field, 3);
        found = true;
    }
    return found && is_id(*id_out);
}

bool sts_choose_record(const struct text *records, size_t count, struct text *id_out)
{
    const struct text *one = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_record(records[i]))
            continue;
        if (one)
            return false;
        one = &records[i];
    }
    return one && read_record(*one, id_out);
}

/* --- The policy --- */

/* What was read so far.  Of a field that is given twice the first counts (RFC 8461 3.2). */
struct reading {
    struct sts_policy *policy;
    bool has_version, has_mode, has_age;
    const char *problem;
};

static void read_version(struct reading *r, struct text value)
{
    if (!r->has_version && !text_equal(value, T("STSv1")))
        r->problem = "its version is not STSv1";
    r->has_version = true;
}

static void read_mode(struct reading *r, struct text value)
{
    static const enum sts_mode modes[] = { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };
    if (r->has_mode)
        return;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (text_equal(value, text_of(sts_mode_name(modes[i])))) {
            r->policy->mode = modes[i];
            r->has_mode = true;
        }
    if (!r->has_mode)
        r->problem = "its mode is none of enforce, testing, none";
}

static void read_age(struct reading *r, struct text value)
{
    uint64_t age;
    if (r->has_age)
        return;
    r->has_age = true;
    if (!text_to_u64(value, &age))
        r->problem = "its max_age is no number";
    else
        r->policy->age_s = age < STS_AGE_MAX_S ? (uint32_t)age : STS_AGE_MAX_S;
}

/* A host name, or one whose first label is "*". */
static bool is_pattern(struct text pattern)
{
    struct text label;
    if (text_starts(pattern, T("*.")))
        pattern = text_skip(pattern, 2);
    if (pattern.len == 0)
        return false;
    bool more;
    do {
        more = text_cut(&pattern, '.', &label);
        if (label.len == 0 || label.len > 63)
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
                return false;
    } while (more);
    return true;
}

static void read_pattern(struct reading *r, struct text value)
{
    if (!is_pattern(value))
        r->problem = "one of its mx is no host name";
    else if (r->policy->pattern_count == STS_PATTERNS_MAX)
        r->problem = "it has too many mx";
    else
        r->policy->patterns[r->policy->pattern_count++] = value;
}

static const struct field {
    struct text name;
    void (*read)(struct reading *, struct text value);
} fields[] = {
    { TEXT("version"), read_version },
    { TEXT("mode"), read_mode },
    { TEXT("max_age"), read_age },
    { TEXT("mx"), read_pattern },
};

/* Fields that are not known have no meaning, but they must look like fields. */
static void read_line(struct reading *r, struct text line)
{
    struct text name;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    line = text_trim(line);
    if (line.len == 0)
        return;
    if (!text_cut(&line, ':', &name)) {
        r->problem = "one of its lines is no \"name: value\"";
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (text_equal(name, fields[i].name))
            fields[i].read(r, text_trim(line));
}

static const char *missing(const struct reading *r)
{
    if (!r->has_version)
        return "it has no version";
    if (!r->has_mode)
        return "it has no mode";
    if (!r->has_age)
        return "it has no max_age";
    if (r->policy->mode != STS_MODE_NONE && r->policy->pattern_count == 0)
        return "it has no mx";
    return NULL;
}

const char *sts_read_policy(struct text words, struct sts_policy *out)
{
    struct reading r = { .policy = out };
    struct text line;
    memset(out, 0, sizeof *out);
    if (words.len > STS_POLICY_MAX)
        return "it is longer than 64 KB";
    while (!r.problem && words.len > 0) {
        text_cut(&words, '\n', &line);
        read_line(&r, line);
    }
    return r.problem ? r.problem : missing(&r);
}

/* RFC 8461 4.1, RFC 6125 6.4.3: a star stands for one whole label, the first. */
static bool matches(struct text pattern, struct text host)
{
    struct text label;
    if (!text_starts(pattern, T("*.")))
        return text_equal_nocase(pattern, host);
    return text_cut(&host, '.', &label) && label.len > 0 &&
           text_equal_nocase(text_skip(pattern, 2), host);
}

bool sts_names_host(const struct sts_policy *policy, struct text host)
{
    for (size_t i = 0; i < policy->pattern_count; i++)
        if (matches(policy->patterns[i], host))
            return true;
    return false;
}

const char *sts_mode_name(enum sts_mode mode)
{
    static const char *const names[] = {
        [STS_MODE_NONE] = "none",
        [STS_MODE_TESTING] = "testing",
        [STS_MODE_ENFORCE] = "enforce",
    };
    return names[mode];
}
