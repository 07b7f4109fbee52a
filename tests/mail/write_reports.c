/* write_reports.c - writes every sample report to FOLDER/NAME.eml, for another reader to judge. */
#include "reports.h"

#include <stdio.h>

static bool write_file(const char *folder, const char *name, struct text words)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.eml", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    bool done = fwrite(words.at, 1, words.len, file) == words.len;
    return fclose(file) == 0 && done;
}

int main(int argc, char **argv)
{
    struct sample s;
    for (size_t i = 0; argc == 2 && sample_report(i, &s); i++) {
        struct buffer b;
        buffer_init(&b, dsn_octets_max(&s.report));
        bool done = dsn_write(&b, &s.report) && write_file(argv[1], s.name, buffer_as_text(&b));
        buffer_clear(&b);
        if (!done)
            return 1;
    }
    return argc == 2 ? 0 : 2;
}
