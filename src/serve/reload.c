/* reload.c - a new configuration for a server that goes on. */
#include "serve/reload.h"

#include "serve/conn.h"
#include "serve/relay.h"

#include <stdlib.h>

struct reload {
    struct server *server;
    reload_done *done;
    void *owner;
    struct job job;
    bool ok;
    struct error error;
    struct credentials *given; /* owned; NULL: none */
    struct settings *next;     /* read, and not yet handed out */
    struct settings *old;
    unsigned loops_left;
};

static void finish(struct reload *r)
{
    struct server *server = r->server;
    if (r->ok)
        credentials_tell(server->settings->credentials, server->settings->config, server->log);
    if (r->ok)
        server_note(server, LOG_NOTICE, "reloaded", "the new configuration is in effect");
    else
        server_note(server, LOG_ERROR, "reload-failed", r->error.words);
    if (r->ok && !server->loops[0].stopping)
        relay_reconfigure(server->relay);
    if (r->done)
        r->done(r->owner, r->ok, &r->error);
    server->reload = NULL;
    settings_free(&r->old);
    credentials_free(&r->given);
    free(r);
    server_loop_release(&server->loops[0]);
}

/* --- 3, 4: behind the loops --- */

/* What was found under the old settings may be in an address cache yet, or on its way into one: a
 * change of the directory makes it forgotten. */
static void barrier_passed(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    shared_directory_changed(r->server->shared);
    finish(r);
}

static void follow_with_log(struct reload *r)
{
    const struct config *config = r->server->settings->config;
    struct log_options options = {
        .file = config->log_file.len ? config->log_file.at : NULL,
        .format = config->log_json ? LOG_JSON : LOG_TEXT,
        .rings = r->server->loop_count + 1,
    };
    struct error error;
    if (!log_reopen(r->server->log, &options, &error))
        server_note(r->server, LOG_WARNING, "log", error.words);
}

static void settings_taken(struct post *post)
{
    struct server_loop *l = OWNER_OF(post, struct server_loop, settings_taken);
    struct reload *r = l->server->reload;
    if (--r->loops_left > 0)
        return;
    follow_with_log(r);
    r->job = (struct job){ .done = barrier_passed };
    people_barrier(r->server->people, &r->job, r->server->loops[0].loop);
}

/* --- 2: on every loop --- */

static void take_settings(struct post *post)
{
    struct server_loop *l = OWNER_OF(post, struct server_loop, settings_post);
    l->settings = l->next_settings;
    for (struct list *at = l->conns.next; at != &l->conns; at = at->next) {
        struct conn *c = OWNER_OF(at, struct conn, link);
        c->settings = l->settings;
        c->wire.level = settings_wire_level(l->settings);
        c->type->reconfigure(c, l->settings);
    }
    loop_post(l->server->loops[0].loop, &l->settings_taken);
}

static void note_restart_needed(struct server *server, const struct settings *next)
{
    const char *names[3];
    size_t count = config_needs_restart(server->settings->config, next->config, names);
    for (size_t i = 0; i < count; i++)
        LOG_EVENT(server->log, LOG_WARNING, T("-"), "needs-restart", { "key", text_of(names[i]) },
                  { "why", T("needs a restart; the old value stays in effect") });
}

static void hand_out(struct reload *r, struct settings *next)
{
    struct server *server = r->server;
    note_restart_needed(server, next);
    r->old = server->settings;
    server->settings = next;
    r->loops_left = server->loop_count;
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct server_loop *l = &server->loops[i];
        l->next_settings = next;
        l->settings_post.run = take_settings;
        l->settings_taken.run = settings_taken;
        loop_post(l->loop, &l->settings_post);
    }
}

/* --- 1: the file --- */

static void warn(void *owner, const char *words)
{
    server_note(owner, LOG_WARNING, "configuration", words);
}

/* The settings in effect are replaced on loop 0 and only by a reload: this one. */
static void read_file(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    const struct settings *now = r->server->settings;
    struct config_notices notices = { warn, r->server };
    struct settings_source source = { r->server->tls, { r->given, now->credentials, &notices } };
    struct config *config;
    r->ok = config_load(now->config->file.len ? now->config->file.at : NULL, &notices, &config,
                        &r->error) &&
            settings_new(config, &source, &r->next, &r->error);
}

static void file_read(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    if (r->ok)
        hand_out(r, r->next);
    else
        finish(r);
}

bool reload_start(struct server *server, struct credentials *given, reload_done *done, void *owner,
                  struct error *error)
{
    bool busy = server->reload || server->loops[0].stopping;
    struct reload *r = busy ? NULL : calloc(1, sizeof *r);
    if (!r) {
        credentials_free(&given);
        return error_set(error, ERROR_TEMPORARY,
                         busy ? "the server is reloading or stopping already" : "memory is short");
    }
    *r = (struct reload){ .server = server, .given = given, .done = done, .owner = owner };
    r->job = (struct job){ .run = read_file, .done = file_read, .home = server->loops[0].loop };
    if (!lane_submit(server->chores, &r->job)) {
        credentials_free(&r->given);
        free(r);
        return error_set(error, ERROR_TEMPORARY, "too busy, try again later");
    }
    server->reload = r;
    server_loop_hold(&server->loops[0]);
    return true;
}
