/* stream_tls.c - a stream under TLS: when an engine is fed, what its owner is told, how it ends.
 *
 * One read from the kernel is opened as a whole and told as one input, unless the owner pauses:
 * then what is still sealed is kept, and the stream reads on only when that is told.
 *
 * Phase     what comes is      writing          left for
 * SHAKING   the handshake's    a mistake        SHAKEN, BROKEN; both are told by `shaken`
 * SHAKEN    opened and told    sealed           CLOSED, BROKEN
 * CLOSED    not read           sealed           BROKEN
 * BROKEN    not read           STREAM_BROKEN
 */
#include "base/check.h"
#include "run/loop_inner.h"
#include "run/secret.h"
#include "run/stream_inner.h"
#include "run/tls_inner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = LOOP_SLAB_BYTES };

enum phase { SHAKING, SHAKEN, CLOSED, BROKEN };

struct stream_tls {
    struct stream *stream;
    struct loop *loop;
    struct tls_engine engine;
    enum phase phase;
    struct buffer held;    /* sealed octets that came before the owner paused */
    bool end_waits;        /* the peer's end was met while the owner had paused */
    struct deferred later; /* begins a handshake as client; goes on behind a pause */
    struct timer limit;    /* SHAKING */
    uint64_t timeout_ms;
    void (*shaken)(void *owner, const struct error *why);
    void *owner;
};

/* --- Out --- */

/* Sends what the engine has for the peer, unless an earlier part is still on its way. */
enum stream_sent stream_tls_flush(struct stream_tls *t)
{
    if (t->engine.out.len == 0)
        return STREAM_SENT;
    if (stream_is_sending(t->stream))
        return STREAM_QUEUED;
    enum stream_sent sent = stream_send(t->stream, buffer_bytes(&t->engine.out));
    buffer_clear(&t->engine.out);
    return sent;
}

enum stream_sent stream_tls_write(struct stream_tls *t, struct bytes plain)
{
    struct error ignored;
    CHECK(t->phase != SHAKING);
    if (t->phase == BROKEN)
        return STREAM_BROKEN;
    if (tls_engine_seal(&t->engine, plain, &ignored))
        return stream_tls_flush(t);
    t->phase = BROKEN;
    stream_break(t->stream, EPROTO);
    return STREAM_BROKEN;
}

/* --- The handshake --- */

static void stop_waiting(struct stream_tls *t)
{
    loop_timer_stop(t->loop, &t->limit);
    list_remove(&t->later.link);
}

static void fail_to_shake(struct stream_tls *t, const struct error *why)
{
    t->phase = BROKEN;
    stop_waiting(t);
    stream_silence(t->stream);
    t->shaken(t->owner, why);
}

static void on_limit(struct timer *timer)
{
    struct stream_tls *t = OWNER_OF(timer, struct stream_tls, limit);
    struct error why;
    error_set(&why, ERROR_TEMPORARY,
              "the TLS handshake failed: it was not complete after %" PRIu64 " s",
              t->timeout_ms / 1000);
    fail_to_shake(t, &why);
}

static void shake(struct stream_tls *t)
{
    struct error why;
    enum tls_verdict verdict = tls_engine_shake(&t->engine, &why);
    if (stream_tls_flush(t) == STREAM_BROKEN)
        return; /* the stream's end comes, and is told as ours */
    if (verdict == TLS_WAITS)
        return;
    if (verdict == TLS_CLOSED)
        error_set(&why, ERROR_TEMPORARY, "the TLS handshake failed: the peer gave up");
    if (verdict != TLS_DONE) {
        fail_to_shake(t, &why);
        return;
    }
    stop_waiting(t);
    t->phase = SHAKEN;
    t->shaken(t->owner, NULL);
}

/* --- In --- */

static void tell_close(struct stream_tls *t, enum phase phase, const struct error *why)
{
    t->phase = phase;
    t->end_waits = !stream_may_hear(t->stream);
    if (!t->end_waits)
        stream_tell_end(t->stream, why);
}

/* Opens what one slab holds, and tells it.  False when there is no more for now. */
static bool open_slab(struct stream_tls *t)
{
    uint8_t *plain = t->loop->plain;
    size_t len = 0, got;
    struct error why;
    enum tls_verdict verdict = TLS_DONE;
    while (len < LOOP_PLAIN_BYTES && verdict == TLS_DONE) {
        verdict = tls_engine_open(&t->engine, plain + len, LOOP_PLAIN_BYTES - len, &got, &why);
        len += verdict == TLS_DONE ? got : 0;
    }
    stream_tls_flush(t);
    if (len && stream_may_hear(t->stream))
        stream_tell_input(t->stream, (struct bytes){ plain, len });
    secret_wipe(plain, len);
    if (verdict == TLS_CLOSED)
        tell_close(t, CLOSED, NULL);
    else if (verdict == TLS_FAILED)
        tell_close(t, BROKEN, &why);
    return verdict == TLS_DONE;
}

static void go_on(struct stream_tls *t)
{
    if (t->phase == SHAKING)
        shake(t);
    while (t->phase == SHAKEN && stream_may_hear(t->stream))
        if (!open_slab(t))
            break;
}

void stream_tls_input(struct stream_tls *t, struct bytes sealed)
{
    CHECK(t->held.len == 0);
    t->engine.in = sealed;
    go_on(t);
    if (t->engine.in.len && !buffer_append(&t->held, t->engine.in.at, t->engine.in.len))
        stream_break(t->stream, ENOMEM);
    t->engine.in = (struct bytes){ 0 };
}

static void go_on_later(struct deferred *deferred)
{
    struct stream_tls *t = OWNER_OF(deferred, struct stream_tls, later);
    t->engine.in = buffer_bytes(&t->held);
    go_on(t);
    if (t->engine.in.len == 0)
        buffer_clear(&t->held);
    else
        buffer_take(&t->held, t->held.len - t->engine.in.len);
    t->engine.in = (struct bytes){ 0 };
    if (!stream_may_hear(t->stream))
        return;
    if (!t->end_waits) {
        stream_read_on(t->stream);
        return;
    }
    struct error why;
    error_set(&why, ERROR_TEMPORARY, "TLS broke");
    tell_close(t, t->phase, t->phase == BROKEN ? &why : NULL);
}

/* The owner may not be told anything within his own call. */
void stream_tls_resumed(struct stream_tls *t)
{
    if (t->held.len == 0 && !t->end_waits)
        stream_read_on(t->stream);
    else if (list_empty(&t->later.link))
        loop_defer(t->loop, &t->later);
}

bool stream_tls_ended(struct stream_tls *t, const struct error *trouble)
{
    struct error why;
    if (t->phase != SHAKING) {
        t->phase = trouble ? BROKEN : CLOSED;
        return false;
    }
    error_set(&why, ERROR_TEMPORARY, "the TLS handshake failed: %s",
              trouble ? trouble->words : "the peer hung up");
    fail_to_shake(t, &why);
    return true;
}

/* --- Beginning and end --- */

void stream_tls_farewell(struct stream_tls *t)
{
    stop_waiting(t);
    if (t->phase == SHAKEN || t->phase == CLOSED)
        tls_engine_farewell(&t->engine);
    stream_tls_flush(t);
}

void stream_tls_stop(struct stream_tls *t)
{
    stop_waiting(t);
}

void stream_tls_free(struct stream_tls **tls)
{
    struct stream_tls *t = *tls;
    if (!t)
        return;
    tls_engine_clear(&t->engine);
    buffer_clear(&t->held);
    free(t);
    *tls = NULL;
}

static struct stream_tls *begin(struct stream *stream, const struct tls_context *context,
                                const struct tls_options *options, struct error *e)
{
    struct stream_tls *t = calloc(1, sizeof *t);
    CHECK(!*stream_tls_of(stream));
    if (!t || !tls_engine_init(&t->engine, context)) {
        free(t);
        error_set(e, ERROR_TEMPORARY, "memory is short");
        return NULL;
    }
    t->stream = stream;
    t->loop = stream_loop(stream);
    t->timeout_ms = options->timeout_ms;
    t->shaken = options->shaken;
    t->owner = options->owner;
    t->later.run = go_on_later;
    t->limit.fire = on_limit;
    list_init(&t->later.link);
    buffer_init(&t->held, HELD_MAX);
    return t;
}

/* The last step of the beginning: from here on the stream is ours. */
static bool take_over(struct stream_tls *t, bool prepared, struct error *e)
{
    uint64_t due = loop_now_ms(t->loop) + t->timeout_ms;
    if (!prepared || !loop_timer_start(t->loop, &t->limit, due)) {
        stream_tls_free(&t);
        return error_set(e, ERROR_TEMPORARY, "TLS cannot be set up: memory is short");
    }
    *stream_tls_of(t->stream) = t;
    return true;
}

bool tls_accept(struct stream *stream, const struct tls_context *context,
                const struct tls_options *options, struct error *e)
{
    struct stream_tls *t = begin(stream, context, options, e);
    if (!t)
        return false;
    const unsigned char *service = (const unsigned char *)options->service;
    SSL_set_accept_state(t->engine.ssl);
    return take_over(
        t,
        SSL_set_session_id_context(t->engine.ssl, service, (unsigned)strlen(options->service)) == 1,
        e);
}

bool tls_connect(struct stream *stream, const struct tls_context *context,
                 const struct tls_options *options, struct error *e)
{
    struct stream_tls *t = begin(stream, context, options, e);
    if (!t)
        return false;
    SSL_set_connect_state(t->engine.ssl);
    if (!take_over(t, tls_peer_demand(t->engine.ssl, options), e))
        return false;
    const struct endpoint peer = stream_peer(stream);
    tls_sessions_offer(context->sessions, &t->engine, options, &peer);
    loop_defer(t->loop, &t->later);
    return true;
}

bool tls_facts(const struct stream *stream, struct tls_facts *out)
{
    const struct stream_tls *t = *stream_tls_of((struct stream *)(uintptr_t)stream);
    if (!t || t->phase == SHAKING)
        return false;
    tls_engine_facts(&t->engine, out);
    return true;
}

size_t tls_binding(const struct stream *stream, enum tls_binding kind, uint8_t out[TLS_BINDING_MAX])
{
    const struct stream_tls *t = *stream_tls_of((struct stream *)(uintptr_t)stream);
    return t && t->phase == SHAKEN ? tls_engine_binding(&t->engine, kind, out) : 0;
}
