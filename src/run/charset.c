/* charset.c - text from one character set to another, by the C library's iconv.
 *
 * Names come from strangers: only plain words get to iconv_open(), so that none of its own suffixes
 * ("//IGNORE") does.  The state between two slices is a few octets; all else is in the buffer.
 */
#include "run/charset.h"

#include "base/escape.h"

#include <errno.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELD_MAX = 32,    /* octets of a character that is not whole; no set has longer ones */
    PIECE_MAX = 4096, /* octets that go to iconv at once */
    ROOM = 1024,      /* and that come back */
};

struct recoder {
    iconv_t iconv;
    bool from_utf8;
    uint8_t unit; /* octets of which every character is a multiple */
    uint8_t held;
    char hold[HELD_MAX];
};

/* What mail says, and what it means by it. */
static const struct {
    struct text said;
    const char *meant;
} aliases[] = {
    { TEXT("gb2312"), "GB18030" },
    { TEXT("gbk"), "GB18030" },
    { TEXT("x-gbk"), "GB18030" },
    { TEXT("hz-gb-2312"), "HZ" },
    { TEXT("ks_c_5601-1987"), "CP949" },
    { TEXT("euc-kr"), "CP949" },
    { TEXT("shift_jis"), "CP932" },
    { TEXT("shift-jis"), "CP932" },
    { TEXT("x-sjis"), "CP932" },
    { TEXT("iso-2022-jp"), "ISO-2022-JP-2" },
    { TEXT("big5"), "BIG5-HKSCS" },
    { TEXT("iso-8859-8-i"), "ISO-8859-8" },
    { TEXT("iso-8859-8-e"), "ISO-8859-8" },
    { TEXT("iso-8859-6-i"), "ISO-8859-6" },
    { TEXT("iso-8859-6-e"), "ISO-8859-6" },
    { TEXT("unicode-1-1-utf-7"), "UTF-7" },
    { TEXT("tis-620"), "CP874" },
    { TEXT("windows-874"), "CP874" },
    { TEXT("x-mac-cyrillic"), "MAC-CYRILLIC" },
    { TEXT("x-mac-roman"), "MACINTOSH" },
};

/* glibc reads what is malformed in these differently at each cut, and wrote beyond its buffer in
 * them (CVE-2024-2961); no mail has them. */
static const struct text refused[] = { TEXT("iso-2022-cn-ext"), TEXT("iso2022cnext") };

static bool is_name(struct text t)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (text_equal_nocase(t, refused[i]))
            return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.at[i];
        if (!text_is_letter(c) && !text_is_digit(c) && !text_is_one_of(c, "-_.:+()"))
            return false;
    }
    return t.len > 0 && t.len <= RECODER_NAME_MAX;
}

static bool name_of(struct text charset, const char *suffix, char *out, size_t octets)
{
    if (!is_name(charset))
        return false;
    struct text name = charset;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (text_equal_nocase(charset, aliases[i].said))
            name = text_of(aliases[i].meant);
    snprintf(out, octets, "%.*s%s", TEXT_ARGS(name), suffix);
    return true;
}

static struct recoder *new_recoder(const char *to, const char *from, bool from_utf8)
{
    iconv_t opened = iconv_open(to, from);
    if (opened == (iconv_t)-1)
        return NULL;
    struct recoder *r = calloc(1, sizeof *r);
    if (!r) {
        iconv_close(opened);
        return NULL;
    }
    r->iconv = opened;
    r->from_utf8 = from_utf8;
    return r;
}

static uint8_t unit_of(struct text charset)
{
    if (text_starts_nocase(charset, T("utf-16")) || text_starts_nocase(charset, T("ucs-2")))
        return 2;
    if (text_starts_nocase(charset, T("utf-32")) || text_starts_nocase(charset, T("ucs-4")))
        return 4;
    return 1;
}

struct recoder *recoder_to_utf8(struct text charset)
{
    char name[RECODER_NAME_MAX + 16];
    if (!name_of(charset, "", name, sizeof name))
        return NULL;
    struct recoder *r = new_recoder("UTF-8", name, false);
    if (r)
        r->unit = unit_of(charset);
    return r;
}

struct recoder *recoder_from_utf8(struct text charset)
{
    char name[RECODER_NAME_MAX + 16];
    if (!name_of(charset, "//TRANSLIT", name, sizeof name))
        return NULL;
    return new_recoder(name, "UTF-8", true);
}

void recoder_free(struct recoder **r)
{
    if (!*r)
        return;
    iconv_close((*r)->iconv);
    free(*r);
    *r = NULL;
}

/* For octets that stand for nothing: how many of them. */
static size_t replace(const struct recoder *r, struct text at, struct buffer *out)
{
    size_t len = r->from_utf8 ? utf8_length(at) : r->unit;
    buffer_text(out, r->from_utf8 ? T("?") : T("\xEF\xBF\xBD"));
    return len ? len : 1;
}

/* Whole characters.  glibc makes what is no UTF-8 of numbers that are no characters, as UCS-4 can
 * have them. */
static void put_utf8(struct text t, struct buffer *out)
{
    while (t.len) {
        size_t good = 0, len = 1;
        while (good < t.len && len) {
            len = (uint8_t)t.at[good] < 0x80 ? 1 : utf8_length(text_skip(t, good));
            good += len;
        }
        buffer_text(out, text_first(t, good));
        t = text_skip(t, good);
        if (t.len)
            buffer_text(out, T("\xEF\xBF\xBD"));
        t = text_skip(t, 1);
        while (t.len && ((uint8_t)t.at[0] & 0xC0) == 0x80)
            t = text_skip(t, 1);
    }
}

/* What iconv wrote. */
static void put(const struct recoder *r, const char *at, size_t len, struct buffer *out)
{
    if (r->from_utf8)
        buffer_append(out, at, len);
    else
        put_utf8((struct text){ at, len }, out);
}

/* One call, whose output goes to the buffer.  Its errno; 0: all was used up. */
static int convert_some(struct recoder *r, struct text *in, struct buffer *out)
{
    char room[ROOM], *to = room;
    char *from = (char *)(uintptr_t)in->at; /* iconv() only reads it, whatever its type says */
    size_t left = in->len, room_left = sizeof room;
    size_t result = iconv(r->iconv, &from, &left, &to, &room_left);
    int why = result == (size_t)-1 ? errno : 0;
    put(r, room, sizeof room - room_left, out);
    *in = text_skip(*in, in->len - left);
    return why;
}

/* Converts until the input is used up or its rest is no whole character; that rest stays. */
static bool convert(struct recoder *r, struct text *in, struct buffer *out)
{
    while (in->len && !out->failed) {
        size_t before = in->len;
        int why = convert_some(r, in, out);
        if (why == EINVAL && in->len <= HELD_MAX)
            break;
        if (why && !(why == E2BIG && in->len < before))
            *in = text_skip(*in, replace(r, *in, out));
    }
    return !out->failed;
}

static void hold(struct recoder *r, struct text rest)
{
    memcpy(r->hold, rest.at, rest.len);
    r->held = (uint8_t)rest.len;
}

/* What was held, with as much of the slice as makes it whole. */
static bool finish_held(struct recoder *r, struct text *slice, struct buffer *out)
{
    while (r->held && slice->len) {
        char joined[2 * HELD_MAX];
        struct text more = text_first(*slice, 1);
        memcpy(joined, r->hold, r->held);
        memcpy(joined + r->held, more.at, more.len);
        struct text in = { joined, r->held + more.len };
        if (!convert(r, &in, out))
            return false;
        hold(r, text_first(in, HELD_MAX));
        *slice = text_skip(*slice, 1);
    }
    return true;
}

bool recoder_feed(struct recoder *r, struct text slice, struct buffer *out)
{
    if (!finish_held(r, &slice, out))
        return false;
    while (slice.len) {
        struct text piece = text_first(slice, PIECE_MAX);
        slice = text_skip(slice, piece.len);
        if (!convert(r, &piece, out))
            return false;
        hold(r, text_first(piece, HELD_MAX));
        if (!finish_held(r, &slice, out))
            return false;
    }
    return true;
}

bool recoder_end(struct recoder *r, struct buffer *out)
{
    struct text rest = { r->hold, r->held };
    if (rest.len)
        replace(r, rest, out);
    r->held = 0;
    char room[ROOM], *to = room;
    size_t room_left = sizeof room;
    iconv(r->iconv, NULL, NULL, &to, &room_left); /* back to the state of the beginning */
    put(r, room, sizeof room - room_left, out);
    return !out->failed;
}

struct charsets {
    struct recoder *last;
    size_t name_len;
    char name[RECODER_NAME_MAX];
};

struct charsets *charsets_new(void)
{
    return calloc(1, sizeof(struct charsets));
}

void charsets_free(struct charsets **c)
{
    if (!*c)
        return;
    recoder_free(&(*c)->last);
    free(*c);
    *c = NULL;
}

/* The converter for this set; an unknown one is remembered as such, since strangers may name it in
 * every word. */
static struct recoder *recoder_for(struct charsets *c, struct text charset)
{
    struct text name = { c->name, c->name_len };
    if (charset.len > sizeof c->name || text_equal_nocase(name, charset))
        return charset.len > sizeof c->name ? NULL : c->last;
    recoder_free(&c->last);
    memcpy(c->name, charset.at, charset.len);
    c->name_len = charset.len;
    c->last = recoder_to_utf8(charset);
    return c->last;
}

bool charsets_convert(void *context, struct text charset, struct text octets, struct buffer *out)
{
    struct charsets *c = context;
    struct recoder *r = recoder_for(c, charset);
    if (!r)
        return false;
    if (recoder_feed(r, octets, out) && recoder_end(r, out))
        return true;
    recoder_free(&c->last); /* its state is lost */
    c->name_len = 0;
    return false;
}

struct text charset_of_terminal(char out[CHARSET_TERMINAL_MAX])
{
    /* An object of its own: setlocale() would change the whole process. */
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    snprintf(out, CHARSET_TERMINAL_MAX, "%s", locale ? nl_langinfo_l(CODESET, locale) : "UTF-8");
    if (locale)
        freelocale(locale);
    return text_of(out);
}
