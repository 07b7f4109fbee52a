/* out.c - listings: JSON Lines, times, mailbox numbers. */
#include "cli/out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool out_json(json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (line)
        puts(line);
    json_decref(object);
    free(line);
    return line != NULL;
}

json_t *out_text(struct text t)
{
    return json_stringn(t.at ? t.at : "", t.len);
}

const char *out_time(int64_t wall_ms, char out[OUT_TIME_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || !strftime(out, OUT_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts))
        snprintf(out, OUT_TIME_MAX, "0000-00-00T00:00:00Z");
    return out;
}

const char *out_mailbox(mailbox_id mailbox, char out[OUT_MAILBOX_MAX])
{
    snprintf(out, OUT_MAILBOX_MAX, "%016" PRIx64, mailbox);
    return out;
}

bool out_parse_mailbox(struct text t, mailbox_id *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < t.len; i++) {
        char c = text_lower(t.at[i]);
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && !text_is_digit(c))
            return false;
        value = value << 4 | (uint64_t)(letter ? c - 'a' + 10 : c - '0');
    }
    *out = value;
    return t.len == 16 && value != 0 && value >> 63 == 0;
}
