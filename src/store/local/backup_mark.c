/* backup_mark.c - the file that makes a folder a backup, and says how much of it belongs to that.
 *
 * It takes its name when all the rest is there and synced, at once: until then the folder is the
 * backup of before, whatever else lies in it already.  Never touches the journal.
 */
#include "store/local/backup.h"

#include "run/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum { WORDS_MAX = 512 };

static const char part_name[] = "backup.part";

static int print(const struct journal_extent *x, char words[WORDS_MAX])
{
    return snprintf(words, WORDS_MAX,
                    "A backup of a godwit store: bring it back with godwit restore.\n"
                    "batch %" PRIu64 "\n"
                    "milliseconds since 1970: %" PRId64 "\n"
                    "segments %" PRIu64 " to %" PRIu64 "\n"
                    "ends in %" PRIu64 " at %" PRIu64 " checksum %" PRIu64 "\n",
                    x->end.sequence, clock_wall_ms(), x->first, x->last, x->end.segment,
                    x->end.offset, x->end.checksum);
}

bool backup_write_mark(struct disk *disk, const struct journal_extent *extent, struct error *e)
{
    char words[WORDS_MAX];
    struct disk_file *file = NULL;
    struct iovec part = { words, (size_t)print(extent, words) };
    if (!disk_unlink_if_there(disk, part_name, e))
        return false;
    bool ok = disk_file_open(disk, part_name, DISK_CREATE, &file, e) &&
              disk_file_write(file, 0, &part, 1, e) && disk_file_sync(file, e);
    disk_file_close(&file);
    return ok && disk_rename(disk, part_name, BACKUP_MARK, e) && disk_sync_directory(disk, ".", e);
}

/* The number behind these words, in the line at the front of *rest. */
static bool take_number(struct text *rest, struct text words, uint64_t *out)
{
    struct text digits;
    if (!text_starts(*rest, words))
        return false;
    *rest = text_trim(text_skip(*rest, words.len));
    return text_word(rest, &digits) && text_to_u64(digits, out);
}

static void read_line(struct text line, struct journal_extent *x)
{
    struct text rest = line;
    if (take_number(&rest, T("batch "), &x->end.sequence))
        return;
    rest = line;
    if (take_number(&rest, T("segments "), &x->first)) {
        rest = text_trim(rest);
        take_number(&rest, T("to "), &x->last);
        return;
    }
    if (!take_number(&rest, T("ends in "), &x->end.segment))
        return;
    rest = text_trim(rest);
    if (take_number(&rest, T("at "), &x->end.offset)) {
        rest = text_trim(rest);
        take_number(&rest, T("checksum "), &x->end.checksum);
    }
}

bool backup_read_mark(struct disk *disk, struct journal_extent *out, struct error *e)
{
    char words[WORDS_MAX];
    struct disk_file *file = NULL;
    struct text line;
    size_t got = 0;
    *out = (struct journal_extent){ 0 };
    bool ok = disk_file_open(disk, BACKUP_MARK, DISK_READ, &file, e) &&
              disk_file_read(file, 0, words, sizeof words, &got, e);
    disk_file_close(&file);
    for (struct text rest = { words, got }; ok && rest.len > 0;) {
        text_cut(&rest, '\n', &line);
        read_line(line, out);
    }
    return ok;
}
