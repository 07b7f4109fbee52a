/* control.c - DATA/control.sock: what the command line asks of a running server. */
#include "run/process.h"
#include "serve/confine.h"
#include "serve/control_inner.h"
#include "serve/reload.h"

#include <stdlib.h>

enum {
    LINE_MAX_OCTETS = 64 * 1024,
    REQUEST_MAX = 1024 * 1024, /* with the files behind the line */
    REPLY_MAX = 256 * 1024,
    CALLERS_MAX = 64,
};

struct control {
    struct server *server;
    struct listener *listener;
    struct list callers;
    unsigned caller_count;
};

static void caller_free(struct caller *c)
{
    if (c->stream)
        stream_close(&c->stream);
    if (c->control)
        c->control->caller_count--;
    list_remove(&c->link);
    buffer_wipe(&c->request); /* maybe keys of certificates */
    free(c);
}

struct list *control_callers(struct control *control)
{
    return &control->callers;
}

/* --- Answers --- */

static const char *kind_name(enum error_kind kind)
{
    return kind == ERROR_CONFIG                           ? "config"
           : kind == ERROR_REFUSED || kind == ERROR_USAGE ? "refused"
                                                          : "temporary";
}

void control_answer(struct caller *c, json_t *reply)
{
    char *words = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    struct buffer line;
    buffer_init(&line, REPLY_MAX);
    if (words && c->stream && buffer_text(&line, text_of(words)) && buffer_byte(&line, '\n')) {
        stream_write(c->stream, buffer_bytes(&line));
        stream_finish(&c->stream);
    }
    buffer_clear(&line);
    free(words);
    json_decref(reply);
    caller_free(c);
}

void control_fail(struct caller *c, const struct error *error)
{
    control_answer(c, json_pack("{s:b,s:s,s:s}", "ok", 0, "kind", kind_name(error->kind), "words",
                                error->words));
}

/* Says how it ended, and goodbye. */
static void answer(struct caller *c, bool ok, const struct error *error)
{
    if (ok)
        control_answer(c, json_pack("{s:b}", "ok", 1));
    else
        control_fail(c, error);
}

static void refuse(struct caller *c, enum error_kind kind, const char *words)
{
    struct error error;
    error_set(&error, kind, "%s", words);
    answer(c, false, &error);
}

/* --- What can be asked --- */

static void reload_ended(void *owner, bool ok, const struct error *error)
{
    answer(owner, ok, error);
}

/* How many octets of files follow the line; false: the request makes no sense. */
static bool count_files(const json_t *files, uint64_t *octets_out)
{
    size_t index;
    json_t *file;
    *octets_out = 0;
    json_array_foreach(files, index, file)
    {
        json_int_t octets = json_integer_value(json_array_get(file, 1));
        if (!json_is_string(json_array_get(file, 0)) || octets < 0 ||
            octets > CREDENTIAL_OCTETS_MAX)
            return false;
        *octets_out += (uint64_t)octets;
    }
    return *octets_out < REQUEST_MAX;
}

static bool take_files(const json_t *files, struct bytes octets, struct credentials **out,
                       struct error *error)
{
    size_t index;
    json_t *file;
    if (!credentials_new(out, error))
        return false;
    json_array_foreach(files, index, file)
    {
        size_t len = (size_t)json_integer_value(json_array_get(file, 1));
        struct text path = text_of(json_string_value(json_array_get(file, 0)));
        if (!credentials_add(*out, path, (struct bytes){ octets.at, len }, error)) {
            credentials_free(out);
            return false;
        }
        octets.at += len;
    }
    return true;
}

/* Waits until the files are complete. */
static void ask_reload(struct caller *c, const json_t *request, struct bytes behind)
{
    struct error error;
    struct credentials *given;
    uint64_t octets;
    const json_t *files = json_object_get(request, "files");
    if (!count_files(files, &octets)) {
        refuse(c, ERROR_REFUSED, "the files of this request make no sense");
        return;
    }
    if (behind.len < octets)
        return;
    if (take_files(files, behind, &given, &error))
        c->busy = reload_start(c->server, given, reload_ended, c, &error);
    if (!c->busy)
        answer(c, false, &error);
}

static void ask_directory(struct caller *c, const json_t *request, struct bytes behind)
{
    (void)request, (void)behind;
    shared_directory_changed(c->server->shared);
    answer(c, true, NULL);
}

static void purge_done(struct commit *commit)
{
    struct caller *c = OWNER_OF(commit, struct caller, commit);
    struct server *server = c->server;
    answer(c, commit->verdict == STORE_STORED, &commit->error);
    server_loop_release(&server->loops[0]);
}

static void ask_purge(struct caller *c, const json_t *request, struct bytes behind)
{
    (void)behind;
    const char *words = json_string_value(json_object_get(request, "mailbox"));
    char *end = NULL;
    mailbox_id mailbox = words ? strtoull(words, &end, 16) : 0;
    if (!mailbox || *end) {
        refuse(c, ERROR_REFUSED, "purge wants a mailbox of hexadecimal digits");
        return;
    }
    c->busy = true;
    server_loop_hold(&c->server->loops[0]);
    c->commit =
        (struct commit){ .purge = mailbox, .home = c->server->loops[0].loop, .done = purge_done };
    store_submit(c->server->store, &c->commit);
}

static void ask_sandbox(struct caller *c, const json_t *request, struct bytes behind)
{
    char words[ERROR_WORDS_MAX];
    (void)request, (void)behind;
    bool whole = confine_words(c->server->settings->config, &c->server->walls, words);
    control_answer(c, json_pack("{s:b,s:b,s:s}", "ok", 1, "whole", whole, "words", words));
}

static const struct {
    const char *name;
    void (*run)(struct caller *, const json_t *request, struct bytes behind);
} requests[] = {
    { "reload", ask_reload },       { "directory", ask_directory },   { "purge", ask_purge },
    { "queue", control_ask_queue }, { "hops", control_ask_hops },     { "ban", control_ask_ban },
    { "sandbox", ask_sandbox },     { "import", control_ask_import },
};

static void run_request(struct caller *c, struct text line, struct bytes behind)
{
    json_t *request = json_loadb(line.at, line.len, 0, NULL);
    const char *name = json_string_value(json_object_get(request, "do"));
    for (size_t i = 0; name && i < sizeof requests / sizeof *requests; i++)
        if (text_equal(text_of(name), text_of(requests[i].name))) {
            requests[i].run(c, request, behind);
            json_decref(request);
            return;
        }
    json_decref(request);
    refuse(c, ERROR_REFUSED, "this server does not know that request; is it of another version?");
}

/* --- The connection --- */

static void take_request(struct caller *c, struct bytes bytes)
{ /* Reserved once: growth would leave copies of secrets behind. */
    if ((!c->request.at && !buffer_reserve(&c->request, REQUEST_MAX)) ||
        !buffer_append(&c->request, bytes.at, bytes.len)) {
        refuse(c, ERROR_REFUSED, "the request is too long");
        return;
    }
    struct text rest = buffer_as_text(&c->request), line;
    if (text_cut(&rest, '\n', &line))
        run_request(c, line, bytes_of_text(rest));
    else if (line.len > LINE_MAX_OCTETS)
        refuse(c, ERROR_REFUSED, "the request is too long");
}

static void on_input(void *owner, struct bytes bytes)
{
    struct caller *c = owner;
    if (c->import)
        control_import_input(c, bytes); /* which may free the caller */
    else if (!c->busy)
        take_request(c, bytes);
}

static void on_end(void *owner, const struct error *why)
{
    struct caller *c = owner;
    (void)why;
    if (!c->busy) {
        caller_free(c);
        return;
    }
    stream_close(&c->stream);
    if (c->import)
        control_import_gone(c);
}

static void on_drained(void *owner)
{
    (void)owner;
}

static const struct stream_events events = { on_input, on_end, on_drained };

/* SO_PEERCRED: root and ourselves, nobody else (the folder's mode says the same). */
static bool may_ask(const struct stream *stream)
{
    unsigned uid;
    return stream_peer_user(stream, &uid) && (uid == 0 || uid == process_uid());
}

static void on_accepted(void *owner, struct stream *stream)
{
    struct control *control = owner;
    struct caller *c = NULL;
    if (may_ask(stream) && control->caller_count < CALLERS_MAX)
        c = calloc(1, sizeof *c);
    if (!c) {
        stream_close(&stream);
        return;
    }
    c->control = control;
    c->server = control->server;
    c->stream = stream;
    buffer_init(&c->request, REQUEST_MAX);
    list_append(&control->callers, &c->link);
    control->caller_count++;
    stream_start(stream, &events, c);
}

static void on_trouble(void *owner, const struct error *error)
{
    struct control *control = owner;
    server_note(control->server, LOG_WARNING, "control", error->words);
}

bool control_start(struct server *server, int socket, struct control **out, struct error *error)
{
    static const struct listener_events listener_events = { on_accepted, on_trouble };
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    c->server = server;
    list_init(&c->callers);
    if (!listener_start(server->loops[0].loop, socket, &listener_events, c, &c->listener, error)) {
        free(c);
        return false;
    }
    *out = c;
    return true;
}

void control_stop(struct control **control)
{
    struct control *c = *control;
    if (!c)
        return;
    listener_close(&c->listener);
    for (struct list *at; (at = list_take_first(&c->callers));) {
        struct caller *caller = OWNER_OF(at, struct caller, link);
        caller->control = NULL;
        if (caller->import)
            control_import_stop(caller);
        else if (!caller->busy)
            caller_free(caller);
    }
    free(c);
    *control = NULL;
}
