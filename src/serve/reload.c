/* reload.c - a new configuration, or renewed certificates, for a server that goes on. */
#include "serve/reload.h"

#include "serve/conn.h"
#include "serve/relay.h"
#include "serve/renewal.h"

#include <stdlib.h>

struct reload {
    struct server *server;
    reload_done *done;
    void *owner;
    struct job job;
    bool renews;    /* only the certificates */
    bool unchanged; /* ... which are what they were */
    bool ok;
    struct error error;
    struct credentials *given; /* owned; NULL: none */
    const char *restart[CONFIG_RESTART_MAX];
    size_t restart_count;
    struct settings *next; /* read, and not yet handed out */
    struct settings *old;
    unsigned loops_left;
};

static void tell(const struct reload *r)
{
    struct server *server = r->server;
    if (r->unchanged || (r->renews && !r->ok))
        return; /* nothing happened, or whoever looks so often tells it once */
    if (!r->ok) {
        server_note(server, LOG_ERROR, "reload-failed", r->error.words);
        return;
    }
    credentials_tell(server->settings->credentials, server->settings->config, server->log,
                     LOG_NOTICE);
    server_note(server, LOG_NOTICE, "reloaded",
                r->renews ? "renewed certificates are in effect"
                          : "the new configuration is in effect");
}

/* Those who follow the settings from loop 0. */
static void tell_followers(const struct reload *r)
{
    struct server *server = r->server;
    if (!r->ok || r->unchanged || server->loops[0].stopping)
        return;
    renewal_follow(server->renewal);
    if (!r->renews)
        relay_reconfigure(server->relay);
}

/* Whoever rotates logs says so with the signal that asks for a reload, and means it whatever the
 * configuration file is like. */
static void follow_with_log(struct server *server)
{
    const struct config *config = server->settings->config;
    struct log_options options = {
        .file = config->log_file.len ? config->log_file.at : NULL,
        .format = config->log_json ? LOG_JSON : LOG_TEXT,
        .rings = server->loop_count + 1,
    };
    struct error error;
    if (!log_reopen(server->log, &options, &error))
        server_note(server, LOG_WARNING, "log", error.words);
}

static void finish(struct reload *r)
{
    struct server *server = r->server;
    if (!r->ok && !r->renews)
        follow_with_log(server);
    tell(r);
    tell_followers(r);
    if (r->done)
        r->done(r->owner, r->ok, &r->error);
    server->reload = NULL;
    if (r->renews && r->old)
        r->old->config = NULL; /* the new settings have it */
    settings_free(&r->old);
    credentials_free(&r->given);
    free(r);
    if (server->reload_again)
        reload_ask(server);
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

static void settings_taken(struct post *post)
{
    struct server_loop *l = OWNER_OF(post, struct server_loop, settings_taken);
    struct reload *r = l->server->reload;
    if (--r->loops_left > 0)
        return;
    follow_with_log(r->server);
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

static void note_restart_needed(const struct reload *r)
{
    for (size_t i = 0; i < r->restart_count; i++)
        LOG_EVENT(r->server->log, LOG_WARNING, T("-"), "needs-restart",
                  { "key", text_of(r->restart[i]) },
                  { "why", T("needs a restart; the old value stays in effect") });
}

static void hand_out(struct reload *r, struct settings *next)
{
    struct server *server = r->server;
    note_restart_needed(r);
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

/* --- 1: the files --- */

static void warn(void *owner, const char *words)
{
    server_note(owner, LOG_WARNING, "configuration", words);
}

static bool load(struct reload *r, const struct config_notices *notices, struct config **out)
{
    const struct config *now = r->server->settings->config;
    if (!config_load(now->file.len ? now->file.at : NULL, notices, out, &r->error))
        return false;
    r->restart_count = config_needs_restart(now, *out, r->restart);
    if (config_keep(*out, now, &r->error))
        return true;
    config_free(out);
    return false;
}

/* The settings in effect are replaced on loop 0 and only by a reload: this one. */
static void read_everything(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    struct config_notices notices = { warn, r->server };
    struct settings_source source = { r->server->tls,
                                      { r->given, r->server->settings->credentials, &notices } };
    struct config *config;
    r->ok = load(r, &notices, &config) && settings_new(config, &source, &r->next, &r->error);
}

/* Read once: what is compared is what is used. */
static void read_certificates(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    const struct settings *now = r->server->settings;
    struct credential_sources found = { NULL, now->credentials, NULL };
    r->ok = credentials_read(now->config, &found, &r->given, &r->error);
    r->unchanged = r->ok && credentials_equal(r->given, now->credentials);
    if (!r->ok || r->unchanged)
        return;
    struct settings_source source = { r->server->tls, { r->given, NULL, NULL } };
    r->ok = settings_renew(now, &source, &r->next, &r->error);
}

static void files_read(struct job *job)
{
    struct reload *r = OWNER_OF(job, struct reload, job);
    if (r->ok && !r->unchanged)
        hand_out(r, r->next);
    else
        finish(r);
}

/* Takes what the reload has, on failure too. */
static bool begin(struct server *server, struct reload *reload, struct error *error)
{
    bool busy = server->reload || server->loops[0].stopping;
    struct reload *r = busy ? NULL : calloc(1, sizeof *r);
    if (!r) {
        credentials_free(&reload->given);
        return error_set(error, ERROR_TEMPORARY,
                         busy ? "the server is reloading or stopping already" : "memory is short");
    }
    *r = *reload;
    r->server = server;
    r->job = (struct job){ .run = r->renews ? read_certificates : read_everything,
                           .done = files_read,
                           .home = server->loops[0].loop };
    if (!lane_submit(server->chores, &r->job)) {
        credentials_free(&r->given);
        free(r);
        return error_set(error, ERROR_TEMPORARY, "too busy, try again later");
    }
    server->reload = r;
    server_loop_hold(&server->loops[0]);
    return true;
}

bool reload_start(struct server *server, struct credentials *given, reload_done *done, void *owner,
                  struct error *error)
{
    struct reload reload = { .given = given, .done = done, .owner = owner };
    return begin(server, &reload, error);
}

void reload_ask(struct server *server)
{
    struct error error;
    server->reload_again = server->reload != NULL;
    if (server->reload || reload_start(server, NULL, NULL, NULL, &error))
        return;
    follow_with_log(server);
    server_note(server, LOG_WARNING, "reload", error.words);
}

bool reload_certificates(struct server *server, reload_done *done, void *owner, struct error *error)
{
    struct reload reload = { .renews = true, .done = done, .owner = owner };
    return begin(server, &reload, error);
}
