/* buffer.c - a growing run of bytes with a stated maximum. */
#include "base/buffer.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_ROOM_MIN = 256 };

void buffer_init(struct buffer *b, size_t max)
{
    *b = (struct buffer){ .max = max };
}

void buffer_clear(struct buffer *b)
{
    free(b->at);
    buffer_init(b, b->max);
}

void buffer_wipe(struct buffer *b)
{
    if (b->at)
        explicit_bzero(b->at, b->room);
    buffer_clear(b);
}

uint8_t *buffer_reserve(struct buffer *b, size_t len)
{
    if (len > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->len + len > b->room || !b->at) {
        size_t room = b->room ? b->room * 2 : BUFFER_ROOM_MIN;
        while (room < b->len + len)
            room *= 2;
        if (room > b->max)
            room = b->max;
        uint8_t *at = realloc(b->at, room ? room : 1);
        if (!at) {
            b->failed = true;
            return NULL;
        }
        b->at = at;
        b->room = room;
    }
    return b->at + b->len;
}

bool buffer_append(struct buffer *b, const void *data, size_t len)
{
    if (len == 0)
        return true;
    uint8_t *to = buffer_reserve(b, len);
    if (!to)
        return false;
    memcpy(to, data, len);
    b->len += len;
    return true;
}

bool buffer_text(struct buffer *b, struct text t)
{
    return buffer_append(b, t.at, t.len);
}

bool buffer_byte(struct buffer *b, uint8_t byte)
{
    return buffer_append(b, &byte, 1);
}

bool buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(need >= 0);
    uint8_t *to = buffer_reserve(b, (size_t)need + 1); /* one more for the terminator */
    if (!to)
        return false;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)need + 1, format, args);
    va_end(args);
    b->len += (size_t)need;
    return true;
}

void buffer_take(struct buffer *b, size_t count)
{
    CHECK(count <= b->len);
    memmove(b->at, b->at + count, b->len - count);
    b->len -= count;
}
