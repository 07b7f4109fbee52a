/* damage.c - a word in DATA that the journal lacks something, for as long as it does.
 *
 * An index cannot keep it: it may be made anew at any time.  Never decides what damage is.
 */
#include "store/local/damage.h"

#define DAMAGE_NEW   "journal.damaged.new"
#define DAMAGE_KNOWN "journal.damaged"

bool damage_note(struct disk *disk, struct error *error)
{
    struct disk_file *file = NULL;
    bool ok = damage_is_new(disk) || disk_file_open(disk, DAMAGE_NEW, DISK_CREATE, &file, error);
    disk_file_close(&file);
    return ok && disk_sync_directory(disk, ".", error);
}

bool damage_is_new(struct disk *disk)
{
    return disk_exists(disk, DAMAGE_NEW);
}

bool damage_is_known(struct disk *disk)
{
    return damage_is_new(disk) || disk_exists(disk, DAMAGE_KNOWN);
}

bool damage_settle(struct disk *disk, struct error *error)
{
    return disk_rename(disk, DAMAGE_NEW, DAMAGE_KNOWN, error) &&
           disk_sync_directory(disk, ".", error);
}

bool damage_forget(struct disk *disk, struct error *error)
{
    return disk_unlink_if_there(disk, DAMAGE_NEW, error) &&
           disk_unlink_if_there(disk, DAMAGE_KNOWN, error);
}
