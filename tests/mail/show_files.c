/* show_files.c - messages as people are shown them, for another reader to compare.
 *
 * usage: show_files FILE...
 *
 * For each file the lines of print_shown.h, and an empty one.
 */
#include "print_shown.h"

#include <stdio.h>

enum { MESSAGE_MAX = 16 << 20 };

int main(int count, char **names)
{
    static char octets[MESSAGE_MAX];
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");
        if (!file)
            return 1;
        struct text message = { octets, fread(octets, 1, sizeof octets, file) };
        fclose(file);
        print_shown(message, NULL);
        putchar('\n');
    }
    return 0;
}
