/* dispatch_clock.c - what a jump of the wall clock does to mail that waits, and how that is undone.
 *
 * Rows are due by the wall clock, since that outlives the process.  Set forward by a day, nobody's
 * five days are over: expiry pauses.  Set back by a day, what was put off meanwhile is due
 * tomorrow: then all that waits is due now, as if a person had said `godwit queue retry all`.  It
 * is noticed at the next look, within the hour.  A jump while no server runs is not noticed.
 */
#include "queue/dispatch_inner.h"

#include "run/clock.h"

enum { CLOCK_DOUBT_MS = 24 * 3600 * 1000, AGAIN_MS = 1000 };

/* --- Set back: all are due --- */

static bool goes_on(struct steer *steer)
{
    return !OWNER_OF(steer, struct dispatch, recall.steer)->stopping;
}

static void recalled(struct steer *steer)
{
    struct dispatch *d = OWNER_OF(steer, struct dispatch, recall.steer);
    d->recall.runs = false;
    if (d->stopping) {
        /* nobody wants to know any more */
    } else if (steer->ok) {
        dispatch_steered(d, false);
    } else {
        d->recall.wanted = true;
        LOG_EVENT(d->office->log, LOG_WARNING, T("-"), "queue",
                  { "why", error_text(&steer->error) });
        dispatch_look_in(d, AGAIN_MS);
    }
    dispatch_release(d);
}

static void recall(struct dispatch *d)
{
    struct recall *r = &d->recall;
    struct error error;
    if (!r->wanted || r->runs || !dispatch_may_read(d))
        return;
    r->everybody = (struct selector){ .kind = SELECT_ALL };
    r->selection = (struct selection){ .list = &r->everybody, .count = 1 };
    r->steer = (struct steer){ .store = d->office->store,
                               .op = STEER_RETRY,
                               .selection = &r->selection,
                               .now_ms = clock_wall_ms(),
                               .home = d->loop,
                               .done = recalled,
                               .goes_on = goes_on };
    r->runs = steer_start(&r->steer, &error);
    r->wanted = !r->runs;
    if (r->runs)
        dispatch_hold(d);
    else
        dispatch_look_in(d, AGAIN_MS);
}

/* --- Either way --- */

static void doubt(struct dispatch *d, int64_t jump_ms)
{
    d->clock_doubt_ms = dispatch_now_ms(d) + CLOCK_DOUBT_MS;
    d->recall.wanted |= jump_ms < 0;
    atomic_store(&d->office->expiry_pauses, true);
    LOG_EVENT(d->office->log, LOG_WARNING, T("-"), "clock-jumped",
              { "what", T("the wall clock has jumped by more than an hour: for a day, or until a "
                          "reload, no mail expires") });
}

static void trust(struct dispatch *d)
{
    atomic_store(&d->office->expiry_pauses, false);
    LOG_EVENT(d->office->log, LOG_NOTICE, T("-"), "clock-trusted",
              { "what", T("the wall clock has not jumped for a day: mail expires again") });
}

void dispatch_watch_clock(struct dispatch *d)
{
    int64_t jump_ms = office_clock_jump(d->office);
    bool pauses = atomic_load(&d->office->expiry_pauses);
    if (office_clock_jumped(jump_ms))
        doubt(d, jump_ms);
    else if (pauses && dispatch_now_ms(d) >= d->clock_doubt_ms)
        trust(d);
    atomic_fetch_add(&d->office->clock_offset_ms, jump_ms); /* once the pause is on */
    recall(d);
}
