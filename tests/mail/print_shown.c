/* print_shown.c - a message as people are shown it, for another reader to compare. */
#include "print_shown.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 64 << 20 };

void print_hex(struct text t, const char *behind)
{
    for (size_t i = 0; i < t.len; i++)
        printf("%02x", (uint8_t)t.at[i]);
    printf("%s%s", t.len ? "" : "-", behind);
}

static void print_attachment(const struct show *s, size_t number)
{
    struct buffer b;
    struct error e;
    struct show_attachment a;
    buffer_init(&b, MESSAGE_MAX);
    if (!show_attachment(s, number, &a) ||
        !show_attachment_write(s, number, sink_of_buffer(&b), &e) || a.octets != b.len)
        exit(1);
    fputs("attached ", stdout);
    print_hex(a.name, " ");
    print_hex(a.file_name, " ");
    print_hex(buffer_as_text(&b), "\n");
    buffer_clear(&b);
}

void print_shown(struct text message, const struct charset_more *more)
{
    struct buffer b;
    struct error e;
    struct show *s = show_new(message, more);
    buffer_init(&b, MESSAGE_MAX);
    if (!s || !show_write(s, sink_of_buffer(&b), &e))
        exit(1);
    fputs("shown ", stdout);
    print_hex(buffer_as_text(&b), "\n");
    for (size_t n = 1; n <= show_attachment_count(s); n++)
        print_attachment(s, n);
    buffer_clear(&b);
    show_free(&s);
}
