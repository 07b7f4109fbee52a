/* prompt.c - a password from a person, or from a pipe.
 *
 * Signals must not leave a terminal without echo behind: while it is asked they are held back, end
 * the question, and have their usual effect once the terminal is as it was.
 */
#include "run/prompt.h"

#include "run/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* Waits until there is something to read; false when one of the signals comes first. */
static bool wait_for_input(int from, int signals)
{
    struct pollfd fds[] = { { .fd = from, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    return fds[1].revents == 0;
}

/* One line, octet by octet: nothing behind it is taken, nothing is left in a buffer of the library.
 * `signals`: a signalfd that ends it, or -1. */
static bool read_line(int from, int signals, struct password *out, struct error *e)
{
    char c;
    ssize_t got;
    bool too_long = false;
    out->len = 0;
    for (;;) {
        if (!wait_for_input(from, signals))
            return error_set(e, ERROR_REFUSED, "interrupted: nothing was changed");
        got = read(from, &c, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return error_system(e, ERROR_TEMPORARY, errno, "the password cannot be read");
        if (got == 0 || c == '\n')
            break;
        if (out->len < sizeof out->at)
            out->at[out->len++] = c;
        else
            too_long = true;
    }
    if (too_long)
        return error_set(e, ERROR_USAGE, "the password is longer than %d octets", PASSWORD_MAX);
    return password_check(out, e);
}

bool password_check(const struct password *p, struct error *e)
{
    if (p->len == 0)
        return error_set(e, ERROR_USAGE, "the password is empty");
    if (memchr(p->at, '\r', p->len))
        return error_set(e, ERROR_USAGE, "the password has a CR in it: end the line with LF alone");
    if (memchr(p->at, 0, p->len))
        return error_set(e, ERROR_USAGE, "the password has a NUL in it");
    return true;
}

bool prompt_read_line(struct password *out, struct error *e)
{
    return read_line(STDIN_FILENO, -1, out, e);
}

/* --- On a terminal --- */

struct question {
    const char *first, *second; /* NULL: it is asked once */
    int terminal, signals;
};

static bool ask_once(const struct question *q, const char *prompt, struct password *out,
                     struct error *e)
{
    fputs(prompt, stderr);
    fflush(stderr);
    bool ok = read_line(q->terminal, q->signals, out, e);
    fputc('\n', stderr);
    return ok;
}

static bool ask_all(const struct question *q, struct password *out, struct error *e)
{
    struct password again = { 0 };
    bool ok = ask_once(q, q->first, out, e);
    if (ok && q->second) {
        ok = ask_once(q, q->second, &again, e);
        if (ok && !text_equal(password_text(out), password_text(&again)))
            ok = error_set(e, ERROR_REFUSED, "the two passwords differ: nothing was changed");
        secret_wipe(&again, sizeof again);
    }
    return ok;
}

static bool ask_silently(const struct question *q, struct password *out, struct error *e)
{
    struct termios before, silent;
    if (tcgetattr(q->terminal, &before) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "the terminal");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(q->terminal, TCSAFLUSH, &silent) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "the terminal");
    bool ok = ask_all(q, out, e);
    tcsetattr(q->terminal, TCSAFLUSH, &before);
    return ok;
}

static bool ask(struct question *q, struct password *out, struct error *e)
{
    sigset_t held, old;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGQUIT);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, &old);
    q->signals = signalfd(-1, &held, SFD_CLOEXEC);
    bool ok = q->signals >= 0 ? ask_silently(q, out, e)
                              : error_system(e, ERROR_TEMPORARY, errno, "signals");
    if (q->signals >= 0)
        close(q->signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (!ok)
        secret_wipe(out, sizeof *out);
    return ok;
}

/* Where a person can be asked; -1: nowhere. */
static int open_terminal(void)
{
    return isatty(STDIN_FILENO) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool prompt_is_possible(void)
{
    int terminal = open_terminal();
    if (terminal >= 0)
        close(terminal);
    return terminal >= 0;
}

bool prompt_password(const char *prompt, struct password *out, struct error *e)
{
    struct question q = { .first = prompt, .terminal = open_terminal() };
    if (q.terminal < 0)
        return error_set(e, ERROR_USAGE, "there is no terminal to ask for the password");
    bool ok = ask(&q, out, e);
    close(q.terminal);
    return ok;
}

bool prompt_new_password(struct password *out, struct error *e)
{
    struct question q = { "password: ", "again: ", STDIN_FILENO, -1 };
    return ask(&q, out, e);
}
