/* backup.c - a copy of the store beside a running server (and, in restore.c, the way back).
 *
 * The journal is the truth and only grows, so any of its beginnings is a store that once was: up to
 * one batch, the large messages are copied, then all segments, oldest first.  What was copied
 * before and cannot have changed since is left as it is.  While it goes on the server removes
 * nothing: both hold DATA/hold.  Each file is whole and synced before it takes its name.
 *
 * What compaction has written again since the last backup is missing in the old files, and what it
 * has given up is missing in the new ones.  So the new files count only when all are there: the
 * mark, which is written last, says which segments belong to the backup, and how far.
 */
#include "store/local/backup.h"

#include "store/local/database.h"
#include "store/local/format.h"
#include "store/local/journal.h"

#include <stdio.h>
#include <string.h>

/* What is counted: copied, or there already. */
struct tally {
    uint64_t *copied, *kept;
};

static bool bring(struct backup *b, const char *name, uint64_t limit, struct tally tally,
                  struct error *e)
{
    uint64_t octets;
    if (!b->has_holes && backup_is_copied(b, name, limit)) {
        ++*tally.kept;
        return true;
    }
    if (!backup_copy_file(b, name, limit, &octets, e))
        return false;
    b->copied->octets += octets;
    ++*tally.copied;
    return true;
}

/* --- The journal --- */

/* Leaves in the list those that belong to the backup. */
static bool copy_segments(struct backup *b, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    uint64_t limit;
    size_t count = b->segments.count;
    b->extent.first = count > 0 ? b->segments.numbers[0] : 0;
    b->segments.count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = b->segments.numbers[i];
        segment_name(number, name);
        if (!backup_find_limit(b, number, &limit, e) ||
            (limit > 0 &&
             !bring(b, name, limit,
                    (struct tally){ &b->copied->segments, &b->copied->segments_kept }, e)))
            return false;
        if (limit > 0)
            b->segments.numbers[b->segments.count++] = b->extent.last = number;
    }
    return disk_sync_directory(b->to, "journal", e);
}

/* What arrives may be given up meanwhile; what a batch of the copy refers to stays. */
static void copy_large(void *owner, const char *file)
{
    struct backup *b = owner;
    char name[BACKUP_NAME_MAX];
    message_id id;
    if (b->failed || !message_id_parse(text_of(file), &id))
        return;
    snprintf(name, sizeof name, "journal/large/%s", file);
    struct tally tally = { &b->copied->large, &b->copied->large_kept };
    b->failed = !bring(b, name, UINT64_MAX, tally, &b->error) && disk_exists(b->from, name);
}

static void drop_large(void *owner, const char *file)
{
    struct backup *b = owner;
    char name[BACKUP_NAME_MAX];
    snprintf(name, sizeof name, "journal/large/%.32s", file);
    b->failed = b->failed || (!disk_exists(b->from, name) && !disk_unlink(b->to, name, &b->error));
}

static bool each_large(struct backup *b, struct disk *of, void (*each)(void *, const char *),
                       struct error *e)
{
    if (!disk_list(of, "journal/large", each, b, e))
        return false;
    if (b->failed)
        *e = b->error;
    return !b->failed && disk_sync_directory(b->to, "journal/large", e);
}

static bool is_part(const struct backup *b, uint64_t number)
{
    size_t i = 0;
    while (i < b->segments.count && b->segments.numbers[i] < number)
        i++;
    return i < b->segments.count && b->segments.numbers[i] == number;
}

/* Segments that are no part of this backup, nor of `spared`. */
static bool drop_segments(struct backup *b, const struct journal_extent *spared, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    struct segment_list there = { 0 };
    bool ok = segment_list_read(b->to, &there, e);
    for (size_t i = 0; ok && i < there.count; i++) {
        uint64_t number = there.numbers[i];
        segment_name(number, name);
        ok = is_part(b, number) || (spared && journal_extent_has(spared, number)) ||
             disk_unlink(b->to, name, e);
    }
    segment_list_clear(&there);
    return ok && disk_sync_directory(b->to, "journal", e);
}

/* What was left of others must be gone before this one counts, and what the store has given up
 * since the one before may go only then. */
static bool take_place(struct backup *b, struct error *e)
{
    return drop_segments(b, &b->before, e) && backup_write_mark(b->to, &b->extent, e) &&
           drop_segments(b, NULL, e) && each_large(b, b->to, drop_large, e);
}

/* --- The directory --- */

static bool copy_pages(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (!copy)
        return false;
    sqlite3_backup_step(copy, -1);
    return sqlite3_backup_finish(copy) == SQLITE_OK;
}

/* SQLite copies its own: a server may be writing. */
static bool copy_directory(struct backup *b, struct error *e)
{
    static const char part[] = "directory.db.part";
    char from[4096], to[4096];
    struct database source = { 0 }, target = { 0 };
    snprintf(from, sizeof from, "%s/directory.db", b->path);
    snprintf(to, sizeof to, "%s/%s", b->target, part);
    if (!disk_unlink_if_there(b->to, part, e))
        return false;
    struct database_options read = { "directory.db", from, SQLITE_OPEN_READONLY, 2000, "" };
    struct database_options write = { "directory.db of the backup", to,
                                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0,
                                      "PRAGMA synchronous = FULL" };
    bool ok = database_open(&source, &read, e);
    if (ok && (ok = database_open(&target, &write, e))) {
        ok = copy_pages(source.handle, target.handle) || database_failed(&target, e);
        database_close(&target);
    }
    if (source.handle)
        database_close(&source);
    return ok && disk_rename(b->to, part, "directory.db", e);
}

/* --- All of it --- */

/* Not into a store, and not over the copy of another one. */
static bool may_write(struct backup *b, struct error *e)
{
    uint8_t there[FORMAT_UUID];
    bool found = false;
    if (disk_exists(b->to, "index.db"))
        return error_set(e, ERROR_REFUSED, "%s holds a store, not a backup", b->target);
    if (!journal_find_uuid(b->to, there, &found, e))
        return false;
    return !found || memcmp(there, b->uuid, FORMAT_UUID) == 0 ||
           error_set(e, ERROR_REFUSED, "%s holds the backup of another store", b->target);
}

static bool find_end(struct backup *b, struct error *e)
{
    bool found = false;
    struct journal *journal = NULL;
    struct journal_options options = { .disk = b->from, .store_uuid = b->uuid };
    if (!journal_find_uuid(b->from, b->uuid, &found, e))
        return false;
    if (!found)
        return error_set(e, ERROR_REFUSED, "%s has no journal yet: there is no mail", b->path);
    bool ok = may_write(b, e) && journal_open_read(&options, &journal, e) &&
              journal_find_end(journal, &b->extent.end, e);
    journal_close(&journal);
    return ok;
}

/* They are looked at once more by the next backup: their files count as not copied. */
static bool forget_holes(struct backup *b, struct error *e)
{
    return b->copied->holes.octets > 0 ||
           (disk_unlink_if_there(b->to, BACKUP_HOLES, e) && disk_sync_directory(b->to, ".", e));
}

static bool copy_all(struct backup *b, struct error *e)
{
    if (!find_end(b, e) || !segment_list_read(b->from, &b->segments, e) ||
        !backup_check_before(b, e) || !disk_make_folder(b->to, "journal", e) ||
        !disk_make_folder(b->to, "journal/large", e))
        return false;
    b->copied->batch = b->extent.end.sequence;
    b->has_holes = disk_exists(b->to, BACKUP_HOLES);
    return each_large(b, b->from, copy_large, e) && copy_segments(b, e) && copy_directory(b, e) &&
           backup_check_end(b, e) && take_place(b, e) && forget_holes(b, e);
}

bool store_backup(const char *path, const char *to, struct store_copied *out, struct error *e)
{
    struct backup b = { .path = path, .target = to, .copied = out };
    struct disk_file *hold = NULL, *lock = NULL;
    *out = (struct store_copied){ 0 };
    bool ok = disk_open(path, false, &b.from, e) && disk_open(to, true, &b.to, e) &&
              disk_lock(b.to, "lock", &lock, e) && disk_lock(b.from, BACKUP_HOLD, &hold, e) &&
              copy_all(&b, e);
    disk_unlock(&hold);
    disk_unlock(&lock);
    disk_close(&b.from);
    disk_close(&b.to);
    segment_list_clear(&b.segments);
    return ok;
}
