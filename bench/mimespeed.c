/* mimespeed.c - how fast mail is read, encoded and shown, on usual messages and on bombs.
 *
 * usage: mimespeed [MB]          50 when nothing is said
 *
 * Each row has a message of about so many megabytes made in memory, is read three times, and says
 * the best of them in MB a second.  A bomb is built to make a reader start over and over again;
 * what counts is that none is much slower than the rest.
 */
#include "base/check.h"
#include "mail/compose.h"
#include "mail/mime.h"
#include "mail/show.h"
#include "mail/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLICE = 64 << 10, ROUNDS = 3, NAMES = 128 };

/* Of the processor: others may be at work. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- Messages --- */

static void fill(struct buffer *b, const char *line, size_t octets)
{
    size_t len = strlen(line);
    CHECK(buffer_reserve(b, octets + len));
    while (b->len < octets)
        buffer_append(b, line, len);
}

static void make_text(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Subject: text\r\n\r\n"));
    fill(b,
         "And the wind blew over the plains, as it does, all day and all of the night, "
         "\r\n",
         octets);
}

static void make_paragraphs(struct buffer *b, size_t octets)
{
    make_text(b, 2000);
    b->len -= 2;
    fill(b,
         "A line without an end goes on and on, since many programs write a paragraph as one; "
         "it is some two hundred and fifty octets, which is what such paragraphs have in the "
         "mail of people who do not write in lines but let the reader do that.\r\n",
         octets);
}

static void make_base64(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
                     "Content-Type: application/pdf; name=x.pdf\r\n"
                     "Content-Transfer-Encoding: base64\r\n\r\n"));
    fill(b, "SGVyZSBpcyBhIGxpbmUgb2YgYmFzZTY0LCB3aGljaCBpcyBzZXZlbnR5LXNpeCBvY3RldHMgd2lk\r\n",
         octets);
    buffer_text(b, T("--b--\r\n"));
}

static void make_quoted(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    fill(b, "Gr=C3=BC=C3=9Fe aus M=C3=BCnchen, wo es sch=C3=B6n ist und die Sonne schei=\r\n",
         octets);
}

static void make_dashes(struct buffer *b, size_t octets)
{
    make_text(b, 100);
    fill(b, "--\r\n", octets);
}

static void make_empty_lines(struct buffer *b, size_t octets)
{
    make_text(b, 100);
    fill(b, "\n", octets);
}

/* As deep as it goes, with boundaries of which each line has the beginning of all. */
static void make_deep(struct buffer *b, size_t octets, const char *line, const char *prefix)
{
    for (int i = 0; i < MIME_DEPTH_MAX; i++)
        buffer_printf(b, "Content-Type: multipart/mixed; boundary=\"%s%02d\"\r\n\r\n--%s%02d\r\n",
                      prefix, i, prefix, i);
    buffer_text(b, T("\r\n"));
    fill(b, line, octets);
}

static void make_deep_short(struct buffer *b, size_t octets)
{
    make_deep(b, octets, "--abxy\n", "ab");
}

static void make_deep_long(struct buffer *b, size_t octets)
{
    char prefix[MIME_BOUNDARY_MAX - 2 + 1], line[sizeof prefix + 8];
    memset(prefix, 'a', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = 0;
    snprintf(line, sizeof line, "--%sxy\n", prefix);
    make_deep(b, octets, line, prefix);
}

static void make_fields(struct buffer *b, size_t octets)
{
    fill(b, "a:\n", octets);
}

static void make_odd_fields(struct buffer *b, size_t octets)
{
    fill(b, "a :\n", octets);
}

static void make_content_fields(struct buffer *b, size_t octets)
{
    fill(b, "Content-ID:\n", octets);
}

static void make_folds(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Subject: x\n"));
    fill(b, " \n", octets);
}

static void make_long_field(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Content-Type: text/plain"));
    fill(b, "; a=b", octets);
}

/* Parts with as many parameters as are read, whose names differ in the last octets, and which all
 * lack their first piece. */
static void make_params(struct buffer *b, size_t octets, int wide)
{
    buffer_text(b, T("Content-Type: multipart/mixed; boundary=b\n\n"));
    for (int part = 0; part < MIME_PARTS_MAX && b->len < octets; part++) {
        buffer_text(b, T("--b\nContent-Type: text/plain"));
        for (int i = 0; i < NAMES; i++)
            buffer_printf(b, ";%0*d*7=", wide, i);
        buffer_text(b, T("\nContent-Disposition: inline"));
        for (int i = 0; i < NAMES; i++)
            buffer_printf(b, ";%0*d*7=", wide, i);
        buffer_text(b, T("\n\n"));
    }
    fill(b, "and then there is text behind all those parts, a line after the other\n", octets);
}

static void make_short_params(struct buffer *b, size_t octets)
{
    make_params(b, octets, 4);
}

static void make_wide_params(struct buffer *b, size_t octets)
{
    make_params(b, octets, 100);
}

static void make_parts(struct buffer *b, size_t octets)
{
    buffer_text(b, T("Content-Type: multipart/mixed; boundary=b\n\n"));
    fill(b, "--b\n\n", octets);
}

/* --- What is done with them --- */

static void parse(struct text message)
{
    struct mime *m = mime_new();
    CHECK(m);
    for (struct text rest = message; rest.len; rest = text_skip(rest, SLICE))
        mime_feed(m, bytes_of_text(text_first(rest, SLICE)));
    CHECK(mime_end(m));
    mime_free(&m);
}

static bool discard(void *context, struct bytes octets, struct error *e)
{
    (void)e;
    *(size_t *)context += octets.len;
    return true;
}

static void show(struct text message)
{
    size_t octets = 0;
    struct error e;
    struct show *s = show_new(message, NULL);
    CHECK(s);
    CHECK(show_write(s, (struct sink){ &octets, discard }, &e));
    show_free(&s);
}

static void decode(struct text message)
{
    struct buffer out;
    struct transfer t;
    struct mime *m = mime_new();
    CHECK(m);
    mime_feed(m, bytes_of_text(message));
    const struct mime_part *p = mime_end(m);
    CHECK(p);
    while (mime_next(p))
        p = mime_next(p);
    buffer_init(&out, TRANSFER_ROOM(SLICE));
    transfer_init(&t, p->encoding);
    struct text body = text_first(text_skip(message, p->body_at), p->end_at - p->body_at);
    for (; body.len; body = text_skip(body, SLICE)) {
        out.len = 0;
        CHECK(transfer_feed(&t, bytes_of_text(text_first(body, SLICE)), &out));
    }
    buffer_clear(&out);
    mime_free(&m);
}

static bool give(void *context, uint8_t *to, size_t room, size_t *len_out, struct error *e)
{
    struct text *rest = context;
    (void)e;
    struct text slice = text_first(*rest, room);
    memcpy(to, slice.at, slice.len);
    *len_out = slice.len;
    *rest = text_skip(*rest, slice.len);
    return true;
}

/* The octets are what is attached. */
static void attach(struct text octets)
{
    size_t count = 0;
    struct error e;
    const struct compose_file file = { .name = T("a.bin"), .context = &octets, .read = give };
    const struct compose c = {
        .from = T("a@b"),
        .boundary = T("0123456789abcdef"),
        .files = &file,
        .file_count = 1,
    };
    CHECK(compose_write(&c, (struct sink){ &count, discard }, &e));
}

static const struct {
    const char *what;
    void (*make)(struct buffer *, size_t octets);
    void (*use)(struct text);
} rows[] = {
    { "parse: text", make_text, parse },
    { "parse: paragraphs", make_paragraphs, parse },
    { "parse: base64", make_base64, parse },
    { "parse: bomb, empty lines", make_empty_lines, parse },
    { "parse: bomb, dashes", make_dashes, parse },
    { "parse: bomb, deep, short lines", make_deep_short, parse },
    { "parse: bomb, deep, long boundaries", make_deep_long, parse },
    { "parse: bomb, short fields", make_fields, parse },
    { "parse: bomb, odd fields", make_odd_fields, parse },
    { "parse: bomb, empty Content-ID", make_content_fields, parse },
    { "parse: bomb, folds", make_folds, parse },
    { "parse: bomb, one long field", make_long_field, parse },
    { "parse: bomb, short parameters", make_short_params, parse },
    { "parse: bomb, wide parameters", make_wide_params, parse },
    { "parse: bomb, parts", make_parts, parse },
    { "decode: base64", make_base64, decode },
    { "decode: quoted-printable", make_quoted, decode },
    { "show: text", make_text, show },
    { "show: base64", make_base64, show },
    { "show: bomb, wide parameters", make_wide_params, show },
    { "compose: a file", make_text, attach },
};

int main(int count, char **words)
{
    uint64_t mb = 50;
    if (count > 2 || (count == 2 && !text_to_u64(text_of(words[1]), &mb)) || !mb || mb > 1000) {
        fputs("usage: mimespeed [MB]\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer b;
        double best = 0;
        buffer_init(&b, (size_t)2 << 30);
        rows[i].make(&b, (size_t)mb << 20);
        for (int round = 0; round < ROUNDS; round++) {
            double began = now();
            rows[i].use(buffer_as_text(&b));
            double rate = (double)b.len / 1e6 / (now() - began);
            best = rate > best ? rate : best;
        }
        printf("%-40s %8.0f MB/s\n", rows[i].what, best);
        fflush(stdout);
        buffer_clear(&b);
    }
    return 0;
}
