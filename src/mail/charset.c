/* charset.c - the character sets that need no table, and the way to all others. */
#include "mail/charset.h"

#include "base/escape.h"

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static void put_utf8(struct buffer *out, struct text octets)
{
    while (octets.len) {
        size_t good = 0, len = 1;
        while (good < octets.len && len) {
            len = (uint8_t)octets.at[good] < 0x80 ? 1 : utf8_length(text_skip(octets, good));
            good += len;
        }
        buffer_text(out, text_first(octets, good));
        octets = text_skip(octets, good);
        if (octets.len)
            buffer_text(out, text_of(replacement));
        octets = text_skip(octets, 1);
    }
}

/* The first 256 characters of Unicode. */
static void put_latin1(struct buffer *out, struct text octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t c = (uint8_t)octets.at[i];
        if (c >= 0x80)
            buffer_byte(out, (uint8_t)(0xC0 | c >> 6));
        buffer_byte(out, c < 0x80 ? c : (uint8_t)(0x80 | (c & 0x3F)));
    }
}

bool charset_to_utf8(const struct charset_more *more, struct text charset, struct text octets,
                     struct buffer *out)
{
    static const struct {
        struct text name;
        void (*put)(struct buffer *, struct text);
    } known[] = {
        /* Senders who say ASCII, or nothing, and mean UTF-8 are many: what is ASCII is both. */
        { TEXT(""), put_utf8 },
        { TEXT("us-ascii"), put_utf8 },
        { TEXT("utf-8"), put_utf8 },
        { TEXT("utf8"), put_utf8 },
        { TEXT("iso-8859-1"), put_latin1 },
        { TEXT("latin1"), put_latin1 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!text_equal_nocase(charset, known[i].name))
            continue;
        known[i].put(out, octets);
        return !out->failed;
    }
    return more && more->convert(more->context, charset, octets, out);
}
