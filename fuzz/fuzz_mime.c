/* fuzz_mime.c - the tree of parts is the one that a slow reader finds who has the whole text before
 * him, and the same at any cut.
 *
 * The oracle cuts the text into its parts from the outside in: each part is a run of lines, its
 * header is what mail/header.h calls one, and a multipart is divided at its delimiters before
 * anything within is looked at.  It shares only the reading of field values with the scanner.
 */
#include "base/check.h"
#include "mail/header.h"
#include "mail/mime.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_SLOW = 4096 }; /* so that no limit is reached, and slow is fast enough */

/* The delimiters around a part, outermost first. */
struct around {
    struct text boundary[64];
    size_t count;
};

struct slow {
    struct text message;
    const struct mime_part *expected; /* the part that the scanner has next in its order */
    uint64_t bare_at;                 /* where a part without a body ended, the last such */
};

static size_t line_length(struct text t)
{
    size_t lf = text_find(t, '\n');
    return lf < t.len ? lf + 1 : t.len;
}

/* Which of the boundaries the line delimits; the count when none. */
static size_t delimited(const struct around *around, struct text line)
{
    size_t found = around->count;
    for (size_t i = 0; i < around->count; i++) {
        struct text b = around->boundary[i];
        if (!text_starts(line, T("--")) || !text_starts(text_skip(line, 2), b))
            continue;
        if (found == around->count || b.len >= around->boundary[found].len)
            found = i;
    }
    return found;
}

/* The length of the text up to the first line that delimits anything; which in *found_out. */
static size_t until_delimiter(const struct around *around, struct text t, size_t *found_out)
{
    size_t at = 0;
    *found_out = around->count;
    while (at < t.len) {
        struct text line = text_first(text_skip(t, at), line_length(text_skip(t, at)));
        *found_out = delimited(around, line);
        if (*found_out < around->count)
            return at;
        at += line.len;
    }
    return at;
}

static size_t without_line_end(struct text t)
{
    if (t.len == 0 || t.at[t.len - 1] != '\n')
        return t.len;
    return t.len - (t.len > 1 && t.at[t.len - 2] == '\r' ? 2 : 1);
}

static uint64_t count_lines(struct text t)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < t.len; i++)
        lines += t.at[i] == '\n';
    return lines;
}

static const struct mime_part *check_part(struct slow *, struct text rest, struct around *,
                                          size_t *end_out);

/* The parts of a multipart, whose body begins `rest`; returns how far it goes: up to a delimiter of
 * what is around it, or the end. */
static size_t check_parts(struct slow *s, struct text rest, const struct around *outer,
                          const struct mime_part *p)
{
    struct around around = *outer;
    const struct mime_param *boundary = mime_param(&p->type, T("boundary"));
    struct text b = boundary->value;
    while (b.len && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
        b.len--;
    CHECK(around.count < 64);
    around.boundary[around.count++] = b;
    size_t found, at = until_delimiter(&around, rest, &found);
    const struct mime_part *child = p->first;
    while (found == outer->count) {
        struct text line = text_skip(rest, at);
        line = text_first(line, line_length(line));
        at += line.len;
        if (text_starts(text_skip(line, 2 + b.len), T("--")))
            return at + until_delimiter(outer, text_skip(rest, at), &found);
        CHECK(child);
        CHECK(child->parent == p);
        size_t end;
        CHECK(check_part(s, text_skip(rest, at), &around, &end) == child);
        at += end;
        until_delimiter(&around, text_skip(rest, at), &found);
        child = child->next;
    }
    CHECK(!child);
    return at;
}

/* The header's field of this name, as the scanner should have taken it. */
static bool find_in(struct text header, struct text name, struct text *value_out)
{
    struct header_field f;
    bool there = header_find(header, name, &f);
    *value_out = there ? f.value : T("");
    return there;
}

/* What the type must be before limits and encodings are looked at. */
static void check_type(struct text header, const struct mime_part *p)
{
    struct text value;
    struct arena arena;
    struct mime_value type;
    arena_init(&arena, 1 << 20);
    bool there = find_in(header, T("Content-Type"), &value);
    CHECK(mime_type_read(&arena, value, &type));
    bool digest = p->parent && p->parent->kind == MIME_MULTIPART &&
                  text_equal_nocase(p->parent->type.sub, T("digest"));
    if (type.word.len == 0) {
        type.word = digest && !there ? T("message") : T("text");
        type.sub = digest && !there ? T("rfc822") : T("plain");
    }
    bool rewritten = p->kind == MIME_LEAF &&
                     (mime_is(&type, T("multipart"), T("")) || mime_is(&type, T("message"), T("")));
    if (!rewritten) {
        CHECK(text_equal(type.word, p->type.word));
        CHECK(text_equal(type.sub, p->type.sub));
        CHECK(type.param_count == p->type.param_count);
    }
    arena_reset(&arena);
}

/* One part, which begins `rest`; *end_out gets where it ends, delimiters excluded, before the line
 * end is taken off. */
static const struct mime_part *check_part(struct slow *s, struct text rest, struct around *around,
                                          size_t *end_out)
{
    const struct mime_part *p = s->expected;
    CHECK(p);
    s->expected = mime_next(p);
    uint64_t at = (uint64_t)(rest.at - s->message.at);
    CHECK(p->header_at == at);
    size_t found;
    struct text own = text_first(rest, until_delimiter(around, rest, &found));
    size_t header = header_length(own);
    struct text body = text_skip(own, header);
    if (text_starts(body, T("\r\n")) || text_starts(body, T("\n")))
        body = text_skip(body, line_length(body));
    CHECK(p->body_at == at + own.len - body.len);
    check_type(text_first(own, header), p);
    struct text from_body = text_skip(rest, own.len - body.len);
    size_t end = body.len;
    /* A delimiter from around it that stands in its header ends it before its own one counts. */
    bool cut_short = header == own.len && found < around->count;
    if (cut_short && p->kind == MIME_MULTIPART)
        CHECK(!p->first);
    else if (p->kind == MIME_MULTIPART)
        end = check_parts(s, from_body, around, p);
    else if (p->kind == MIME_MESSAGE)
        CHECK(check_part(s, from_body, around, &end) == p->first);
    else
        CHECK(!p->first);
    *end_out = own.len - body.len + end;
    struct text content = text_first(from_body, end);
    if (end == 0)
        s->bare_at = p->body_at;
    if (end < from_body.len && p->body_at + end != s->bare_at)
        content.len = without_line_end(content);
    CHECK(p->end_at == p->body_at + content.len);
    CHECK(p->lines == count_lines(content));
    return p;
}

/* What holds for any tree. */
static void check_bounds(const struct mime_part *root, size_t len)
{
    size_t count = 0;
    for (const struct mime_part *p = root; p; p = mime_next(p), count++) {
        CHECK(p->header_at <= p->body_at);
        CHECK(p->body_at <= p->end_at);
        CHECK(p->end_at <= len);
        CHECK(!p->parent || p->parent->body_at <= p->header_at);
        CHECK(!p->parent || p->end_at <= p->parent->end_at);
        CHECK(p->depth <= MIME_DEPTH_MAX);
        CHECK((p->kind == MIME_LEAF) ||
              mime_is(&p->type, p->kind == MIME_MESSAGE ? T("message") : T("multipart"), T("")));
        if (p->kind == MIME_LEAF)
            CHECK(!mime_is(&p->type, T("multipart"), T("")));
    }
    CHECK(count <= MIME_PARTS_MAX);
}

static const struct mime_part *scan(struct mime *m, struct text message, size_t cut)
{
    for (size_t at = 0; at < message.len; at += cut)
        mime_feed(m, bytes_of_text(text_first(text_skip(message, at), cut)));
    return mime_end(m);
}

static void check_same(const struct mime_part *a, const struct mime_part *b)
{
    for (; a && b; a = mime_next(a), b = mime_next(b)) {
        CHECK(a->kind == b->kind && a->depth == b->depth && a->encoding == b->encoding);
        CHECK(a->header_at == b->header_at && a->body_at == b->body_at);
        CHECK(a->end_at == b->end_at && a->lines == b->lines);
        CHECK(text_equal(a->type.word, b->type.word) && text_equal(a->type.sub, b->type.sub));
        CHECK(text_equal(a->id, b->id) && text_equal(a->description, b->description));
        CHECK(a->disposition.param_count == b->disposition.param_count);
    }
    CHECK(!a && !b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text message = { (const char *)data + 1, size - 1 };
    struct mime *whole = mime_new(), *cut = mime_new();
    CHECK(whole && cut);
    const struct mime_part *root = scan(whole, message, size);
    CHECK(root);
    check_same(root, scan(cut, message, data[0] + 1u));
    check_bounds(root, message.len);
    struct slow slow = { message, root, UINT64_MAX };
    struct around none = { .count = 0 };
    size_t end;
    if (message.len <= SIZE_MAX_SLOW) {
        CHECK(check_part(&slow, message, &none, &end) == root);
        CHECK(!slow.expected && end == message.len);
    }
    mime_free(&whole);
    mime_free(&cut);
    return 0;
}
