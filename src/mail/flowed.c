/* flowed.c - paragraphs as lines that flow (RFC 3676).
 *
 * Writing is exact: only text is written so whose meaning survives the way through flowed_undo()
 * octet for octet.  Reading takes what comes.
 */
#include "mail/flowed.h"

enum {
    DEPTH_MAX = 10, /* of quoting, in what is written; with more, little of a line is left */
    WORD_MAX = 60,  /* octets of the longest word that a line is broken for */
};

/* A line as RFC 3676 4.5 sees it. */
struct line {
    size_t depth;
    struct text content;
};

static size_t count_quotes(struct text t)
{
    size_t n = 0;
    while (n < t.len && t.at[n] == '>')
        n++;
    return n;
}

static bool is_signature(struct text content)
{
    return text_equal(content, T("-- "));
}

/* A line as people write it: "> quoted".  Anything else that begins with '>' is just text. */
static struct line line_of_text(struct text t)
{
    size_t depth = count_quotes(t);
    struct text rest = text_skip(t, depth);
    if (depth == 0 || (rest.len && rest.at[0] != ' '))
        return (struct line){ 0, t };
    return (struct line){ depth, text_skip(rest, 1) };
}

static bool has_words_only(struct text t)
{
    size_t word = 0;
    for (size_t i = 0; i < t.len; i++) {
        word = t.at[i] == ' ' ? 0 : word + 1;
        if (t.at[i] == '\t' || word > WORD_MAX)
            return false;
    }
    return t.len == 0 || t.at[0] != ' ';
}

/* Whether the line can be written so and come back; *long_out: it is to be broken. */
static bool line_suits(struct text t, bool *long_out)
{
    struct line line = line_of_text(t);
    *long_out = t.len > FLOWED_LINE_MAX;
    /* 4.2: a space that a person left at the end of a line would make it flow. */
    if (t.len && t.at[t.len - 1] == ' ' && !(line.depth == 0 && is_signature(t)))
        return false;
    return line.depth <= DEPTH_MAX && (!*long_out || has_words_only(line.content));
}

static struct text take_line(struct text *rest)
{
    struct text line;
    if (text_cut(rest, '\n', &line) && line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

bool flowed_suits(struct text t)
{
    bool any = false;
    if (!text_is_ascii(t))
        return false;
    while (t.len) {
        bool is_long;
        if (!line_suits(take_line(&t), &is_long))
            return false;
        any |= is_long;
    }
    return any;
}

/* How much of the content fits into `room` octets: up to and with a space, or all. */
static size_t fitting(struct text content, size_t room)
{
    if (content.len <= room)
        return content.len;
    size_t at = room;
    while (at > 0 && content.at[at - 1] != ' ')
        at--;
    if (at > 0)
        return at;
    at = text_find(content, ' ');
    return at < content.len ? at + 1 : content.len;
}

/* 4.4: a space in front keeps a line from being taken for what it is not. */
static bool needs_stuffing(const struct line *line)
{
    struct text t = line->content;
    if (line->depth > 0)
        return t.len > 0;
    return t.len && (t.at[0] == ' ' || t.at[0] == '>' || text_starts(t, T("From ")));
}

bool flowed_line(struct buffer *b, struct text t)
{
    struct line line = line_of_text(t);
    do {
        size_t used = line.depth + needs_stuffing(&line);
        size_t fits = fitting(line.content, FLOWED_LINE_MAX - used);
        for (size_t i = 0; i < line.depth; i++)
            buffer_byte(b, '>');
        if (needs_stuffing(&line))
            buffer_byte(b, ' ');
        buffer_text(b, text_first(line.content, fits));
        buffer_text(b, T("\r\n"));
        line.content = text_skip(line.content, fits);
    } while (line.content.len);
    return !b->failed;
}

static struct line line_of_flowed(struct text t)
{
    struct line line = { .depth = count_quotes(t) };
    t = text_skip(t, line.depth);
    line.content = text_skip(t, t.len && t.at[0] == ' ');
    return line;
}

static void begin_paragraph(struct buffer *b, const struct line *line)
{
    for (size_t i = 0; i < line->depth; i++)
        buffer_byte(b, '>');
    if (line->depth && line->content.len)
        buffer_byte(b, ' ');
}

bool flowed_undo(struct buffer *b, struct text t, bool delete_space)
{
    bool open = false;
    size_t depth = 0;
    while (t.len) {
        struct line line = line_of_flowed(take_line(&t));
        bool signature = is_signature(line.content);
        /* 4.5: another depth, or a signature, ends the paragraph before it. */
        if (open && (line.depth != depth || signature)) {
            buffer_byte(b, '\n');
            open = false;
        }
        if (!open)
            begin_paragraph(b, &line);
        size_t len = line.content.len;
        open = len && line.content.at[len - 1] == ' ' && !signature;
        depth = line.depth;
        buffer_text(b, text_first(line.content, len - (open && delete_space)));
        if (!open)
            buffer_byte(b, '\n');
    }
    if (open)
        buffer_byte(b, '\n');
    return !b->failed;
}
