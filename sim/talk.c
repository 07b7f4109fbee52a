/* talk.c - a peer outside: a connection that says octets and hears lines. */
#include "sim/talk.h"

#include "base/check.h"
#include "sim/stream_inner.h"

#include <string.h>

enum { TALK_OCTETS_MAX = 16 << 20, CALL_MS = 30000 };

static void flush(struct talk *t)
{
    if (!t->stream || t->sending || t->out.len == 0)
        return;
    enum stream_sent sent = stream_write(t->stream, buffer_bytes(&t->out));
    t->sending = sent == STREAM_QUEUED;
    t->out.len = 0;
}

static void on_drained(void *owner)
{
    struct talk *t = owner;
    t->sending = false;
    flush(t);
}

static void over(struct talk *t)
{
    talk_close(t);
    t->ended(t);
}

static void on_end(void *owner, const struct error *why)
{
    (void)why;
    over(owner);
}

static void on_input(void *owner, struct bytes fresh)
{
    struct talk *t = owner;
    CHECK(buffer_append(&t->in, fresh.at, fresh.len));
    size_t taken = 0;
    while (t->stream) {
        struct text rest = { (const char *)t->in.at + taken, t->in.len - taken };
        const char *end = memchr(rest.at, '\n', rest.len);
        if (!end)
            break;
        size_t len = (size_t)(end - rest.at);
        taken += len + 1;
        t->heard(t, text_first(rest, len > 0 && end[-1] == '\r' ? len - 1 : len));
    }
    if (t->stream)
        buffer_take(&t->in, taken);
}

static void begin(struct talk *t, struct stream *stream)
{
    static const struct stream_events events = { on_input, on_end, on_drained };
    t->stream = stream;
    stream_start(stream, &events, t);
    flush(t);
}

static void on_connected(void *owner, struct stream *stream, const struct error *why)
{
    struct talk *t = owner;
    (void)why;
    t->connecting = NULL;
    if (!stream) {
        over(t);
        return;
    }
    begin(t, stream);
}

static void prepare(struct talk *t, struct loop *loop)
{
    t->loop = loop;
    buffer_init(&t->in, TALK_OCTETS_MAX);
    buffer_init(&t->out, TALK_OCTETS_MAX);
}

void talk_take(struct talk *t, struct loop *loop, struct stream *stream)
{
    prepare(t, loop);
    begin(t, stream);
}

void talk_start(struct talk *t, struct loop *loop, const struct endpoint *from,
                const struct endpoint *to)
{
    struct connect_options options = {
        .to = *to,
        .from = *from,
        .timeout_ms = CALL_MS,
        .done = on_connected,
        .owner = t,
    };
    prepare(t, loop);
    t->connecting = connect_start(loop, &options, NULL);
    CHECK(t->connecting);
}

void talk_say(struct talk *t, struct bytes octets)
{
    CHECK(buffer_append(&t->out, octets.at, octets.len));
    flush(t);
}

void talk_say_text(struct talk *t, struct text words)
{
    talk_say(t, bytes_of_text(words));
}

void talk_end_output(struct talk *t)
{
    if (t->stream && !t->sending && t->out.len == 0)
        stream_end_output(t->stream);
}

/* The line that is being heard stays readable until its hearer returns. */
void talk_close(struct talk *t)
{
    connect_cancel(&t->connecting);
    stream_close(&t->stream);
    t->sending = false;
    t->out.len = 0;
}
