/* settle.c - the end of an attempt, in one unit of the store.
 *
 *   state       what is under way                            goes on to
 *   REPORTING   the report is being made (report.c)          TELLING; ROWS when there is nobody to
 *                                                            tell, or trouble
 *   TELLING     report and rows are being committed          over; ROWS when the unit is refused
 *   ROWS        the rows alone are being committed           over
 *
 * What is certain never waits for its report: a recipient whom the next hop has taken is settled
 * even when the report about it cannot be made, since otherwise he would get a second copy.  What
 * failed is put back instead: it will fail again, and be told then.
 */
#include "queue/settle.h"

#include "base/check.h"
#include "queue/report.h"
#include "run/clock.h"

#include <stdlib.h>
#include <string.h>

enum { REPORT_MEMORY_MAX = 8 * 1024 * 1024, SUBJECT_LOGGED_MAX = 200 };

enum state { REPORTING, TELLING, ROWS };

struct settlement {
    struct settle_options options;
    enum state state;
    struct arena memory;   /* of the report */
    struct report *report; /* in it; NULL: none is due, or memory is short */
    struct error trouble;  /* why there is no report although one is due */
    struct commit commit;
    struct post post; /* when there is nothing to commit */
    size_t row_count;
    struct queue_row rows[]; /* at most one for each recipient */
};

static struct loop *loop_of(const struct settlement *s)
{
    return s->options.office->loops[s->options.loop];
}

/* --- The end --- */

static void finish(struct settlement *s, enum store_verdict verdict, const struct error *error)
{
    struct settle_options options = s->options;
    struct error copy = *error;
    if (s->report)
        report_clear(s->report);
    arena_reset(&s->memory);
    free(s);
    options.done(options.owner, verdict, &copy);
    options.office->release(options.office->server, options.loop);
}

static void log_untold(const struct settlement *s, const char *event, const char *why)
{
    char about[MESSAGE_ID_TEXT + 1];
    LOG_EVENT(s->options.office->log, LOG_WARNING, T("-"), event,
              { "about", message_id_print(s->options.item->row.message, about) },
              { "to", s->options.item->sender }, { "why", text_of(why) });
}

static void log_report(const struct settlement *s)
{
    const struct report *r = s->report;
    const struct dsn_report words = { .recipients = r->told.recipients,
                                      .recipient_count = r->told.count };
    struct log *log = s->options.office->log;
    char id_words[MESSAGE_ID_TEXT + 1], about[MESSAGE_ID_TEXT + 1], what[SUBJECT_LOGGED_MAX];
    struct text id = message_id_print(r->message, id_words);
    LOG_EVENT(log, LOG_INFO, T("-"), "report", { "id", id }, { "to", s->options.item->sender },
              { "about", message_id_print(s->options.item->row.message, about) },
              { "what", dsn_subject(&words, what, sizeof what) });
    for (size_t i = 0; i < r->placement_count; i++)
        LOG_EVENT(log, LOG_INFO, T("-"), "delivered", { "id", id },
                  { "to", r->placements[i].address });
    for (size_t i = 0; i < r->row_count; i++)
        LOG_EVENT(log, LOG_INFO, T("-"), "queued", { "id", id }, { "to", r->rows[i].address });
}

/* --- ROWS --- */

/* The report about this recipient cannot be made now.  False: nor will it ever be. */
static bool put_back(struct queue_row *row)
{
    switch (row->state) {
    case QUEUE_WAITING: /* was tried, and is warned about at the next attempt */
        row->warned = false;
        return true;
    case QUEUE_BOUNCED:
    case QUEUE_EXPIRED:
        row->state = QUEUE_WAITING;
        row->due_ms = clock_wall_ms() + SETTLE_AGAIN_MS;
        return true;
    case QUEUE_DELIVERED:
    case QUEUE_DROPPED:
        return false;
    }
    return false;
}

static void list_rows(struct settlement *s)
{
    const struct settle_options *o = &s->options;
    s->row_count = 0;
    for (size_t i = 0; i < o->count; i++)
        if (o->recipients[i].has_row)
            s->rows[s->row_count++] = o->recipients[i].row;
}

/* Those who would have been told wait, if they may. */
static void list_rows_untold(struct settlement *s)
{
    const struct settle_options *o = &s->options;
    bool lost = false;
    s->row_count = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct settled *settled = &o->recipients[i];
        bool due = told_is_due(settled, o->item->sender);
        if (settled->has_row)
            s->rows[s->row_count++] = settled->row;
        if (due && (!settled->has_row || !put_back(&s->rows[s->row_count - 1])))
            lost = true;
    }
    log_untold(s, lost ? "report-dropped" : "report-put-off", s->trouble.words);
}

static void rows_stored(struct commit *commit)
{
    struct settlement *s = OWNER_OF(commit, struct settlement, commit);
    bool stored = commit->verdict == STORE_STORED;
    finish(s, commit->verdict, stored ? &s->trouble : &commit->error);
}

static void nothing_stored(struct post *post)
{
    struct settlement *s = OWNER_OF(post, struct settlement, post);
    finish(s, s->trouble.kind == ERROR_NONE ? STORE_STORED : STORE_REFUSED, &s->trouble);
}

static void commit_rows(struct settlement *s)
{
    s->state = ROWS;
    if (s->row_count == 0) {
        s->post.run = nothing_stored;
        loop_post(loop_of(s), &s->post);
        return;
    }
    s->commit = (struct commit){
        .rows = s->rows,
        .row_count = s->row_count,
        .home = loop_of(s),
        .done = rows_stored,
    };
    store_submit(s->options.office->store, &s->commit);
}

static void commit_untold(struct settlement *s, const char *why)
{
    error_set(&s->trouble, ERROR_TEMPORARY, "%s", why);
    list_rows_untold(s);
    commit_rows(s);
}

/* --- TELLING --- */

/* Refused: as one unit it does not count, but the rows may be stored where a report cannot, on a
 * disk that is nearly full for one.  When it is the rows that are refused, they are again. */
static void report_stored(struct commit *commit)
{
    struct settlement *s = OWNER_OF(commit, struct settlement, commit);
    const struct office *office = s->options.office;
    CHECK(s->state == TELLING);
    if (commit->verdict == STORE_REFUSED) {
        commit_untold(s, commit->error.words);
        return;
    }
    if (commit->verdict == STORE_STORED)
        log_report(s);
    if (commit->verdict == STORE_STORED && s->report->row_count > 0)
        office->poke(office->server);
    finish(s, commit->verdict, &commit->error);
}

static void copy_rows(struct queue_row *to, const struct queue_row *from, size_t count)
{
    if (count > 0)
        memcpy(to, from, count * sizeof *to);
}

static void commit_report(struct settlement *s)
{
    struct report *r = s->report;
    struct queue_row *rows = arena_take(&s->memory, (r->row_count + s->row_count) * sizeof *rows);
    if (!rows) {
        commit_untold(s, "memory is short");
        return;
    }
    copy_rows(rows, r->rows, r->row_count);
    copy_rows(rows + r->row_count, s->rows, s->row_count);
    s->state = TELLING;
    s->commit = (struct commit){
        .message = r->message,
        .spool = r->spool,
        .sender = T(""),
        .arrived_ms = clock_wall_ms(),
        .placements = r->placements,
        .placement_count = r->placement_count,
        .rows = rows,
        .row_count = r->row_count + s->row_count,
        .envelope = r->row_count > 0 ? &r->envelope : NULL,
        .home = loop_of(s),
        .done = report_stored,
    };
    store_submit(s->options.office->store, &s->commit);
}

/* --- REPORTING --- */

/* Mail has its time to be delivered, and trouble with the report about it once more the same: then
 * it is no trouble that passes. */
static bool is_too_late(const struct settlement *s)
{
    const struct settle_options *o = &s->options;
    const struct config *config = o->office->config(o->office->server, o->loop);
    int64_t age_ms = clock_wall_ms() - o->item->arrived_ms;
    return age_ms > 0 && (uint64_t)age_ms / 2 > office_schedule(o->office, config).expire_ms;
}

static void report_done(struct report *r)
{
    struct settlement *s = r->owner;
    CHECK(s->state == REPORTING);
    if (r->verdict == REPORT_MADE) {
        commit_report(s);
    } else if (r->verdict == REPORT_TROUBLE && !is_too_late(s)) {
        commit_untold(s, r->why);
    } else {
        log_untold(s, "report-dropped", r->why);
        commit_rows(s);
    }
}

static void make_report(struct settlement *s)
{
    const struct settle_options *o = &s->options;
    const struct config *config = o->office->config(o->office->server, o->loop);
    s->state = REPORTING;
    struct report *r = arena_take(&s->memory, sizeof *r);
    if (!r || !told_gather(o, config->expire_ms, &s->memory, &r->told)) {
        commit_untold(s, "memory is short");
        return;
    }
    s->report = r;
    r->office = o->office;
    r->loop = o->loop;
    r->item = o->item;
    r->memory = &s->memory;
    r->done = report_done;
    r->owner = s;
    report_start(r);
}

static bool any_is_due(const struct settle_options *o)
{
    for (size_t i = 0; i < o->count; i++)
        if (told_is_due(&o->recipients[i], o->item->sender))
            return true;
    return false;
}

bool settle_start(const struct settle_options *options)
{
    CHECK(options->count > 0);
    CHECK(options->count <= SETTLE_RECIPIENTS_MAX);
    struct settlement *s = calloc(1, sizeof *s + options->count * sizeof *s->rows);
    if (!s)
        return false;
    s->options = *options;
    arena_init(&s->memory, REPORT_MEMORY_MAX);
    options->office->hold(options->office->server, options->loop);
    list_rows(s);
    if (any_is_due(options))
        make_report(s);
    else
        commit_rows(s);
    return true;
}
