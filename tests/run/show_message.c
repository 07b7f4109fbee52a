/* show_message.c - what people see of a message, with all character sets, for another reader to
 * compare.
 *
 * usage: show_message FILE...
 *
 * For each file the lines of print_shown.h, and an empty one.
 */
#include "../mail/print_shown.h"

#include "run/charset.h"

#include <stdio.h>

enum { MESSAGE_MAX = 1 << 20 };

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
        print_shown(message, &more);
        putchar('\n');
    }
    charsets_free(&charsets);
    return 0;
}
