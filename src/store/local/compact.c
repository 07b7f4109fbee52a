/* compact.c - compaction: what is true moves to the young end of the journal, the old end goes.
 *
 * It never removes a segment while the index refers to it: what could not be written again, because
 * it is damaged or not understood, stays where it is, and people are told.
 */
#include "store/local/compact.h"

#include "base/check.h"
#include "run/clock.h"
#include "store/local/backup.h"
#include "store/local/rewrite.h"
#include "store/local/store_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 10 * 60 * 1000,
    FIRST_LOOK_MS = 10 * 1000,
    AFTER_TROUBLE_MS = 60 * 60 * 1000,
    FULL_LOOK_MS = 10 * 1000, /* while the disk is full */
    ROUND_SEGMENTS_MAX = 8,   /* what is removed together; until then both are on the disk */
    FRUITFUL_PART = 8,        /* of what was read must have been dead to go on at once */
    MAILBOXES_MIN = 256,
};

static enum compaction_state state_of(struct commit_line *line)
{
    pthread_mutex_lock(&line->mutex);
    enum compaction_state state = line->compaction.state;
    pthread_mutex_unlock(&line->mutex);
    return state;
}

/* With the mutex held. */
static void enter(struct commit_line *line, enum compaction_state state)
{
    line->compaction.state = state;
    atomic_store(&line->store->figures.compaction, state);
}

static void set_state(struct commit_line *line, enum compaction_state state)
{
    pthread_mutex_lock(&line->mutex);
    enter(line, state);
    pthread_mutex_unlock(&line->mutex);
}

/* To the lane that may take long, unless that is ending. */
static void go_upkeep(struct commit_line *line, enum compaction_state state)
{
    pthread_mutex_lock(&line->mutex);
    enter(line, line->closing ? COMPACTION_RESTS : state);
    if (!line->closing)
        lane_follow(line->store->upkeep, &line->compaction.job);
    pthread_mutex_unlock(&line->mutex);
}

static void drop_found(struct compaction *c)
{
    struct list *link;
    while ((link = list_take_first(&c->found)))
        rewrite_free(OWNER_OF(OWNER_OF(link, struct commit, link), struct rewrite, commit));
    c->found_count = c->found_octets = 0;
}

static void end_round(struct compaction *c)
{
    journal_walk_close(&c->round.walk);
    c->round = (struct compaction_round){ 0 };
    c->mailbox_count = 0;
    drop_found(c);
}

static void rest(struct commit_line *line, uint64_t ms)
{
    struct compaction *c = &line->compaction;
    end_round(c);
    c->look_ms = clock_monotonic_ms() + ms;
    set_state(line, COMPACTION_RESTS);
}

static void give_up(struct commit_line *line, const struct error *why)
{
    store_tell(line->store, true, "dead mail keeps its space in the journal for now: %s",
               why->words);
    rest(line, AFTER_TROUBLE_MS);
}

/* --- Weighing: on the upkeep lane --- */

static bool ask_reader(struct store *store, bool (*ask)(struct index *, uint64_t *, struct error *),
                       uint64_t *out, struct error *error)
{
    struct index *index = reading_begin(store, error);
    if (!index)
        return false;
    bool ok = ask(index, out, error);
    reading_end(store, error);
    return ok;
}

/* Worth a round: a third is dead, and so much that it makes a difference. */
static bool is_worth(const struct store *store, const struct journal_weight *weight, uint64_t live)
{
    uint64_t dead = weight->octets > live ? weight->octets - live : 0;
    return dead > live / 2 + 2 * store->segment_octets;
}

static bool begin_round(struct commit_line *line, bool *begun_out, struct error *error)
{
    struct store *store = line->store;
    struct compaction *c = &line->compaction;
    struct journal_weight weight;
    uint64_t live = 0;
    if (!journal_weigh(store->journal, &weight, error) ||
        !ask_reader(store, index_live_octets, &live, error))
        return false;
    struct journal_position position = journal_position(store->journal);
    /* The index may stand at the end of a segment with none behind it that holds a batch. */
    uint64_t end = position.segment < weight.current ? position.segment : weight.current;
    *begun_out = weight.oldest > 0 && weight.oldest < end && is_worth(store, &weight, live);
    c->leftover = weight.retired > 0;
    if (!*begun_out)
        return true;
    c->round = (struct compaction_round){
        .number = weight.oldest,
        .end = end,
        .wanted = weight.octets - live - live / 8,
    };
    return true;
}

/* --- Reading a segment: on the upkeep lane --- */

static bool note_mailbox(struct compaction *c, mailbox_id mailbox)
{
    if (c->mailbox_count > 0 && c->mailboxes[c->mailbox_count - 1] == mailbox)
        return true;
    if (c->mailbox_count == c->mailbox_room) {
        size_t room = c->mailbox_room ? 2 * c->mailbox_room : MAILBOXES_MIN;
        mailbox_id *more = realloc(c->mailboxes, room * sizeof *more);
        if (!more)
            return false;
        c->mailboxes = more;
        c->mailbox_room = room;
    }
    c->mailboxes[c->mailbox_count++] = mailbox;
    return true;
}

static bool note_changes(struct compaction *c, struct bytes rest, struct error *error)
{
    struct change change;
    while (rest.len > 0) {
        if (!change_decode(&rest, &change))
            return error_set(error, ERROR_REFUSED,
                             "the journal holds a change that this version does not know");
        bool speaks = change.kind == CHANGE_MAILBOX || change.kind == CHANGE_PLACED ||
                      change.kind == CHANGE_EXPUNGED;
        if (speaks && !note_mailbox(c, change.mailbox))
            return error_set(error, ERROR_TEMPORARY, "memory is short");
    }
    return true;
}

static void rewritten(struct rewrite *r)
{
    struct commit_line *line = r->owner;
    struct compaction *c = &line->compaction;
    pthread_mutex_lock(&line->mutex);
    if (r->commit.verdict != STORE_STORED && !c->failed) {
        c->failed = true;
        c->error = r->commit.error;
    }
    bool last = --c->waiting == 0;
    pthread_mutex_unlock(&line->mutex);
    rewrite_free(r);
    if (last)
        go_upkeep(line, COMPACTION_READS);
}

static bool keep(struct commit_line *line, struct rewrite *r, struct error *error)
{
    if (!r)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    r->done = rewritten;
    r->owner = line;
    list_append(&line->compaction.found, &r->commit.link);
    line->compaction.found_count++;
    return true;
}

static bool is_live(struct store *store, const struct unit *unit, bool *live_out,
                    struct error *error)
{
    struct index_message now;
    bool found = false;
    struct index *index = reading_begin(store, error);
    if (!index)
        return false;
    bool ok = index_find_message(index, unit->message, &now, &found, error);
    reading_end(store, error);
    *live_out =
        found && now.place.segment == unit->place.segment && now.place.offset == unit->place.offset;
    return ok;
}

static bool take_unit(void *owner, const struct unit *unit, const struct journal_position *at,
                      struct error *error)
{
    struct commit_line *line = owner;
    struct compaction *c = &line->compaction;
    bool live = false;
    (void)at;
    if (!note_changes(c, unit->changes, error) ||
        (unit->message && !is_live(line->store, unit, &live, error)))
        return false;
    if (!live)
        return true;
    c->round.won -= unit->place.octets < c->round.won ? unit->place.octets : c->round.won;
    c->found_octets += unit->place.octets;
    return keep(line, rewrite_of_unit(unit), error);
}

static void take_notice(void *owner, bool is_trouble, const char *words)
{
    struct commit_line *line = owner;
    if (!is_trouble)
        return;
    line->compaction.round.damaged = true;
    store_tell(line->store, true, "%s", words);
}

static int compare_ids(const void *a, const void *b)
{
    mailbox_id x = *(const mailbox_id *)a, y = *(const mailbox_id *)b;
    return x < y ? -1 : x > y;
}

static bool note_found_mailbox(void *owner, const struct index_mailbox *mailbox,
                               struct error *error)
{
    return note_mailbox(owner, mailbox->id) || error_set(error, ERROR_TEMPORARY, "memory is short");
}

/* What could not be read may have spoken of any, and have been the only one to name it. */
static bool note_all_mailboxes(struct commit_line *line, struct error *error)
{
    struct index_visitor visitor = { .mailbox = note_found_mailbox, .owner = &line->compaction };
    struct index *index = reading_begin(line->store, error);
    if (!index)
        return false;
    bool ok = index_each_mailbox(index, &visitor, error);
    reading_end(line->store, error);
    return ok;
}

/* The counters of all mailboxes that the segment speaks of, once each. */
static bool take_mailboxes(struct commit_line *line, struct error *error)
{
    struct compaction *c = &line->compaction;
    size_t kept = 0;
    if (c->round.damaged && !note_all_mailboxes(line, error))
        return false;
    c->round.damaged = false;
    if (c->mailbox_count > 0)
        qsort(c->mailboxes, c->mailbox_count, sizeof *c->mailboxes, compare_ids);
    for (size_t i = 0; i < c->mailbox_count; i++)
        if (kept == 0 || c->mailboxes[kept - 1] != c->mailboxes[i])
            c->mailboxes[kept++] = c->mailboxes[i];
    for (size_t i = 0; i < kept; i += REWRITE_MAILBOXES_MAX) {
        size_t some = kept - i < REWRITE_MAILBOXES_MAX ? kept - i : REWRITE_MAILBOXES_MAX;
        if (!keep(line, rewrite_of_mailboxes(c->mailboxes + i, some), error))
            return false;
    }
    c->mailbox_count = 0;
    return true;
}

/* Numbers of which there is no segment were never begun. */
static bool open_next(struct commit_line *line, struct error *error)
{
    struct compaction_round *r = &line->compaction.round;
    if (!journal_next_segment(line->store->journal, r->number, &r->number, error))
        return false;
    if (r->number == 0 || r->number >= r->end) {
        r->number = r->end;
        return true;
    }
    if (!journal_walk_open(line->store->journal, r->number, &line->compaction.events, &r->walk,
                           error))
        return false;
    r->won += journal_walk_octets(r->walk);
    r->read += journal_walk_octets(r->walk);
    r->segments++;
    return true;
}

/* While the disk is full what is won goes as soon as it is more than the segment that the round's
 * end begins; and not much more is written before something goes. */
static bool is_enough(const struct commit_line *line)
{
    const struct compaction_round *r = &line->compaction.round;
    bool full = atomic_load(&line->store->ails) & AILS_SPACE;
    uint64_t most = full ? line->store->segment_octets : UINT64_MAX;
    return r->number >= r->end || r->segments >= ROUND_SEGMENTS_MAX ||
           (r->segments > 0 && r->won >= r->wanted) || r->won > most || r->read - r->won > most;
}

/* Closes a segment that is read to its end. */
static bool step(struct commit_line *line, struct error *error)
{
    struct compaction *c = &line->compaction;
    bool end = false;
    if (!journal_walk_step(c->round.walk, &end, error))
        return false;
    if (!end)
        return true;
    journal_walk_close(&c->round.walk);
    c->round.number++;
    return take_mailboxes(line, error);
}

/* As much of use as fills a batch, so that what was written in many small ones takes less room.
 * *over_out: the round is read to its end, and all of it is written. */
static bool read_some(struct commit_line *line, bool *over_out, struct error *error)
{
    struct compaction *c = &line->compaction;
    *over_out = false;
    while (c->found_octets < COMMIT_REWRITE_OCTETS) {
        if (c->round.walk) {
            if (!step(line, error))
                return false;
        } else if (is_enough(line)) {
            *over_out = c->found_count == 0;
            return true;
        } else if (!open_next(line, error)) {
            return false;
        }
    }
    return true;
}

/* They may all be answered before the last is handed over. */
static void send_found(struct commit_line *line)
{
    struct compaction *c = &line->compaction;
    struct list found, *link;
    list_init(&found);
    pthread_mutex_lock(&line->mutex);
    enter(line, COMPACTION_WRITES);
    c->waiting = c->found_count;
    pthread_mutex_unlock(&line->mutex);
    c->found_count = c->found_octets = 0;
    while ((link = list_take_first(&c->found)))
        list_append(&found, link);
    while ((link = list_take_first(&found)))
        commit_enqueue_rewrite(line, OWNER_OF(link, struct commit, link));
}

/* What the index still refers to must not go.  *later_out: it will not for long, since a mailbox
 * was purged during the round, and what only that had was not written again. */
static bool may_retire(struct commit_line *line, uint64_t oldest, bool *later_out,
                       struct error *error)
{
    uint64_t leftovers = 0, lowest = 0;
    /* In this order: whatever is purged between the two questions was written again before. */
    if (!ask_reader(line->store, index_leftovers, &leftovers, error) ||
        !ask_reader(line->store, index_lowest_segment, &lowest, error))
        return false;
    bool referred = lowest > 0 && lowest < oldest;
    *later_out = referred && leftovers > 0;
    return !referred || *later_out ||
           error_set(error, ERROR_DAMAGED,
                     "segment %llu has mail that could not be read or written again; see godwit "
                     "check --store",
                     (unsigned long long)lowest);
}

/* A backup may have been under way, or the disk was ill: what was to be removed then goes now. */
static void find_nothing(struct commit_line *line)
{
    struct compaction *c = &line->compaction;
    atomic_fetch_add(&line->store->figures.looks, 1);
    if (!c->leftover) {
        rest(line, LOOK_MS);
        return;
    }
    c->fruitful = false;
    set_state(line, COMPACTION_SETTLES);
    commit_wake(line);
}

static void read_on(struct commit_line *line)
{
    struct compaction *c = &line->compaction;
    struct error error = { 0 };
    bool over = false, later = false;
    if (c->failed) {
        error = c->error;
        c->failed = false;
        give_up(line, &error);
        return;
    }
    if (c->round.end == 0) {
        bool begun = false;
        if (!begin_round(line, &begun, &error)) {
            give_up(line, &error);
            return;
        }
        if (!begun) {
            find_nothing(line);
            return;
        }
    }
    if (!read_some(line, &over, &error) ||
        (over && !may_retire(line, c->round.number, &later, &error))) {
        give_up(line, &error);
        return;
    }
    if (later) {
        rest(line, 0); /* until the purged mailbox is swept */
        return;
    }
    if (!over) {
        send_found(line);
        return;
    }
    c->oldest = c->round.number;
    c->fruitful = c->round.won >= c->round.read / FRUITFUL_PART;
    end_round(c);
    set_state(line, COMPACTION_TURNS);
    commit_wake(line);
}

/* --- Removing: on the upkeep lane --- */

static void remove_segments(struct commit_line *line)
{
    struct error error = { 0 };
    uint64_t removed = 0;
    struct disk_file *hold = NULL;
    /* A backup is under way: they go at the next look, or at the next start. */
    bool ok = !disk_lock(line->store->disk, BACKUP_HOLD, &hold, NULL) ||
              (journal_remove_retired(line->store->journal, &removed, &error) &&
               journal_trim_left(line->store->journal, &error));
    disk_unlock(&hold);
    if (removed > 0)
        store_tell(line->store, false,
                   "%llu segments of the journal, whose mail was deleted, were removed",
                   (unsigned long long)removed);
    atomic_fetch_add(&line->store->figures.segments_removed, removed);
    if (!ok)
        store_tell(line->store, true, "%s", error.words);
    line->compaction.forgetting = (struct index_forgetting){ 0 };
    set_state(line, COMPACTION_FORGETS);
    commit_wake(line);
}

static void run(struct job *job)
{
    struct commit_line *line = OWNER_OF(job, struct commit_line, compaction.job);
    if (state_of(line) == COMPACTION_READS)
        read_on(line);
    else
        remove_segments(line);
}

/* --- On the commit lane --- */

/* Begins the next segment early: its header says which ones do not count any more. */
static void turn(struct commit_line *line)
{
    struct store *store = line->store;
    struct compaction *c = &line->compaction;
    struct journal_position position = journal_position(store->journal);
    struct error error = { 0 };
    journal_retire(store->journal, c->oldest);
    if (journal_oldest(store->journal) < c->oldest && !journal_turn_early(store->journal, &error)) {
        commit_prepare(line, false);
        return;
    }
    if (!index_begin(line->writer, &error) || !index_set_oldest(line->writer, c->oldest, &error) ||
        !index_keep(line->writer, &position, &error)) {
        commit_falls_behind(line, &error);
        return;
    }
    set_state(line, COMPACTION_SETTLES);
}

static bool forget(struct commit_line *line)
{
    struct compaction *c = &line->compaction;
    struct journal_position position = journal_position(line->store->journal);
    struct error error = { 0 };
    bool more = false;
    bool ok = index_begin(line->writer, &error) &&
              index_forget(line->writer, &c->forgetting, &more, &error) &&
              index_keep(line->writer, &position, &error);
    if (!ok)
        commit_falls_behind(line, &error);
    else if (!more)
        rest(line, c->fruitful ? 0 : LOOK_MS); /* there may be more to win */
    return ok && more;
}

static bool is_due(struct commit_line *line, uint64_t now_ms)
{
    struct compaction *c = &line->compaction;
    bool full = atomic_load(&line->store->ails) & AILS_SPACE;
    if (full && c->look_ms > now_ms + FULL_LOOK_MS)
        c->look_ms = now_ms + FULL_LOOK_MS;
    return now_ms >= c->look_ms && !index_wants_sweep(line->writer);
}

bool compaction_tend(struct commit_line *line, uint64_t now_ms)
{
    if (!line->writer || (atomic_load(&line->store->ails) & (AILS_INDEX | AILS_JOURNAL)))
        return false;
    switch (state_of(line)) {
    case COMPACTION_RESTS:
        if (is_due(line, now_ms))
            go_upkeep(line, COMPACTION_READS);
        return false;
    case COMPACTION_TURNS:
        turn(line);
        return state_of(line) == COMPACTION_SETTLES;
    case COMPACTION_FORGETS:
        return forget(line);
    default:
        return false;
    }
}

bool compaction_wants_checkpoint(struct commit_line *line)
{
    return state_of(line) == COMPACTION_SETTLES;
}

void compaction_checkpointed(struct commit_line *line)
{
    if (state_of(line) == COMPACTION_SETTLES)
        go_upkeep(line, COMPACTION_REMOVES);
}

/* --- Its life --- */

void compaction_init(struct compaction *c, struct store *store)
{
    struct commit_line *line = &store->commits;
    *c = (struct compaction){
        .events = { .replay = take_unit, .notice = take_notice, .owner = line },
        .job = { .run = run }
    };
    list_init(&c->found);
    c->look_ms = clock_monotonic_ms() + FIRST_LOOK_MS;
}

void compaction_clear(struct commit_line *line)
{
    struct list *link;
    end_round(&line->compaction);
    while ((link = list_take_first(&line->rewrites)))
        rewrite_free(OWNER_OF(OWNER_OF(link, struct commit, link), struct rewrite, commit));
    free(line->compaction.mailboxes);
}
