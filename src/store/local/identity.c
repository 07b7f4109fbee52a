/* identity.c - which store a journal belongs to, for whoever does not know yet. */
#include "store/local/segment.h"

#include <limits.h>

/* The segment with the highest number that can say it. */
struct search {
    struct disk *disk;
    uint64_t number;
    uint8_t *uuid;
    struct error error;
    bool failed;
};

static bool read_uuid(struct search *s, const char *name, bool *found_out)
{
    uint8_t page[FILE_HEADER];
    size_t got;
    struct disk_file *file = NULL;
    *found_out = false;
    if (!disk_file_open(s->disk, name, DISK_READ, &file, &s->error))
        return false;
    /* A copy that the disk cannot read is as good as a damaged one. */
    for (uint64_t at = 0; !*found_out && at < SEGMENT_START; at += FILE_HEADER)
        *found_out = disk_file_read(file, at, page, sizeof page, &got, NULL) &&
                     got == sizeof page && segment_header_uuid(page, s->uuid);
    disk_file_close(&file);
    return true;
}

static void look_at(void *owner, const char *file)
{
    struct search *s = owner;
    char name[SEGMENT_NAME_MAX];
    uint64_t number = segment_number(file);
    bool found;
    if (s->failed || number <= s->number)
        return;
    segment_name(number, name);
    if (!read_uuid(s, name, &found))
        s->failed = true;
    else if (found)
        s->number = number;
}

bool journal_find_uuid(struct disk *disk, uint8_t *uuid_out, bool *found_out, struct error *e)
{
    struct search s = { .disk = disk, .uuid = uuid_out };
    *found_out = false;
    if (!disk_exists(disk, "journal"))
        return true;
    if (!disk_list(disk, "journal", look_at, &s, e))
        return false;
    if (s.failed)
        return error_set(e, s.error.kind, "%s", s.error.words);
    *found_out = s.number > 0;
    return true;
}
