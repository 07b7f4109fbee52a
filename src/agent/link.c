/* link.c - the pump between a connection and a protocol machine.
 *
 * Decides nothing about the protocol, and nothing about whom to call (link_open.c).  What is
 * decided here: when the caller gets the word back, and what a broken or interrupted connection
 * means.
 */
#include "agent/link.h"

#include "base/check.h"
#include "run/tls.h"

enum { HANDSHAKE_MS = 60 * 1000, SLAB_MAX = 256 * 1024 };

static void turn(struct link *, struct bytes fresh);
static void shake(struct link *);

uint64_t link_now_ms(const struct link *l)
{
    return loop_now_ms(l->agent->loop);
}

static void settle(struct link *l)
{
    l->settled = true;
    agent_wake(l->agent);
}

/* --- The pump --- */

/* Returns whether anything was said. */
static bool flush(struct link *l)
{
    struct bytes out = l->machine->output(l->owner);
    if (l->sending || l->broken || out.len == 0)
        return false;
    enum stream_sent sent = stream_write(l->stream, out);
    l->sending = sent == STREAM_QUEUED;
    l->broken = sent == STREAM_BROKEN;
    trace_drained(&l->trace, out.len);
    l->machine->drained(l->owner, out.len);
    return true;
}

/* One step.  False: nothing goes on before an event. */
static bool step(struct link *l, struct bytes *in)
{
    enum link_turn next = l->machine->step(l->owner, in, link_now_ms(l));
    trace_said(&l->trace, l->machine->said(l->owner), l->machine->output(l->owner));
    l->state = LINK_TALKING;
    switch (next) {
    case LINK_AGAIN:
        return true;
    case LINK_WAIT:
        return flush(l);
    case LINK_REST:
        l->state = LINK_RESTING;
        return false;
    case LINK_START_TLS:
        l->tls_wanted = true;
        return false;
    case LINK_OVER:
        l->state = LINK_ENDED;
        return false;
    }
    return false;
}

static void advance(struct link *l, struct bytes *in)
{
    l->running = true;
    do {
        l->again = false;
        while (!l->sending && !l->tls_wanted && step(l, in))
            ;
        flush(l);
    } while (l->again && l->state != LINK_ENDED && !l->sending);
    l->running = false;
}

/* False: memory is short. */
static bool set_timer(struct link *l)
{
    uint64_t due = l->machine->deadline_ms(l->owner);
    if (due == UINT64_MAX || (l->timer.node.place && l->timer.node.key <= due))
        return true;
    return loop_timer_start(l->agent->loop, &l->timer, due);
}

/* Keeps the part of the input that was not taken. */
static bool keep(struct link *l, struct bytes rest)
{
    if (l->pending.len) {
        buffer_take(&l->pending, l->pending.len - rest.len);
        if (l->pending.len == 0)
            buffer_clear(&l->pending);
        return true;
    }
    return buffer_append(&l->pending, rest.at, rest.len);
}

/* The machine hears that it is over, and says its last. */
static void break_off(struct link *l, struct text why)
{
    struct bytes nothing = { 0 };
    l->sending = l->tls_wanted = false;
    l->broken = true;
    l->machine->input_ended(l->owner, why);
    advance(l, &nothing);
    l->state = LINK_ENDED;
    settle(l);
}

static void turn(struct link *l, struct bytes fresh)
{
    if (l->running) {
        l->again = true;
        return;
    }
    if (l->state != LINK_TALKING && l->state != LINK_RESTING)
        return;
    if (l->pending.len && !buffer_append(&l->pending, fresh.at, fresh.len)) {
        break_off(l, T("the server says more than it was asked"));
        return;
    }
    struct bytes in = l->pending.len ? buffer_bytes(&l->pending) : fresh;
    advance(l, &in);
    if (l->state == LINK_ENDED) {
        settle(l);
        return;
    }
    if (!keep(l, in) || !set_timer(l))
        break_off(l, T("memory is short"));
    else if (l->tls_wanted && !l->sending)
        shake(l);
    else if (l->state == LINK_RESTING)
        settle(l);
}

/* --- TLS --- */

static void talk(struct link *);

/* There is no machine that could say it. */
static void end_early(struct link *l, enum failure_kind kind, const char *why, const char *advice)
{
    failure_set(&l->early, kind, "%s: %s%s", l->where, why, advice);
    l->state = LINK_ENDED;
    settle(l);
}

static void fail_to_shake(struct link *l, const struct error *why)
{
    l->broken = true;
    l->tls_failed = true;
    if (!l->begun) {
        end_early(l, FAILURE_PROTOCOL, why->words, link_tls_advice(l));
        return;
    }
    l->state = LINK_TALKING;
    break_off(l, error_text(why));
}

static void shaken(void *owner, const struct error *why)
{
    struct link *l = owner;
    struct tls_facts facts;
    if (why) {
        fail_to_shake(l, why);
        return;
    }
    l->secured = true;
    if (tls_facts(l->stream, &facts))
        trace_note(&l->trace, "%s, %s, %s", facts.version, facts.cipher,
                   facts.verified ? "certificate verified" : "certificate not verified");
    if (l->begun)
        l->machine->tls_started(l->owner, link_now_ms(l));
    talk(l);
}

static void shake(struct link *l)
{
    struct error e;
    struct tls_options options = { .name = text_of(l->server.host),
                                   .verify = link_verify(l),
                                   .timeout_ms = HANDSHAKE_MS,
                                   .shaken = shaken,
                                   .owner = l };
    const struct tls_context *context = agent_tls_context(l->agent, options.verify, &e);
    l->tls_wanted = false;
    buffer_clear(&l->pending); /* said in the clear: forgotten */
    l->state = LINK_SHAKING;
    if (!context || !tls_connect(l->stream, context, &options, &e))
        fail_to_shake(l, &e);
}

/* --- Events --- */

static void on_input(void *owner, struct bytes fresh)
{
    turn(owner, fresh);
}

/* What the stream still holds may go out after an orderly end, and on_drained() tells of it. */
static void on_end(void *owner, const struct error *why)
{
    struct link *l = owner;
    l->sending &= !why;
    l->broken |= why != NULL;
    if (l->state != LINK_TALKING && l->state != LINK_RESTING)
        return;
    l->machine->input_ended(l->owner, why ? error_text(why) : T(""));
    turn(l, (struct bytes){ 0 });
}

static void on_drained(void *owner)
{
    struct link *l = owner;
    l->sending = false;
    turn(l, (struct bytes){ 0 });
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void timer_fired(struct timer *timer)
{
    struct link *l = OWNER_OF(timer, struct link, timer);
    if (l->sending && l->machine->deadline_ms(l->owner) <= link_now_ms(l)) {
        l->sending = false; /* the server does not read: what it was not given it will not get */
        l->broken = true;
    }
    turn(l, (struct bytes){ 0 });
}

/* Time stands still while the loop does: the machine is asked from within one of its turns. */
static void kicked(struct post *post)
{
    struct link *l = OWNER_OF(post, struct link, kick);
    l->kicked = false;
    turn(l, (struct bytes){ 0 });
}

void link_go_on(struct link *l)
{
    turn(l, (struct bytes){ 0 });
}

/* --- A session --- */

void link_init(struct link *l, struct agent *agent, const struct link_machine *machine, void *owner)
{
    *l = (struct link){ .agent = agent, .machine = machine, .owner = owner };
    l->timer.fire = timer_fired;
    l->kick.run = kicked;
    buffer_init(&l->pending, machine->input_max + SLAB_MAX);
}

/* The connection can be talked on: the machine is made, unless it is there. */
static void talk(struct link *l)
{
    l->begun = l->begun || l->machine->begin(l->owner);
    l->state = l->begun ? LINK_TALKING : LINK_ENDED;
    if (l->begun)
        turn(l, (struct bytes){ 0 });
    else
        end_early(l, FAILURE_LATER, "memory is short", "");
}

void link_start(struct link *l, struct stream *stream)
{
    l->stream = stream;
    l->settled = false;
    stream_start(stream, &events, l);
    if (l->server.tls_first && l->tls != AGENT_TLS_NONE)
        shake(l);
    else
        talk(l);
}

static bool interrupted(struct link *l, struct failure *f)
{
    if (l->begun && l->state != LINK_ENDED)
        break_off(l, T("interrupted"));
    return failure_set(f, FAILURE_INTERRUPTED, "%s: interrupted", l->where);
}

bool link_wait(struct link *l, struct failure *f)
{
    if (!agent_wait(l->agent, &l->settled))
        return interrupted(l, f);
    if (l->state != LINK_ENDED)
        return true;
    if (l->begun)
        return !l->machine->failure(l->owner, f);
    *f = l->early;
    return false;
}

bool link_run(struct link *l, struct failure *f)
{
    CHECK(l->state != LINK_CLOSED);
    l->settled = l->state == LINK_ENDED;
    l->kicked = true;
    loop_post(l->agent->loop, &l->kick);
    return link_wait(l, f);
}

void link_close(struct link *l)
{
    CHECK(!l->running);
    if (l->kicked)
        agent_run_posts(l->agent);
    loop_timer_stop(l->agent->loop, &l->timer);
    if (l->stream && (l->broken || l->state != LINK_ENDED))
        stream_close(&l->stream);
    else if (l->stream)
        stream_finish(&l->stream);
    if (l->begun)
        l->machine->end(l->owner);
    buffer_wipe(&l->pending);
    trace_clear(&l->trace);
    l->state = LINK_CLOSED;
    l->begun = l->sending = l->broken = l->tls_wanted = l->secured = false;
}
