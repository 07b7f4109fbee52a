/* index_doubt.c - an index whose log may not be on the disk, although the kernel says that it is.
 *
 * When a sync fails, Linux takes the pages for written: the next sync succeeds and writes nothing.
 * A checkpoint after that changes pages of index.db for which a power cut leaves no log to repair
 * them with, and what SQLite finds then looks whole and is not.  So nothing is written any more to
 * an index of which a sync failed; another one is made from the journal.  A file beside it says so
 * to the next start: that lasts as long as what the kernel believes.
 */
#include "store/local/index_inner.h"

#include "run/disk.h"

#include <stdio.h>
#include <string.h>

enum { PATH_OCTETS = 4096 };

/* The folder of the file; false: it has none. */
static bool folder_of(const struct index *index, char out[PATH_OCTETS])
{
    const char *file = sqlite3_db_filename(index->db.handle, "main");
    const char *end = file ? strrchr(file, '/') : NULL;
    int len = end ? snprintf(out, PATH_OCTETS, "%.*s", (int)(end - file), file) : -1;
    return len > 0 && len < PATH_OCTETS;
}

/* If it cannot be made there is nothing else to be done: this process knows it. */
static void leave_word(const struct index *index)
{
    char path[PATH_OCTETS];
    struct disk *disk = NULL;
    struct disk_file *file = NULL;
    if (!folder_of(index, path) || !disk_open(path, false, &disk, NULL))
        return;
    if (!disk_exists(disk, INDEX_DOUBT))
        disk_file_open(disk, INDEX_DOUBT, DISK_CREATE, &file, NULL);
    disk_file_close(&file);
    disk_close(&disk);
}

void index_hear_failure(struct index *index)
{
    int code = sqlite3_extended_errcode(index->db.handle);
    bool serves = index->kind == INDEX_WRITER || index->kind == INDEX_UPKEEP;
    if (!serves || index->doubted || (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC))
        return;
    index->doubted = true;
    leave_word(index);
}

bool index_is_doubted(const struct index *index)
{
    return index->doubted;
}
