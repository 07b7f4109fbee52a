/* password.c - where a user's password comes from.  No copy is left behind. */
#include "agent/password.h"

#include "base/buffer.h"
#include "run/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 * 1024 };

/* Where it comes from, for messages, and what it is when there is none in it. */
struct origin {
    const char *name;
    enum error_kind kind;
};

/* The first line of what was written, or of what a file or a command gave. */
static bool take_line(const struct origin *from, struct text words, struct password *out,
                      struct error *e)
{
    struct text line;
    struct error why;
    text_cut(&words, '\n', &line);
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (line.len > sizeof out->at)
        return error_set(e, from->kind, "%.200s: the password is longer than %d octets", from->name,
                         PASSWORD_MAX);
    if (line.len)
        memcpy(out->at, line.at, line.len);
    out->len = line.len;
    return password_check(out, &why) ||
           error_set(e, from->kind, "%.200s: %.150s", from->name, why.words);
}

static bool take_written(const char *name, char *written, struct password *out, struct error *e)
{
    const struct origin from = { name, ERROR_USAGE };
    size_t len = strlen(written);
    bool ok = take_line(&from, (struct text){ written, len }, out, e);
    secret_wipe(written, len);
    return ok;
}

static bool take_variable(struct password *out, struct error *e)
{
    char *value = getenv(PASSWORD_VARIABLE);
    bool ok = take_written(PASSWORD_VARIABLE, value, out, e);
    unsetenv(PASSWORD_VARIABLE);
    return ok;
}

/* --- A command --- */

static bool start(const char *command, int output, pid_t *pid_out)
{
    char shell[] = "/bin/sh", flag[] = "-c";
    char *argv[] = { shell, flag, (char *)(uintptr_t)command, NULL };
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    bool ok = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO) == 0 &&
              posix_spawn(pid_out, shell, &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return ok;
}

static bool read_all(int from, struct buffer *to)
{
    for (;;) {
        uint8_t *room = buffer_reserve(to, OUTPUT_MAX - to->len);
        if (!room || to->len == OUTPUT_MAX) {
            errno = room ? EFBIG : ENOMEM;
            return false;
        }
        ssize_t got = read(from, room, OUTPUT_MAX - to->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        to->len += (size_t)got;
    }
}

/* A pipe is as good: what a password manager prints. */
static bool take_file(const char *name, struct password *out, struct error *e)
{
    const struct origin from = { name, ERROR_CONFIG };
    struct buffer words;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_system(e, ERROR_CONFIG, errno, "%.300s", name);
    buffer_init(&words, OUTPUT_MAX);
    bool ok = read_all(file, &words) ? take_line(&from, buffer_as_text(&words), out, e)
                                     : error_system(e, ERROR_CONFIG, errno, "%.300s", name);
    close(file);
    buffer_wipe(&words);
    return ok;
}

static bool ended_well(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool take_command(const char *command, struct password *out, struct error *e)
{
    const struct origin from = { command, ERROR_CONFIG };
    int ends[2];
    pid_t pid;
    struct buffer words;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "%.100s", command);
    buffer_init(&words, OUTPUT_MAX);
    bool started = start(command, ends[1], &pid);
    close(ends[1]);
    bool read_well = started && read_all(ends[0], &words);
    close(ends[0]);
    bool ok = started && ended_well(pid) && read_well;
    ok = ok ? take_line(&from, buffer_as_text(&words), out, e)
            : error_set(e, ERROR_CONFIG, "the command \"%.100s\" gives no password", command);
    buffer_wipe(&words);
    return ok;
}

/* --- All --- */

static bool has_variable(void)
{
    const char *value = getenv(PASSWORD_VARIABLE);
    return value && value[0];
}

bool password_is_given(const struct password_wish *s)
{
    return s->written || s->file || s->command || has_variable();
}

bool password_find(const struct password_wish *s, struct password *out, struct error *e)
{
    bool ok;
    if (s->written)
        ok = take_written("-p", s->written, out, e);
    else if (s->file)
        ok = take_file(s->file, out, e);
    else if (s->command)
        ok = take_command(s->command, out, e);
    else if (has_variable())
        ok = take_variable(out, e);
    else
        ok = prompt_password(s->prompt, out, e);
    if (!ok)
        secret_wipe(out, sizeof *out);
    return ok;
}
