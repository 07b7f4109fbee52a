/* stream.c - byte streams over connected sockets, by libuv.
 *
 * Bytes pass between the kernel and the owner in two places only: from_kernel() and stream_write().
 * There TLS has its place (stream_tls.c); everything below it is about sealed octets then.
 *
 * State       owner hears of            writing        left by
 * OPEN        input, end, drained       yes            the peer's end, trouble, close, finish
 * FAILED      end, soon                 no: broken     telling the end, close, finish
 * ENDED       drained                   yes            close, finish
 * FINISHING   nothing, there is none    what is queued the peer's end, 256 KB, 5 s, trouble
 * CLOSED      nothing                   no             libuv calls back; then it is freed
 *
 * It never writes on its own, and keeps no input: what a paused stream has received stays with the
 * kernel, which makes the peer wait.
 */
#include "run/stream.h"

#include "base/check.h"
#include "run/loop_inner.h"
#include "run/stream_inner.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FINISH_OCTETS_MAX = 256 * 1024, /* what a peer may still send into the void */
    FINISH_MS_MAX = 5000,
    FINISHING_MAX = 1000, /* streams without an owner, for one loop; the oldest then goes */
};

enum stream_state { OPEN, FAILED, ENDED, FINISHING, CLOSED };

/* What the kernel did not take at once. */
struct rest {
    uv_write_t request;
    uint8_t octets[];
};

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct loop *loop;
    const struct stream_events *events; /* NULL before stream_start() */
    void *owner;
    struct stream_tls *tls;
    struct rest *rest; /* one at most */
    bool owes_drained; /* the owner was told STREAM_QUEUED */
    bool paused;
    struct deferred later; /* FAILED: tells the end */
    struct list finishing; /* FINISHING: in loop->finishing */
    struct timer limit;    /* FINISHING */
    uint64_t read_turn;    /* the turn of the loop that has read from this stream */
    struct endpoint peer;
    enum stream_state state;
    int trouble;     /* errno value of what broke the stream, or 0 */
    bool peer_ended; /* nothing more will come */
    uint32_t thrown_away;
};

static int descriptor(const struct stream *s)
{
    uv_os_fd_t fd = -1;
    uv_fileno(&s->uv.handle, &fd);
    return fd;
}

/* Closing */

static void on_closed(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    stream_tls_free(&s->tls);
    free(s);
}

/* The socket is closed in here, the memory goes when libuv has let go of it. */
static void let_go(struct stream *s)
{
    if (s->state == FINISHING)
        s->loop->finishing_count--;
    s->state = CLOSED;
    if (s->tls)
        stream_tls_stop(s->tls);
    list_remove(&s->later.link);
    list_remove(&s->finishing);
    loop_timer_stop(s->loop, &s->limit);
    uv_close(&s->uv.handle, on_closed);
}

void stream_close(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (!s)
        return;
    *stream_ref = NULL;
    let_go(s);
}

/* Reading */

static void tell_end(struct stream *s)
{
    struct error trouble;
    if (s->trouble)
        error_system(&trouble, ERROR_TEMPORARY, s->trouble, "the connection broke");
    const struct error *why = s->trouble ? &trouble : NULL;
    s->state = ENDED;
    if (!s->tls || !stream_tls_ended(s->tls, why))
        s->events->end(s->owner, why);
}

static void tell_end_later(struct deferred *deferred)
{
    tell_end(OWNER_OF(deferred, struct stream, later));
}

/* The owner hears of it from the loop, not within his own call.  After an orderly end he has heard
 * all that there is to hear. */
static void fail(struct stream *s, int number)
{
    s->trouble = number;
    uv_read_stop(&s->uv.stream);
    if (s->state != OPEN)
        return;
    s->state = FAILED;
    if (s->events)
        loop_defer(s->loop, &s->later);
}

static void from_kernel(struct stream *s, struct bytes input)
{
    if (s->state == OPEN && s->tls) {
        stream_tls_input(s->tls, input);
    } else if (s->state == OPEN) {
        s->events->input(s->owner, input);
    } else if (s->state == FINISHING) {
        s->thrown_away += (uint32_t)input.len;
        if (s->thrown_away > FINISH_OCTETS_MAX)
            let_go(s);
    }
}

/* `number` is 0 for an orderly end. */
static void end_from_kernel(struct stream *s, int number)
{
    s->peer_ended = true;
    s->trouble = number;
    uv_read_stop(&s->uv.stream);
    if (s->state == OPEN)
        tell_end(s);
    else if (s->state == FINISHING && (number || !s->rest))
        let_go(s);
}

/* One read in a turn for each stream, so that none starves the others: libuv would read again after
 * a read that filled the slab.  Without room it gives up, and the next turn goes on. */
static void lend_slab(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct stream *s = handle->data;
    bool again = s->read_turn == s->loop->figures.turns;
    s->read_turn = s->loop->figures.turns;
    *out = uv_buf_init((char *)s->loop->slab, again ? 0 : sizeof s->loop->slab);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer)
{
    struct stream *s = handle->data;
    if (count > 0)
        from_kernel(s, (struct bytes){ (const uint8_t *)buffer->base, (size_t)count });
    else if (count == UV_EOF)
        end_from_kernel(s, 0);
    else if (count < 0 && count != UV_ENOBUFS)
        end_from_kernel(s, (int)-count);
}

static void read_on(struct stream *s)
{
    int status = uv_read_start(&s->uv.stream, lend_slab, on_read);
    CHECK(status == 0 || status == UV_EALREADY);
}

void stream_start(struct stream *s, const struct stream_events *events, void *owner)
{
    CHECK(!s->events);
    s->events = events;
    s->owner = owner;
    if (s->state == FAILED)
        loop_defer(s->loop, &s->later);
    else
        read_on(s);
}

void stream_pause(struct stream *s)
{
    s->paused = true;
    uv_read_stop(&s->uv.stream);
}

void stream_resume(struct stream *s)
{
    s->paused = false;
    if (s->state != OPEN || !s->events)
        return;
    if (s->tls)
        stream_tls_resumed(s->tls);
    else
        read_on(s);
}

/* Writing */

/* Ends our direction once everything is with the kernel, or closes when the peer has ended his. */
static void end_our_direction(struct stream *s)
{
    if (s->peer_ended || shutdown(descriptor(s), SHUT_WR) != 0)
        let_go(s);
}

static void tell_drained(struct stream *s)
{
    if (!s->owes_drained)
        return;
    s->owes_drained = false;
    s->events->drained(s->owner);
}

static void on_rest_written(uv_write_t *request, int status)
{
    struct stream *s = request->data;
    bool trouble_is_told = s->trouble != 0;
    free(s->rest);
    s->rest = NULL;
    if (status == 0 && s->tls && s->state != CLOSED) {
        enum stream_sent sent = stream_tls_flush(s->tls);
        if (sent == STREAM_QUEUED)
            return;
        status = sent == STREAM_BROKEN ? -s->trouble : 0;
    }
    switch (s->state) {
    case OPEN:
        if (status == 0)
            tell_drained(s);
        else
            fail(s, -status);
        break;
    case ENDED:
        if (trouble_is_told)
            break;
        /* The one end is told: of this trouble the owner hears from his next write. */
        if (status != 0)
            fail(s, -status);
        tell_drained(s);
        break;
    case FINISHING:
        if (status == 0)
            end_our_direction(s);
        else
            let_go(s);
        break;
    case FAILED:
    case CLOSED:
        break;
    }
}

static bool keep_rest(struct stream *s, struct bytes data)
{
    struct rest *rest = malloc(sizeof *rest + data.len);
    if (!rest)
        return false;
    memcpy(rest->octets, data.at, data.len);
    rest->request.data = s;
    uv_buf_t buffer = uv_buf_init((char *)rest->octets, (unsigned)data.len);
    if (uv_write(&rest->request, &s->uv.stream, &buffer, 1, on_rest_written) != 0) {
        free(rest);
        return false;
    }
    s->rest = rest;
    return true;
}

/* How much the kernel took, or a negative errno value. */
static ssize_t to_kernel(struct stream *s, struct bytes data)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data.at, (unsigned)data.len);
    int sent = uv_try_write(&s->uv.stream, &buffer, 1);
    return sent == UV_EAGAIN ? 0 : sent;
}

enum stream_sent stream_send(struct stream *s, struct bytes data)
{
    CHECK(!s->rest);
    CHECK(data.len <= INT_MAX);
    if (s->trouble)
        return STREAM_BROKEN;
    ssize_t sent = to_kernel(s, data);
    if (sent < 0) {
        fail(s, (int)-sent);
        return STREAM_BROKEN;
    }
    if ((size_t)sent == data.len)
        return STREAM_SENT;
    if (!keep_rest(s, (struct bytes){ data.at + sent, data.len - (size_t)sent })) {
        fail(s, ENOMEM);
        return STREAM_BROKEN;
    }
    return STREAM_QUEUED;
}

enum stream_sent stream_write(struct stream *s, struct bytes data)
{
    CHECK(!s->owes_drained);
    if (s->trouble)
        return STREAM_BROKEN;
    if (data.len == 0)
        return STREAM_SENT;
    enum stream_sent sent = s->tls ? stream_tls_write(s->tls, data) : stream_send(s, data);
    s->owes_drained = sent == STREAM_QUEUED;
    return sent;
}

/* What TLS needs of a stream */

struct stream_tls **stream_tls_of(struct stream *s)
{
    return &s->tls;
}

struct loop *stream_loop(const struct stream *s)
{
    return s->loop;
}

bool stream_may_hear(const struct stream *s)
{
    return s->state == OPEN && !s->paused;
}

void stream_tell_input(struct stream *s, struct bytes input)
{
    s->events->input(s->owner, input);
}

void stream_tell_end(struct stream *s, const struct error *why)
{
    stream_silence(s);
    s->events->end(s->owner, why);
}

void stream_silence(struct stream *s)
{
    uv_read_stop(&s->uv.stream);
    list_remove(&s->later.link);
    s->state = ENDED;
}

void stream_break(struct stream *s, int number)
{
    fail(s, number);
}

void stream_read_on(struct stream *s)
{
    read_on(s);
}

bool stream_is_sending(const struct stream *s)
{
    return s->rest != NULL;
}

/* Finishing */

static void on_limit(struct timer *timer)
{
    let_go(OWNER_OF(timer, struct stream, limit));
}

static void make_room_to_finish(struct loop *loop)
{
    if (loop->finishing_count < FINISHING_MAX)
        return;
    struct list *oldest = loop->finishing.next;
    let_go(OWNER_OF(oldest, struct stream, finishing));
}

void stream_finish(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (!s)
        return;
    *stream_ref = NULL;
    if (s->tls && !s->trouble)
        stream_tls_farewell(s->tls);
    bool nothing_to_do = s->trouble || (s->peer_ended && !s->rest);
    uint64_t due = loop_now_ms(s->loop) + FINISH_MS_MAX;
    if (nothing_to_do || !loop_timer_start(s->loop, &s->limit, due)) {
        let_go(s);
        return;
    }
    make_room_to_finish(s->loop);
    s->state = FINISHING;
    s->loop->finishing_count++;
    list_append(&s->loop->finishing, &s->finishing);
    /* Also while something is queued: a peer that wants to be read first must not block it. */
    if (!s->peer_ended)
        read_on(s);
    if (!s->rest)
        end_our_direction(s);
}

void stream_leave(struct stream **stream_ref)
{
    struct stream *s = *stream_ref;
    if (s && (s->tls || s->rest))
        stream_finish(stream_ref);
    else
        stream_close(stream_ref);
}

void stream_close_finishing(struct loop *loop)
{
    while (!list_empty(&loop->finishing))
        let_go(OWNER_OF(loop->finishing.next, struct stream, finishing));
}

/* Opening */

static int open_handle(struct stream *s, int socket, sa_family_t family)
{
    int status;
    if (family == AF_UNIX) {
        status = uv_pipe_init(&s->loop->uv, &s->uv.pipe, 0);
        s->uv.handle.data = s;
        return status ? status : uv_pipe_open(&s->uv.pipe, socket);
    }
    status = uv_tcp_init(&s->loop->uv, &s->uv.tcp);
    s->uv.handle.data = s;
    return status ? status : uv_tcp_open(&s->uv.tcp, socket);
}

bool stream_adopt(struct loop *loop, int socket, const struct sockaddr_storage *peer,
                  struct stream **out, struct error *e)
{
    *out = NULL;
    struct stream *s = calloc(1, sizeof *s);
    if (!s) {
        close(socket);
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot open a stream");
    }
    s->loop = loop;
    s->peer = endpoint_of_socket(peer);
    s->later.run = tell_end_later;
    s->limit.fire = on_limit;
    s->read_turn = UINT64_MAX;
    list_init(&s->later.link);
    list_init(&s->finishing);
    int status = open_handle(s, socket, peer->ss_family);
    if (status != 0) {
        /* The handle has not got the socket. */
        close(socket);
        let_go(s);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot open a stream");
    }
    *out = s;
    return true;
}

bool stream_open(struct loop *loop, int socket, struct stream **out, struct error *e)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t len = sizeof peer;
    *out = NULL;
    if (getpeername(socket, (struct sockaddr *)&peer, &len) != 0) {
        int number = errno;
        close(socket);
        return error_system(e, ERROR_TEMPORARY, number, "cannot open a stream");
    }
    if (peer.ss_family != AF_UNIX)
        socket_tune(socket);
    return stream_adopt(loop, socket, &peer, out, e);
}

/* Looking */

struct endpoint stream_peer(const struct stream *s)
{
    return s->peer;
}

struct endpoint stream_local(const struct stream *s)
{
    struct sockaddr_storage local = { 0 };
    socklen_t len = sizeof local;
    if (getsockname(descriptor(s), (struct sockaddr *)&local, &len) != 0)
        return (struct endpoint){ 0 };
    return endpoint_of_socket(&local);
}

bool stream_peer_user(const struct stream *s, unsigned *uid_out)
{
    struct ucred user;
    socklen_t len = sizeof user;
    if (s->uv.handle.type != UV_NAMED_PIPE ||
        getsockopt(descriptor(s), SOL_SOCKET, SO_PEERCRED, &user, &len) != 0)
        return false;
    *uid_out = user.uid;
    return true;
}

bool stream_is_broken(const struct stream *s)
{
    /* Both are reported unasked.  A peer that only ended his direction shows neither. */
    struct pollfd look = { .fd = descriptor(s) };
    return s->trouble || (poll(&look, 1, 0) == 1 && (look.revents & (POLLERR | POLLHUP)) != 0);
}
