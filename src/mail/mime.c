/* mime.c - the parts of a message and where they lie, as its octets pass by.
 *
 * Everything is decided at the end of a line, from what was kept of it: as much as can be a
 * delimiter, and in a header the field that it belongs to.  The line's place is known, so a part
 * that ends ends where the line began.  Nothing here decodes a body.
 */
#include "mail/mime.h"

#include "base/buffer.h"
#include "mail/header.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_KEPT = MIME_BOUNDARY_MAX + 4 }; /* "--", the boundary, "--" */

/* What a line of a header has turned out to be so far; as mail/header.h reads it. */
enum form {
    FORM_START,
    FORM_NAME,
    FORM_BLANK, /* between the name and the colon */
    FORM_FIELD, /* the colon was seen, or it continues a field */
    FORM_OTHER, /* no field: unless it is empty, the body begins with it */
};

/* The line that is being read; begun anew behind each line end. */
struct line {
    uint64_t at;
    uint64_t len;
    enum form form;
    uint8_t last; /* its last octet so far */
    uint16_t kept;
    char start[LINE_KEPT]; /* kept only when it begins like a delimiter */
};

/* A multipart whose delimiters count. */
struct open {
    struct mime_part *part;
    struct mime_part *last; /* of its children */
    struct text boundary;
    struct open *shorter; /* the longest other boundary that this one begins with, or NULL */
};

struct mime {
    struct arena arena;
    struct buffer field; /* the field that is being read, from its name on */
    bool in_field;       /* there is one, though nothing of it may be kept */
    struct line line;
    uint64_t lines;        /* line ends so far */
    unsigned line_end_len; /* of the line before; 0 at the start */
    struct mime_part *root;
    struct mime_part *current; /* the innermost part that has not ended */
    bool in_header;            /* of it */
    bool typed;                /* a Content-Type was read in this header */
    bool failed;               /* memory was short */
    bool coarse;               /* a limit was reached */
    size_t parts;
    size_t open_count;
    struct open open[MIME_DEPTH_MAX + 1];    /* outermost first */
    struct open *sorted[MIME_DEPTH_MAX + 1]; /* by boundary, of equal ones the outermost first */
    bool in_order;                           /* they are; not, since one was opened or closed */
};

/* Values of Content- fields. */

static bool read_type(struct mime *m, struct text value)
{
    if (m->typed)
        return true;
    m->typed = true;
    return mime_type_read(&m->arena, value, &m->current->type);
}

static bool read_disposition(struct mime *m, struct text value)
{
    struct mime_value *d = &m->current->disposition;
    return d->word.len > 0 || mime_disposition_read(&m->arena, value, d);
}

static enum mime_encoding encoding_of(struct text name)
{
    static const struct text names[] = {
        [MIME_7BIT] = TEXT("7bit"),     [MIME_8BIT] = TEXT("8bit"),
        [MIME_BINARY] = TEXT("binary"), [MIME_QUOTED_PRINTABLE] = TEXT("quoted-printable"),
        [MIME_BASE64] = TEXT("base64"),
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal_nocase(name, names[i]))
            return (enum mime_encoding)i;
    return MIME_OTHER;
}

static bool read_encoding(struct mime *m, struct text value)
{
    struct text word = mime_word(value);
    if (word.len == 0 || m->current->encoding_name.len)
        return true;
    m->current->encoding = encoding_of(word);
    return arena_text(&m->arena, word, &m->current->encoding_name);
}

static bool read_line(struct mime *m, struct text value, struct text *out)
{
    char line[MIME_FIELD_MAX];
    return out->len || arena_text(&m->arena, header_unfold(value, line, sizeof line), out);
}

static bool read_id(struct mime *m, struct text value)
{
    return read_line(m, value, &m->current->id);
}

static bool read_description(struct mime *m, struct text value)
{
    return read_line(m, value, &m->current->description);
}

static bool read_md5(struct mime *m, struct text value)
{
    return read_line(m, value, &m->current->md5);
}

static bool read_language(struct mime *m, struct text value)
{
    return read_line(m, value, &m->current->language);
}

static bool read_location(struct mime *m, struct text value)
{
    return read_line(m, value, &m->current->location);
}

/* The fields that are read, each where it stands first. False: memory is short. */
static const struct {
    struct text name;
    bool (*read)(struct mime *, struct text value);
} fields[] = {
    { TEXT("Content-Type"), read_type },
    { TEXT("Content-Transfer-Encoding"), read_encoding },
    { TEXT("Content-Disposition"), read_disposition },
    { TEXT("Content-ID"), read_id },
    { TEXT("Content-Description"), read_description },
    { TEXT("Content-MD5"), read_md5 },
    { TEXT("Content-Language"), read_language },
    { TEXT("Content-Location"), read_location },
};

/* The field is whole: the line that follows does not continue it. */
static void end_field(struct mime *m)
{
    m->in_field = false;
    if (m->field.len == 0)
        return;
    struct text rest = buffer_as_text(&m->field);
    struct header_field f;
    bool whole = header_next(&rest, &f);
    for (size_t i = 0; whole && i < sizeof fields / sizeof *fields; i++) {
        if (!text_equal_nocase(f.name, fields[i].name))
            continue;
        bool room = m->arena.used + MIME_VALUE_ROOM(f.value.len) <= m->arena.max;
        m->coarse |= !room;
        if (room && !fields[i].read(m, f.value))
            m->failed = true;
    }
    m->field.len = 0;
}

/* Parts. */

/* A part whose header begins here, and which is the current one from now on.  NULL: there is no
 * room for it. */
static struct mime_part *begin_part(struct mime *m, struct mime_part *parent, uint64_t at)
{
    if (m->parts == MIME_PARTS_MAX || m->arena.max - m->arena.used < sizeof *m->root + 16) {
        m->coarse = true;
        return NULL;
    }
    struct mime_part *p = arena_take(&m->arena, sizeof *p);
    if (!p) {
        m->failed = true;
        return NULL;
    }
    p->parent = parent;
    p->depth = parent ? parent->depth + 1 : 0;
    p->header_at = at;
    m->current = p;
    m->in_header = true;
    m->typed = false;
    m->parts++;
    return p;
}

static void retype(struct mime_part *p, struct text word, struct text sub)
{
    p->type = (struct mime_value){ .word = word, .sub = sub };
}

/* It cannot be read as what it says it is. */
static void misread(struct mime_part *p, struct text word, struct text sub)
{
    retype(p, word, sub);
    p->misread = true;
}

/* RFC 2045 5.2, and RFC 2046 5.1.5 for what stands in a digest. */
static void default_type(struct mime *m)
{
    struct mime_part *p = m->current;
    if (p->type.word.len)
        return;
    bool digest = p->parent && mime_is(&p->parent->type, T("multipart"), T("digest"));
    if (digest && !m->typed)
        retype(p, T("message"), T("rfc822"));
    else
        retype(p, T("text"), T("plain"));
}

/* RFC 2046 5.1.1: it does not end with a space, which a gateway might have taken off the line.  One
 * that cannot stand in a line is none. */
static struct text boundary_of(const struct mime_value *type)
{
    const struct mime_param *param = mime_param(type, T("boundary"));
    struct text boundary = param ? param->value : T("");
    while (boundary.len && text_is_blank(boundary.at[boundary.len - 1]))
        boundary.len--;
    static const char never[] = "\r\n"; /* and its NUL */
    for (size_t i = 0; i < sizeof never; i++)
        if (text_find(boundary, never[i]) < boundary.len)
            return T("");
    return boundary;
}

static void open_multipart(struct mime *m)
{
    struct mime_part *p = m->current;
    struct text boundary = boundary_of(&p->type);
    if (boundary.len == 0 || boundary.len > MIME_BOUNDARY_MAX) {
        misread(p, T("text"), T("plain"));
        return;
    }
    if (p->depth == MIME_DEPTH_MAX) {
        m->coarse = true;
        misread(p, T("application"), T("octet-stream"));
        return;
    }
    p->kind = MIME_MULTIPART;
    m->open[m->open_count++] = (struct open){ .part = p, .boundary = boundary };
    m->in_order = false;
}

/* RFC 2046 5.2.1: the message is not encoded; where it is all the same it cannot be seen into. */
static void open_message(struct mime *m)
{
    struct mime_part *p = m->current;
    bool plain = p->encoding <= MIME_BINARY;
    m->coarse |= plain && p->depth == MIME_DEPTH_MAX;
    if (plain && p->depth < MIME_DEPTH_MAX)
        p->first = begin_part(m, p, p->body_at);
    if (p->first)
        p->kind = MIME_MESSAGE;
    else
        misread(p, T("application"), T("octet-stream"));
}

/* The header of the current part ends, and its body begins at `at`; if that is a message, its
 * header begins there. */
static void end_header(struct mime *m, uint64_t at, uint64_t lines)
{
    struct mime_part *p = m->current;
    end_field(m);
    m->in_header = false;
    p->body_at = at;
    p->lines = lines; /* those before the body, until the part ends */
    default_type(m);
    if (mime_is(&p->type, T("multipart"), T("")))
        open_multipart(m);
    else if (mime_is(&p->type, T("message"), T("rfc822")) ||
             mime_is(&p->type, T("message"), T("global")))
        open_message(m);
}

/* For a header that ends without an empty line; a message in it has no header at all. */
static void end_headers(struct mime *m, uint64_t at)
{
    while (m->in_header)
        end_header(m, at, m->lines);
}

/* The bodies of the current part and those around it, up to `outer`, end at the line that begins at
 * `at`, without the line end before it.  But if a header ends there, that line end is the header's,
 * which lies within all of them. */
static void end_bodies(const struct mime *m, const struct mime_part *outer, uint64_t at)
{
    unsigned line_end = at > m->current->body_at ? m->line_end_len : 0;
    for (struct mime_part *p = m->current; p != outer; p = p->parent) {
        p->end_at = at - line_end;
        p->lines = m->lines - p->lines - (line_end > 0);
    }
}

/* Lines. */

/* The form of a line of a header behind one more octet. */
static enum form next_form(const struct mime *m, char c)
{
    bool in_name = c > ' ' && c < 0x7F && c != ':';
    switch (m->line.form) {
    case FORM_START:
        if (text_is_blank(c))
            return m->in_field ? FORM_FIELD : FORM_OTHER;
        return in_name ? FORM_NAME : FORM_OTHER;
    case FORM_NAME:
        if (in_name)
            return FORM_NAME;
        return c == ':' ? FORM_FIELD : text_is_blank(c) ? FORM_BLANK : FORM_OTHER;
    case FORM_BLANK:
        return c == ':' ? FORM_FIELD : text_is_blank(c) ? FORM_BLANK : FORM_OTHER;
    case FORM_FIELD:
    case FORM_OTHER:
        break;
    }
    return m->line.form;
}

/* Octets of a line of the header; the field before ends where a line does not continue it. */
static void read_header(struct mime *m, struct text t)
{
    if (m->line.len == 0 && !text_is_blank(t.at[0]))
        end_field(m);
    for (size_t i = 0; i < t.len && m->line.form != FORM_FIELD && m->line.form != FORM_OTHER; i++)
        m->line.form = next_form(m, t.at[i]);
    size_t room = MIME_FIELD_MAX - m->field.len;
    if (!buffer_text(&m->field, text_first(t, room)))
        m->failed = true;
    m->in_field = true;
}

static size_t common_length(struct text a, struct text b)
{
    size_t len = 0;
    while (len < a.len && len < b.len && a.at[len] == b.at[len])
        len++;
    return len;
}

/* The longest boundary that has at most `len` octets, among this one and those it begins with. */
static struct open *no_longer_than(struct open *o, size_t len)
{
    while (o && o->boundary.len > len)
        o = o->shorter;
    return o;
}

static void sort_boundaries(struct mime *m)
{
    for (size_t i = 0; i < m->open_count; i++) {
        struct open *o = &m->open[i];
        size_t at = i;
        for (; at && text_compare(m->sorted[at - 1]->boundary, o->boundary) > 0; at--)
            m->sorted[at] = m->sorted[at - 1];
        m->sorted[at] = o;
    }
    for (size_t i = 0; i < m->open_count; i++) {
        struct open *o = m->sorted[i], *before = i ? m->sorted[i - 1] : NULL;
        o->shorter = before;
        if (before)
            o->shorter = no_longer_than(before, common_length(before->boundary, o->boundary));
    }
    m->in_order = true;
}

/* Which open multipart the line delimits: the one with the longest boundary that it begins with
 * (RFC 2046 5.1.1: the rest of the line does not count), of equal ones the innermost.  NULL: none.
 *
 * In order, the last boundary that is not behind the line is that one, or one that begins with it:
 * so lines that look like delimiters cost little even where many multiparts are open. */
static struct open *find_delimited(struct mime *m, struct text line)
{
    if (!m->in_order)
        sort_boundaries(m);
    size_t from = 0, to = m->open_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (text_compare(m->sorted[middle]->boundary, line) > 0)
            to = middle;
        else
            from = middle + 1;
    }
    if (from == 0)
        return NULL;
    struct open *o = m->sorted[from - 1];
    return no_longer_than(o, common_length(o->boundary, line));
}

static bool is_close(struct text line, const struct open *o)
{
    return text_starts(text_skip(line, 2 + o->boundary.len), T("--"));
}

/* The multipart that a line delimits, of which as much is given as can matter; NULL.  With as many
 * parts as there may be, only one that ends a multipart is a delimiter. */
static struct open *delimited(struct mime *m, struct text line)
{
    if (m->open_count == 0 || line.len < 3 || line.at[0] != '-' || line.at[1] != '-')
        return NULL;
    struct open *o = find_delimited(m, text_skip(line, 2));
    if (!o || m->parts < MIME_PARTS_MAX || is_close(line, o))
        return o;
    m->coarse = true;
    return NULL;
}

/* The line, which has ended, is looked at as a delimiter.  False: it is none. */
static bool delimit(struct mime *m)
{
    struct text line = { m->line.start, m->line.kept };
    struct open *o = delimited(m, line);
    if (!o)
        return false;
    bool close = is_close(line, o);
    end_headers(m, m->line.at);
    end_bodies(m, o->part, m->line.at);
    m->current = o->part;
    m->open_count = (size_t)(o - m->open) + !close;
    m->in_order = false;
    struct mime_part *p = close ? NULL : begin_part(m, o->part, m->line.at + m->line.len);
    if (p) {
        *(o->last ? &o->last->next : &o->part->first) = p;
        o->last = p;
    }
    return true;
}

/* The line has ended, with its line end but for the last line of all. */
static void end_line(struct mime *m, unsigned line_end_len)
{
    struct line *line = &m->line;
    bool empty = line->len == line_end_len;
    if (!delimit(m) && m->in_header) {
        if (empty && line_end_len)
            end_header(m, line->at + line->len, m->lines + 1);
        else if (line->form != FORM_FIELD) {
            end_headers(m, line->at);
            delimit(m); /* it may be the first of a body that has just begun */
        }
    }
    m->lines += line_end_len > 0;
    m->line_end_len = line_end_len;
    uint64_t next = line->at + line->len;
    *line = (struct line){ .at = next };
}

/* Octets of one line, its line end too when they have it. */
static void read_octets(struct mime *m, struct text t)
{
    struct line *line = &m->line;
    bool dashed = line->len ? line->kept == line->len : t.at[0] == '-';
    if (dashed) {
        struct text kept = text_first(t, LINE_KEPT - line->kept);
        memcpy(line->start + line->kept, kept.at, kept.len);
        line->kept = (uint16_t)(line->kept + kept.len);
    }
    if (m->in_header)
        read_header(m, t);
    uint8_t before = t.len > 1 ? (uint8_t)t.at[t.len - 2] : line->last;
    line->last = (uint8_t)t.at[t.len - 1];
    line->len += t.len;
    if (line->last == '\n')
        end_line(m, before == '\r' ? 2 : 1);
}

/* Lines that need no state.  All the rest of this file would read them to the same end, at any cut,
 * but most of most messages is such lines. */

/* The whole line at the front; empty when it has no end here. */
static struct text whole_line(struct text t)
{
    const char *lf = memchr(t.at, '\n', t.len);
    return text_first(t, lf ? (size_t)(lf - t.at) + 1 : 0);
}

/* Goes behind so many octets, which are so many lines.  How many octets. */
static size_t pass(struct mime *m, struct text t, size_t octets, uint64_t lines)
{
    if (octets == 0)
        return 0;
    m->lines += lines;
    m->line.at += octets;
    m->line_end_len = octets >= 2 && t.at[octets - 2] == '\r' ? 2 : 1;
    return octets;
}

/* Passes lines of a body that are no delimiters. */
static size_t pass_body(struct mime *m, struct text t)
{
    size_t at = 0;
    uint64_t lines = 0;
    while (at < t.len) {
        struct text line = whole_line(text_skip(t, at));
        if (line.len == 0 || delimited(m, text_first(line, LINE_KEPT)))
            break;
        at += line.len;
        lines++;
    }
    return pass(m, t, at, lines);
}

/* Whether the line is one of a field that nobody reads, or of which enough was read. */
static bool is_unread(const struct mime *m, struct text line)
{
    if (text_is_blank(line.at[0]))
        return m->in_field && (m->field.len == 0 || m->field.len == MIME_FIELD_MAX);
    size_t len = 0;
    while (line.at[len] > ' ' && line.at[len] < 0x7F && line.at[len] != ':')
        len++;
    return len > 0 && line.at[len] == ':' && line.at[0] != '-' &&
           !text_starts_nocase(line, T("Content-"));
}

/* Passes lines of a header that matter to nothing. */
static size_t pass_header(struct mime *m, struct text t)
{
    size_t at = 0;
    uint64_t lines = 0;
    while (at < t.len) {
        struct text line = whole_line(text_skip(t, at));
        if (line.len == 0 || !is_unread(m, line))
            break;
        if (!text_is_blank(line.at[0])) {
            end_field(m);
            m->in_field = true;
        }
        at += line.len;
        lines++;
    }
    return pass(m, t, at, lines);
}

void mime_feed(struct mime *m, struct bytes b)
{
    struct text rest = text_of_bytes(b);
    while (rest.len && !m->failed) {
        size_t len = 0;
        if (m->line.len == 0)
            len = m->in_header ? pass_header(m, rest) : pass_body(m, rest);
        if (len == 0) {
            const char *lf = memchr(rest.at, '\n', rest.len);
            len = lf ? (size_t)(lf - rest.at) + 1 : rest.len;
            read_octets(m, text_first(rest, len));
        }
        rest = text_skip(rest, len);
    }
}

struct mime *mime_new(void)
{
    struct mime *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    arena_init(&m->arena, MIME_MEMORY_MAX);
    buffer_init(&m->field, MIME_FIELD_MAX);
    m->root = begin_part(m, NULL, 0);
    if (!m->root)
        mime_free(&m);
    return m;
}

void mime_free(struct mime **m)
{
    if (!*m)
        return;
    buffer_clear(&(*m)->field);
    arena_reset(&(*m)->arena);
    free(*m);
    *m = NULL;
}

const struct mime_part *mime_end(struct mime *m)
{
    if (m->line.len && !m->failed)
        end_line(m, 0);
    if (m->failed)
        return NULL;
    end_headers(m, m->line.at);
    m->line_end_len = 0; /* the last line end is the body's: no delimiter follows it */
    end_bodies(m, NULL, m->line.at);
    return m->failed ? NULL : m->root;
}

bool mime_is_coarse(const struct mime *m)
{
    return m->coarse;
}

const struct mime_part *mime_next(const struct mime_part *p)
{
    if (p->first)
        return p->first;
    while (p && !p->next)
        p = p->parent;
    return p ? p->next : NULL;
}
