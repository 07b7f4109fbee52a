/* log_line.c - one line of the log, as text or JSON.
 *
 * Values are first made harmless (base/escape.h), in both formats the same way: what is left is
 * printable UTF-8 in which each backslash begins an escape.  On top of that, text quotes what holds
 * a space, and JSON quotes everything as RFC 8259 7 wants it, which for such text means the quote
 * and the backslash.  So a reader of either gets the same value, and can turn it back.
 */
#include "run/log_inner.h"

#include "base/escape.h"

#include <string.h>

static bool is_special(uint8_t octet, bool both)
{
    return octet == '"' || (both && octet == '\\');
}

static bool holds_special(const struct buffer *b, size_t start, bool both)
{
    size_t len = b->len - start;
    return len > 0 &&
           (memchr(b->at + start, '"', len) || (both && memchr(b->at + start, '\\', len)));
}

/* Puts a backslash before each octet from `start` on that is a quote or, with `both`, a backslash:
 * from the end, so that each octet moves once. */
static bool escape_again(struct buffer *b, size_t start, bool both)
{
    if (!holds_special(b, start, both))
        return true;
    size_t more = 0;
    for (size_t i = start; i < b->len; i++)
        more += is_special(b->at[i], both);
    if (!buffer_reserve(b, more))
        return false;
    size_t from = b->len;
    b->len += more;
    for (size_t to = b->len; to > from;) {
        uint8_t octet = b->at[--from];
        b->at[--to] = octet;
        if (is_special(octet, both))
            b->at[--to] = '\\';
    }
    return true;
}

/* The value and the closing quote. */
static bool finish_quote(struct buffer *b, struct text value, bool json)
{
    size_t start = b->len;
    return escape_text(b, value) && escape_again(b, start, json) && buffer_byte(b, '"');
}

/* Text */

static bool needs_quotes(struct text value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] == ' ' || value.at[i] == '"' || value.at[i] == '=')
            return true;
    return value.len == 0;
}

static bool text_value(struct buffer *b, struct text value)
{
    if (!needs_quotes(value))
        return escape_text(b, value);
    return buffer_byte(b, '"') && finish_quote(b, value, false);
}

static bool text_start(struct buffer *b, const struct log_line *line)
{
    return buffer_text(b, line->time) && buffer_byte(b, ' ') &&
           text_value(b, line->session.len ? line->session : T("-")) && buffer_byte(b, ' ');
}

static bool text_event(struct buffer *b, const struct log_line *line, struct text event,
                       struct log_fields fields)
{
    bool room = text_start(b, line) && buffer_text(b, event);
    for (size_t i = 0; room && i < fields.count; i++)
        room = buffer_byte(b, ' ') && buffer_text(b, text_of(fields.at[i].name)) &&
               buffer_byte(b, '=') && text_value(b, fields.at[i].value);
    return room;
}

/* JSON */

static bool json_member(struct buffer *b, struct text name, struct text value)
{
    return buffer_text(b, T(",\"")) && buffer_text(b, name) && buffer_text(b, T("\":\"")) &&
           finish_quote(b, value, true);
}

static bool json_start(struct buffer *b, const struct log_line *line)
{
    return buffer_text(b, T("{\"time\":\"")) && buffer_text(b, line->time) && buffer_byte(b, '"') &&
           json_member(b, T("session"), line->session);
}

static bool json_event(struct buffer *b, const struct log_line *line, struct text event,
                       struct log_fields fields)
{
    static const struct text levels[] = {
        [LOG_ERROR] = TEXT("error"),
        [LOG_WARNING] = TEXT("warning"),
        [LOG_NOTICE] = TEXT("notice"),
        [LOG_INFO] = TEXT("info"),
    };
    bool room = json_start(b, line) && json_member(b, T("level"), levels[line->level]) &&
                json_member(b, T("event"), event);
    for (size_t i = 0; room && i < fields.count; i++)
        room = json_member(b, text_of(fields.at[i].name), fields.at[i].value);
    return room && buffer_byte(b, '}');
}

static bool json_protocol(struct buffer *b, const struct log_line *line, enum log_from from,
                          struct text words)
{
    return json_start(b, line) &&
           json_member(b, T("from"), from == LOG_SERVER ? T("server") : T("client")) &&
           json_member(b, T("line"), words) && buffer_byte(b, '}');
}

/* Both */

enum { JOURNAL_ERROR = 3, JOURNAL_DEBUG = 7 };

/* sd-daemon(3): the levels of syslog; ours follow each other from `error` on. */
static bool prefix(struct buffer *b, const struct log_line *line, int level)
{
    return !line->prefix || buffer_printf(b, "<%d>", level);
}

bool log_line_event(struct buffer *b, const struct log_line *line, const char *event,
                    struct log_fields fields)
{
    bool room = prefix(b, line, JOURNAL_ERROR + (int)line->level);
    if (room && line->format == LOG_JSON)
        room = json_event(b, line, text_of(event), fields);
    else if (room)
        room = text_event(b, line, text_of(event), fields);
    return room && buffer_byte(b, '\n');
}

bool log_line_protocol(struct buffer *b, const struct log_line *line, enum log_from from,
                       struct text words)
{
    bool room = prefix(b, line, JOURNAL_DEBUG);
    if (room && line->format == LOG_JSON)
        room = json_protocol(b, line, from, words);
    else if (room)
        room = text_start(b, line) && buffer_text(b, from == LOG_SERVER ? T("-> ") : T("<- ")) &&
               escape_text(b, words);
    return room && buffer_byte(b, '\n');
}

void log_name_session(uint64_t number, char out[LOG_SESSION_TEXT + 1])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    for (size_t i = LOG_SESSION_TEXT; i > 0; i--, number >>= 5)
        out[i - 1] = digits[number & 31];
    out[LOG_SESSION_TEXT] = 0;
}
