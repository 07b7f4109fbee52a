/* letter.c - makes letters of all sizes and shapes, and recognises them.
 *
 * Most are small, some large, a few of several megabytes; some have lines that begin with dots,
 * some have long lines, some are in UTF-8.  The last line has the FNV-1a checksum of all before it,
 * for readers that know nothing of this file.
 */
#include "letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1 << 16, LINE_MAX = 990, SUM_LINE = sizeof "sum 0123456789abcdef\r\n" - 1 };

/* Sizes, each as likely as the part of a thousand that it has. */
static const struct {
    uint32_t part, least, most;
} sizes[] = {
    { 700, 200, 4 << 10 },     { 270, 4 << 10, 32 << 10 }, { 26, 32 << 10, 256 << 10 },
    { 3, 256 << 10, 1 << 20 }, { 1, 1 << 20, 5 << 20 },
};

uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t chance_below(struct chance *c, uint32_t below)
{
    return (uint32_t)((chance_next(c) >> 32) * below >> 32);
}

bool chance_one_in(struct chance *c, uint32_t count)
{
    return chance_below(c, count) == 0;
}

bool letter_mill_init(struct letter_mill *m, uint64_t seed)
{
    *m = (struct letter_mill){ .seed = seed, .text = malloc(TEXT), .eight_bits = malloc(TEXT) };
    if (!m->text || !m->eight_bits) {
        letter_mill_clear(m);
        return false;
    }
    struct chance chance = { seed };
    for (size_t i = 0; i < TEXT; i++)
        m->text[i] = (char)(' ' + chance_below(&chance, '~' - ' ' + 1));
    for (size_t i = 0; i < TEXT; i += 2) { /* two octets each: U+0080 to U+07FF */
        uint32_t point = 0x80 + chance_below(&chance, 0x780);
        m->eight_bits[i] = (char)(0xc0 | point >> 6);
        m->eight_bits[i + 1] = (char)(0x80 | (point & 0x3f));
    }
    return true;
}

void letter_mill_clear(struct letter_mill *m)
{
    free(m->text);
    free(m->eight_bits);
    *m = (struct letter_mill){ 0 };
}

static size_t draw_size(struct chance *chance)
{
    uint32_t draw = chance_below(chance, 1000);
    size_t row = 0;
    while (draw >= sizes[row].part)
        draw -= sizes[row++].part;
    return sizes[row].least + chance_below(chance, sizes[row].most - sizes[row].least);
}

/* How the lines of a letter are. */
struct shape {
    const char *text;
    uint32_t line_max;
    bool has_dots;
};

static struct shape draw_shape(const struct letter_mill *m, struct chance *chance)
{
    bool is_eight_bit = chance_one_in(chance, 8);
    return (struct shape){
        .text = is_eight_bit ? m->eight_bits : m->text,
        .line_max = chance_one_in(chance, 8) ? LINE_MAX : 76,
        .has_dots = chance_one_in(chance, 4),
    };
}

/* One line, an even number of octets of text so that no character of two is cut. */
static size_t write_line(const struct shape *shape, struct chance *chance, char *out)
{
    uint64_t draw = chance_next(chance);
    size_t from = (draw & (TEXT - 1)) & ~(size_t)1, len = (draw >> 16) % (shape->line_max + 1);
    size_t dots = shape->has_dots ? (draw >> 32) & 3 : 0, left = TEXT - from;
    len &= ~(size_t)1;
    if (len > left)
        len = left;
    memcpy(out, "...", dots);
    memcpy(out + dots, shape->text + from, len);
    memcpy(out + dots + len, "\r\n", 2);
    return dots + len + 2;
}

static uint64_t checksum(const char *octets, size_t len)
{
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)octets[i]) * 0x100000001b3;
    return sum;
}

/* The line by which a letter is known; it is the first. */
static int write_name(const struct letter_mill *m, uint32_t number, char *out, size_t room)
{
    return snprintf(out, room, "Subject: soak %016" PRIx64 " %08" PRIx32 "\r\n", m->seed, number);
}

size_t letter_write(const struct letter_mill *m, uint32_t number, char *out)
{
    struct chance chance = { m->seed ^ (uint64_t)number << 20 };
    struct shape shape = draw_shape(m, &chance);
    size_t wanted = draw_size(&chance);
    size_t len = (size_t)write_name(m, number, out, LETTER_ROOM);
    len += (size_t)snprintf(out + len, LETTER_ROOM - len,
                            "From: box0@a.test\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\n"
                            "Message-ID: <%016" PRIx64 ".%08" PRIx32 "@soak.test>\r\n\r\n",
                            m->seed, number);
    while (len + SUM_LINE < wanted)
        len += write_line(&shape, &chance, out + len);
    return len + (size_t)snprintf(out + len, LETTER_ROOM - len, "sum %016" PRIx64 "\r\n",
                                  checksum(out, len));
}

static bool begins(const char *line, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - line) >= len && memcmp(line, word, len) == 0;
}

/* Whether a server puts such a line in front of a message. */
static bool is_trace(const char *line, const char *end)
{
    return begins(line, end, "Return-Path: ") || begins(line, end, "Delivered-To: ") ||
           begins(line, end, "Received: ") || begins(line, end, "\t") || begins(line, end, " ");
}

const char *letter_find(const struct letter_mill *m, const char *message, size_t len,
                        uint32_t *number_out)
{
    char name[64];
    size_t name_len = (size_t)write_name(m, 0, name, sizeof name);
    size_t seed_len = name_len - (sizeof "00000000\r\n" - 1);
    const char *line = message, *end = message + len;
    while ((size_t)(end - line) >= name_len) {
        if (memcmp(line, name, seed_len) == 0) {
            *number_out = (uint32_t)strtoul(line + seed_len, NULL, 16);
            return line;
        }
        const char *next = memchr(line, '\n', (size_t)(end - line));
        if (!next || !is_trace(line, end))
            return NULL;
        line = next + 1;
    }
    return NULL;
}
