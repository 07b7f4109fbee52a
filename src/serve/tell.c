/* tell.c - tells the sender of a message that is stored what nobody else will. */
#include "serve/tell.h"

static struct settled settled_of(const struct recipient_news *news, const struct queue_row *row)
{
    struct settled s = {
        .row = { .notify = news->notify, .address = news->address, .orcpt = news->orcpt },
        .tell = true,
        .told = { .action = news->action, .status = T("2.0.0") },
    };
    if (!row)
        return s;
    s.has_row = true;
    s.row = *row;
    s.row.generation = 0;
    s.row.state = QUEUE_BOUNCED;
    s.told.status = T("5.4.6");
    s.told.reason = T("The message has come back: its Delivered-To field says that it was "
                      "delivered to this address before.");
    return s;
}

bool tell_gather(struct tell *t, const struct recipient_news *news, size_t count,
                 const struct queue_row *rows, struct arena *arena)
{
    t->settled = arena_take(arena, count * sizeof *t->settled);
    if (!t->settled)
        return false;
    for (size_t i = 0; i < count; i++)
        t->settled[i] = settled_of(&news[i], news[i].action == DSN_FAILED ? rows++ : NULL);
    t->count = count;
    return true;
}

static void begin_next(struct tell *);

/* What could not be settled waits in the queue; the log has the reason. */
static void settled(void *owner, enum store_verdict verdict, const struct error *error)
{
    (void)verdict;
    (void)error;
    begin_next(owner);
}

static void begin_next(struct tell *t)
{
    size_t left = t->count - t->begun;
    struct settle_options options = {
        .office = t->office,
        .loop = t->loop,
        .item = &t->item,
        .recipients = t->settled + t->begun,
        .count = left < SETTLE_RECIPIENTS_MAX ? left : SETTLE_RECIPIENTS_MAX,
        .done = settled,
        .owner = t,
    };
    t->begun += options.count;
    if (left == 0 || !settle_start(&options))
        t->done(t->owner);
}

void tell_start(struct tell *t)
{
    begin_next(t);
}
