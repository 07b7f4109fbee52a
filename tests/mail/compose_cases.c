/* compose_cases.c - messages composed from descriptions, for another reader to look at.
 *
 * usage: compose_cases < DESCRIPTIONS
 *
 * A line of a description is a key and values in hexadecimal, "-" for an empty one: from, to, cc,
 * subject, text, html; extra NAME VALUE; file NAME TYPE CONTENT; smtputf8, base64.  At "end" it is
 * printed what came of it: "message HEX", or "error WORDS" when it is refused; then how it is
 * shown, "shown HEX", and "attached NAME FILE-NAME CONTENT" for each file; then "end".
 */
#include "base/arena.h"
#include "mail/compose.h"
#include "mail/transfer.h"
#include "print_shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_OCTETS = 8 << 20, LISTS_MAX = 16, SLICE = 1000, MESSAGE_MAX = 64 << 20 };

/* A file's content, of which a slice is given at a time. */
struct content {
    struct text rest;
};

struct description {
    struct arena arena;
    struct compose compose;
    struct text to[LISTS_MAX], cc[LISTS_MAX];
    struct compose_field extra[LISTS_MAX];
    struct compose_file files[LISTS_MAX];
    struct content contents[LISTS_MAX];
};

static bool read_content(void *context, uint8_t *to, size_t room, size_t *len_out, struct error *e)
{
    struct content *c = context;
    (void)e;
    struct text slice = text_first(c->rest, room < SLICE ? room : SLICE);
    memcpy(to, slice.at, slice.len);
    *len_out = slice.len;
    c->rest = text_skip(c->rest, slice.len);
    return true;
}

static void reset(struct description *d)
{
    arena_reset(&d->arena);
    memset(d, 0, sizeof *d);
    arena_init(&d->arena, 2 * LINE_MAX_OCTETS);
    d->compose.to = d->to;
    d->compose.cc = d->cc;
    d->compose.extra = d->extra;
    d->compose.files = d->files;
    d->compose.boundary = T("0123456789abcdefXYZ");
    d->compose.message_id = T("<1.2@a.example>");
    d->compose.date_ms = 1795247427000;
    d->compose.zone_seconds = 3600;
}

/* The next value of the line; empty when there is none. */
static struct text value(struct description *d, struct text *line)
{
    struct text word;
    if (!text_word(line, &word) || text_equal(word, T("-")))
        return T("");
    char *to = arena_take(&d->arena, word.len / 2 + 1);
    if (!to)
        exit(1);
    for (size_t i = 0; i + 1 < word.len; i += 2)
        to[i / 2] = (char)(text_hex_value(word.at[i]) * 16 + text_hex_value(word.at[i + 1]));
    return (struct text){ to, word.len / 2 };
}

static void read_file(struct description *d, struct text *line)
{
    size_t n = d->compose.file_count++;
    struct compose_file *f = &d->files[n];
    f->name = value(d, line);
    f->type = value(d, line);
    d->contents[n].rest = value(d, line);
    f->context = &d->contents[n];
    f->read = read_content;
}

static void read_line(struct description *d, struct text line)
{
    struct compose *c = &d->compose;
    struct text key = T("");
    text_word(&line, &key);
    if (text_equal(key, T("from")))
        c->from = value(d, &line);
    else if (text_equal(key, T("to")))
        d->to[c->to_count++] = value(d, &line);
    else if (text_equal(key, T("cc")))
        d->cc[c->cc_count++] = value(d, &line);
    else if (text_equal(key, T("subject")))
        c->subject = value(d, &line);
    else if (text_equal(key, T("text")))
        c->text = value(d, &line);
    else if (text_equal(key, T("html")))
        c->html = value(d, &line);
    else if (text_equal(key, T("extra"))) {
        d->extra[c->extra_count].name = value(d, &line);
        d->extra[c->extra_count++].value = value(d, &line);
    } else if (text_equal(key, T("file")))
        read_file(d, &line);
    else if (text_equal(key, T("smtputf8")))
        c->smtputf8 = true;
    else if (text_equal(key, T("base64")))
        c->force_base64 = true;
}

static void print(const struct compose *c)
{
    struct buffer b;
    struct error e = { 0 };
    buffer_init(&b, MESSAGE_MAX);
    if (compose_write(c, sink_of_buffer(&b), &e)) {
        fputs("message ", stdout);
        print_hex(buffer_as_text(&b), "\n");
        print_shown(buffer_as_text(&b), NULL);
    } else
        printf("error %s\n", e.words);
    puts("end");
    buffer_clear(&b);
}

int main(void)
{
    static char line[LINE_MAX_OCTETS];
    static struct description d;
    reset(&d);
    while (fgets(line, sizeof line, stdin)) {
        struct text t = { line, strcspn(line, "\n") };
        read_line(&d, t);
        if (text_equal(t, T("end"))) {
            print(&d.compose);
            reset(&d);
        }
    }
    arena_reset(&d.arena);
    return 0;
}
