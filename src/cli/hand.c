/* hand.c - a child that handles people's files, and the socket to it. */
#include "cli/hand.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUFFER_MAX = 512 * 1024, SEND_OCTETS = 128 * 1024, RECEIVE_OCTETS = 128 * 1024 };

static _Noreturn void be_child(int socket, hand_work *work, void *owner)
{
    char go;
    ssize_t got;
    do
        got = recv(socket, &go, 1, 0);
    while (got < 0 && errno == EINTR);
    enum cli_exit code = got == 1 ? work(owner, socket) : CLI_DONE;
    fflush(stdout);
    _exit((int)code); /* what the parent has set up for its own end is not for us */
}

bool hand_start(struct hand *h, hand_work *work, void *owner, struct error *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "cannot make a socket");
    fflush(NULL);
    h->child = fork();
    if (h->child == 0) {
        close(ends[0]);
        be_child(ends[1], work, owner);
    }
    int number = errno;
    close(ends[1]);
    h->socket = ends[0];
    if (h->child > 0)
        return true;
    close(ends[0]);
    return error_system(e, ERROR_TEMPORARY, number, "cannot start a process");
}

bool hand_go(const struct hand *h)
{
    return send(h->socket, "g", 1, MSG_NOSIGNAL) == 1;
}

enum cli_exit hand_end(struct hand *h)
{
    int status = 0;
    pid_t ended;
    close(h->socket);
    h->socket = -1;
    do
        ended = waitpid(h->child, &status, 0);
    while (ended < 0 && errno == EINTR);
    if (ended > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
        return CLI_AGAIN; /* whoever reads our output has enough */
    if (ended < 0 || !WIFEXITED(status))
        return cli_say(CLI_AGAIN, "the process that handles the files was killed");
    return (enum cli_exit)WEXITSTATUS(status);
}

/* --- Parcels --- */

void hand_out_init(struct hand_out *o, int socket)
{
    o->socket = socket;
    o->gone = false;
    buffer_init(&o->buffer, BUFFER_MAX);
}

bool hand_flush(struct hand_out *o)
{
    size_t sent = 0;
    while (!o->gone && sent < o->buffer.len) {
        ssize_t n = send(o->socket, o->buffer.at + sent, o->buffer.len - sent, MSG_NOSIGNAL);
        o->gone = n < 0 && errno != EINTR;
        sent += n > 0 ? (size_t)n : 0;
    }
    o->buffer.len = 0;
    return !o->gone;
}

bool hand_send(struct hand_out *o, const struct parcel *p)
{
    if (!parcel_write(&o->buffer, p))
        o->gone = true;
    return o->buffer.len < SEND_OCTETS ? !o->gone : hand_flush(o);
}

void hand_out_clear(struct hand_out *o)
{
    buffer_clear(&o->buffer);
}

void hand_in_init(struct hand_in *in, int socket)
{
    in->socket = socket;
    in->rest = (struct bytes){ NULL, 0 };
    parcel_reader_init(&in->reader);
    buffer_init(&in->buffer, RECEIVE_OCTETS);
}

/* False: nothing more will come. */
static bool receive(struct hand_in *in)
{
    ssize_t got = -1;
    in->buffer.len = 0;
    uint8_t *at = buffer_reserve(&in->buffer, RECEIVE_OCTETS);
    do
        got = at ? recv(in->socket, at, RECEIVE_OCTETS, 0) : 0;
    while (got < 0 && errno == EINTR);
    in->rest = (struct bytes){ at, got > 0 ? (size_t)got : 0 };
    return got > 0;
}

enum parcel_kind hand_receive(struct hand_in *in, struct parcel *out)
{
    enum parcel_kind kind;
    while ((kind = parcel_read(&in->reader, &in->rest, out)) == PARCEL_NEED_INPUT)
        if (!receive(in))
            break;
    return kind;
}

void hand_in_clear(struct hand_in *in)
{
    buffer_clear(&in->buffer);
}
