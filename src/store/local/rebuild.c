/* rebuild.c - the index made anew by hand, with the server stopped. */
#include "store/local/open.h"
#include "store/local/replay.h"

static bool rebuild(const char *path, struct disk *disk, struct error *error)
{
    uint8_t uuid[INDEX_UUID];
    bool found = false;
    struct journal_options options = { .disk = disk, .store_uuid = uuid };
    struct journal *journal = NULL;
    struct index *fresh = NULL, *writer = NULL;
    if (!journal_find_uuid(disk, uuid, &found, error))
        return false;
    if (!found)
        return error_set(error, ERROR_REFUSED, "%s has no journal to make an index from", path);
    bool ok =
        journal_open_read(&options, &journal, error) && open_fresh(path, disk, uuid, &fresh, error);
    struct replay r = { .index = fresh };
    ok = ok && replay_rest(&r, journal, error) && open_swap(path, disk, &fresh, &writer, error);
    index_close(&fresh);
    index_close(&writer);
    journal_close(&journal);
    return ok;
}

bool store_rebuild(const char *path, struct error *error)
{
    struct disk *disk = NULL;
    struct disk_file *lock = NULL;
    bool ok = disk_open(path, false, &disk, error) && disk_lock(disk, "lock", &lock, error) &&
              rebuild(path, disk, error);
    disk_unlock(&lock);
    disk_close(&disk);
    return ok;
}
