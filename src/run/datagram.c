/* datagram.c - datagrams over a polled socket; it never waits and never queues. */
#include "run/datagram.h"

#include "run/loop_inner.h"
#include "run/stream_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH_MAX = 64 /* datagrams in one turn, so that others have their turn too */ };

struct datagrams {
    uv_poll_t poll;
    struct loop *loop;
    int socket; /* -1 when closed */
    datagram_received *received;
    void *owner;
};

bool datagram_bind(const struct endpoint *at, int *socket_out, bool *in_use_out, struct error *e)
{
    struct sockaddr_storage address;
    char words[ENDPOINT_TEXT_MAX];
    socklen_t len = endpoint_to_socket(at, &address);
    *in_use_out = false;
    *socket_out = -1;
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0) {
        *socket_out = fd;
        return true;
    }
    int number = errno;
    if (fd >= 0)
        close(fd);
    *in_use_out = number == EADDRINUSE;
    bool no = *in_use_out || number == EADDRNOTAVAIL || number == EACCES;
    return error_system(e, no ? ERROR_REFUSED : ERROR_TEMPORARY, number,
                        "cannot take datagrams on %s", endpoint_print(at, words).at);
}

/* False when there is none now.  What an earlier datagram of ours ran into (ECONNREFUSED) is told
 * here and concerns nobody. */
static bool receive_one(struct datagrams *d)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    ssize_t got = recvfrom(d->socket, d->loop->slab, sizeof d->loop->slab, 0,
                           (struct sockaddr *)&address, &len);
    if (got < 0)
        return errno == EINTR || errno == ECONNREFUSED;
    struct endpoint from = endpoint_of_socket(&address);
    if (from.family != NET_NONE)
        d->received(d->owner, &from, (struct bytes){ d->loop->slab, (size_t)got });
    return d->socket >= 0;
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    struct datagrams *d = handle->data;
    for (unsigned i = 0; i < BATCH_MAX; i++)
        if (!receive_one(d))
            return;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

bool datagram_start(struct loop *loop, int socket, datagram_received *received, void *owner,
                    struct datagrams **out, struct error *e)
{
    *out = NULL;
    struct datagrams *d = calloc(1, sizeof *d);
    if (!d)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot take datagrams");
    int status = uv_poll_init(&loop->uv, &d->poll, socket);
    if (status != 0) {
        free(d);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot take datagrams");
    }
    d->poll.data = d;
    d->loop = loop;
    d->socket = socket;
    d->received = received;
    d->owner = owner;
    status = uv_poll_start(&d->poll, UV_READABLE, on_ready);
    if (status != 0) {
        uv_close((uv_handle_t *)&d->poll, on_closed);
        return error_system(e, ERROR_TEMPORARY, -status, "cannot take datagrams");
    }
    *out = d;
    return true;
}

void datagram_send(struct datagrams *d, const struct endpoint *to, struct bytes bytes)
{
    struct sockaddr_storage address;
    socklen_t len = endpoint_to_socket(to, &address);
    while (sendto(d->socket, bytes.at, bytes.len, 0, (struct sockaddr *)&address, len) < 0 &&
           errno == EINTR)
        ;
}

void datagram_close(struct datagrams **datagrams)
{
    struct datagrams *d = *datagrams;
    if (!d)
        return;
    *datagrams = NULL;
    uv_close((uv_handle_t *)&d->poll, on_closed);
    close(d->socket);
    d->socket = -1;
}
