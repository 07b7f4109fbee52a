/* dump.c - prints the logical facts of a store: `dump DATA live|rebuilt` (tests/e2e compares). */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct buffer out;
    struct error error;
    if (argc != 3)
        return 2;
    buffer_init(&out, SIZE_MAX / 2);
    if (!store_dump(argv[1], strcmp(argv[2], "rebuilt") == 0, &out, &error)) {
        fprintf(stderr, "dump: %s\n", error.words);
        return 1;
    }
    fwrite(out.at, 1, out.len, stdout);
    buffer_clear(&out);
    return 0;
}
