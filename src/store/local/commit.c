/* commit.c - how what is submitted comes to count: the state machine behind every 250.
 *
 * It is the only place where anything begins to count (store rules 12, 13).  Each state is a job of
 * a lane of width one, so that a crash may be tried between any two; docs/store.md has the table.
 * Nobody waits for a batch to fill: while one is on its way to the disk, the next one gathers.
 *
 * It knows neither how a segment is written nor how a row is found, and never answers before the
 * sync has returned.
 */
#include "store/local/commit.h"

#include "base/check.h"
#include "run/clock.h"
#include "store/local/rewrite.h"
#include "store/local/spool_inner.h"
#include "store/local/store_inner.h"

#include <string.h>

enum { TURNS_MAX = 2, HOMES_MAX = 64 };

/* Do what the state says and set the next one.  False: this lane has nothing more to do until
 * somebody gives it its job again. */
static bool gather(struct commit_line *);
static bool turn(struct commit_line *);
static bool append(struct commit_line *);
static bool sync_batch(struct commit_line *);
static bool abandon(struct commit_line *);
static bool apply(struct commit_line *);
static bool answer(struct commit_line *);
static bool tend(struct commit_line *);

static bool (*const steps[COMMIT_STATES])(struct commit_line *) = {
    [COMMIT_GATHER] = gather,   [COMMIT_TURN] = turn,       [COMMIT_APPEND] = append,
    [COMMIT_SYNC] = sync_batch, [COMMIT_ABANDON] = abandon, [COMMIT_APPLY] = apply,
    [COMMIT_ANSWER] = answer,   [COMMIT_TEND] = tend,
};

static void step(struct job *job)
{
    struct commit_line *line = OWNER_OF(job, struct commit_line, job);
    if (steps[line->state](line))
        lane_follow(line->lane, &line->job);
}

static bool go_to(struct commit_line *line, enum commit_state state)
{
    line->state = state;
    return true;
}

/* --- Opening, closing, submitting --- */

bool commit_line_open(struct commit_line *line, struct store *store, struct index *writer,
                      struct error *error)
{
    *line = (struct commit_line){ .store = store, .writer = writer, .state = COMMIT_GATHER };
    pthread_mutex_init(&line->mutex, NULL);
    list_init(&line->mail);
    list_init(&line->changes);
    list_init(&line->rewrites);
    batch_init(&line->batch);
    line->job.run = step;
    commit_tend_init(line);
    if (lane_new("commit", 1, 1, &line->lane, error))
        return true;
    line->writer = NULL; /* stays the caller's */
    commit_line_close(line);
    return false;
}

void commit_line_drain(struct commit_line *line)
{
    pthread_mutex_lock(&line->mutex);
    line->closing = true;
    pthread_mutex_unlock(&line->mutex);
}

void commit_line_close(struct commit_line *line)
{
    struct lane *ending = line->lane; /* its steps follow themselves until the end */
    lane_free(&ending);
    line->lane = NULL;
    index_close(&line->writer);
    batch_clear(&line->batch);
    compaction_clear(line);
    pthread_mutex_destroy(&line->mutex);
    line->store = NULL;
}

/* With the mutex held. */
static bool must_start(struct commit_line *line)
{
    bool starts = !line->running;
    line->running = true;
    return starts;
}

void commit_enqueue(struct commit_line *line, struct commit *c)
{
    pthread_mutex_lock(&line->mutex);
    list_append(c->message || c->row_count > 0 ? &line->mail : &line->changes, &c->link);
    bool starts = must_start(line);
    pthread_mutex_unlock(&line->mutex);
    if (starts)
        lane_follow(line->lane, &line->job);
}

void commit_enqueue_rewrite(struct commit_line *line, struct commit *c)
{
    pthread_mutex_lock(&line->mutex);
    list_append(&line->rewrites, &c->link);
    bool starts = must_start(line);
    pthread_mutex_unlock(&line->mutex);
    if (starts)
        lane_follow(line->lane, &line->job);
}

/* So many octets more may be rewritten; returns how many now. */
static uint64_t allow_rewrites(struct commit_line *line, uint64_t octets)
{
    pthread_mutex_lock(&line->mutex);
    line->may_rewrite += octets;
    if (line->may_rewrite > 2 * COMMIT_IDLE_OCTETS)
        line->may_rewrite = 2 * COMMIT_IDLE_OCTETS;
    uint64_t allowed = line->may_rewrite;
    pthread_mutex_unlock(&line->mutex);
    return allowed;
}

void commit_tick(struct commit_line *line)
{
    allow_rewrites(line, COMMIT_IDLE_OCTETS);
    commit_wake(line);
}

static void wake(struct commit_line *line, bool suspects)
{
    pthread_mutex_lock(&line->mutex);
    line->woken = true;
    line->suspected |= suspects;
    bool starts = must_start(line);
    pthread_mutex_unlock(&line->mutex);
    if (starts)
        lane_follow(line->lane, &line->job);
}

void commit_wake(struct commit_line *line)
{
    wake(line, false);
}

void commit_suspect(struct commit_line *line)
{
    wake(line, true);
}

/* --- GATHER --- */

static void move_all(struct list *from, struct list *to)
{
    struct list *link;
    while ((link = list_take_first(from)))
        list_append(to, link);
}

/* Takes commits from the list until the batch is full. */
static void take_some(struct commit_line *line, struct list *ready, size_t max)
{
    struct list *link;
    for (; max > 0 && (link = list_take_first(ready)); max--) {
        struct commit *c = OWNER_OF(link, struct commit, link);
        enum batch_answer answered = batch_take(&line->batch, line->writer, &line->store->locks, c);
        if (answered == BATCH_DAMAGED)
            line->index_damaged = true;
        if (answered != BATCH_FULL)
            continue;
        list_prepend(ready, link);
        return;
    }
}

static void refuse_all(struct commit_line *line, struct list *ready, const struct error *why)
{
    struct list *link;
    while ((link = list_take_first(ready)))
        batch_refuse(&line->batch, OWNER_OF(link, struct commit, link), why);
}

/* Why nothing may be taken now; false when all is well. */
static bool is_unwell(const struct commit_line *line, struct error *why)
{
    unsigned ails = atomic_load(&line->store->ails);
    if (ails & AILS_JOURNAL)
        error_set(why, ERROR_TEMPORARY, "the journal cannot be written any more");
    else if ((ails & AILS_INDEX) || !line->writer)
        error_set(why, ERROR_TEMPORARY, "the index lags behind the journal");
    return why->kind != ERROR_NONE;
}

/* Compaction takes what room there is, and not more than it is allowed: a part of what new mail
 * takes, which hardly feels it, and a little when there is none. */
static void take_rewrites(struct commit_line *line, struct list *ready)
{
    struct batch *b = &line->batch;
    uint64_t before = b->octets, taken = 0;
    uint64_t allowed = allow_rewrites(line, b->count > 0 ? before / COMMIT_REWRITE_PART : 0);
    while (taken < COMMIT_REWRITE_OCTETS && taken < allowed) {
        struct list *link = list_take_first(ready);
        if (!link)
            break;
        struct commit *c = OWNER_OF(link, struct commit, link);
        enum batch_answer answered = batch_take(b, line->writer, &line->store->locks, c);
        line->index_damaged |= answered == BATCH_DAMAGED;
        if (answered == BATCH_FULL) {
            list_prepend(ready, link);
            break;
        }
        taken = b->octets - before;
    }
    pthread_mutex_lock(&line->mutex);
    line->may_rewrite -= taken < line->may_rewrite ? taken : line->may_rewrite;
    pthread_mutex_unlock(&line->mutex);
}

/* New mail goes first, but what removes mail is not starved by it: a batch that left some of it
 * behind is followed by one that begins with it. */
static void take_ready(struct commit_line *line, struct list *mail, struct list *changes,
                       struct list *rewrites)
{
    struct error why = { 0 };
    if (is_unwell(line, &why)) {
        refuse_all(line, mail, &why);
        refuse_all(line, changes, &why);
        refuse_all(line, rewrites, &why);
        return;
    }
    index_trim(line->writer);
    if (line->passed_over)
        take_some(line, changes, 1);
    take_some(line, mail, JOURNAL_BATCH_UNITS_MAX);
    take_some(line, changes, JOURNAL_BATCH_UNITS_MAX);
    line->passed_over = !list_empty(changes);
    take_rewrites(line, rewrites);
}

static bool gather(struct commit_line *line)
{
    struct list mail, changes, rewrites;
    list_init(&mail);
    list_init(&changes);
    list_init(&rewrites);
    batch_begin(&line->batch);
    line->verdict = STORE_REFUSED;
    line->error = (struct error){ 0 };
    line->turns = 0;

    /* A loop that is ready to run brings more for this batch, and takes home what the last one
     * answered. */
    lane_give_way();
    pthread_mutex_lock(&line->mutex);
    move_all(&line->mail, &mail);
    move_all(&line->changes, &changes);
    move_all(&line->rewrites, &rewrites);
    pthread_mutex_unlock(&line->mutex);
    take_ready(line, &mail, &changes, &rewrites);
    /* What was left goes before what came meanwhile. */
    pthread_mutex_lock(&line->mutex);
    move_all(&line->mail, &mail);
    move_all(&mail, &line->mail);
    move_all(&line->changes, &changes);
    move_all(&changes, &line->changes);
    move_all(&line->rewrites, &rewrites);
    move_all(&rewrites, &line->rewrites);
    pthread_mutex_unlock(&line->mutex);

    batch_seal(&line->batch);
    if (line->batch.count > 0)
        return go_to(line, COMMIT_TURN);
    return go_to(line, list_empty(&line->batch.aside) ? COMMIT_TEND : COMMIT_ANSWER);
}

/* --- TURN --- */

/* The last preparation failed a moment ago: another one would fail as well, and take long. */
static bool is_hopeless(struct commit_line *line)
{
    pthread_mutex_lock(&line->mutex);
    bool failed = line->preparation == ERRAND_FAILED && clock_monotonic_ms() < line->prepare_ms;
    if (failed)
        line->error = line->prepare_error;
    pthread_mutex_unlock(&line->mutex);
    return failed;
}

static bool turn(struct commit_line *line)
{
    struct batch *b = &line->batch;
    struct journal *journal = line->store->journal;
    if (!journal_is_full(journal, journal_batch_octets(b->units, b->count)) ||
        journal_turn(journal, &line->error))
        return go_to(line, COMMIT_APPEND);
    if (is_hopeless(line) || line->turns++ == TURNS_MAX)
        return go_to(line, COMMIT_ANSWER);
    return commit_prepare(line, true);
}

/* --- APPEND, SYNC, ABANDON --- */

static bool append(struct commit_line *line)
{
    struct batch *b = &line->batch;
    bool ok = journal_append(line->store->journal, b->units, b->count, &line->error);
    return go_to(line, ok ? COMMIT_SYNC : COMMIT_ABANDON);
}

static void count_batch(struct commit_line *line)
{
    struct figures *f = &line->store->figures;
    struct batch *b = &line->batch;
    uint64_t messages = 0, octets = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->commits[i]->rewrite)
            atomic_fetch_add(&f->rewritten, 1);
        else if (b->commits[i]->message) {
            messages++;
            octets += b->units[i].content_octets;
        }
    }
    atomic_fetch_add(&f->batches, 1);
    atomic_fetch_add(&f->syncs, 1);
    atomic_fetch_add(&f->units, b->count);
    atomic_fetch_add(&f->messages, messages);
    atomic_fetch_add(&f->octets, octets);
}

static bool sync_batch(struct commit_line *line)
{
    if (!journal_sync(line->store->journal, &line->error))
        return go_to(line, COMMIT_ABANDON);
    line->verdict = STORE_STORED;
    count_batch(line);
    return go_to(line, COMMIT_APPLY);
}

/* Store rule 14: nothing is known about what was written, so the next segment says that it never
 * counted; only once that is on the disk may anybody be told. */
static bool abandon(struct commit_line *line)
{
    struct error second = { 0 };
    store_tell(line->store, true, "a batch could not be written: %s", line->error.words);
    if (journal_abandon(line->store->journal, &second)) {
        line->verdict = STORE_REFUSED;
        return go_to(line, COMMIT_ANSWER);
    }
    line->verdict = STORE_UNKNOWN;
    bool fails_now = store_ails(line->store, AILS_JOURNAL, true);
    store_tell(line->store, true, "nothing can be written any more, a restart is needed: %s",
               second.words);
    if (fails_now && line->store->failed)
        line->store->failed(line->store->owner);
    return go_to(line, COMMIT_ANSWER);
}

/* --- APPLY --- */

static bool apply_units(struct commit_line *line, struct error *error)
{
    struct batch *b = &line->batch;
    struct journal_position position = journal_position(line->store->journal);
    if (!index_begin(line->writer, error))
        return false;
    for (size_t i = 0; i < b->count; i++)
        if (!index_apply(line->writer, &b->units[i], error))
            return false;
    return index_keep(line->writer, &position, error);
}

void commit_falls_behind(struct commit_line *line, const struct error *why)
{
    if (line->writer)
        index_undo(line->writer);
    line->index_damaged = why->kind == ERROR_DAMAGED;
    line->retry_ms = line->index_damaged ? 0 : clock_monotonic_ms() + COMMIT_RETRY_MS;
    if (store_ails(line->store, AILS_INDEX, true))
        store_tell(line->store, true, "the index falls behind the journal: %s", why->words);
}

static bool apply(struct commit_line *line)
{
    struct error error = { 0 };
    if (!apply_units(line, &error))
        commit_falls_behind(line, &error);
    space_wrote(line->store, line->batch.octets);
    return go_to(line, COMMIT_ANSWER);
}

/* --- ANSWER --- */

static void come_home(struct post *post)
{
    struct job *job = OWNER_OF(post, struct job, post);
    struct commit *c = OWNER_OF(job, struct commit, job);
    c->done(c);
}

void commit_answer(struct commit *c, enum store_verdict verdict, const struct error *why)
{
    c->verdict = verdict;
    if (why)
        c->error = *why;
    c->job.post.run = come_home;
    loop_post(c->home, &c->job.post);
}

/* The answers for one loop, chained. */
struct homecoming {
    struct loop *home;
    struct post *first, *last;
};

static void send_home(struct homecoming *h)
{
    loop_post_all(h->home, h->first, h->last);
    h->home = NULL;
}

/* Adds the answer to those of its loop.  With more loops than there are chains one of them is sent
 * off early: it costs that loop a second wake-up. */
static void add_answer(struct homecoming homes[HOMES_MAX], struct commit *c)
{
    struct post *post = &c->job.post;
    size_t i = 0;
    if (c->rewrite) {
        c->rewrite->done(c->rewrite);
        return;
    }
    post->run = come_home;
    post->next = NULL;
    while (i < HOMES_MAX - 1 && homes[i].home && homes[i].home != c->home)
        i++;
    struct homecoming *h = &homes[i];
    if (h->home && h->home != c->home)
        send_home(h);
    if (h->home)
        h->last->next = post;
    else
        *h = (struct homecoming){ c->home, post, post };
    h->last = post;
}

static void settle(struct commit_line *line, struct commit *c)
{
    c->verdict = line->verdict;
    c->error = line->verdict == STORE_STORED ? (struct error){ 0 } : line->error;
    if (c->message && line->verdict != STORE_REFUSED)
        spool_keep(c->spool);
}

static bool answer(struct commit_line *line)
{
    struct homecoming homes[HOMES_MAX] = { 0 };
    struct list *link;
    for (size_t i = 0; i < line->batch.count; i++) {
        settle(line, line->batch.commits[i]);
        add_answer(homes, line->batch.commits[i]);
    }
    while ((link = list_take_first(&line->batch.aside)))
        add_answer(homes, OWNER_OF(link, struct commit, link));
    for (size_t i = 0; i < HOMES_MAX; i++)
        if (homes[i].home)
            send_home(&homes[i]);
    return go_to(line, COMMIT_TEND);
}

/* --- TEND --- */

static bool tend(struct commit_line *line)
{
    bool more = commit_tend(line);
    line->state = COMMIT_GATHER;
    pthread_mutex_lock(&line->mutex);
    bool goes_on = more || line->woken || !list_empty(&line->mail) || !list_empty(&line->changes) ||
                   (!list_empty(&line->rewrites) && line->may_rewrite > 0);
    line->woken = false;
    line->running = goes_on;
    pthread_mutex_unlock(&line->mutex);
    return goes_on;
}
