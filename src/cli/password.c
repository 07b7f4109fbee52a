/* password.c - reading a password, from a pipe or a terminal.  It is wiped on every path. */
#include "cli/input.h"
#include "run/secret.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* Waits until standard input has something; false when one of the signals comes first. */
static bool wait_for_input(int signals)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                            { .fd = signals, .events = POLLIN } };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    return fds[1].revents == 0;
}

/* One line from standard input, octet by octet: nothing behind it is taken, nothing is left in a
 * buffer of the library.  `signals`: a signalfd that ends it, or -1.  `too_long`: what did not fit
 * was thrown away. */
static bool read_line(int signals, struct password *out, bool *too_long, struct error *e)
{
    char c;
    ssize_t got;
    out->len = 0;
    *too_long = false;
    for (;;) {
        if (!wait_for_input(signals))
            return error_set(e, ERROR_REFUSED, "interrupted: nothing was changed");
        got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return error_system(e, ERROR_TEMPORARY, errno, "standard input");
        if (got == 0 || c == '\n')
            return true;
        if (out->len < sizeof out->at)
            out->at[out->len++] = c;
        else
            *too_long = true;
    }
}

static bool usable(const struct password *p, bool too_long, struct error *e)
{
    if (too_long)
        return error_set(e, ERROR_USAGE, "the password is longer than %d octets", PASSWORD_MAX);
    if (p->len == 0)
        return error_set(e, ERROR_USAGE, "the password is empty");
    if (memchr(p->at, '\r', p->len))
        return error_set(e, ERROR_USAGE, "the password has a CR in it: end the line with LF alone");
    if (memchr(p->at, 0, p->len))
        return error_set(e, ERROR_USAGE, "the password has a NUL in it");
    return true;
}

static bool ask_once(int signals, const char *prompt, struct password *out, struct error *e)
{
    bool too_long;
    fputs(prompt, stderr);
    bool ok = read_line(signals, out, &too_long, e) && usable(out, too_long, e);
    fputc('\n', stderr);
    return ok;
}

static bool ask_twice(int signals, struct password *out, struct error *e)
{
    struct password again = { 0 };
    bool ok = ask_once(signals, "password: ", out, e) && ask_once(signals, "again: ", &again, e);
    if (ok && !text_equal((struct text){ out->at, out->len }, (struct text){ again.at, again.len }))
        ok = error_set(e, ERROR_REFUSED, "the two passwords differ: nothing was changed");
    secret_wipe(&again, sizeof again);
    return ok;
}

static bool ask_silently(int signals, struct password *out, struct error *e)
{
    struct termios before, silent;
    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "the terminal");
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "the terminal");
    bool ok = ask_twice(signals, out, e);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    return ok;
}

/* Signals must not leave a terminal without echo behind: they are held back, end the question, and
 * have their usual effect once the terminal is as it was. */
static bool ask(struct password *out, struct error *e)
{
    sigset_t held, old;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGQUIT);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, &old);
    int signals = signalfd(-1, &held, SFD_CLOEXEC);
    bool ok = signals >= 0 ? ask_silently(signals, out, e)
                           : error_system(e, ERROR_TEMPORARY, errno, "signals");
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return ok;
}

bool input_password(enum password_source source, struct password *out, struct error *e)
{
    bool too_long, ok;
    if (source == PASSWORD_STDIN)
        ok = read_line(-1, out, &too_long, e) && usable(out, too_long, e);
    else if (isatty(STDIN_FILENO))
        ok = ask(out, e);
    else
        ok = error_set(e, ERROR_USAGE, "no terminal to ask for the password: use --password-stdin");
    if (!ok)
        secret_wipe(out, sizeof *out);
    return ok;
}
