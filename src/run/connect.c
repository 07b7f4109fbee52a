/* connect.c - calling somebody: a stream to an address, or why there is none.
 *
 * The socket is connected without blocking and polled until it is writable; only then it becomes a
 * stream.  It never decides whether to try again.
 */
#include "run/connect.h"

#include "run/loop_inner.h"
#include "run/stream_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct connecting {
    uv_poll_t poll;
    struct loop *loop;
    int socket;
    struct connect_options options;
    struct timer limit;
    struct post later; /* connected, or refused, within connect() itself */
    int refused;       /* what connect() itself said, or 0 */
    bool posted;       /* `later` is on its way: the memory must stay until it has run */
    bool over;         /* told or cancelled */
    bool polled;       /* there is a poll handle */
    bool closed;       /* it has let go of the memory */
};

static void let_go(struct connecting *c)
{
    if (c->over && (c->closed || !c->polled) && !c->posted)
        free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct connecting *c = handle->data;
    c->closed = true;
    let_go(c);
}

/* Ends the call; its socket, unless it was taken, is closed.  The memory may be gone then. */
static void finish(struct connecting *c)
{
    c->over = true;
    loop_timer_stop(c->loop, &c->limit);
    if (c->polled)
        uv_close((uv_handle_t *)&c->poll, on_closed);
    if (c->socket >= 0)
        close(c->socket);
    c->socket = -1;
    let_go(c);
}

static void fail(struct connecting *c, int number)
{
    struct connect_options o = c->options;
    char words[ENDPOINT_TEXT_MAX];
    struct error why;
    error_system(&why, ERROR_TEMPORARY, number, "cannot connect to %s",
                 endpoint_print(&o.to, words).at);
    finish(c);
    o.done(o.owner, NULL, &why);
}

/* The poll handle must not be closed after the socket has a new owner in the same loop: the stream
 * gets a duplicate of its own. */
static void succeed(struct connecting *c)
{
    struct connect_options o = c->options;
    struct sockaddr_storage peer;
    struct stream *stream = NULL;
    struct error why;
    endpoint_to_socket(&o.to, &peer);
    struct loop *loop = c->loop;
    int socket = fcntl(c->socket, F_DUPFD_CLOEXEC, 0);
    int number = errno;
    finish(c);
    if (socket < 0)
        error_system(&why, ERROR_TEMPORARY, number, "cannot keep a connection");
    else
        stream_adopt(loop, socket, &peer, &stream, &why);
    o.done(o.owner, stream, stream ? NULL : &why);
}

static void look(struct connecting *c)
{
    int number = c->refused;
    socklen_t len = sizeof number;
    if (!number && getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number)
        fail(c, number);
    else
        succeed(c);
}

static void on_writable(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct connecting *c = handle->data;
    if (status != 0 && status != UV_EBADF)
        fail(c, -status);
    else
        look(c);
}

static void on_limit(struct timer *timer)
{
    fail(OWNER_OF(timer, struct connecting, limit), ETIMEDOUT);
}

/* What connect() knew at once is told in a later turn, like everything else. */
static void on_later(struct post *post)
{
    struct connecting *c = OWNER_OF(post, struct connecting, later);
    c->posted = false;
    if (c->over)
        let_go(c);
    else
        look(c);
}

static bool bind_from(int socket, const struct endpoint *from)
{
    struct sockaddr_storage address;
    struct endpoint any_port = *from;
    if (from->family == NET_NONE)
        return true;
    any_port.port = 0;
    socklen_t len = endpoint_to_socket(&any_port, &address);
    return bind(socket, (const struct sockaddr *)&address, len) == 0;
}

/* Something is short here.  All else (no route, a family that this machine lacks) is about whom we
 * call, and is told like every other refusal. */
static bool is_shortage(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
}

/* Begins; *number_out: 0, EINPROGRESS, or what is wrong.  False: it is wrong with us. */
static bool call(struct connecting *c, int *number_out)
{
    struct sockaddr_storage to;
    socklen_t len = endpoint_to_socket(&c->options.to, &to);
    c->socket = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = c->socket >= 0 && bind_from(c->socket, &c->options.from);
    if (bound) {
        socket_tune(c->socket);
        bool now = connect(c->socket, (const struct sockaddr *)&to, len) == 0;
        *number_out = now ? 0 : errno;
    } else {
        *number_out = errno;
    }
    return (bound || c->socket < 0) && !is_shortage(*number_out);
}

static bool poll_socket(struct connecting *c)
{
    c->poll.data = c;
    c->polled = uv_poll_init(&c->loop->uv, &c->poll, c->socket) == 0;
    return c->polled && uv_poll_start(&c->poll, UV_WRITABLE, on_writable) == 0;
}

/* False: memory is short; it is over. */
static bool wait_for(struct connecting *c, int number)
{
    c->limit.fire = on_limit;
    bool waits = loop_timer_start(c->loop, &c->limit, loop_now_ms(c->loop) + c->options.timeout_ms);
    if (waits && number == EINPROGRESS) {
        waits = poll_socket(c);
    } else if (waits) {
        c->refused = number;
        c->later.run = on_later;
        c->posted = true;
        loop_post(c->loop, &c->later);
    }
    if (!waits)
        finish(c);
    return waits;
}

struct connecting *connect_start(struct loop *loop, const struct connect_options *options,
                                 struct error *error)
{
    char words[ENDPOINT_TEXT_MAX];
    struct connecting *c = calloc(1, sizeof *c);
    if (!c) {
        error_set(error, ERROR_TEMPORARY, "memory is short");
        return NULL;
    }
    c->loop = loop;
    c->options = *options;
    int number;
    if (!call(c, &number)) {
        error_system(error, ERROR_TEMPORARY, number, "cannot connect to %s",
                     endpoint_print(&options->to, words).at);
        if (c->socket >= 0)
            close(c->socket);
        free(c);
        return NULL;
    }
    if (!wait_for(c, number)) {
        error_set(error, ERROR_TEMPORARY, "memory is short");
        return NULL;
    }
    return c;
}

void connect_cancel(struct connecting **connecting)
{
    struct connecting *c = *connecting;
    *connecting = NULL;
    if (c)
        finish(c);
}
