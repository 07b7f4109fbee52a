/* listener.c - listening sockets, and accepting from them.
 *
 * libuv's own accepting is not used: it answers a lack of descriptors by accepting and dropping,
 * and does not give the peer's address.  Here the listening socket is polled, accept4() gives
 * address and flags at once, and what a connection needs of options it inherits: a connection costs
 * accept4(), the ioctl() of uv_tcp_open(), and one epoll_ctl() at each end of its life.
 */
#include "base/check.h"
#include "run/loop_inner.h"
#include "run/stream_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH_MAX = 64, /* connections in one turn */
    ACCEPT_PAUSE_MS = 100,
    TROUBLE_EVERY_MS = 1000,
    BACKLOG_DEFAULT = 1024,
};

static const uint64_t never = UINT64_MAX;

struct listener {
    uv_poll_t poll;
    struct loop *loop;
    int socket; /* -1 when closed */
    const struct listener_events *events;
    void *owner;
    /* How many connections to take in one turn: one, because asking for a second one when there is
     * none costs as much as a turn; twice as many in each turn that follows at once. */
    unsigned batch;
    uint64_t full_turn; /* the turn that took a whole batch */
    struct timer pause; /* due `never` while there is none */
    uint64_t told_ms;   /* when trouble was told, 0 never */
    uint64_t untold;    /* troubles since then */
};

/* Binding */

/* SO_REUSEPORT lets any process of the same user join a port, an older godwit too.  So the first
 * socket of a port is bound without it, which finds everybody else out, and gets the option between
 * bind() and listen(): from then on, and not before, sockets that have the option may join it.
 * Linux looks at the option of the bound socket at that moment and forms the group in listen(). */
static bool bind_and_listen(int socket, const struct sockaddr_storage *address, socklen_t len,
                            const struct listener_options *o)
{
    const int on = 1;
    bool first = o->share_port && !o->join;
    if (o->join && setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return false;
    if (bind(socket, (const struct sockaddr *)address, len) != 0)
        return false;
    if (first && setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return false;
    return listen(socket, o->backlog > 0 ? o->backlog : BACKLOG_DEFAULT) == 0;
}

static bool prepare(int socket, const struct endpoint *at, const struct listener_options *o)
{
    const int on = 1, v6_only = o->v6_only;
    socket_tune(socket); /* connections may wait in the backlog long before listener_start() */
    return setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (at->family != NET_IPV6 ||
            setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) == 0);
}

/* The kernel may know IPv6 and have it switched off on every interface. */
static bool lacks_family(const struct endpoint *at, int number)
{
    static const uint8_t any[16];
    return number == EAFNOSUPPORT ||
           (number == EADDRNOTAVAIL && memcmp(at->octets, any, sizeof any) == 0);
}

bool listener_bind(const struct endpoint *at, const struct listener_options *options,
                   int *socket_out, bool *in_use_out, bool *no_family_out, struct error *e)
{
    struct sockaddr_storage address;
    socklen_t len = endpoint_to_socket(at, &address);
    *in_use_out = *no_family_out = false;
    *socket_out = -1;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && prepare(fd, at, options) && bind_and_listen(fd, &address, len, options)) {
        *socket_out = fd;
        return true;
    }
    int number = errno;
    if (fd >= 0)
        close(fd);
    *in_use_out = number == EADDRINUSE;
    *no_family_out = lacks_family(at, number);
    bool no = *in_use_out || *no_family_out || number == EADDRNOTAVAIL || number == EACCES;
    char words[ENDPOINT_TEXT_MAX];
    return error_system(e, no ? ERROR_REFUSED : ERROR_TEMPORARY, number, "cannot listen on %s",
                        endpoint_print(at, words).at);
}

/* A socket that a dead process has left behind; nothing else is removed. */
static void remove_stale(const char *path)
{
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(path);
}

static bool name_local(const char *path, struct sockaddr_un *out, struct error *e)
{
    size_t len = strlen(path);
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (len >= sizeof out->sun_path)
        return error_set(e, ERROR_CONFIG, "cannot listen on %s: more than %zu octets", path,
                         sizeof out->sun_path - 1);
    memcpy(out->sun_path, path, len);
    return true;
}

static bool bind_local(const char *path, mode_t mode, int *socket_out, struct error *e)
{
    struct sockaddr_un address;
    *socket_out = -1;
    if (!name_local(path, &address, e))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot listen on %s", path);
    remove_stale(path);
    /* Nobody can connect before listen(): the mode is narrow by then. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        chmod(path, mode) == 0 && listen(fd, BACKLOG_DEFAULT) == 0) {
        *socket_out = fd;
        return true;
    }
    int number = errno;
    close(fd);
    return error_system(e, ERROR_TEMPORARY, number, "cannot listen on %s", path);
}

bool listener_bind_local(const char *path, int *socket_out, struct error *e)
{
    return bind_local(path, 0600, socket_out, e);
}

/* A full queue is a life too. */
static bool somebody_answers(const char *path, bool *answers_out, struct error *e)
{
    struct sockaddr_un address;
    if (!name_local(path, &address, e))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot listen on %s", path);
    *answers_out = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                   errno == EAGAIN || errno == EINPROGRESS;
    close(fd);
    return true;
}

bool listener_bind_public(const char *path, int *socket_out, struct error *e)
{
    bool answers = false;
    *socket_out = -1;
    if (!somebody_answers(path, &answers, e))
        return false;
    if (answers)
        return error_set(e, ERROR_REFUSED, "cannot listen on %s: another server does", path);
    return bind_local(path, 0666, socket_out, e);
}

/* Accepting */

static void on_ready(uv_poll_t *handle, int status, int events);

static void watch(struct listener *l)
{
    CHECK(uv_poll_start(&l->poll, UV_READABLE, on_ready) == 0);
}

static void tell_trouble(struct listener *l, const struct error *why)
{
    uint64_t now = loop_now_ms(l->loop);
    l->untold++;
    if (l->told_ms && now - l->told_ms < TROUBLE_EVERY_MS)
        return;
    struct error told;
    error_set(&told, ERROR_TEMPORARY, "cannot accept connections (%llu times): %.*s",
              (unsigned long long)l->untold, TEXT_ARGS(error_text(why)));
    l->told_ms = now;
    l->untold = 0;
    l->events->trouble(l->owner, &told);
}

/* The timer is always in the heap, so that to move it needs no memory: trouble may be a lack of it.
 */
static void set_pause(struct listener *l, uint64_t due_ms)
{
    CHECK(loop_timer_start(l->loop, &l->pause, due_ms));
}

/* The connections wait in the backlog meanwhile.  Trying again at once would keep the loop busy:
 * the socket stays readable. */
static void take_a_pause(struct listener *l, const struct error *why)
{
    uv_poll_stop(&l->poll);
    set_pause(l, loop_now_ms(l->loop) + ACCEPT_PAUSE_MS);
    tell_trouble(l, why);
}

static void on_pause_over(struct timer *timer)
{
    struct listener *l = OWNER_OF(timer, struct listener, pause);
    set_pause(l, never);
    watch(l);
}

/* Whether accept4() failed for the one connection only, or for a passing signal.  Linux hands over
 * the network errors that wait on the new socket. */
static bool concerns_one(int number)
{
    static const int numbers[] = { ECONNABORTED, EINTR,  EPROTO,      ENETDOWN,     ENOPROTOOPT,
                                   EHOSTDOWN,    ENONET, ENETUNREACH, EHOSTUNREACH, EPERM };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == number)
            return true;
    return false;
}

/* False when there is no more to accept for now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t len = sizeof peer;
    struct error why;
    int fd = accept4(l->socket, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int number = errno;
        if (number == EAGAIN || concerns_one(number))
            return number != EAGAIN;
        error_system(&why, ERROR_TEMPORARY, number, "accept");
        take_a_pause(l, &why);
        return false;
    }
    struct stream *stream;
    if (!stream_adopt(l->loop, fd, &peer, &stream, &why)) {
        take_a_pause(l, &why);
        return false;
    }
    l->events->accepted(l->owner, stream);
    return l->socket >= 0;
}

static void accept_batch(struct listener *l)
{
    uint64_t turn = l->loop->figures.turns;
    bool follows = l->full_turn + 1 == turn;
    l->batch = !follows ? 1 : l->batch * 2 < ACCEPT_BATCH_MAX ? l->batch * 2 : ACCEPT_BATCH_MAX;
    for (unsigned i = 0; i < l->batch; i++)
        if (!accept_one(l))
            return;
    l->full_turn = turn;
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)events;
    struct listener *l = handle->data;
    if (status == 0) {
        accept_batch(l);
        return;
    }
    /* libuv has stopped to poll. */
    struct error why;
    error_system(&why, ERROR_TEMPORARY, -status, "poll");
    take_a_pause(l, &why);
}

/* Opening and closing */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* A socket that was handed over is what its maker liked. */
static bool is_listening(int socket)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

static bool start_polling(struct listener *l, struct error *e)
{
    if (!is_listening(l->socket))
        return error_set(e, ERROR_CONFIG, "descriptor %d is not a listening socket", l->socket);
    if (!loop_timer_start(l->loop, &l->pause, never))
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot wait for connections");
    int status = uv_poll_init(&l->loop->uv, &l->poll, l->socket); /* which makes it not block */
    if (status != 0) {
        loop_timer_stop(l->loop, &l->pause);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot wait for connections");
    }
    l->poll.data = l;
    fcntl(l->socket, F_SETFD, FD_CLOEXEC);
    socket_tune(l->socket);
    watch(l);
    return true;
}

bool listener_start(struct loop *loop, int socket, const struct listener_events *events,
                    void *owner, struct listener **out, struct error *e)
{
    *out = NULL;
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot wait for connections");
    l->loop = loop;
    l->socket = socket;
    l->events = events;
    l->owner = owner;
    l->batch = 1;
    l->pause.fire = on_pause_over;
    if (!start_polling(l, e)) {
        free(l);
        return false;
    }
    *out = l;
    return true;
}

void listener_close(struct listener **listener_ref)
{
    struct listener *l = *listener_ref;
    if (!l)
        return;
    *listener_ref = NULL;
    loop_timer_stop(l->loop, &l->pause);
    uv_close((uv_handle_t *)&l->poll, on_closed);
    close(l->socket);
    l->socket = -1;
}
