/* wire.h - two machines joined in memory: octets go over in pieces of any size, and somewhere the
 * connection breaks.
 *
 * Included in the one file of a fuzzer.
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include "base/buffer.h"
#include "base/check.h"

#include <string.h>

enum { WIRE_BUFFER_MAX = 1 << 24, WIRE_STEPS_MAX = 1 << 20 };

struct wire {
    uint32_t chance; /* 0: nothing is cut */
    size_t breaks;   /* octets, both ways, until the connection does; SIZE_MAX: never */
    bool broken;
    struct buffer to_server, to_client;
};

/* By an octet of the input; `breaks` as in the wire. */
static void wire_begin(struct wire *w, uint8_t cuts, size_t breaks)
{
    *w = (struct wire){ .chance = cuts ? cuts * 2654435761u : 0, .breaks = breaks };
    buffer_init(&w->to_server, WIRE_BUFFER_MAX);
    buffer_init(&w->to_client, WIRE_BUFFER_MAX);
}

static void wire_end(struct wire *w)
{
    buffer_clear(&w->to_server);
    buffer_clear(&w->to_client);
}

/* 1 to `max`. */
static size_t wire_pick(struct wire *w, size_t max)
{
    w->chance = w->chance * 1664525u + 1013904223u;
    return 1 + (w->chance >> 8) % max;
}

/* Takes some octets of a machine's output, and says how many; what is beyond the break gets
 * lost. */
static size_t wire_carry(struct wire *w, struct buffer *to, struct bytes out)
{
    size_t count = w->chance ? wire_pick(w, 1 + (w->chance >> 4) % 300) : out.len;
    if (count > out.len)
        count = out.len;
    size_t whole = count < w->breaks ? count : w->breaks;
    if (!w->broken)
        CHECK(buffer_append(to, out.at, whole));
    if (w->breaks != SIZE_MAX && !w->broken)
        w->breaks -= whole;
    return count;
}

/* Makes the word that the server says to its client another one. */
static void wire_hide(struct wire *w, struct text offer)
{
    struct buffer *b = &w->to_client;
    char *at = b->len ? memmem(b->at, b->len, offer.at, offer.len) : NULL;
    if (at)
        *at = 'X';
}

/* A piece of the content from there on, of at most so many octets when there are cuts. */
static struct bytes wire_piece(struct wire *w, const struct buffer *content, uint64_t offset,
                               size_t max)
{
    struct bytes whole = buffer_bytes(content);
    size_t left = whole.len - (size_t)offset, count = w->chance ? wire_pick(w, max) : left;
    return (struct bytes){ whole.at + offset, count < left ? count : left };
}

/* As content is: CR and LF stand nowhere but as CRLF, the last line has one too. */
static void wire_content(struct buffer *out, struct text words)
{
    for (size_t i = 0; i < words.len; i++)
        if (words.at[i] == '\n')
            CHECK(buffer_text(out, T("\r\n")));
        else if (words.at[i] != '\r')
            CHECK(buffer_byte(out, (uint8_t)words.at[i]));
    if (out->len && out->at[out->len - 1] != '\n')
        CHECK(buffer_text(out, T("\r\n")));
}

#endif
