/* show_mime.c - what the scanner sees of a message, for another reader to compare.
 *
 * usage: show_mime FILE...
 *
 * A line for each file and part, of words separated by a tab, texts in hexadecimal: the depth, the
 * kind, type, sub, encoding, disposition, id, header_at, body_at, end_at, the parameters of the
 * type as NAME=VALUE, those of the disposition behind a ";", and last the body decoded, if it is a
 * leaf.  An empty line follows each file.
 */
#include "mail/mime.h"
#include "mail/transfer.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 4 << 20, SLICE = 61 };

static void show(struct text t, const char *behind)
{
    for (size_t i = 0; i < t.len; i++)
        printf("%02x", (uint8_t)t.at[i]);
    fputs(behind, stdout);
}

static void show_params(const struct mime_value *v)
{
    for (size_t i = 0; i < v->param_count; i++) {
        show(v->params[i].name, "=");
        show(v->params[i].value, " ");
    }
}

static void show_body(const struct mime_part *p, struct text message)
{
    static char room[MESSAGE_MAX];
    struct buffer out = buffer_over(room, sizeof room);
    struct transfer t;
    struct text body = text_first(text_skip(message, p->body_at), p->end_at - p->body_at);
    transfer_init(&t, p->encoding);
    for (; body.len; body = text_skip(body, SLICE))
        transfer_feed(&t, bytes_of_text(text_first(body, SLICE)), &out);
    if (!transfer_end(&t, &out))
        exit(1);
    show(buffer_as_text(&out), "");
}

static void show_part(const struct mime_part *p, struct text message)
{
    printf("%u\t%d\t", p->depth, (int)p->kind);
    show(p->type.word, "\t");
    show(p->type.sub, "\t");
    show(p->encoding_name, "\t");
    show(p->disposition.word, "\t");
    show(p->id, "\t");
    printf("%llu\t%llu\t%llu\t", (unsigned long long)p->header_at, (unsigned long long)p->body_at,
           (unsigned long long)p->end_at);
    show_params(&p->type);
    putchar(';');
    show_params(&p->disposition);
    putchar('\t');
    if (p->kind == MIME_LEAF)
        show_body(p, message);
    putchar('\n');
}

int main(int count, char **names)
{
    static char octets[MESSAGE_MAX];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        struct mime *m = mime_new();
        if (!file || !m)
            return 1;
        struct text message = { octets, fread(octets, 1, sizeof octets, file) };
        fclose(file);
        for (struct text rest = message; rest.len; rest = text_skip(rest, SLICE))
            mime_feed(m, bytes_of_text(text_first(rest, SLICE)));
        const struct mime_part *root = mime_end(m);
        if (!root)
            return 1;
        for (const struct mime_part *p = root; p; p = mime_next(p))
            show_part(p, message);
        putchar('\n');
        mime_free(&m);
    }
    return 0;
}
