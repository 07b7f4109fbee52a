/* front.c - what stands in front of a host with a fault.
 *
 * One command at a time goes through, whatever a client sends ahead: so each reply belongs to a
 * command, and a recipient can be answered here while the rest is answered behind.  Content passes
 * as it is.  TLS cannot be seen through, so STARTTLS is taken out of what the server offers.
 *
 *   state     what is waited for                               left by
 *   ASKED     a reply from behind, or the greeting             its last line -> READY or CONTENT
 *   READY     a command                                        the command -> ASKED, CONTENT
 *   CONTENT   the end of a message, or of a chunk (BDAT)        the end -> ASKED, READY
 */
#include "lab/front.h"

#include "lab/greylist.h"
#include "lab/sink.h"
#include "run/connect.h"
#include "run/entropy.h"
#include "run/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SESSIONS_MAX = 256,
    LINE_OCTETS_MAX = 64 * 1024,
    PENDING_MAX = LINE_OCTETS_MAX + 128 * 1024, /* and what one turn may bring */
    REPLY_MAX = 64 * 1024,
    CONNECT_MS = 10000,
    IDLE_MS = 600000,
};

struct front {
    struct loop *loop;
    struct fault fault;
    struct text host;
    struct endpoint behind;
    struct listener *listener;
    struct list sessions;
    size_t session_count;
    uint64_t shown; /* sessions that met the fault */
    struct greylist greylist;
};

enum state { ASKED, READY, CONTENT };

struct session {
    struct list link;
    struct front *front;
    struct stream *client;
    struct stream *server;      /* NULL when it is answered here */
    struct connecting *calling; /* the way to the server */
    bool passes;                /* to the server behind */
    bool faulty;
    enum state state;
    struct sink sink;
    struct buffer input;   /* of the client, not used yet */
    struct buffer replies; /* from behind, or our own: not said yet */
    bool answered;         /* to content that is still on its way */
    uint64_t chunk_left;   /* octets of a chunk that are to come */
    unsigned matched;      /* octets of the end of content that have just passed */
    char sender[ADDRESS_PATH_MAX];
    size_t sender_len;
    struct timer late; /* replies wait for it */
    struct timer idle;
    bool client_full, server_full; /* the stream still holds what we wrote */
    bool closing;                  /* after what is to be said */
};

static void pump(struct session *s);

static void session_free(struct session *s)
{
    loop_timer_stop(s->front->loop, &s->late);
    loop_timer_stop(s->front->loop, &s->idle);
    connect_cancel(&s->calling);
    if (s->client)
        stream_close(&s->client);
    if (s->server)
        stream_close(&s->server);
    buffer_clear(&s->input);
    buffer_clear(&s->replies);
    list_remove(&s->link);
    s->front->session_count--;
    free(s);
}

/* --- Replies --- */

/* The last of the lines, all of which are complete. */
static struct text last_line(struct text said)
{
    struct text line = { NULL, 0 }, next;
    while (text_cut(&said, '\n', &next))
        line = next;
    return line;
}

/* What the reply that ends here means for what comes next. */
static void reply_said(struct session *s, struct text line)
{
    if (!s->passes || (line.len > 3 && line.at[3] == '-'))
        return;
    s->answered = s->state == CONTENT;
    if (s->state != ASKED)
        return;
    s->state = text_starts(line, T("354")) ? CONTENT : READY;
    s->matched = 2; /* content may begin with its end */
}

/* Drops the line that offers TLS from the replies; it is never the last of them. */
static void hide_tls(struct session *s)
{
    static const char offer[] = "250-STARTTLS\r\n";
    struct text words = buffer_as_text(&s->replies), line;
    while (words.len > 0) {
        struct text at = words;
        text_cut(&words, '\n', &line);
        if (!text_starts(at, text_of(offer)))
            continue;
        size_t before = s->replies.len - at.len, len = sizeof offer - 1;
        memmove(s->replies.at + before, s->replies.at + before + len, at.len - len);
        s->replies.len -= len;
        return;
    }
}

/* Says what is to be said, whole lines until the last.  False: the session is gone. */
static bool flush(struct session *s)
{
    struct text words = buffer_as_text(&s->replies);
    bool whole = words.len > 0 && words.at[words.len - 1] == '\n';
    if (s->client_full || (!whole && !s->closing))
        return true;
    hide_tls(s);
    words = buffer_as_text(&s->replies);
    reply_said(s, last_line(words));
    s->client_full = stream_write(s->client, bytes_of_text(words)) == STREAM_QUEUED;
    buffer_clear(&s->replies);
    if (!s->closing)
        return true;
    stream_finish(&s->client);
    session_free(s);
    return false;
}

static void on_late(struct timer *timer)
{
    struct session *s = OWNER_OF(timer, struct session, late);
    if (flush(s))
        pump(s);
}

static void from_server(void *owner, struct bytes bytes)
{
    struct session *s = owner;
    const struct fault *f = &s->front->fault;
    struct loop *loop = s->front->loop;
    if (!buffer_append(&s->replies, bytes.at, bytes.len)) {
        session_free(s);
        return;
    }
    if (s->faulty && f->kind == FAULT_SLOW) {
        if (s->late.node.place == 0 &&
            !loop_timer_start(loop, &s->late, loop_now_ms(loop) + f->delay_ms))
            session_free(s);
        return;
    }
    if (flush(s))
        pump(s);
}

static void server_ended(void *owner, const struct error *why)
{
    struct session *s = owner;
    (void)why;
    stream_close(&s->server);
    s->server_full = false;
    s->closing = true;
    if (s->late.node.place == 0)
        flush(s);
}

static void server_drained(void *owner)
{
    struct session *s = owner;
    s->server_full = false;
    pump(s);
}

static const struct stream_events server_events = { from_server, server_ended, server_drained };

/* --- Content --- */

/* How many of the octets belong to the content; *ended_out: with them it is over. */
static size_t take_text(struct session *s, struct bytes in, bool *ended_out)
{
    static const char end[] = "\r\n.\r\n";
    for (size_t i = 0; i < in.len; i++) {
        char c = (char)in.at[i];
        s->matched = c == end[s->matched] ? s->matched + 1 : c == '\r' ? 1 : 0;
        *ended_out = s->matched == sizeof end - 1;
        if (*ended_out)
            return i + 1;
    }
    return in.len;
}

static size_t take_chunk(struct session *s, struct bytes in, bool *ended_out)
{
    size_t len = in.len < s->chunk_left ? in.len : (size_t)s->chunk_left;
    s->chunk_left -= len;
    *ended_out = s->chunk_left == 0;
    return len;
}

static bool to_server(struct session *s, struct bytes bytes)
{
    enum stream_sent sent = stream_write(s->server, bytes);
    s->server_full = sent == STREAM_QUEUED;
    return sent != STREAM_BROKEN;
}

static enum sink_then pass_content(struct session *s)
{
    bool ended = false;
    struct bytes in = buffer_bytes(&s->input);
    size_t len = s->chunk_left ? take_chunk(s, in, &ended) : take_text(s, in, &ended);
    enum sink_then then = SINK_GO_ON;
    if (s->passes)
        then = to_server(s, (struct bytes){ in.at, len }) ? SINK_GO_ON : SINK_CLOSE;
    else if (ended)
        then = sink_content_ended(&s->sink, &s->replies);
    buffer_take(&s->input, len);
    if (ended)
        s->state = s->passes && !s->answered ? ASKED : READY;
    return then;
}

/* --- Commands --- */

/* What stands in the brackets of "MAIL FROM:<...>". */
static struct text path_in(struct text line)
{
    struct text path;
    text_cut(&line, ':', &path);
    line = text_trim(line);
    text_word(&line, &path);
    return path;
}

/* A recipient who must wait is told so here. */
static bool is_greylisted(struct session *s, struct text line)
{
    struct front *f = s->front;
    if (!s->faulty || f->fault.kind != FAULT_GREYLIST)
        return false;
    struct text path = path_in(line);
    if (text_starts_nocase(line, T("MAIL"))) {
        s->sender_len = path.len < sizeof s->sender ? path.len : sizeof s->sender;
        for (size_t i = 0; i < s->sender_len; i++)
            s->sender[i] = path.at[i];
    }
    return text_starts_nocase(line, T("RCPT")) &&
           !greylist_passes(&f->greylist, (struct text){ s->sender, s->sender_len }, path,
                            loop_now_ms(f->loop), f->fault.delay_ms);
}

/* Whether octets of a chunk follow the line. */
static bool begins_chunk(struct session *s, struct text line)
{
    struct text octets;
    return text_take_nocase(&line, T("BDAT")) && text_word(&line, &octets) &&
           text_to_u64(octets, &s->chunk_left) && s->chunk_left > 0;
}

static enum sink_then pass_line(struct session *s, struct bytes whole)
{
    struct text line = text_of_bytes(whole);
    while (line.len > 0 && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
        line.len--;
    if (!s->passes) {
        enum sink_then then = sink_line(&s->sink, line, &s->replies);
        s->matched = 2;
        s->state = then == SINK_CONTENT ? CONTENT : READY;
        return then;
    }
    if (is_greylisted(s, line)) {
        buffer_text(&s->replies, T("451 4.7.1 greylisted, try again later\r\n"));
        return SINK_GO_ON;
    }
    s->answered = false;
    s->state = begins_chunk(s, line) ? CONTENT : ASKED;
    return to_server(s, whole) ? SINK_GO_ON : SINK_CLOSE;
}

static bool take_line(const struct session *s, struct bytes *line_out)
{
    struct text all = buffer_as_text(&s->input);
    size_t end = text_find(all, '\n');
    *line_out = (struct bytes){ s->input.at, end + 1 };
    return end < all.len;
}

/* One step; false when there is none to be done now. */
static bool step(struct session *s, enum sink_then *then_out)
{
    struct bytes line;
    *then_out = SINK_GO_ON;
    if (s->closing || s->client_full || s->server_full || s->state == ASKED || s->input.len == 0)
        return false;
    if (s->state == CONTENT) {
        *then_out = pass_content(s);
        return true;
    }
    if (!take_line(s, &line)) {
        *then_out = s->input.len > LINE_OCTETS_MAX ? SINK_CLOSE : SINK_GO_ON;
        return *then_out == SINK_CLOSE;
    }
    *then_out = pass_line(s, line);
    buffer_take(&s->input, line.len);
    return true;
}

/* Does what can be done.  The session may be gone afterwards. */
static void pump(struct session *s)
{
    enum sink_then then;
    while (step(s, &then)) {
        s->closing = then == SINK_CLOSE;
        if (s->closing && s->replies.len == 0) {
            session_free(s);
            return;
        }
        if (s->late.node.place == 0 && !flush(s))
            return;
    }
    if (s->input.len > LINE_OCTETS_MAX)
        stream_pause(s->client);
    else
        stream_resume(s->client);
}

static void from_client(void *owner, struct bytes bytes)
{
    struct session *s = owner;
    struct loop *loop = s->front->loop;
    if (!buffer_append(&s->input, bytes.at, bytes.len) ||
        !loop_timer_start(loop, &s->idle, loop_now_ms(loop) + IDLE_MS))
        session_free(s);
    else
        pump(s);
}

static void client_ended(void *owner, const struct error *why)
{
    (void)why;
    session_free(owner);
}

static void client_drained(void *owner)
{
    struct session *s = owner;
    s->client_full = false;
    if (flush(s))
        pump(s);
}

static const struct stream_events client_events = { from_client, client_ended, client_drained };

/* --- Sessions --- */

static void on_idle(struct timer *timer)
{
    session_free(OWNER_OF(timer, struct session, idle));
}

static void on_called(void *owner, struct stream *stream, const struct error *why)
{
    struct session *s = owner;
    (void)why;
    s->calling = NULL;
    s->server = stream;
    if (!stream)
        session_free(s);
    else
        stream_start(stream, &server_events, s);
}

static bool call_server(struct session *s)
{
    struct error ignored;
    struct connect_options options = {
        .to = s->front->behind, .timeout_ms = CONNECT_MS, .done = on_called, .owner = s
    };
    s->state = ASKED;
    s->calling = connect_start(s->front->loop, &options, &ignored);
    return s->calling != NULL;
}

static void begin(struct session *s)
{
    if (s->passes) {
        if (!call_server(s))
            session_free(s);
        return;
    }
    s->state = READY;
    s->closing = sink_greet(&s->sink, &s->replies) == SINK_CLOSE;
    flush(s);
}

/* Whether this session is one of those that meet the fault. */
static bool shows_fault(struct front *f)
{
    bool shows = f->fault.times == 0 || f->shown < f->fault.times;
    f->shown += shows;
    return shows;
}

static void on_accepted(void *owner, struct stream *stream)
{
    struct front *f = owner;
    struct session *s = f->session_count < SESSIONS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s) {
        stream_close(&stream);
        return;
    }
    s->front = f;
    s->client = stream;
    s->faulty = shows_fault(f);
    s->passes = !s->faulty || f->fault.kind == FAULT_SLOW || f->fault.kind == FAULT_GREYLIST;
    s->sink = (struct sink){ .fault = f->fault.kind, .host = f->host };
    buffer_init(&s->input, PENDING_MAX);
    buffer_init(&s->replies, REPLY_MAX);
    s->late.fire = on_late;
    s->idle.fire = on_idle;
    list_append(&f->sessions, &s->link);
    f->session_count++;
    stream_start(stream, &client_events, s);
    if (loop_timer_start(f->loop, &s->idle, loop_now_ms(f->loop) + IDLE_MS))
        begin(s);
    else
        session_free(s);
}

/* Callers wait or go away; nobody has to be told of it. */
static void on_trouble(void *owner, const struct error *error)
{
    (void)owner;
    (void)error;
}

/* --- The front --- */

static bool listen_at(struct front *f, const struct endpoint *at, struct error *error)
{
    static const struct listener_events events = { on_accepted, on_trouble };
    struct listener_options options = { .v6_only = true };
    bool in_use, no_family;
    int socket;
    if (!listener_bind(at, &options, &socket, &in_use, &no_family, error))
        return false;
    if (listener_start(f->loop, socket, &events, f, &f->listener, error))
        return true;
    close(socket);
    return false;
}

bool front_start(struct loop *loop, const struct lab_plan *plan, const struct lab_host *host,
                 struct front **out, struct error *error)
{
    *out = NULL;
    if (host->fault.kind == FAULT_DEAD)
        return true;
    struct front *f = calloc(1, sizeof *f);
    if (!f)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    struct endpoint at = plan_endpoint(plan, host, ROLE_SMTP);
    f->loop = loop;
    f->fault = host->fault;
    f->host = text_of(host->name);
    f->behind = plan_entrance(plan, host);
    f->greylist.key = entropy_u64();
    list_init(&f->sessions);
    *out = f;
    if (listen_at(f, &at, error))
        return true;
    front_stop(out);
    return false;
}

void front_stop(struct front **front)
{
    struct front *f = *front;
    if (!f)
        return;
    *front = NULL;
    listener_close(&f->listener);
    while (!list_empty(&f->sessions))
        session_free(OWNER_OF(f->sessions.next, struct session, link));
    free(f);
}
