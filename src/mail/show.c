/* show.c - a message for people: which of its parts are its text, and what is attached.
 *
 * Nothing of a message is hidden: what is not shown is listed.
 */
#include "mail/show.h"

#include "mail/harmless.h"
#include "mail/show_inner.h"
#include "mail/transfer.h"

#include <stdlib.h>

enum {
    SLICE = 48 << 10,
    WORD_MAX = 100,                    /* octets of a type's word that are told */
    NAME_MAX = 1000,                   /* and of a sender's name for a file */
    ARENA_MAX = MIME_PARTS_MAX * 8192, /* enough for all names and types */
    OUT_MAX = 6 * 4 * SHOW_TEXT_MAX,   /* one part's text, every character of it made harmless */
};

enum role {
    ROLE_NONE, /* what holds other parts */
    ROLE_TEXT,
    ROLE_ATTACHMENT,
    ROLE_BOTH,
    ROLE_ALTERNATIVE, /* a form of the text that is not shown */
};

struct item {
    const struct mime_part *part;
    enum role role;
    struct show_attachment attachment;
};

struct show {
    struct text message;
    const struct charset_more *more;
    struct mime *mime;
    struct arena names;
    struct item *items; /* those with a role, in the order of the message */
    size_t count;
    size_t attachments;
};

/* --- Which part is what --- */

static bool is_text(const struct mime_part *p)
{
    return mime_is(&p->type, T("text"), T("plain")) || mime_is(&p->type, T("text"), T("html"));
}

static bool is_named(const struct mime_part *p)
{
    return mime_param(&p->disposition, T("filename")) || mime_param(&p->type, T("name"));
}

static enum role role_of(const struct mime_part *p)
{
    if (p->kind == MIME_MULTIPART)
        return p->first ? ROLE_NONE : ROLE_TEXT; /* without any delimiter: what there is */
    bool is_inline = text_equal_nocase(p->disposition.word, T("inline"));
    bool text = mime_is(&p->type, T("text"), T("")) && p->kind == MIME_LEAF;
    if (!text || (p->disposition.word.len && !is_inline))
        return ROLE_ATTACHMENT;
    if (is_named(p))
        return is_inline ? ROLE_BOTH : ROLE_ATTACHMENT;
    return is_text(p) || is_inline ? ROLE_TEXT : ROLE_ATTACHMENT;
}

/* The part behind this one and all that it holds, within the `around` part; NULL. */
static const struct mime_part *behind(const struct mime_part *p, const struct mime_part *around)
{
    while (p != around && !p->next)
        p = p->parent;
    return p == around ? NULL : p->next;
}

/* How well people can read it: plain text, HTML, anything else. */
static int readability(const struct mime_part *p)
{
    int best = 0;
    for (const struct mime_part *at = p; at;) {
        bool shown = role_of(at) == ROLE_TEXT;
        int here = !shown ? 0 : mime_is(&at->type, T("text"), T("html")) ? 1 : 2;
        best = here > best ? here : best;
        bool within = at->kind == MIME_MULTIPART && at->first;
        at = within ? at->first : behind(at, p);
    }
    return best;
}

/* RFC 2046 5.1.4 has the best form last; for a terminal plain text is the best. */
static const struct mime_part *best_of(const struct mime_part *p)
{
    const struct mime_part *best = p->first;
    int most = -1;
    for (const struct mime_part *child = p->first; child; child = child->next) {
        int here = readability(child);
        if (here >= most)
            best = child;
        most = here > most ? here : most;
    }
    return best;
}

static void add_item(struct show *s, const struct mime_part *p, bool hidden)
{
    enum role role = role_of(p);
    if (hidden && role == ROLE_TEXT)
        role = ROLE_ALTERNATIVE;
    s->attachments += role != ROLE_TEXT;
    s->items[s->count++] = (struct item){ .part = p, .role = role };
}

/* The part and all that it holds, but nothing of an attached message.  Goes no deeper than
 * MIME_DEPTH_MAX. */
static void visit(struct show *s, const struct mime_part *p, bool hidden)
{
    if (role_of(p) != ROLE_NONE) {
        add_item(s, p, hidden);
        return;
    }
    bool choice = mime_is(&p->type, T("multipart"), T("alternative"));
    const struct mime_part *best = choice ? best_of(p) : NULL;
    for (const struct mime_part *child = p->first; child; child = child->next)
        visit(s, child, hidden || (choice && child != best));
}

/* --- Attachments --- */

/* Gives the content, decoded, slice by slice. */
static bool write_content(const struct show *s, const struct mime_part *p, struct sink sink,
                          struct error *e)
{
    static const struct error no_memory = { ERROR_TEMPORARY, "there is no memory to decode it" };
    struct transfer t;
    struct buffer out;
    struct text body = part_body(s->message, p);
    bool good = true, ended = false;
    transfer_init(&t, p->kind == MIME_LEAF ? p->encoding : MIME_BINARY);
    buffer_init(&out, TRANSFER_ROOM(SLICE));
    while (good && !ended) {
        struct text slice = text_first(body, SLICE);
        body = text_skip(body, slice.len);
        ended = slice.len == 0;
        out.len = 0;
        good = ended ? transfer_end(&t, &out) : transfer_feed(&t, bytes_of_text(slice), &out);
        if (!good && e)
            *e = no_memory;
        good = good && (out.len == 0 || sink.write(sink.context, buffer_bytes(&out), e));
    }
    buffer_clear(&out);
    return good;
}

static bool count_octets(void *context, struct bytes octets, struct error *e)
{
    (void)e;
    *(uint64_t *)context += octets.len;
    return true;
}

/* A copy that lives as long as the show. */
static bool keep(struct show *s, struct buffer *b, struct text *out)
{
    return !b->failed && arena_text(&s->names, buffer_as_text(b), out);
}

static bool keep_line(struct show *s, struct text t, struct text *out)
{
    struct buffer line;
    buffer_init(&line, HARMLESS_ROOM(t.len));
    harmless_line(&line, t);
    bool good = keep(s, &line, out);
    buffer_clear(&line);
    return good;
}

static bool describe_type(struct show *s, struct item *item)
{
    struct buffer type;
    const struct mime_value *v = &item->part->type;
    buffer_init(&type, 2 * WORD_MAX + 1);
    buffer_text(&type, text_first(v->word, WORD_MAX));
    buffer_byte(&type, '/');
    buffer_text(&type, text_first(v->sub, WORD_MAX));
    bool good = !type.failed && keep_line(s, buffer_as_text(&type), &item->attachment.type);
    buffer_clear(&type);
    return good;
}

static bool describe_name(struct show *s, struct item *item, size_t number)
{
    struct buffer name, file;
    struct show_attachment *a = &item->attachment;
    buffer_init(&name, 4 * SHOW_FIELD_MAX);
    buffer_init(&file, 4 * SHOW_NAME_MAX);
    bool good = show_part_name(item->part, s->more, &name) &&
                keep_line(s, text_first(buffer_as_text(&name), NAME_MAX), &a->name) &&
                show_file_name(buffer_as_text(&name), a->type, number, &file) &&
                keep(s, &file, &a->file_name);
    buffer_clear(&name);
    buffer_clear(&file);
    return good;
}

static bool describe(struct show *s)
{
    size_t number = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct item *item = &s->items[i];
        struct sink counter = { &item->attachment.octets, count_octets };
        if (item->role == ROLE_TEXT)
            continue;
        item->attachment.alternative = item->role == ROLE_ALTERNATIVE;
        if (!describe_type(s, item) || !describe_name(s, item, ++number) ||
            !write_content(s, item->part, counter, NULL))
            return false;
    }
    return true;
}

/* --- Outside --- */

static bool look(struct show *s)
{
    size_t parts = 0;
    mime_feed(s->mime, bytes_of_text(s->message));
    const struct mime_part *root = mime_end(s->mime);
    for (const struct mime_part *p = root; p; p = mime_next(p))
        parts++;
    s->items = root ? calloc(parts, sizeof *s->items) : NULL;
    if (!s->items)
        return false;
    visit(s, root, false);
    return describe(s);
}

struct show *show_new(struct text message, const struct charset_more *more)
{
    struct show *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->message = message;
    s->more = more;
    arena_init(&s->names, ARENA_MAX);
    s->mime = mime_new();
    if (!s->mime || !look(s))
        show_free(&s);
    return s;
}

void show_free(struct show **s)
{
    if (!*s)
        return;
    mime_free(&(*s)->mime);
    arena_reset(&(*s)->names);
    free((*s)->items);
    free(*s);
    *s = NULL;
}

static const struct item *find_attachment(const struct show *s, size_t number)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].role != ROLE_TEXT && --number == 0)
            return &s->items[i];
    return NULL;
}

size_t show_attachment_count(const struct show *s)
{
    return s->attachments;
}

bool show_attachment(const struct show *s, size_t number, struct show_attachment *out)
{
    const struct item *item = number ? find_attachment(s, number) : NULL;
    if (item)
        *out = item->attachment;
    return item != NULL;
}

bool show_attachment_write(const struct show *s, size_t number, struct sink sink, struct error *e)
{
    const struct item *item = number ? find_attachment(s, number) : NULL;
    if (!item)
        return error_set(e, ERROR_REFUSED, "the message has no attachment %zu; it has %zu", number,
                         s->attachments);
    return write_content(s, item->part, sink, e);
}

/* "12 KB": three digits are enough to choose by. */
static void put_size(struct buffer *b, uint64_t octets)
{
    static const char *const units[] = { "octets", "KB", "MB", "GB" };
    size_t unit = 0;
    double size = (double)octets;
    while (size >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    buffer_printf(b, unit && size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void put_attachments(const struct show *s, struct buffer *b)
{
    size_t number = 0;
    buffer_text(b, T("\nAttachments:\n"));
    for (size_t i = 0; i < s->count; i++) {
        const struct show_attachment *a = &s->items[i].attachment;
        if (s->items[i].role == ROLE_TEXT)
            continue;
        struct text name = a->name.len ? a->name : a->file_name;
        buffer_printf(b, "%3zu  %.*s  %.*s  ", ++number, TEXT_ARGS(name), TEXT_ARGS(a->type));
        put_size(b, a->octets);
        buffer_text(b, a->alternative ? T("  (the text in another form)\n") : T("\n"));
    }
}

/* Gives what was written to the sink; `good` says whether it was. */
static bool pass(struct buffer *b, bool good, struct sink sink, struct error *e)
{
    if (!good || b->failed)
        return error_set(e, ERROR_TEMPORARY, "there is no memory to show the message");
    good = b->len == 0 || sink.write(sink.context, buffer_bytes(b), e);
    b->len = 0;
    return good;
}

bool show_write(const struct show *s, struct sink sink, struct error *e)
{
    struct buffer b;
    buffer_init(&b, OUT_MAX);
    bool good = pass(&b, show_header(s->message, s->more, &b), sink, e);
    for (size_t i = 0; good && i < s->count; i++) {
        const struct item *item = &s->items[i];
        if (item->role != ROLE_TEXT && item->role != ROLE_BOTH)
            continue;
        buffer_byte(&b, '\n');
        good = show_text(s->message, item->part, s->more, &b);
        b.len = b.len > 1 ? b.len : 0; /* an empty text wants no empty line either */
        good = pass(&b, good, sink, e);
    }
    if (good && s->attachments) {
        put_attachments(s, &b);
        good = pass(&b, true, sink, e);
    }
    buffer_clear(&b);
    return good;
}
