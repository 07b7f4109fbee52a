/* name_server.c - the DNS of a little internet: datagrams, and streams as in RFC 7766.
 *
 * It only carries messages to and from answer.c.  A stream may hold many queries, which are
 * answered in order; while its peer does not read, no more of them are taken.
 */
#include "lab/name_server.h"

#include "lab/answer.h"
#include "run/datagram.h"
#include "run/stream.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    CALLERS_MAX = 64,
    IDLE_MS = 10000,
    LENGTH_OCTETS = 2, /* in front of each message of a stream (RFC 1035 4.2.2) */
    MESSAGE_MAX = LENGTH_OCTETS + ANSWER_OCTETS_MAX,
    PENDING_MAX = 2 * MESSAGE_MAX,
};

struct name_server {
    struct loop *loop;
    const struct zones *zones;
    struct datagrams *datagrams;
    struct listener *listener;
    struct list callers;
    unsigned caller_count;
};

struct caller {
    struct list link;
    struct name_server *server;
    struct stream *stream;
    struct buffer pending;
    struct timer idle;
    bool sending; /* the stream still holds a reply */
    bool ended;
};

/* --- Sockets --- */

void name_sockets_close(struct name_sockets *s)
{
    if (s->datagram >= 0)
        close(s->datagram);
    if (s->stream >= 0)
        close(s->stream);
    s->datagram = s->stream = -1;
}

bool name_sockets_bind(const struct endpoint *at, struct name_sockets *out, bool *in_use_out,
                       struct error *error)
{
    struct listener_options options = { .v6_only = true };
    bool no_family;
    *out = (struct name_sockets){ -1, -1 };
    if (datagram_bind(at, &out->datagram, in_use_out, error) &&
        listener_bind(at, &options, &out->stream, in_use_out, &no_family, error))
        return true;
    name_sockets_close(out);
    return false;
}

/* --- Datagrams --- */

static void on_datagram(void *owner, const struct endpoint *from, struct bytes query)
{
    struct name_server *s = owner;
    struct buffer reply;
    buffer_init(&reply, ANSWER_OCTETS_MAX);
    if (answer_query(s->zones, query, ANSWER_BY_DATAGRAM, &reply))
        datagram_send(s->datagrams, from, buffer_bytes(&reply));
    buffer_clear(&reply);
}

/* --- Streams --- */

static void caller_free(struct caller *c)
{
    loop_timer_stop(c->server->loop, &c->idle);
    if (c->stream)
        stream_close(&c->stream);
    buffer_clear(&c->pending);
    list_remove(&c->link);
    c->server->caller_count--;
    free(c);
}

static void on_idle(struct timer *timer)
{
    caller_free(OWNER_OF(timer, struct caller, idle));
}

/* Sends the reply to one query behind its length.  False: the stream is of no use any more. */
static bool reply_to(struct caller *c, struct bytes query)
{
    struct buffer reply;
    buffer_init(&reply, MESSAGE_MAX);
    bool ok = buffer_append(&reply, "\0", LENGTH_OCTETS) &&
              answer_query(c->server->zones, query, ANSWER_BY_STREAM, &reply);
    if (ok) {
        size_t len = reply.len - LENGTH_OCTETS;
        reply.at[0] = (uint8_t)(len >> 8);
        reply.at[1] = (uint8_t)len;
        enum stream_sent sent = stream_write(c->stream, buffer_bytes(&reply));
        c->sending = sent == STREAM_QUEUED;
        ok = sent != STREAM_BROKEN;
    }
    buffer_clear(&reply);
    return ok;
}

static bool take_query(struct caller *c, struct bytes *query_out)
{
    const struct buffer *p = &c->pending;
    if (p->len < LENGTH_OCTETS)
        return false;
    size_t len = (size_t)p->at[0] << 8 | p->at[1];
    *query_out = (struct bytes){ p->at + LENGTH_OCTETS, len };
    return p->len - LENGTH_OCTETS >= len;
}

/* Answers what is complete, as long as the answers leave.  The caller may be gone afterwards. */
static void serve_caller(struct caller *c)
{
    struct bytes query;
    while (!c->sending && take_query(c, &query)) {
        if (!reply_to(c, query)) {
            caller_free(c);
            return;
        }
        buffer_take(&c->pending, LENGTH_OCTETS + query.len);
    }
    if (c->sending)
        stream_pause(c->stream);
    else if (c->ended)
        caller_free(c);
    else
        stream_resume(c->stream);
}

static void on_input(void *owner, struct bytes bytes)
{
    struct caller *c = owner;
    struct loop *loop = c->server->loop;
    if (!buffer_append(&c->pending, bytes.at, bytes.len) ||
        !loop_timer_start(loop, &c->idle, loop_now_ms(loop) + IDLE_MS)) {
        caller_free(c);
        return;
    }
    serve_caller(c);
}

static void on_end(void *owner, const struct error *why)
{
    struct caller *c = owner;
    c->ended = true;
    if (why || !c->sending)
        caller_free(c);
}

static void on_drained(void *owner)
{
    struct caller *c = owner;
    c->sending = false;
    serve_caller(c);
}

static const struct stream_events stream_events = { on_input, on_end, on_drained };

static void on_accepted(void *owner, struct stream *stream)
{
    struct name_server *s = owner;
    struct caller *c = s->caller_count < CALLERS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        stream_close(&stream);
        return;
    }
    c->server = s;
    c->stream = stream;
    buffer_init(&c->pending, PENDING_MAX);
    c->idle.fire = on_idle;
    list_append(&s->callers, &c->link);
    s->caller_count++;
    if (!loop_timer_start(s->loop, &c->idle, loop_now_ms(s->loop) + IDLE_MS))
        caller_free(c);
    else
        stream_start(stream, &stream_events, c);
}

/* Callers wait or go away; nobody has to be told of it. */
static void on_trouble(void *owner, const struct error *error)
{
    (void)owner;
    (void)error;
}

/* --- The server --- */

static bool start(struct name_server *s, struct name_sockets *sockets, struct error *error)
{
    static const struct listener_events events = { on_accepted, on_trouble };
    if (!datagram_start(s->loop, sockets->datagram, on_datagram, s, &s->datagrams, error))
        return false;
    sockets->datagram = -1;
    if (!listener_start(s->loop, sockets->stream, &events, s, &s->listener, error))
        return false;
    sockets->stream = -1;
    return true;
}

bool name_server_start(struct loop *loop, const struct zones *zones, struct name_sockets *sockets,
                       struct name_server **out, struct error *error)
{
    struct name_server *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) {
        name_sockets_close(sockets);
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    }
    s->loop = loop;
    s->zones = zones;
    list_init(&s->callers);
    if (start(s, sockets, error))
        return true;
    name_sockets_close(sockets);
    name_server_stop(out);
    return false;
}

void name_server_stop(struct name_server **server)
{
    struct name_server *s = *server;
    if (!s)
        return;
    *server = NULL;
    datagram_close(&s->datagrams);
    listener_close(&s->listener);
    while (!list_empty(&s->callers))
        caller_free(OWNER_OF(s->callers.next, struct caller, link));
    free(s);
}
