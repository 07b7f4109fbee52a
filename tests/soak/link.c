/* link.c - sockets with buffers; it knows no protocol. */
#include "link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void link_init(struct link *l)
{
    l->fd = -1;
    l->state = LINK_CLOSED;
}

static bool fail(struct link *l)
{
    bool is_silent = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS;
    l->state = is_silent ? LINK_SILENT : LINK_BROKEN;
    return false;
}

bool link_open(struct link *l, const struct sockaddr_in *to)
{
    const struct timeval patience = { .tv_sec = LINK_PATIENCE_S };
    l->taken = l->filled = l->waiting = 0;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return fail(l);
    setsockopt(l->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(l->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (connect(l->fd, (const struct sockaddr *)to, sizeof *to) < 0)
        return fail(l);
    l->state = LINK_OPEN;
    return true;
}

void link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    link_init(l);
}

void link_reset(struct link *l)
{
    const struct linger at_once = { .l_onoff = 1 };
    if (l->fd >= 0)
        setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    link_close(l);
}

static bool send_all(struct link *l, const char *octets, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(l->fd, octets, len, MSG_NOSIGNAL);
        if (sent < 0)
            return fail(l);
        octets += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool link_flush(struct link *l)
{
    size_t waiting = l->waiting;
    l->waiting = 0;
    return l->state == LINK_OPEN && send_all(l, l->output, waiting);
}

bool link_put(struct link *l, const char *octets, size_t len)
{
    if (l->state != LINK_OPEN)
        return false;
    if (len > LINK_OUTPUT - l->waiting && !link_flush(l))
        return false;
    if (len > LINK_OUTPUT)
        return send_all(l, octets, len);
    memcpy(l->output + l->waiting, octets, len);
    l->waiting += len;
    return true;
}

bool link_printf(struct link *l, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return len >= 0 && (size_t)len < sizeof line && link_put(l, line, (size_t)len);
}

static bool fill(struct link *l)
{
    memmove(l->input, l->input + l->taken, l->filled - l->taken);
    l->filled -= l->taken;
    l->taken = 0;
    if (l->filled == LINK_INPUT) {
        l->state = LINK_BROKEN; /* no line is as long as that */
        return false;
    }
    ssize_t got = recv(l->fd, l->input + l->filled, LINK_INPUT - l->filled, 0);
    if (got == 0)
        errno = ECONNRESET;
    if (got <= 0)
        return fail(l);
    l->filled += (size_t)got;
    return true;
}

const char *link_line(struct link *l, size_t *len_out)
{
    size_t looked = 0;
    if (l->state != LINK_OPEN || !link_flush(l))
        return NULL;
    for (;;) {
        char *line = l->input + l->taken;
        char *end = memchr(line + looked, '\n', l->filled - l->taken - looked);
        if (end && end > line && end[-1] == '\r') {
            l->taken += (size_t)(end + 1 - line);
            *len_out = (size_t)(end - 1 - line);
            end[-1] = '\0';
            return line;
        }
        /* A bare LF is within the line, as the letters have none. */
        looked = end ? (size_t)(end + 1 - line) : l->filled - l->taken;
        if (!end && !fill(l))
            return NULL;
    }
}
