/* remote.c - one request to the running server: a JSON object on a line each way. */
#include "cli/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 256 * 1024, PATIENCE_SECONDS = 120 };

/* The socket's name through the open folder: a path may be longer than a socket's name. */
static bool socket_name(int folder, struct sockaddr_un *out)
{
    out->sun_family = AF_UNIX;
    int len =
        snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d/control.sock", folder);
    return len > 0 && (size_t)len < sizeof out->sun_path;
}

static enum remote_state reach(const char *data, int *out, struct error *e)
{
    struct sockaddr_un name = { 0 };
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    enum remote_state state = REMOTE_DONE;
    int folder = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && (errno == ENOENT || errno == ENOTDIR))
        return REMOTE_NOBODY;
    int s = folder < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || !socket_name(folder, &name) ||
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(s, (const struct sockaddr *)&name, sizeof name) != 0) {
        state =
            s >= 0 && (errno == ENOENT || errno == ECONNREFUSED) ? REMOTE_NOBODY : REMOTE_REFUSED;
        error_system(e, ERROR_TEMPORARY, errno, "%s/control.sock", data);
    }
    if (folder >= 0)
        close(folder);
    if (s >= 0 && state != REMOTE_DONE)
        close(s);
    *out = s;
    return state;
}

bool remote_is_there(const char *data)
{
    int s = -1;
    struct error ignored;
    bool there = reach(data, &s, &ignored) == REMOTE_DONE;
    if (there)
        close(s);
    return there;
}

static bool send_all(int s, const void *octets, size_t len, struct error *e)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(s, (const char *)octets + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_system(e, ERROR_TEMPORARY, errno, "asking the server");
        sent += (size_t)n;
    }
    return true;
}

static bool receive_line(int s, struct buffer *to, struct error *e)
{
    while (text_find(buffer_as_text(to), '\n') == to->len) {
        uint8_t *at = buffer_reserve(to, 4096);
        if (!at)
            return error_set(e, ERROR_TEMPORARY, "the server's answer is too long");
        ssize_t n = recv(s, at, 4096, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return error_set(e, ERROR_TEMPORARY, "the server did not answer within %d s",
                             PATIENCE_SECONDS);
        if (n <= 0)
            return error_set(e, ERROR_TEMPORARY,
                             "the server closed the connection without an "
                             "answer; its log says more");
        to->len += (size_t)n;
    }
    return true;
}

/* Whether the answer is yes; else why not. */
static bool is_yes(const json_t *answer, struct error *e)
{
    const char *kind = json_string_value(json_object_get(answer, "kind"));
    const char *words = json_string_value(json_object_get(answer, "words"));
    return json_is_true(json_object_get(answer, "ok")) ||
           error_set(e,
                     kind && strcmp(kind, "config") == 0    ? ERROR_CONFIG
                     : kind && strcmp(kind, "refused") == 0 ? ERROR_REFUSED
                                                            : ERROR_TEMPORARY,
                     "the server says: %s", words ? words : "something that is no answer");
}

static json_t *parse(struct text line)
{
    return json_loadb(line.at, line.len, JSON_DISABLE_EOF_CHECK, NULL);
}

static enum remote_state understand(struct text line, json_t **answer_out, struct error *e)
{
    json_t *answer = parse(line);
    bool ok = is_yes(answer, e);
    if (ok)
        *answer_out = answer;
    else
        json_decref(answer);
    return ok ? REMOTE_DONE : REMOTE_REFUSED;
}

static bool send_request(int s, char *line, struct bytes behind, struct error *e)
{
    size_t len = strlen(line);
    line[len++] = '\n'; /* where the zero was */
    return send_all(s, line, len, e) && send_all(s, behind.at, behind.len, e);
}

static enum remote_state exchange(const char *data, json_t *request, struct bytes behind,
                                  json_t **answer_out, struct error *e)
{
    struct buffer answer;
    int s;
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!line) {
        error_set(e, ERROR_TEMPORARY, "memory is short");
        return REMOTE_REFUSED;
    }
    buffer_init(&answer, ANSWER_MAX);
    enum remote_state state = reach(data, &s, e);
    if (state == REMOTE_DONE) {
        state = send_request(s, line, behind, e) && receive_line(s, &answer, e)
                    ? understand(buffer_as_text(&answer), answer_out, e)
                    : REMOTE_REFUSED;
        close(s);
    }
    buffer_clear(&answer);
    free(line);
    return state;
}

enum remote_state remote_ask(const char *data, json_t *request, struct error *e)
{
    return remote_ask_with(data, request, (struct bytes){ 0 }, e);
}

enum remote_state remote_ask_with(const char *data, json_t *request, struct bytes behind,
                                  struct error *e)
{
    json_t *answer = NULL;
    enum remote_state state = exchange(data, request, behind, &answer, e);
    json_decref(answer);
    return state;
}

enum remote_state remote_ask_for(const char *data, json_t *request, json_t **answer_out,
                                 struct error *e)
{
    return exchange(data, request, (struct bytes){ 0 }, answer_out, e);
}

/* --- A longer talk --- */

static enum remote_state begin_talk(struct remote_talk *t, const char *data, char *line,
                                    struct error *e)
{
    json_t *answer = NULL;
    enum remote_state state = reach(data, &t->socket, e);
    if (state != REMOTE_DONE)
        return state;
    if (!send_request(t->socket, line, (struct bytes){ 0 }, e) ||
        !remote_talk_answer(t, &answer, e)) {
        remote_talk_close(t);
        state = REMOTE_REFUSED;
    }
    json_decref(answer);
    return state;
}

enum remote_state remote_talk_open(struct remote_talk *t, const char *data, json_t *request,
                                   struct error *e)
{
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    buffer_init(&t->in, ANSWER_MAX);
    t->socket = -1;
    if (!line) {
        error_set(e, ERROR_TEMPORARY, "memory is short");
        return REMOTE_REFUSED;
    }
    enum remote_state state = begin_talk(t, data, line, e);
    free(line);
    return state;
}

bool remote_talk_send(struct remote_talk *t, struct bytes octets, struct error *e)
{
    return send_all(t->socket, octets.at, octets.len, e);
}

bool remote_talk_answer(struct remote_talk *t, json_t **answer_out, struct error *e)
{
    struct text line, rest;
    *answer_out = NULL;
    if (!receive_line(t->socket, &t->in, e))
        return false;
    rest = buffer_as_text(&t->in);
    text_cut(&rest, '\n', &line);
    *answer_out = parse(line);
    buffer_take(&t->in, line.len + 1);
    return is_yes(*answer_out, e);
}

void remote_talk_close(struct remote_talk *t)
{
    if (t->socket >= 0)
        close(t->socket);
    t->socket = -1;
    buffer_clear(&t->in);
}
