/* replay.c - the journal into an index, in large transactions.  Never decides what an error means.
 */
#include "store/local/replay.h"

#include "store/local/damage.h"
#include "store/local/lost.h"

enum {
    UNITS_A_TIME = 20 * 1000,
    ROWS_A_TIME = 50 * 1000,
    LOG_MAX = 64 * 1024 * 1024, /* octets of write-ahead log before it is cut */
};

/* The next start begins behind it and does not see it again. */
static bool note_damage(const struct replay *r, struct error *error)
{
    return r->troubles == 0 || !r->disk || damage_note(r->disk, error);
}

static bool keep(struct replay *r, struct error *error)
{
    bool complete;
    if (!note_damage(r, error) || !index_keep(r->index, &r->at, error))
        return false;
    r->is_open = false;
    r->waiting = 0;
    return index_wal_octets(r->index) < LOG_MAX ||
           index_checkpoint(r->index, INDEX_TRUNCATE, &complete, error);
}

static bool is_behind(const struct replay *r, const struct journal_position *at)
{
    return r->until && at->sequence > r->until->sequence;
}

/* Only whole batches are kept: the position stands behind one. */
static bool replay_unit(void *replay, const struct unit *unit, const struct journal_position *at,
                        struct error *error)
{
    struct replay *r = replay;
    if (is_behind(r, at))
        return true;
    bool is_next = at->sequence != r->at.sequence;
    if (r->is_open && is_next &&
        (r->waiting >= UNITS_A_TIME || index_held(r->index) >= ROWS_A_TIME) && !keep(r, error))
        return false;
    if (!r->is_open) {
        if (!index_begin(r->index, error))
            return false;
        r->is_open = true;
    }
    r->at = *at;
    r->units++;
    r->waiting++;
    return index_apply(r->index, unit, error);
}

static void replay_notice(void *replay, bool is_trouble, const char *words)
{
    struct replay *r = replay;
    r->troubles += is_trouble;
    if (r->notice)
        r->notice(r->owner, is_trouble, words);
}

static void replay_lost(void *replay, const struct unit *unit)
{
    const struct replay *r = replay;
    if (r->notice)
        lost_unit_tell(r->index, unit, r->notice, r->owner);
}

struct journal_events replay_events(struct replay *r)
{
    return (struct journal_events){ replay_unit, replay_notice, r, replay_lost };
}

bool replay_end(struct replay *r, bool ok, struct error *error)
{
    if (!r->is_open)
        return ok && note_damage(r, error);
    ok = ok && keep(r, error);
    if (!ok)
        index_undo(r->index);
    r->is_open = false;
    return ok;
}

bool replay_oldest(struct index *index, const struct journal *journal,
                   const struct journal_position *at, struct error *error)
{
    bool ok = index_begin(index, error) &&
              index_set_oldest(index, journal_oldest(journal), error) &&
              index_keep(index, at, error);
    if (!ok)
        index_undo(index);
    return ok;
}

/* Where the index of before stood there is nothing now. */
static bool ends_earlier(const struct replay *r, struct index *before)
{
    struct journal_position stood;
    return index_position(before, &stood, NULL) && stood.sequence > r->at.sequence;
}

bool replay_find_loss(const struct replay *r, const char *data_path, bool *lost_out,
                      struct error *error)
{
    struct index *before = NULL;
    uint64_t told = 0;
    *lost_out = r->troubles > 0;
    if (!index_open(data_path, INDEX_READER, index_uuid(r->index), &before, NULL))
        return true; /* there is none, or it says nothing any more */
    struct error why = { 0 };
    bool ok = lost_compare(before, r->index, r->notice, r->owner, &told, &why);
    *lost_out = *lost_out || told > 0 || ends_earlier(r, before);
    index_close(&before);
    if (!ok && why.kind != ERROR_DAMAGED)
        *error = why;
    return ok || why.kind == ERROR_DAMAGED;
}

bool replay_rest(struct replay *r, struct journal *journal, struct error *error)
{
    struct journal_events events = replay_events(r);
    if (!index_position(r->index, &r->at, error))
        return false;
    struct journal_position from = r->at;
    return replay_end(r, journal_replay(journal, &from, &events, error), error) &&
           replay_oldest(r->index, journal, &r->at, error);
}
