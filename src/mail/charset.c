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

/* Windows-1252 between 0x80 and 0x9F.  Who says ISO-8859-1 and writes such octets means these: the
 * controls that they are there stand in no mail. */
static const uint16_t windows[] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

/* The first 256 characters of Unicode, and Windows-1252. */
static void put_latin1(struct buffer *out, struct text octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t octet = (uint8_t)octets.at[i];
        uint16_t c = octet >= 0x80 && octet < 0xA0 ? windows[octet - 0x80] : octet;
        const uint8_t utf8[] = { (uint8_t)(0xE0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3F)),
                                 (uint8_t)(0x80 | (c & 0x3F)) };
        if (c < 0x80)
            buffer_byte(out, octet);
        else if (c >= 0x800)
            buffer_append(out, utf8, sizeof utf8);
        else {
            buffer_byte(out, (uint8_t)(0xC0 | c >> 6));
            buffer_byte(out, utf8[2]);
        }
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
        { TEXT("windows-1252"), put_latin1 },
        { TEXT("cp1252"), put_latin1 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!text_equal_nocase(charset, known[i].name))
            continue;
        known[i].put(out, octets);
        return !out->failed;
    }
    return more && more->convert(more->context, charset, octets, out);
}
