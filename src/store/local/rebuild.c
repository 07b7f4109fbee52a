/* rebuild.c - the index made anew by hand, with the server stopped. */
#include "store/local/damage.h"
#include "store/local/open.h"
#include "store/local/renew.h"
#include "store/local/replay.h"

/* The journal is opened as at a start, where the index ends. */
static bool renew(struct disk *disk, struct index *fresh, struct error *error)
{
    struct replay r = { .index = fresh };
    struct journal_options options = { .disk = disk, .store_uuid = index_uuid(fresh) };
    struct journal_events events = replay_events(&r);
    struct journal *journal = NULL;
    if (!index_position(fresh, &r.at, error))
        return false;
    struct journal_position from = r.at;
    bool ok = journal_open(&options, &from, &events, &journal, error);
    ok = replay_end(&r, ok, error) && renew_after_loss(journal, fresh, error);
    journal_close(&journal);
    return ok && damage_settle(disk, error);
}

static bool replay_all(struct replay *r, const char *path, struct disk *disk, bool *lost_out,
                       struct error *error)
{
    struct journal_options options = { .disk = disk, .store_uuid = index_uuid(r->index) };
    struct journal *journal = NULL;
    bool ok = journal_open_read(&options, &journal, error) && replay_rest(r, journal, error);
    journal_close(&journal);
    return ok && replay_find_loss(r, path, lost_out, error) &&
           (!*lost_out || (damage_note(disk, error) && renew(disk, r->index, error)));
}

static bool rebuild(const char *path, struct disk *disk, struct replay *r, struct error *error)
{
    uint8_t uuid[INDEX_UUID];
    bool found = false, lost = false;
    struct index *writer = NULL;
    if (!journal_find_uuid(disk, uuid, &found, error))
        return false;
    if (!found)
        return error_set(error, ERROR_REFUSED, "%s has no journal to make an index from", path);
    bool ok =
        open_fresh(path, disk, uuid, &r->index, error) && replay_all(r, path, disk, &lost, error) &&
        open_swap(path, disk, &r->index, &writer, error) && (lost || damage_forget(disk, error));
    index_close(&r->index);
    index_close(&writer);
    return ok;
}

bool store_rebuild(const char *path,
                   void (*notice)(void *owner, bool is_trouble, const char *words), void *owner,
                   struct error *error)
{
    struct replay r = { .notice = notice, .owner = owner };
    struct disk *disk = NULL;
    struct disk_file *lock = NULL;
    bool ok = disk_open(path, false, &disk, error) && disk_lock(disk, "lock", &lock, error) &&
              rebuild(path, disk, &r, error);
    disk_unlock(&lock);
    disk_close(&disk);
    return ok;
}
