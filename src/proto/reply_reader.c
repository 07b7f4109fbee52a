/* reply_reader.c - taking the replies of a server apart (RFC 5321 4.2). */
#include "proto/reply_reader.h"

#include <string.h>

enum { CODE_DIGITS = 3 };

void reply_reader_init(struct reply_reader *r)
{
    *r = (struct reply_reader){ .code = 0 };
    buffer_init(&r->kept, REPLY_KEPT_MAX);
}

void reply_reader_clear(struct reply_reader *r)
{
    buffer_clear(&r->kept);
    reply_reader_init(r);
}

/* ---- a line ---- */

/* The code at the front; 0 when there is none.  No digit may follow: "2500" is not a code. */
static uint16_t read_code(struct text line)
{
    if (line.len < CODE_DIGITS || line.at[0] < '2' || line.at[0] > '5')
        return 0;
    for (int i = 1; i < CODE_DIGITS; i++)
        if (!text_is_digit(line.at[i]))
            return 0;
    if (line.len > CODE_DIGITS && text_is_digit(line.at[CODE_DIGITS]))
        return 0;
    return (uint16_t)((line.at[0] - '0') * 100 + (line.at[1] - '0') * 10 + (line.at[2] - '0'));
}

struct text reply_words(struct text line)
{
    struct text words = text_skip(line, CODE_DIGITS);
    bool separated = words.len && (words.at[0] == ' ' || words.at[0] == '-');
    return text_skip(words, separated ? 1 : 0);
}

/* One to three digits at *at (RFC 3463 2). */
static bool skip_number(struct text t, size_t *at)
{
    size_t from = *at;
    while (*at < t.len && *at < from + 3 && text_is_digit(t.at[*at]))
        ++*at;
    return *at > from;
}

/* "5.1.1" in front of the words, agreeing in class with the code. */
static void read_status(struct reply_reader *r, struct text line)
{
    struct text words = reply_words(line);
    size_t at = 2;
    if (words.len < 5 || words.at[0] != '0' + r->code / 100 || words.at[1] != '.' ||
        !skip_number(words, &at) || at == words.len || words.at[at++] != '.' ||
        !skip_number(words, &at) || (at < words.len && words.at[at] != ' '))
        return;
    memcpy(r->status, words.at, at);
    r->status[at] = 0;
}

/* What there is no room or memory for is lost; the code says enough. */
static void keep(struct reply_reader *r, struct text line)
{
    if (r->lines >= REPLY_KEPT_LINES || r->kept.len == r->kept.max)
        return;
    if (r->kept.len)
        buffer_byte(&r->kept, '\n');
    buffer_text(&r->kept, text_first(line, r->kept.max - r->kept.len));
}

/* False: the line is no part of this reply. */
static bool take_line(struct reply_reader *r, struct text line)
{
    uint16_t code = read_code(line);
    if (r->lines == 0 ? code == 0 : code && code != r->code)
        return false;
    r->is_last = code && !(line.len > CODE_DIGITS && line.at[CODE_DIGITS] == '-');
    if (code) {
        r->code = code;
        if (!r->status[0])
            read_status(r, line);
    }
    keep(r, line);
    r->lines++;
    return true;
}

/* ---- the input ---- */

static struct text take_front(struct reply_reader *r, struct bytes *in, size_t octets)
{
    struct text front = { (const char *)in->at, octets };
    in->at += octets;
    in->len -= octets;
    r->octets += octets;
    return front;
}

static enum reply_reader_step line_ended(struct reply_reader *r)
{
    r->is_whole = r->is_last;
    return r->is_last ? REPLY_WHOLE : REPLY_LINE;
}

/* The rest of a line whose front was read. */
static enum reply_reader_step lose(struct reply_reader *r, struct bytes *in)
{
    const uint8_t *lf = in->len ? memchr(in->at, '\n', in->len) : NULL;
    take_front(r, in, lf ? (size_t)(lf - in->at) + 1 : in->len);
    if (r->octets > REPLY_OCTETS_MAX)
        return REPLY_ENDLESS;
    if (!lf)
        return REPLY_NEED_INPUT;
    r->is_losing = false;
    return line_ended(r);
}

static struct text without_end(struct text line)
{
    line.len--;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

enum reply_reader_step reply_read(struct reply_reader *r, struct bytes *in)
{
    if (r->is_whole)
        reply_reader_clear(r);
    r->line = (struct text){ "", 0 };
    if (r->is_losing)
        return lose(r, in);
    size_t looked_at = in->len < REPLY_INPUT_MAX ? in->len : REPLY_INPUT_MAX;
    const uint8_t *lf = looked_at ? memchr(in->at, '\n', looked_at) : NULL;
    if (!lf && looked_at < REPLY_INPUT_MAX)
        return REPLY_NEED_INPUT;
    struct text front = take_front(r, in, lf ? (size_t)(lf - in->at) + 1 : REPLY_INPUT_MAX);
    if (r->octets > REPLY_OCTETS_MAX)
        return REPLY_ENDLESS;
    if (lf)
        front = without_end(front);
    if (!take_line(r, front)) {
        r->line = front;
        return REPLY_JUNK;
    }
    if (!lf) {
        r->is_losing = true;
        return lose(r, in);
    }
    r->line = front;
    return line_ended(r);
}
