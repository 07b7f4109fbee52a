/* convert_files.c - messages converted, for another reader to compare.
 *
 * usage: convert_files 7|8 FILE...     writes FILE.out of each, whatever becomes of it
 */
#include "mail/convert.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MAX = 4 << 20, SLICE = 4096 };

static uint8_t message[MESSAGE_MAX];

static struct bytes slice(size_t at, size_t len)
{
    return (struct bytes){ message + at, len - at < SLICE ? len - at : SLICE };
}

static void convert(enum convert_target target, size_t len, FILE *to)
{
    struct convert *c = convert_new(target);
    struct buffer out;
    enum convert_verdict verdict = CONVERT_AGAIN;
    buffer_init(&out, CONVERT_ROOM(MESSAGE_MAX));
    while (c && verdict == CONVERT_AGAIN) {
        for (size_t at = 0; at < len; at += SLICE)
            convert_read(c, slice(at, len));
        verdict = convert_read_end(c);
    }
    bool ok = verdict != CONVERT_NO_MEMORY;
    if (verdict == CONVERT_READY) {
        convert_rewind(c);
        for (size_t at = 0; ok && at < len; at += SLICE)
            ok = convert_write(c, slice(at, len), &out);
        ok = ok && convert_write_end(c, &out);
    } else {
        buffer_append(&out, message, len);
    }
    if (!c || !ok || fwrite(out.at, 1, out.len, to) != out.len)
        exit(1);
    buffer_clear(&out);
    convert_free(&c);
}

int main(int count, char **args)
{
    if (count < 2)
        return 2;
    enum convert_target target = args[1][0] == '7' ? CONVERT_TO_7BIT : CONVERT_TO_8BIT;
    for (int i = 2; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s.out", args[i]);
        FILE *from = fopen(args[i], "rb"), *to = fopen(name, "wb");
        if (!from || !to)
            return 1;
        size_t len = fread(message, 1, sizeof message, from);
        convert(target, len, to);
        if (fclose(from) != 0 || fclose(to) != 0)
            return 1;
    }
    return 0;
}
