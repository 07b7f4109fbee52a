/* open.c - from a folder to a store that is whole: identity, index, journal, recovery.
 *
 * The journal is the truth, so whatever is wrong with the index has one cure: make another one from
 * the journal and let it take the name (store rule 19).  An index that is missing, damaged,
 * foreign, or stands where the journal has no batch, is cured so without asking, and people are
 * told.
 */
#include "store/local/store_inner.h"

#include "run/entropy.h"
#include "store/local/backup.h"
#include "store/local/damage.h"
#include "store/local/directory.h"
#include "store/local/open.h"
#include "store/local/renew.h"
#include "store/local/replay.h"

#include <string.h>

enum { DEAD_AT_A_TIME = 256 };

/* --- Identity --- */

static bool claim_directory(struct store *store, const uint8_t *uuid, uint8_t *held_out,
                            struct error *error)
{
    struct directory *directory = NULL;
    bool ok = directory_open(store->path, true, &directory, error) &&
              directory_claim(directory, uuid, held_out, error);
    directory_close(&directory);
    return ok;
}

/* The UUID of a store is that of its journal.  Before there is one, directory.db keeps it: a start
 * may end at any moment and is repeated as the same store. */
bool open_identity(struct store *store, struct error *error)
{
    uint8_t uuid[INDEX_UUID];
    bool found = false;
    if (!journal_find_uuid(store->disk, uuid, &found, error))
        return false;
    if (!found)
        entropy_fill(uuid, sizeof uuid);
    if (!claim_directory(store, uuid, store->uuid, error))
        return false;
    return !found || memcmp(uuid, store->uuid, sizeof uuid) == 0 ||
           error_set(error, ERROR_DAMAGED, "directory.db and journal/ belong to different stores");
}

/* --- Another index takes the name --- */

bool open_fresh(const char *path, struct disk *disk, const uint8_t *uuid, struct index **out,
                struct error *error)
{
    return disk_unlink_if_there(disk, "index.new", error) &&
           disk_unlink_if_there(disk, "index.new-journal", error) &&
           index_open(path, INDEX_FRESH, uuid, out, error);
}

/* A log that survived would turn the new database into the old one, silently: it goes first, and
 * that is made durable before the new one takes the name. */
static bool take_name(struct disk *disk, struct error *error)
{
    return disk_unlink_if_there(disk, "index.db-wal", error) &&
           disk_unlink_if_there(disk, "index.db-shm", error) &&
           disk_sync_directory(disk, ".", error) &&
           disk_rename(disk, "index.new", "index.db", error) &&
           disk_sync_directory(disk, ".", error) && disk_unlink_if_there(disk, INDEX_DOUBT, error);
}

/* SQLite has closed it, so this takes nobody's locks away. */
static bool sync_fresh(struct disk *disk, struct error *error)
{
    struct disk_file *file = NULL;
    bool ok =
        disk_file_open(disk, "index.new", DISK_WRITE, &file, error) && disk_file_sync(file, error);
    disk_file_close(&file);
    return ok;
}

bool open_swap(const char *path, struct disk *disk, struct index **fresh, struct index **writer,
               struct error *error)
{
    uint8_t uuid[INDEX_UUID];
    memcpy(uuid, index_uuid(*fresh), sizeof uuid);
    index_close(fresh);
    index_close(writer);
    return sync_fresh(disk, error) && take_name(disk, error) &&
           index_open(path, INDEX_WRITER, uuid, writer, error);
}

/* --- At the start --- */

static bool open_journal(struct store *store, const struct open_options *options, struct replay *r,
                         struct error *error)
{
    struct journal_events events = replay_events(r);
    struct journal_options journal = {
        .disk = store->disk,
        .store_uuid = store->uuid,
        .segment_octets = options->segment_octets,
    };
    if (!index_position(r->index, &r->at, error))
        return false;
    struct journal_position from = r->at;
    bool ok = journal_open(&journal, &from, &events, &store->journal, error);
    if (replay_end(r, ok, error) && replay_oldest(r->index, store->journal, &r->at, error)) {
        if (r->units > 0)
            store_tell(store, false, "%llu units of the journal were applied to the index",
                       (unsigned long long)r->units);
        return true;
    }
    journal_close(&store->journal);
    return false;
}

/* Uids of what was lost may be given again (store rule 3). */
static bool renew(struct store *store, struct index *index, struct error *error)
{
    store_tell(store, true,
               "mail was lost: every mailbox has a new uidvalidity; see godwit check --store");
    return renew_after_loss(store->journal, index, error) && damage_settle(store->disk, error);
}

/* Behind where the index stood units were lost, now or before a start that was cut off. */
static bool renew_if_owed(struct store *store, struct index *index, struct error *error)
{
    return !damage_is_new(store->disk) || renew(store, index, error);
}

/* With the index that is there.  ERROR_DAMAGED: not with this one. */
static bool open_as_it_is(struct store *store, const struct open_options *options,
                          struct index **writer, struct error *error)
{
    if (!disk_exists(store->disk, "index.db"))
        return error_set(error, ERROR_DAMAGED, "there is no index.db");
    if (disk_exists(store->disk, INDEX_DOUBT))
        return error_set(error, ERROR_DAMAGED, "index.db could not be synced before");
    if (index_open(store->path, INDEX_WRITER, store->uuid, writer, error)) {
        struct replay r = {
            .index = *writer, .notice = store->notice, .owner = store->owner, .disk = store->disk
        };
        if (open_journal(store, options, &r, error) && renew_if_owed(store, *writer, error))
            return true;
    }
    index_close(writer);
    journal_close(&store->journal);
    return false;
}

/* An index that was made anew may not know all that there was. */
static bool tell_loss(struct store *store, const struct replay *r, bool *lost_out,
                      struct error *error)
{
    if (!replay_find_loss(r, store->path, lost_out, error))
        return false;
    return !*lost_out || (damage_note(store->disk, error) && renew(store, r->index, error));
}

static bool open_anew(struct store *store, const struct open_options *options,
                      struct index **writer, struct error *error)
{
    struct index *fresh = NULL;
    struct replay r = { .notice = store->notice, .owner = store->owner };
    bool lost = false;
    bool ok = open_fresh(store->path, store->disk, store->uuid, &fresh, error);
    r.index = fresh;
    if (ok && open_journal(store, options, &r, error) && tell_loss(store, &r, &lost, error) &&
        open_swap(store->path, store->disk, &fresh, writer, error) &&
        (lost || damage_forget(store->disk, error)))
        return true;
    index_close(writer);
    index_close(&fresh);
    journal_close(&store->journal);
    return false;
}

static bool is_referred(void *index, message_id id)
{
    struct index_message message;
    bool found = false;
    /* What cannot be looked up stays. */
    return !index_find_message(index, id, &message, &found, NULL) || found;
}

static bool forget_all_dead(struct store *store, struct index *writer, struct error *error)
{
    message_id dead[DEAD_AT_A_TIME];
    size_t count = 0;
    struct journal_position position = journal_position(store->journal);
    do {
        if (!index_list_dead(writer, dead, DEAD_AT_A_TIME, &count, error))
            return false;
        bool ok = index_begin(writer, error) && index_forget_dead(writer, dead, count, error) &&
                  index_keep(writer, &position, error);
        if (!ok) {
            index_undo(writer);
            return false;
        }
    } while (count == DEAD_AT_A_TIME);
    return true;
}

/* Large files that nothing refers to: of messages that never became durable, or are dead; and
 * segments that a compaction has emptied.  Only once the index that says so is durable itself.
 * While something is lost, what nothing refers to may belong to that. */
static bool sweep_large(struct store *store, struct index *writer, struct error *error)
{
    bool complete = false;
    if (!index_checkpoint(writer, INDEX_TRUNCATE, &complete, error))
        return false;
    uint64_t removed;
    struct disk_file *hold = NULL;
    if (!complete || !disk_lock(store->disk, BACKUP_HOLD, &hold, NULL))
        return true; /* the next start does it */
    bool ok =
        (damage_is_known(store->disk) || large_sweep(store->journal, is_referred, writer, error)) &&
        forget_all_dead(store, writer, error) &&
        journal_remove_retired(store->journal, &removed, error);
    disk_unlock(&hold);
    return ok;
}

bool open_all(struct store *store, const struct open_options *options, struct index **writer,
              struct error *error)
{
    struct error why = { 0 };
    bool is_new = !disk_exists(store->disk, "journal");
    if (!open_as_it_is(store, options, writer, &why)) {
        if (why.kind != ERROR_DAMAGED) {
            *error = why;
            return false;
        }
        if (!is_new)
            store_tell(store, true, "the index is made anew from the journal: %s", why.words);
        if (!open_anew(store, options, writer, error))
            return false;
    }
    if (sweep_large(store, *writer, error))
        return true;
    index_close(writer);
    return false;
}

/* --- While it runs --- */

static bool rebuild(struct store *store, struct index **writer, struct error *error)
{
    struct index *fresh = NULL;
    bool lost = false;
    store_tell(store, true, "the index is made anew from the journal: %s", error->words);
    bool ok = open_fresh(store->path, store->disk, store->uuid, &fresh, error);
    struct replay r = { .index = fresh, .notice = store->notice, .owner = store->owner };
    ok = ok && replay_rest(&r, store->journal, error) && tell_loss(store, &r, &lost, error);
    if (ok) {
        pthread_mutex_lock(&store->reading.mutex);
        index_close(&store->reading.index);
        ok = open_swap(store->path, store->disk, &fresh, writer, error);
        pthread_mutex_unlock(&store->reading.mutex);
    }
    index_close(&fresh);
    return ok && (lost || damage_forget(store->disk, error));
}

static bool catch_up(struct store *store, struct index **writer, struct error *error)
{
    error_set(error, ERROR_DAMAGED, "it could not be used");
    if (*writer) {
        struct replay r = {
            .index = *writer, .notice = store->notice, .owner = store->owner, .disk = store->disk
        };
        if (replay_rest(&r, store->journal, error) && renew_if_owed(store, *writer, error))
            return true;
        if (error->kind != ERROR_DAMAGED)
            return false;
        index_close(writer);
    }
    return rebuild(store, writer, error);
}

/* Saying every uidvalidity anew may have failed in the midst of a batch, the time before. */
bool store_catch_up(struct store *store, struct index **writer, struct error *error)
{
    return catch_up(store, writer, error) &&
           (!journal_must_be_abandoned(store->journal) || journal_abandon(store->journal, error));
}

struct index *reading_begin(struct store *store, struct error *error)
{
    struct reading *r = &store->reading;
    pthread_mutex_lock(&r->mutex);
    if (!r->index)
        index_open(store->path, INDEX_READER, store->uuid, &r->index, error);
    struct index *index = r->index;
    if (!index)
        reading_end(store, error);
    return index;
}

void reading_end(struct store *store, const struct error *trouble)
{
    pthread_mutex_unlock(&store->reading.mutex);
    if (trouble->kind == ERROR_DAMAGED)
        commit_suspect(&store->commits);
}
