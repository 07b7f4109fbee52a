/* restore.c - a backup becomes a store again.
 *
 * Clients may have seen mail that came after the backup, under uids that will be given again: each
 * mailbox gets a new uidvalidity (store rule 3).  Mail that waited to be sent may have gone since:
 * it is held, for people to decide.  Both are written into the journal before there is an index.
 */
#include "store/local/backup.h"

#include "store/local/index.h"
#include "store/local/renew.h"
#include "store/local/replay.h"

#include <stdio.h>

/* The journal is opened as at a start, into an index for the moment. */
static bool renew(struct backup *b, struct store_restored *out, struct error *e)
{
    uint8_t uuid[INDEX_UUID];
    bool found = false;
    struct journal_position front = { 0 };
    struct index *index = NULL;
    struct journal *journal = NULL;
    if (!journal_find_uuid(b->to, uuid, &found, e) ||
        !index_open(NULL, INDEX_SCRATCH, uuid, &index, e))
        return false;
    struct replay r = { .index = index };
    struct journal_events events = replay_events(&r);
    struct journal_options options = { .disk = b->to, .store_uuid = uuid };
    bool ok = journal_open(&options, &front, &events, &journal, e);
    ok = replay_end(&r, ok, e) && renew_mailboxes(journal, index, out, e) &&
         renew_queue(journal, index, out, e);
    journal_close(&journal);
    index_close(&index);
    return ok;
}

/* --- Files --- */

static void restore_large(void *owner, const char *file)
{
    struct backup *b = owner;
    char name[64];
    uint64_t octets = 0;
    message_id id;
    if (b->failed || !message_id_parse(text_of(file), &id))
        return;
    snprintf(name, sizeof name, "journal/large/%s", file);
    b->failed = !backup_copy_file(b, name, UINT64_MAX, &octets, &b->error);
}

static bool restore_segment(struct backup *b, uint64_t number, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    uint64_t octets, limit = b->extent.last ? backup_limit(&b->extent, number) : UINT64_MAX;
    segment_name(number, name);
    return backup_copy_file(b, name, limit, &octets, e);
}

static bool restore_journal(struct backup *b, struct error *e)
{
    if (!disk_make_folder(b->to, "journal", e) || !disk_make_folder(b->to, "journal/large", e) ||
        !backup_read_mark(b->from, &b->extent, e) || !segment_list_read(b->from, &b->segments, e))
        return false;
    for (size_t i = 0; i < b->segments.count; i++) {
        uint64_t number = b->segments.numbers[i];
        if (journal_extent_has(&b->extent, number) && !restore_segment(b, number, e))
            return false;
    }
    if (!disk_list(b->from, "journal/large", restore_large, b, e))
        return false;
    if (b->failed)
        *e = b->error;
    return !b->failed && disk_sync_directory(b->to, "journal/large", e) &&
           disk_sync_directory(b->to, "journal", e);
}

/* Until all is there the folder is not served: it has the mark of a backup. */
static bool set_mark(struct backup *b, struct error *e)
{
    struct disk_file *file = NULL;
    bool ok = disk_file_open(b->to, BACKUP_MARK, DISK_CREATE, &file, e);
    disk_file_close(&file);
    return ok && disk_sync_directory(b->to, ".", e);
}

static bool take_mark(const char *path, struct error *e)
{
    struct disk *disk = NULL;
    bool ok = disk_open(path, false, &disk, e) && disk_unlink(disk, BACKUP_MARK, e) &&
              disk_sync_directory(disk, ".", e);
    disk_close(&disk);
    return ok;
}

static bool restore_all(struct backup *b, struct store_restored *out, struct error *e)
{
    uint64_t octets;
    if (!disk_exists(b->from, BACKUP_MARK))
        return error_set(e, ERROR_REFUSED, "%s is no backup, or was not finished", b->path);
    if (disk_exists(b->to, BACKUP_MARK))
        return error_set(e, ERROR_REFUSED,
                         "%s holds a backup, or the rest of a restore that was cut off: remove it "
                         "first",
                         b->target);
    if (disk_exists(b->to, "journal") || disk_exists(b->to, "directory.db"))
        return error_set(e, ERROR_REFUSED, "%s holds mail already: restore into a new folder",
                         b->target);
    return set_mark(b, e) && restore_journal(b, e) && renew(b, out, e) &&
           backup_copy_file(b, "directory.db", UINT64_MAX, &octets, e) &&
           disk_sync_directory(b->to, ".", e);
}

/* No backup may write into it meanwhile.  Where nothing can be written, as on a disk that is
 * mounted for reading, none does. */
static bool lock_source(const struct backup *b, struct disk_file **out, struct error *e)
{
    return !disk_exists(b->from, BACKUP_MARK) || disk_lock(b->from, "lock", out, e) ||
           e->kind != ERROR_REFUSED;
}

bool store_restore(const char *from, const char *path, struct store_restored *out, struct error *e)
{
    struct backup b = { .path = from, .target = path };
    struct disk_file *source_lock = NULL, *lock = NULL;
    *out = (struct store_restored){ 0 };
    bool ok = disk_open(from, false, &b.from, e) && lock_source(&b, &source_lock, e) &&
              disk_open(path, true, &b.to, e) && disk_lock(b.to, "lock", &lock, e) &&
              restore_all(&b, out, e);
    disk_unlock(&lock);
    disk_unlock(&source_lock);
    disk_close(&b.from);
    disk_close(&b.to);
    segment_list_clear(&b.segments);
    return ok && store_rebuild(path, NULL, NULL, e) && take_mark(path, e);
}
