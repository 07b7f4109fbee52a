/* out.c - listings: JSON Lines, times, sizes, what peers said, mailbox numbers. */
#include "cli/out.h"

#include "base/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ESCAPED_MAX = 1024 * 1024 };

bool out_json(json_t *object)
{
    /* In ASCII: what a peer said may have characters in it that a terminal obeys. */
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
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

/* False: memory is short. */
static bool escape(struct buffer *b, struct text t)
{
    buffer_init(b, ESCAPED_MAX);
    return escape_text(b, t);
}

json_t *out_said(struct text t)
{
    struct buffer b;
    if (utf8_valid(t))
        return out_text(t);
    json_t *words = escape(&b, t) ? out_text(buffer_as_text(&b)) : NULL;
    buffer_clear(&b);
    return words;
}

void out_words(struct text t)
{
    struct buffer b;
    if (escape(&b, t))
        fwrite(b.at, 1, b.len, stdout);
    else
        fputs("(memory is short)", stdout);
    buffer_clear(&b);
}

void out_reply(struct text reply)
{
    struct text line;
    while (text_cut(&reply, '\n', &line)) {
        out_words(line);
        fputs(" / ", stdout);
    }
    out_words(line);
}

const char *out_rough_duration(int64_t ms, char out[OUT_ROUGH_MAX])
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
    int64_t seconds = ms / 1000;
    size_t i = 0;
    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    snprintf(out, OUT_ROUGH_MAX, "%" PRId64 "%c",
             (seconds + units[i].seconds / 2) / units[i].seconds, units[i].letter);
    return out;
}

const char *out_rough_size(uint64_t octets, char out[OUT_ROUGH_MAX])
{
    static const char letters[] = "KMGTPE";
    uint64_t tenths = octets;
    size_t unit = 0;
    if (octets < 1024) {
        snprintf(out, OUT_ROUGH_MAX, "%" PRIu64 "B", octets);
        return out;
    }
    for (; tenths >= 1024 * 1024; unit++)
        tenths /= 1024;
    tenths = tenths * 10 / 1024;
    snprintf(out, OUT_ROUGH_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
             letters[unit]);
    return out;
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
    if (t.len != 16 || !text_hex_to_u64(t, &value))
        return false;
    *out = value;
    return value != 0 && value >> 63 == 0;
}
