/* fuzz_aliases.c - other people's aliases files: each target is a slice of the file on its line. */
#include "base/check.h"
#include "cli/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct text file;
    unsigned line, lines;
    size_t count;
};

static void check_slice(const struct seen *s, struct text part)
{
    CHECK(part.len == 0 ||
          (part.at >= s->file.at && part.at + part.len <= s->file.at + s->file.len));
    for (size_t i = 0; i < part.len; i++)
        CHECK(part.at[i] != '\n');
}

static void tell(void *owner, const struct alias_line *line)
{
    struct seen *s = owner;
    CHECK(line->line >= s->line && line->line <= s->lines);
    s->line = line->line;
    s->count++;
    check_slice(s, line->name);
    check_slice(s, line->target);
    CHECK(line->problem || (line->name.len && line->target.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = { .file = { (const char *)data, size }, .lines = 1 };
    for (size_t i = 0; i < size; i++)
        seen.lines += data[i] == '\n';
    input_aliases(seen.file, tell, &seen);
    CHECK(seen.count <= size);
    return 0;
}
