/* html.c - HTML as text that can be read.
 *
 * One pass over tags and text.  White space is one space, as HTML has it; how many line ends are
 * due is known when the next word comes, so that empty blocks leave nothing behind.
 */
#include "mail/html.h"

#include <string.h>

enum { ENTITY_MAX = 12, HREF_MAX = 2000 };

struct page {
    struct buffer *out;
    size_t start;     /* where the text begins in the buffer */
    unsigned breaks;  /* line ends that are due before the next word: 0, 1 or 2 */
    bool space;       /* a space is due */
    unsigned pre;     /* within so many <pre> */
    struct text href; /* of the link that is open; empty: none */
    size_t link_at;   /* where its text begins in the buffer */
    bool unclosed;    /* a quote in a tag was never closed */
};

enum effect {
    EFFECT_NONE,
    EFFECT_LINE,  /* begins and ends on a line of its own */
    EFFECT_BLOCK, /* with an empty line around it */
    EFFECT_BREAK, /* <br> */
    EFFECT_ITEM,
    EFFECT_CELL,
    EFFECT_RULE,
    EFFECT_PRE,
    EFFECT_LINK,
    EFFECT_IMAGE,
    EFFECT_SKIP, /* what stands in it is no text */
};

static const struct {
    struct text name;
    enum effect effect;
} tags[] = {
    { TEXT("a"), EFFECT_LINK },        { TEXT("address"), EFFECT_LINE },
    { TEXT("article"), EFFECT_BLOCK }, { TEXT("blockquote"), EFFECT_BLOCK },
    { TEXT("br"), EFFECT_BREAK },      { TEXT("caption"), EFFECT_LINE },
    { TEXT("center"), EFFECT_LINE },   { TEXT("dd"), EFFECT_LINE },
    { TEXT("div"), EFFECT_LINE },      { TEXT("dl"), EFFECT_BLOCK },
    { TEXT("dt"), EFFECT_LINE },       { TEXT("footer"), EFFECT_BLOCK },
    { TEXT("form"), EFFECT_LINE },     { TEXT("h1"), EFFECT_BLOCK },
    { TEXT("h2"), EFFECT_BLOCK },      { TEXT("h3"), EFFECT_BLOCK },
    { TEXT("h4"), EFFECT_BLOCK },      { TEXT("h5"), EFFECT_BLOCK },
    { TEXT("h6"), EFFECT_BLOCK },      { TEXT("header"), EFFECT_BLOCK },
    { TEXT("hr"), EFFECT_RULE },       { TEXT("img"), EFFECT_IMAGE },
    { TEXT("li"), EFFECT_ITEM },       { TEXT("noscript"), EFFECT_LINE },
    { TEXT("ol"), EFFECT_BLOCK },      { TEXT("p"), EFFECT_BLOCK },
    { TEXT("pre"), EFFECT_PRE },       { TEXT("script"), EFFECT_SKIP },
    { TEXT("section"), EFFECT_BLOCK }, { TEXT("style"), EFFECT_SKIP },
    { TEXT("table"), EFFECT_BLOCK },   { TEXT("td"), EFFECT_CELL },
    { TEXT("textarea"), EFFECT_SKIP }, { TEXT("th"), EFFECT_CELL },
    { TEXT("title"), EFFECT_SKIP },    { TEXT("tr"), EFFECT_LINE },
    { TEXT("ul"), EFFECT_BLOCK },
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_name(char c)
{
    return text_is_letter(c) || text_is_digit(c);
}

/* --- Text --- */

static void want_breaks(struct page *p, unsigned count)
{
    if (p->breaks < count)
        p->breaks = count;
    p->space = false;
}

/* What is due before a word. */
static void before_word(struct page *p)
{
    bool any = p->out->len > p->start;
    for (unsigned i = 0; any && i < p->breaks; i++)
        buffer_byte(p->out, '\n');
    if (any && p->space && p->breaks == 0)
        buffer_byte(p->out, ' ');
    p->breaks = 0;
    p->space = false;
}

static void put_word(struct page *p, struct text word)
{
    before_word(p);
    buffer_text(p->out, word);
}

static void put_character(struct page *p, uint32_t c)
{
    char to[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = len; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(lead[len] | c);
    put_word(p, (struct text){ to, len });
}

/* --- Entities --- */

static const struct {
    struct text name;
    uint32_t character;
} entities[] = {
    { TEXT("amp"), '&' },       { TEXT("lt"), '<' },       { TEXT("gt"), '>' },
    { TEXT("quot"), '"' },      { TEXT("apos"), '\'' },    { TEXT("nbsp"), 0xA0 },
    { TEXT("copy"), 0xA9 },     { TEXT("reg"), 0xAE },     { TEXT("trade"), 0x2122 },
    { TEXT("euro"), 0x20AC },   { TEXT("pound"), 0xA3 },   { TEXT("yen"), 0xA5 },
    { TEXT("cent"), 0xA2 },     { TEXT("sect"), 0xA7 },    { TEXT("para"), 0xB6 },
    { TEXT("deg"), 0xB0 },      { TEXT("middot"), 0xB7 },  { TEXT("bull"), 0x2022 },
    { TEXT("hellip"), 0x2026 }, { TEXT("ndash"), 0x2013 }, { TEXT("mdash"), 0x2014 },
    { TEXT("lsquo"), 0x2018 },  { TEXT("rsquo"), 0x2019 }, { TEXT("sbquo"), 0x201A },
    { TEXT("ldquo"), 0x201C },  { TEXT("rdquo"), 0x201D }, { TEXT("bdquo"), 0x201E },
    { TEXT("laquo"), 0xAB },    { TEXT("raquo"), 0xBB },   { TEXT("lsaquo"), 0x2039 },
    { TEXT("rsaquo"), 0x203A }, { TEXT("times"), 0xD7 },   { TEXT("divide"), 0xF7 },
    { TEXT("plusmn"), 0xB1 },   { TEXT("frac12"), 0xBD },  { TEXT("frac14"), 0xBC },
    { TEXT("rarr"), 0x2192 },   { TEXT("larr"), 0x2190 },  { TEXT("uarr"), 0x2191 },
    { TEXT("darr"), 0x2193 },   { TEXT("shy"), 0xAD },     { TEXT("zwnj"), 0x200C },
    { TEXT("zwj"), 0x200D },    { TEXT("ensp"), 0x2002 },  { TEXT("emsp"), 0x2003 },
    { TEXT("thinsp"), 0x2009 }, { TEXT("Auml"), 0xC4 },    { TEXT("Ouml"), 0xD6 },
    { TEXT("Uuml"), 0xDC },     { TEXT("auml"), 0xE4 },    { TEXT("ouml"), 0xF6 },
    { TEXT("uuml"), 0xFC },     { TEXT("szlig"), 0xDF },   { TEXT("Agrave"), 0xC0 },
    { TEXT("Aacute"), 0xC1 },   { TEXT("Acirc"), 0xC2 },   { TEXT("Atilde"), 0xC3 },
    { TEXT("Aring"), 0xC5 },    { TEXT("AElig"), 0xC6 },   { TEXT("Ccedil"), 0xC7 },
    { TEXT("Egrave"), 0xC8 },   { TEXT("Eacute"), 0xC9 },  { TEXT("Ecirc"), 0xCA },
    { TEXT("Ntilde"), 0xD1 },   { TEXT("Oslash"), 0xD8 },  { TEXT("agrave"), 0xE0 },
    { TEXT("aacute"), 0xE1 },   { TEXT("acirc"), 0xE2 },   { TEXT("atilde"), 0xE3 },
    { TEXT("aring"), 0xE5 },    { TEXT("aelig"), 0xE6 },   { TEXT("ccedil"), 0xE7 },
    { TEXT("egrave"), 0xE8 },   { TEXT("eacute"), 0xE9 },  { TEXT("ecirc"), 0xEA },
    { TEXT("euml"), 0xEB },     { TEXT("igrave"), 0xEC },  { TEXT("iacute"), 0xED },
    { TEXT("icirc"), 0xEE },    { TEXT("iuml"), 0xEF },    { TEXT("ntilde"), 0xF1 },
    { TEXT("ograve"), 0xF2 },   { TEXT("oacute"), 0xF3 },  { TEXT("ocirc"), 0xF4 },
    { TEXT("otilde"), 0xF5 },   { TEXT("oslash"), 0xF8 },  { TEXT("ugrave"), 0xF9 },
    { TEXT("uacute"), 0xFA },   { TEXT("ucirc"), 0xFB },
};

static bool is_character(uint64_t c)
{
    return c > 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

/* "#160" or "#xA0"; 0: it is none. */
static uint32_t numbered(struct text t)
{
    bool hex = t.len > 1 && text_lower(t.at[1]) == 'x';
    uint32_t base = hex ? 16 : 10, c = 0;
    t = text_skip(t, hex ? 2 : 1);
    if (t.len == 0 || t.len > 8)
        return 0;
    for (size_t i = 0; i < t.len; i++) {
        int value = text_hex_value(t.at[i]);
        if (value < 0 || value >= (int)base)
            return 0;
        c = c * base + (uint32_t)value;
    }
    return is_character(c) ? c : 0xFFFD;
}

static uint32_t entity(struct text name)
{
    if (name.len && name.at[0] == '#')
        return numbered(name);
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (text_equal(name, entities[i].name))
            return entities[i].character;
    return 0;
}

/* The text begins with '&'. */
static void take_entity(struct page *p, struct text *rest)
{
    struct text t = text_skip(*rest, 1);
    size_t len = 0;
    while (len < t.len && len < ENTITY_MAX && (is_name(t.at[len]) || t.at[len] == '#'))
        len++;
    uint32_t c = entity(text_first(t, len));
    if (c == 0) {
        put_word(p, T("&"));
        *rest = t;
        return;
    }
    if (c == 0xA0) /* a space that does not end a line: here none does */
        p->space = true;
    else
        put_character(p, c);
    *rest = text_skip(t, len + (len < t.len && t.at[len] == ';'));
}

/* --- Tags --- */

/* A tag with its attributes, between the angles. */
struct tag {
    bool end;
    struct text name;
    struct text attributes;
};

/* How long the tag is up to the '>' that no quotes hold.  Behind the first quote that is never
 * closed none counts any more, so that nothing is read over and over. */
static size_t tag_length(struct page *p, struct text t)
{
    char quote = 0, before = 0;
    for (size_t i = 0; i < t.len && !p->unclosed; i++) {
        char c = t.at[i];
        if (!quote && c == '>')
            return i;
        if (quote)
            quote = c == quote ? 0 : quote;
        else if ((c == '"' || c == '\'') && before == '=')
            quote = c;
        before = is_space(c) ? before : c;
    }
    p->unclosed = true;
    return text_find(t, '>');
}

static struct tag tag_of(struct text inside)
{
    struct tag tag = { .end = inside.len && inside.at[0] == '/' };
    size_t len = 0;
    inside = text_skip(inside, tag.end);
    while (len < inside.len && is_name(inside.at[len]))
        len++;
    tag.name = text_first(inside, len);
    tag.attributes = text_skip(inside, len);
    return tag;
}

static enum effect effect_of(struct text name)
{
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (text_equal_nocase(name, tags[i].name))
            return tags[i].effect;
    return EFFECT_NONE;
}

static void skip_spaces(struct text *rest)
{
    while (rest->len && is_space(rest->at[0]))
        *rest = text_skip(*rest, 1);
}

/* The value behind an attribute's name; empty when it has none. */
static struct text take_value(struct text *rest)
{
    size_t len = 0;
    skip_spaces(rest);
    if (rest->len == 0 || rest->at[0] != '=')
        return T("");
    *rest = text_skip(*rest, 1);
    skip_spaces(rest);
    char quote = rest->len ? rest->at[0] : 0;
    bool quoted = quote == '"' || quote == '\'';
    *rest = text_skip(*rest, quoted);
    while (len < rest->len && (quoted ? rest->at[len] != quote : !is_space(rest->at[len])))
        len++;
    struct text value = text_first(*rest, len);
    *rest = text_skip(*rest, len + quoted);
    return value;
}

/* The value of an attribute; empty when it is not there. */
static struct text attribute(struct text rest, struct text name)
{
    while (rest.len) {
        size_t len = 0;
        while (len < rest.len && is_name(rest.at[len]))
            len++;
        struct text found = text_first(rest, len);
        rest = text_skip(rest, len ? len : 1);
        struct text value = len ? take_value(&rest) : T("");
        if (text_equal_nocase(found, name))
            return value;
    }
    return T("");
}

/* Text of an attribute, its entities undone. */
static void put_value(struct page *p, struct text value)
{
    while (value.len) {
        size_t plain = text_find(value, '&');
        if (plain)
            put_word(p, text_first(value, plain));
        value = text_skip(value, plain);
        if (value.len)
            take_entity(p, &value);
    }
}

static bool leads_somewhere(struct text href)
{
    return href.len <= HREF_MAX &&
           (text_starts_nocase(href, T("http")) || text_starts_nocase(href, T("ftp")) ||
            text_starts_nocase(href, T("mailto:")));
}

/* Behind the text of a link stands where it leads, unless that is what the text says. */
static void end_link(struct page *p)
{
    struct text href = p->href;
    struct text said = text_skip(buffer_as_text(p->out), p->link_at);
    p->href = T("");
    text_take_nocase(&href, T("mailto:"));
    if (href.len == 0 || text_equal(text_trim(said), href))
        return;
    p->space = true;
    put_word(p, T("<"));
    put_value(p, href);
    put_word(p, T(">"));
}

static void link_tag(struct page *p, const struct tag *tag)
{
    if (p->href.len)
        end_link(p);
    struct text href = tag->end ? T("") : text_trim(attribute(tag->attributes, T("href")));
    if (!leads_somewhere(href))
        return;
    p->href = href;
    p->link_at = p->out->len;
}

static void image_tag(struct page *p, const struct tag *tag)
{
    struct text alt = text_trim(attribute(tag->attributes, T("alt")));
    if (alt.len == 0 || tag->end)
        return;
    put_word(p, T("["));
    put_value(p, alt);
    put_word(p, T("]"));
}

/* Behind the end of an element that is no text; all when it has no end. */
static struct text skip_element(struct text rest, struct text name)
{
    while (rest.len) {
        rest = text_skip(rest, text_find(rest, '<'));
        if (rest.len > 1 && rest.at[1] == '/' && text_starts_nocase(text_skip(rest, 2), name))
            return text_skip(rest, text_find(rest, '>') + 1);
        rest = text_skip(rest, 1);
    }
    return rest;
}

static void pre_tag(struct page *p, const struct tag *tag)
{
    want_breaks(p, 2);
    if (!tag->end)
        p->pre++;
    else if (p->pre)
        p->pre--;
}

static void apply(struct page *p, const struct tag *tag, struct text *rest)
{
    switch (effect_of(tag->name)) {
    case EFFECT_NONE:
        break;
    case EFFECT_LINE:
        want_breaks(p, 1);
        break;
    case EFFECT_BLOCK:
        want_breaks(p, 2);
        break;
    case EFFECT_BREAK:
        p->breaks = p->breaks < 2 ? p->breaks + 1 : 2;
        p->space = false;
        break;
    case EFFECT_ITEM:
        want_breaks(p, 1);
        if (!tag->end)
            put_word(p, T("* "));
        break;
    case EFFECT_CELL:
        p->space = true;
        break;
    case EFFECT_RULE:
        want_breaks(p, 1);
        put_word(p, T("----"));
        want_breaks(p, 1);
        break;
    case EFFECT_PRE:
        pre_tag(p, tag);
        break;
    case EFFECT_LINK:
        link_tag(p, tag);
        break;
    case EFFECT_IMAGE:
        image_tag(p, tag);
        break;
    case EFFECT_SKIP:
        if (!tag->end)
            *rest = skip_element(*rest, tag->name);
        break;
    }
}

/* The text begins with '<'. */
static void take_tag(struct page *p, struct text *rest)
{
    struct text t = text_skip(*rest, 1);
    if (text_starts(t, T("!--"))) {
        const char *end = memmem(t.at, t.len, "-->", 3);
        *rest = end ? text_skip(t, (size_t)(end - t.at) + 3) : T("");
        return;
    }
    if (t.len == 0 || !(is_name(t.at[0]) || t.at[0] == '/' || t.at[0] == '!' || t.at[0] == '?')) {
        put_word(p, T("<"));
        *rest = t;
        return;
    }
    size_t len = tag_length(p, t);
    struct tag tag = tag_of(text_first(t, len));
    *rest = text_skip(t, len + 1);
    apply(p, &tag, rest);
}

/* Words and the spaces between them, up to the next tag or entity. */
static void take_text(struct page *p, struct text *rest)
{
    size_t len = 0;
    char c = rest->at[0];
    if (p->pre && c == '\n') {
        p->breaks = p->breaks < 8 ? p->breaks + 1 : 8;
        *rest = text_skip(*rest, 1);
        return;
    }
    if (is_space(c)) {
        if (p->pre && c != '\r')
            put_word(p, T(" "));
        else
            p->space |= p->breaks == 0;
        *rest = text_skip(*rest, 1);
        return;
    }
    while (len < rest->len && !is_space(rest->at[len]) && rest->at[len] != '<' &&
           rest->at[len] != '&')
        len++;
    put_word(p, text_first(*rest, len));
    *rest = text_skip(*rest, len);
}

bool html_text(struct buffer *out, struct text html)
{
    struct page p = { .out = out, .start = out->len };
    while (html.len && !out->failed) {
        if (html.at[0] == '<')
            take_tag(&p, &html);
        else if (html.at[0] == '&')
            take_entity(&p, &html);
        else
            take_text(&p, &html);
    }
    if (p.href.len)
        end_link(&p);
    if (out->len > p.start)
        buffer_byte(out, '\n');
    return !out->failed;
}
