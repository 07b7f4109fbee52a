/* restore.c - a backup becomes a store again.
 *
 * Clients may have seen mail that came after the backup, under uids that will be given again: each
 * mailbox gets a new uidvalidity (store rule 3).  Mail that waited to be sent may have gone since:
 * it is held, for people to decide.  Both are written into the journal before there is an index.
 */
#include "store/local/backup.h"

#include "base/check.h"
#include "run/clock.h"
#include "store/local/index.h"
#include "store/local/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT_CHANGES = 400, CHANGES_OCTETS_MAX = 4 * 1024 * 1024 };

/* Changes on their way into the journal, a unit at a time. */
struct writing {
    struct journal *journal;
    struct index *index;
    struct buffer changes;
    size_t count;
    struct store_restored *out;
};

static bool flush(struct writing *w, struct error *e)
{
    if (w->count == 0)
        return true;
    struct unit unit = { .changes = buffer_bytes(&w->changes) };
    if (journal_is_full(w->journal, journal_batch_octets(&unit, 1)) &&
        (!journal_prepare(w->journal, e) || !journal_turn(w->journal, e)))
        return false;
    bool ok = journal_append(w->journal, &unit, 1, e) && journal_sync(w->journal, e);
    w->changes.len = 0;
    w->count = 0;
    return ok;
}

static bool say(struct writing *w, const struct change *change, struct error *e)
{
    if (!change_encode(&w->changes, change))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return ++w->count < UNIT_CHANGES || flush(w, e);
}

static bool renew_mailbox(void *owner, const struct index_mailbox *mailbox, struct error *e)
{
    struct writing *w = owner;
    struct change change = {
        .kind = CHANGE_MAILBOX,
        .mailbox = mailbox->id,
        .modseq = mailbox->modseq + 1,
        .uid_validity = index_new_uid_validity(w->index, clock_wall_ms() / 1000),
        .uid_next = mailbox->uid_next,
        .when_ms = clock_wall_ms(),
        .words = mailbox->address,
    };
    w->out->mailboxes++;
    w->out->messages += mailbox->count;
    return say(w, &change, e);
}

static bool hold_row(void *owner, const struct queue_item *item, struct error *e)
{
    struct writing *w = owner;
    struct change change = { .kind = CHANGE_RECIPIENT, .row = item->row };
    w->out->held++;
    change.row.generation++;
    change.row.held = true;
    return say(w, &change, e);
}

static bool renew_all(struct writing *w, struct error *e)
{
    struct index_visitor visitor = { .mailbox = renew_mailbox, .queued = hold_row, .owner = w };
    struct queue_place front = { 0 };
    return index_each_mailbox(w->index, &visitor, e) && flush(w, e) &&
           index_each_queued(w->index, &front, 0, &visitor, e) && flush(w, e);
}

/* The journal is opened as at a start, into an index for the moment. */
static bool renew(struct backup *b, struct store_restored *out, struct error *e)
{
    uint8_t uuid[INDEX_UUID];
    bool found = false;
    struct journal_position front = { 0 };
    struct writing w = { .out = out };
    if (!journal_find_uuid(b->to, uuid, &found, e) ||
        !index_open(NULL, INDEX_SCRATCH, uuid, &w.index, e))
        return false;
    struct replay r = { .index = w.index };
    struct journal_events events = replay_events(&r);
    struct journal_options options = { .disk = b->to, .store_uuid = uuid };
    buffer_init(&w.changes, CHANGES_OCTETS_MAX);
    bool ok = journal_open(&options, &front, &events, &w.journal, e);
    ok = replay_end(&r, ok, e) && renew_all(&w, e);
    buffer_clear(&w.changes);
    journal_close(&w.journal);
    index_close(&w.index);
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
    b->failed = !backup_copy_file(b->from, b->to, name, UINT64_MAX, &octets, &b->error);
}

static bool restore_journal(struct backup *b, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    uint64_t octets;
    if (!disk_make_folder(b->to, "journal", e) || !disk_make_folder(b->to, "journal/large", e) ||
        !segment_list_read(b->from, &b->segments, e))
        return false;
    for (size_t i = 0; i < b->segments.count; i++) {
        segment_name(b->segments.numbers[i], name);
        if (!backup_copy_file(b->from, b->to, name, UINT64_MAX, &octets, e))
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
           backup_copy_file(b->from, b->to, "directory.db", UINT64_MAX, &octets, e) &&
           disk_sync_directory(b->to, ".", e);
}

bool store_restore(const char *from, const char *path, struct store_restored *out, struct error *e)
{
    struct backup b = { .path = from, .target = path };
    struct disk_file *lock = NULL;
    *out = (struct store_restored){ 0 };
    bool ok = disk_open(from, false, &b.from, e) && disk_open(path, true, &b.to, e) &&
              disk_lock(b.to, "lock", &lock, e) && restore_all(&b, out, e);
    disk_unlock(&lock);
    disk_close(&b.from);
    disk_close(&b.to);
    segment_list_clear(&b.segments);
    return ok && store_rebuild(path, e) && take_mark(path, e);
}
