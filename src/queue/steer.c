/* steer.c - what a person does to recipients in the queue, a page of rows at a time.
 *
 *   read a page -> choose its rows -> commit them -> the page behind the last that was chosen
 *
 * A unit that is refused, since a result came in between, is read again and tried with half as many
 * rows: in a busy queue the single rows that keep moving are found, and left to whoever moves them.
 * Never blocks, and never holds more than one page.
 */
#include "queue/steer.h"

#include <stdlib.h>

enum { REFUSALS_MAX = 5 };

/* --- Names --- */

static const char *const names[STEER_OPS] = {
    [STEER_RETRY] = "retry",
    [STEER_HOLD] = "hold",
    [STEER_RELEASE] = "release",
    [STEER_DROP] = "drop",
};

const char *steer_name(enum steer_op op)
{
    return names[op];
}

bool steer_parse(struct text name, enum steer_op *out)
{
    for (enum steer_op op = 0; op < STEER_OPS; op++)
        if (text_equal(name, text_of(names[op]))) {
            *out = op;
            return true;
        }
    return false;
}

/* --- What becomes of a row --- */

enum effect { LEAVE, COUNT, CHANGE };

static enum effect change(const struct steer *s, const struct queue_row *now,
                          struct queue_row *next)
{
    *next = *now;
    next->generation++;
    switch (s->op) {
    case STEER_RETRY:
        next->due_ms = s->now_ms;
        return now->held ? LEAVE : now->due_ms <= s->now_ms ? COUNT : CHANGE;
    case STEER_HOLD:
        next->held = true;
        return now->held ? LEAVE : CHANGE;
    case STEER_RELEASE:
        next->held = false;
        return now->held ? CHANGE : LEAVE;
    case STEER_DROP:
    case STEER_OPS:
        break;
    }
    next->state = QUEUE_DROPPED;
    next->held = false;
    return CHANGE;
}

/* --- Pages --- */

static void taken(struct queue_take *);
static void committed(struct commit *);

static void end(struct steer *s, bool ok, const struct error *why)
{
    s->ok = ok;
    if (!ok)
        s->error = *why;
    queue_take_clear(&s->take);
    free(s->rows);
    free(s->items);
    s->rows = NULL;
    s->items = NULL;
    s->done(s);
}

static bool read_page(struct steer *s)
{
    s->take = (struct queue_take){ .all = true,
                                   .rows_max = STORE_CHANGES_MAX,
                                   .after = s->after,
                                   .home = s->home,
                                   .done = taken };
    return queue_take_start(s->store, &s->take);
}

static void next_page(struct steer *s)
{
    struct error error;
    queue_take_clear(&s->take);
    if (s->goes_on && !s->goes_on(s))
        error_set(&error, ERROR_TEMPORARY, "broken off behind %llu recipients: try again",
                  (unsigned long long)s->count.changed);
    else if (read_page(s))
        return;
    else
        error_set(&error, ERROR_TEMPORARY, "the store is busy: try again");
    end(s, false, &error);
}

/* Fills the unit from the page, as far as it may grow; returns its rows. */
static size_t choose(struct steer *s)
{
    size_t count = 0;
    s->pending = (struct steer_count){ 0 };
    s->looked_at = 0;
    while (s->looked_at < s->take.item_count && count < s->unit_max) {
        const struct queue_item *item = &s->take.items[s->looked_at++];
        if (!selection_takes(s->selection, item, s->now_ms))
            continue;
        enum effect effect = change(s, &item->row, &s->rows[count]);
        s->pending.matched++;
        s->pending.changed += effect != LEAVE;
        if (effect == CHANGE)
            s->items[count++] = item;
    }
    return count;
}

static void commit_rows(struct steer *s, size_t count)
{
    s->commit =
        (struct commit){ .rows = s->rows, .row_count = count, .home = s->home, .done = committed };
    store_submit(s->store, &s->commit);
}

/* What was chosen is over: on behind it. */
static void pass_on(struct steer *s)
{
    bool is_last = s->take.item_count < STORE_CHANGES_MAX && s->looked_at == s->take.item_count;
    s->count.matched += s->pending.matched;
    s->count.changed += s->pending.changed;
    s->count.busy += s->pending.busy;
    s->refusals = 0;
    if (is_last) {
        end(s, true, NULL);
        return;
    }
    const struct queue_row *last = &s->take.items[s->looked_at - 1].row;
    s->after = (struct queue_place){ .message = last->message, .number = last->number };
    next_page(s);
}

static void taken(struct queue_take *take)
{
    struct steer *s = OWNER_OF(take, struct steer, take);
    if (!take->ok) {
        end(s, false, &take->error);
        return;
    }
    size_t count = choose(s);
    if (count > 0)
        commit_rows(s, count);
    else
        pass_on(s);
}

/* --- Answers --- */

static void stored(struct steer *s)
{
    for (size_t i = 0; s->changed && i < s->commit.row_count; i++)
        s->changed(s, s->items[i]);
    s->unit_max = s->unit_max < STORE_CHANGES_MAX / 2 ? s->unit_max * 2 : STORE_CHANGES_MAX;
    pass_on(s);
}

/* Somebody changed one of the rows meanwhile. */
static void refused(struct steer *s)
{
    if (s->commit.row_count == 1 && ++s->refusals == REFUSALS_MAX) {
        s->pending.changed--;
        s->pending.busy++;
        pass_on(s);
        return;
    }
    if (s->commit.row_count > 1)
        s->unit_max = (uint32_t)(s->commit.row_count / 2);
    next_page(s);
}

static void committed(struct commit *commit)
{
    struct steer *s = OWNER_OF(commit, struct steer, commit);
    if (commit->verdict == STORE_STORED)
        stored(s);
    else if (commit->verdict == STORE_REFUSED && commit->error.kind == ERROR_REFUSED)
        refused(s);
    else
        end(s, false, &commit->error);
}

bool steer_start(struct steer *s, struct error *error)
{
    s->ok = false;
    s->error = (struct error){ 0 };
    s->count = s->pending = (struct steer_count){ 0 };
    s->after = (struct queue_place){ 0 };
    s->unit_max = STORE_CHANGES_MAX;
    s->refusals = 0;
    s->rows = calloc(STORE_CHANGES_MAX, sizeof(*s->rows));
    s->items = calloc(STORE_CHANGES_MAX, sizeof(*s->items));
    if (s->rows && s->items && read_page(s))
        return true;
    free(s->rows);
    free(s->items);
    s->rows = NULL;
    s->items = NULL;
    return error_set(error, ERROR_TEMPORARY, "memory is short, or the store is busy: try again");
}

void steer_log_dropped(struct log *log, const struct queue_item *item)
{
    char id[MESSAGE_ID_TEXT + 1];
    LOG_EVENT(log, LOG_NOTICE, T("-"), "dropped", { "id", message_id_print(item->row.message, id) },
              { "from", item->sender }, { "to", item->row.address },
              { "rule", T("godwit queue drop") });
}
