/* reply.c - composing the lines of SMTP replies. */
#include "proto/reply.h"

#include "base/check.h"
#include "base/escape.h"

/* The octets at the front that can go out as they are: printable ASCII (RFC 5321 4.2.1). */
static size_t plain_length(struct text t)
{
    size_t n = 0;
    while (n < t.len && t.at[n] >= ' ' && t.at[n] < 0x7F)
        n++;
    return n;
}

/* Appends as many characters as the line has room for. */
static void append_words(struct buffer *line, struct text words, enum reply_charset charset)
{
    while (words.len) {
        size_t plain = plain_length(words);
        size_t room = line->max - line->len;
        buffer_text(line, text_first(words, plain < room ? plain : room));
        if (plain > room)
            return;
        words = text_skip(words, plain);
        if (words.len == 0)
            return;
        size_t n = charset == REPLY_UTF8 ? utf8_length(words) : 0;
        struct text character = text_first(words, n ? n : 1);
        if (!escape_text(line, character))
            return;
        words = text_skip(words, character.len);
    }
}

static bool names_host(unsigned code)
{
    return code == 220 || code == 221 || code == 421;
}

/* Everything before the words; `more` tells whether another line follows (RFC 5321 4.2.1). */
static void append_front(struct buffer *line, const struct reply *r, struct text hostname,
                         bool more)
{
    const uint8_t code[4] = { (uint8_t)('0' + r->code / 100), (uint8_t)('0' + r->code / 10 % 10),
                              (uint8_t)('0' + r->code % 10), more ? '-' : ' ' };
    buffer_append(line, code, sizeof code);
    if (r->status) {
        buffer_text(line, text_of(r->status));
        buffer_byte(line, ' ');
    }
    if (names_host(r->code)) {
        append_words(line, hostname, REPLY_ASCII);
        buffer_byte(line, ' ');
    }
}

bool reply_compose(struct buffer *out, const struct reply *r, struct text hostname,
                   enum reply_charset charset)
{
    CHECK(r->code >= 200);
    CHECK(r->code <= 599);
    size_t before = out->len;
    struct text rest = r->words, words;
    bool more;
    do {
        /* A buffer over memory of its own whole size never allocates. */
        uint8_t memory[REPLY_LINE_MAX - 2];
        struct buffer line = buffer_over(memory, sizeof memory);
        more = text_cut(&rest, '\n', &words);
        append_front(&line, r, hostname, more);
        append_words(&line, words, charset);
        if (!buffer_append(out, line.at, line.len) || !buffer_append(out, "\r\n", 2)) {
            out->len = before;
            return false;
        }
    } while (more);
    return true;
}
