/* buffer.h - a growing run of bytes with a stated maximum.
 *
 * A buffer owns its memory, which exists only while it is not empty of use: it starts without any
 * and buffer_clear() gives it back.  Appending fails, and changes nothing, when the maximum would
 * be passed or memory is short; buffer_failed() remembers that, so that a run of appends may be
 * checked once at its end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/text.h"

struct buffer {
    uint8_t *at;
    size_t len;
    size_t room;
    size_t max;
    bool failed;
};

/* An empty buffer that will hold at most `max` octets. */
void buffer_init(struct buffer *, size_t max);
/* A buffer over memory of the caller's, whose size is the maximum.  It needs no end, and must not
 * be cleared or wiped. */
static inline struct buffer buffer_over(void *room, size_t octets)
{
    return (struct buffer){ .at = room, .room = octets, .max = octets };
}
/* Frees the memory and forgets a failure; the maximum stays. */
void buffer_clear(struct buffer *);
/* Overwrites what it held with zeros, then clears it. */
void buffer_wipe(struct buffer *);

bool buffer_append(struct buffer *, const void *data, size_t len);
bool buffer_text(struct buffer *, struct text);
bool buffer_byte(struct buffer *, uint8_t);
bool buffer_printf(struct buffer *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for `len` more octets and returns where they go; the caller then adds what it wrote
 * to `len` itself.  NULL when there is none. */
uint8_t *buffer_reserve(struct buffer *, size_t len);
/* Drops the first `count` octets. */
void buffer_take(struct buffer *, size_t count);

static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return (struct bytes){ b->at, b->len };
}
static inline struct text buffer_as_text(const struct buffer *b)
{
    return (struct text){ (const char *)b->at, b->len };
}

#endif
