/* show_message.c - what people see of a message, with all character sets, for another reader to
 * compare.
 *
 * usage: show_message FILE...
 *
 * For each file a line in hexadecimal of what is shown, then for each attachment a line of its name
 * and its content, "-" when empty; then an empty line.
 */
#include "mail/show.h"
#include "run/charset.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 1 << 20 };

static void put(struct text t, const char *behind)
{
    for (size_t i = 0; i < t.len; i++)
        printf("%02x", (uint8_t)t.at[i]);
    printf("%s%s", t.len ? "" : "-", behind);
}

static bool show(struct text message, const struct charset_more *more)
{
    static char room[4 * MESSAGE_MAX];
    struct error e;
    struct show_attachment a;
    struct buffer b = buffer_over(room, sizeof room);
    struct show *s = show_new(message, more);
    if (!s || !show_write(s, sink_of_buffer(&b), &e))
        return false;
    put(buffer_as_text(&b), "\n");
    for (size_t n = 1; n <= show_attachment_count(s); n++) {
        b.len = 0;
        if (!show_attachment(s, n, &a) || !show_attachment_write(s, n, sink_of_buffer(&b), &e))
            return false;
        put(a.name, " ");
        put(buffer_as_text(&b), "\n");
    }
    putchar('\n');
    show_free(&s);
    return true;
}

int main(int count, char **names)
{
    static char octets[MESSAGE_MAX];
    struct charsets *charsets = charsets_new();
    const struct charset_more more = { charsets, charsets_convert };
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        if (!file || !charsets)
            return 1;
        struct text message = { octets, fread(octets, 1, sizeof octets, file) };
        fclose(file);
        if (!show(message, &more))
            return 1;
    }
    charsets_free(&charsets);
    return 0;
}
