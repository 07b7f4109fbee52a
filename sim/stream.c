/* stream.c - run/stream.h in the simulated world: two ends in one memory, with weather in between.
 *
 * What one end writes stands in the other's `in` until its event hands it over, in pieces of any
 * size.  There is room for so much; the rest waits with the writer, who is told STREAM_QUEUED.  A
 * connection may be cut at a time that its beginning has drawn.
 */
#include "sim/stream_inner.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    IN_OCTETS_MAX = 256 * 1024,
    REST_OCTETS_MAX = 64 << 20,
    FINISH_US = 5 * 1000 * 1000,
    LATENCY_US = 40,
    STALL_US_MAX = 20 * 1000 * 1000,
    CUT_US_MAX = 3 * 1000 * 1000,
};

static const struct weather *weather(void)
{
    return &world_now()->weather;
}

/* --- Handing over --- */

static void free_it(struct event *e)
{
    free(OWNER_OF(e, struct stream, arrive));
}

/* What it still has to say can go, or never will. */
static void call_drain(struct stream *s)
{
    if (s && s->rest.len && s->state != STREAM_GONE && !event_is_set(&s->drain))
        event_in(&s->drain, LATENCY_US);
}

/* Its memory goes with an event: whoever closes a stream may be in one of its callbacks. */
static void let_go(struct stream *s)
{
    s->state = STREAM_GONE;
    stream_tls_forget(s);
    if (s->other) {
        s->other->other = NULL;
        s->other->in_ends = true;
        stream_stir(s->other);
        call_drain(s->other);
    }
    s->other = NULL;
    event_cancel(&s->drain);
    event_cancel(&s->limit);
    list_remove(&s->link);
    list_remove(&s->finishing);
    buffer_clear(&s->in);
    buffer_clear(&s->rest);
    s->arrive.fire = free_it;
    event_in(&s->arrive, 0);
}

/* Handshakes go on while the owner does not read, and so does trouble that he has met. */
static bool is_deaf(const struct stream *s)
{
    return s->paused && !s->broken && s->tls.phase != TLS_SHAKES;
}

void stream_stir(struct stream *s)
{
    uint64_t us = s->latency_us ? LATENCY_US + chance_below(s->latency_us) : LATENCY_US;
    if (s->state == STREAM_GONE || is_deaf(s) || event_is_set(&s->arrive) ||
        (s->tls.phase == TLS_SHAKES && !s->trouble && !s->in_ends))
        return;
    if (s->in.len == 0 && !s->in_ends && !s->trouble)
        return;
    if (fault_strikes(FAULT_STALL, weather()->stall))
        us += chance_below(STALL_US_MAX);
    event_in(&s->arrive, us);
}

static void tell_end(struct stream *s)
{
    struct error trouble;
    if (s->trouble)
        error_system(&trouble, ERROR_TEMPORARY, s->trouble, "the connection broke");
    s->told = true;
    if (s->state == STREAM_FINISHING) {
        if (s->trouble || s->rest.len == 0)
            let_go(s);
        return;
    }
    s->state = STREAM_ENDED;
    if (s->tls.phase == TLS_SHAKES) {
        stream_tls_ended(s);
        return;
    }
    s->events->end(s->owner, s->trouble ? &trouble : NULL);
}

static void hand_over(struct stream *s)
{
    size_t len = s->in.len < LOOP_SLAB_OCTETS ? s->in.len : LOOP_SLAB_OCTETS;
    if (len > 1 && fault_strikes(FAULT_CRUMBS, weather()->crumbs))
        len = (size_t)chance_from(1, chance_below(2) && len > 8 ? 8 : len - 1);
    uint8_t *octets = s->loop->slab;
    memcpy(octets, s->in.at, len);
    buffer_take(&s->in, len);
    trace_hash(octets, len);
    call_drain(s->other);
    stream_stir(s); /* the next piece; the owner may pause it in his call */
    if (s->state == STREAM_OPEN)
        s->events->input(s->owner, (struct bytes){ octets, len });
}

static void arrived(struct event *e)
{
    struct stream *s = OWNER_OF(e, struct stream, arrive);
    if (is_deaf(s) || !s->events || s->told)
        return;
    if (s->in.len && !s->trouble)
        hand_over(s);
    else if (s->in_ends || s->trouble)
        tell_end(s);
    if (e->fire == arrived && s->in.len == 0 && !s->told)
        stream_stir(s);
}

void stream_start(struct stream *s, const struct stream_events *events, void *owner)
{
    CHECK(!s->events);
    loop_expect_own(s->loop);
    s->events = events;
    s->owner = owner;
    stream_stir(s);
}

void stream_pause(struct stream *s)
{
    loop_expect_own(s->loop);
    s->paused = true;
    if (!s->broken)
        event_cancel(&s->arrive);
}

void stream_resume(struct stream *s)
{
    loop_expect_own(s->loop);
    s->paused = false;
    if (s->events && !s->told)
        stream_stir(s);
}

/* --- Writing --- */

/* A kernel has memory when we have none. */
static bool append(struct buffer *to, const uint8_t *octets, size_t len)
{
    world_now()->own_work++;
    bool ok = buffer_append(to, octets, len);
    world_now()->own_work--;
    return ok;
}

/* Gives the other end what fits. */
static size_t give(struct stream *s, struct bytes data)
{
    struct stream *to = s->other;
    if (!to || to->state == STREAM_GONE)
        return data.len; /* into the void: the kernel takes it, and its reset comes later */
    size_t room = to->in.len < IN_OCTETS_MAX ? IN_OCTETS_MAX - to->in.len : 0;
    size_t len = data.len < room ? data.len : room;
    if (to->state == STREAM_FINISHING)
        len = data.len;
    else
        CHECK(append(&to->in, data.at, len));
    stream_stir(to);
    return len;
}

/* The owner hears of it, whether he reads or not. */
static enum stream_sent met_trouble(struct stream *s)
{
    s->broken = true;
    if (s->events && !s->told)
        stream_stir(s);
    return STREAM_BROKEN;
}

enum stream_sent stream_write(struct stream *s, struct bytes data)
{
    CHECK(!s->owes_drained);
    loop_expect_own(s->loop);
    if (s->host->dead || s->trouble || s->tls.phase == TLS_HAS_FAILED)
        return met_trouble(s);
    if (data.len == 0)
        return STREAM_SENT;
    size_t part = data.len;
    if (part > 1 && fault_strikes(FAULT_SHORT_WRITE, weather()->short_write))
        part = (size_t)chance_below(part);
    size_t sent = give(s, (struct bytes){ data.at, part });
    if (sent == data.len)
        return STREAM_SENT;
    CHECK(append(&s->rest, data.at + sent, data.len - sent));
    s->owes_drained = true;
    if (!event_is_set(&s->drain))
        event_in(&s->drain, LATENCY_US + chance_below(1000));
    return STREAM_QUEUED;
}

static void end_direction(struct stream *s)
{
    s->out_ended = true;
    if (s->other && !s->host->dead) {
        s->other->in_ends = true;
        stream_stir(s->other);
    }
}

static void drained(struct event *e)
{
    struct stream *s = OWNER_OF(e, struct stream, drain);
    if (s->trouble || s->host->dead)
        buffer_clear(&s->rest);
    size_t sent = s->rest.len ? give(s, buffer_bytes(&s->rest)) : 0;
    if (sent)
        buffer_take(&s->rest, sent);
    if (s->rest.len)
        return; /* who makes room calls again */
    if (s->state == STREAM_FINISHING) {
        end_direction(s);
        if (s->told)
            let_go(s);
    } else if (s->owes_drained) {
        s->owes_drained = false;
        if (s->trouble && !s->told)
            met_trouble(s);
        else
            s->events->drained(s->owner);
    }
}

/* --- Ends --- */

void stream_close(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (!s)
        return;
    if (!s->host->dead) /* else the loop may be gone by now */
        loop_expect_own(s->loop);
    *stream_ref = NULL;
    struct stream *other = s->other;
    if (other) {
        other->other = NULL;
        /* What nobody read, or is lost, is told by a reset. */
        if (s->host->dead)
            ;
        else if (s->in.len || s->rest.len)
            other->trouble = ECONNRESET;
        else
            other->in_ends = true;
        stream_stir(other);
        call_drain(other);
    }
    s->other = NULL;
    let_go(s);
}

static void over(struct event *e)
{
    struct stream *s = OWNER_OF(e, struct stream, limit);
    if (s->state == STREAM_FINISHING) {
        stream_close(&s);
    } else {
        fault_count(FAULT_CUT);
        stream_cut(s, ECONNRESET);
    }
}

void stream_finish(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (!s)
        return;
    loop_expect_own(s->loop);
    if (s->trouble || s->host->dead || s->told) {
        if (!s->trouble && !s->host->dead)
            end_direction(s);
        if (s->rest.len == 0 || s->trouble || s->host->dead) {
            stream_close(stream_ref);
            return;
        }
    }
    *stream_ref = NULL;
    stream_tls_forget(s);
    s->state = STREAM_FINISHING;
    s->paused = false;
    list_append(&s->loop->finishing, &s->finishing);
    buffer_clear(&s->in);
    event_in(&s->limit, FINISH_US);
    if (s->rest.len == 0)
        end_direction(s);
    stream_stir(s);
}

void stream_leave(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (s && s->rest.len)
        stream_finish(stream_ref);
    else
        stream_close(stream_ref);
}

void stream_end_output(struct stream *s)
{
    if (!s->out_ended && s->rest.len == 0)
        end_direction(s);
}

void stream_close_finishing(struct loop *loop)
{
    while (!list_empty(&loop->finishing)) {
        struct stream *s = OWNER_OF(loop->finishing.next, struct stream, finishing);
        stream_close(&s);
    }
}

void stream_cut(struct stream *s, int number)
{
    struct stream *other = s->other;
    trace_words("a connection is cut");
    s->trouble = number;
    stream_stir(s);
    call_drain(s);
    if (!other)
        return;
    other->trouble = number;
    s->other = other->other = NULL;
    stream_stir(other);
    call_drain(other);
}

void stream_orphan(struct stream *s, bool silently)
{
    struct stream *other = s->other;
    s->trouble = ECONNRESET;
    s->paused = false;
    event_in(&s->arrive, 0);
    if (!other)
        return;
    s->other = other->other = NULL;
    if (silently || chance_below(2))
        other->trouble = ETIMEDOUT;
    else
        other->in_ends = true;
    stream_stir(other);
    call_drain(other);
}

/* --- Beginnings --- */

static struct stream *new_end(struct loop *loop, const struct endpoint *own,
                              const struct endpoint *peer, uint64_t latency_us)
{
    struct stream *s = calloc(1, sizeof *s);
    CHECK(s);
    s->loop = loop;
    s->host = loop->host;
    s->local_at = *own;
    s->peer_at = *peer;
    s->latency_us = latency_us;
    buffer_init(&s->in, IN_OCTETS_MAX);
    buffer_init(&s->rest, REST_OCTETS_MAX);
    s->arrive = (struct event){ .fire = arrived, .host = loop->host, .loop = loop };
    s->drain = (struct event){ .fire = drained, .host = loop->host, .loop = loop };
    s->limit = (struct event){ .fire = over, .host = loop->host, .loop = loop };
    list_init(&s->finishing);
    list_append(&loop->host->streams, &s->link);
    return s;
}

bool stream_pair(struct loop *caller, struct loop *callee, const struct endpoint at[2],
                 struct stream *out[2])
{
    uint64_t most = weather()->latency_us, latency = most ? chance_below(most) : 0;
    out[0] = new_end(caller, &at[0], &at[1], latency);
    out[1] = new_end(callee, &at[1], &at[0], latency);
    out[0]->other = out[1];
    out[1]->other = out[0];
    if (chance_of(weather()->cut))
        event_in(&out[chance_below(2)]->limit, chance_below(CUT_US_MAX));
    return true;
}

bool stream_open(struct loop *loop, int socket, struct stream **out, struct error *e)
{
    (void)loop;
    (void)socket;
    *out = NULL;
    return error_set(e, ERROR_TEMPORARY, "there are no sockets in the simulated world");
}

/* --- Looking --- */

struct endpoint stream_peer(const struct stream *s)
{
    return s->peer_at;
}

struct endpoint stream_local(const struct stream *s)
{
    return s->local_at;
}

bool stream_peer_user(const struct stream *s, unsigned *uid_out)
{
    *uid_out = 0;
    return s->peer_at.family == NET_NONE;
}

bool stream_is_broken(const struct stream *s)
{
    return s->trouble != 0;
}
