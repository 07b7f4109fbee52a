/* server.c - one server from its start to its end.
 *
 * It knows nothing of the process that it lives in, which may hold several: signals, users and the
 * service manager are those of run.c, and so is the order of the start up to the sandbox; here it
 * is store, log, sockets, and only then threads.  The end is the same backwards.
 */
#include "serve/server.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "run/sasl.h"
#include "serve/auth.h"
#include "serve/conn.h"
#include "serve/control.h"
#include "serve/guard.h"
#include "serve/local.h"
#include "serve/pickup.h"
#include "serve/ports.h"
#include "serve/relay.h"
#include "serve/renewal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STOP_GRACE_MS = 30000,
    TEND_MS = 1000,
};

void server_note(struct server *server, enum log_level level, const char *event, const char *words)
{
    LOG_EVENT(server->log, level, T("-"), event, { "what", text_of(words) });
}

/* --- Stopping --- */

/* On loop 0.  Loops post to each other and lanes post to them all: they end together. */
static void loop_rests(struct post *post)
{
    struct server *server = OWNER_OF(post, struct server_loop, rest_post)->server;
    if (++server->loops_at_rest < server->loop_count)
        return;
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_stop(server->loops[i].loop);
}

void server_loop_hold(struct server_loop *l)
{
    l->operations++;
}

void server_loop_release(struct server_loop *l)
{
    CHECK(l->operations > 0);
    if (--l->operations > 0 || !l->stopping)
        return;
    l->rest_post.run = loop_rests;
    loop_post(l->server->loops[0].loop, &l->rest_post);
}

static void drop_all(struct timer *timer)
{
    struct server_loop *l = OWNER_OF(timer, struct server_loop, stop_timer);
    while (!list_empty(&l->conns)) {
        struct conn *c = OWNER_OF(l->conns.next, struct conn, link);
        conn_drop(c);
    }
}

static void close_listeners(struct server_loop *l)
{
    for (size_t i = 0; i < l->port_count; i++)
        listener_close(&l->ports[i].listener);
}

/* No session can free another's link, so the next one is known before this one may go. */
static void shut_sessions_down(struct server_loop *l)
{
    for (struct list *at = l->conns.next, *next; at != &l->conns; at = next) {
        struct conn *c = OWNER_OF(at, struct conn, link);
        next = at->next;
        c->type->shut_down(c, "4.3.2", "the server is shutting down");
        conn_resume(c);
    }
}

static void loop_stop_serving(struct post *post)
{
    struct server_loop *l = OWNER_OF(post, struct server_loop, stop_post);
    if (l->stopping)
        return;
    close_listeners(l);
    server_loop_hold(l);
    l->stopping = true;
    shut_sessions_down(l);
    l->stop_timer.fire = drop_all;
    if (!loop_timer_start(l->loop, &l->stop_timer, loop_now_ms(l->loop) + STOP_GRACE_MS))
        drop_all(&l->stop_timer);
    server_loop_release(l);
}

void server_stop(struct server *server)
{
    if (server->loops[0].stopping || server->loops[0].stop_post.run)
        return;
    if (server->tell_manager)
        server->tell_manager("STOPPING=1");
    server_note(server, LOG_NOTICE, "stopping", "finishing the messages in flight");
    control_stop(&server->control);
    local_stop(&server->local);
    pickup_stop(server->pickup);
    relay_stop(server->relay);
    for (unsigned i = 0; i < server->loop_count; i++) {
        server->loops[i].stop_post.run = loop_stop_serving;
        loop_post(server->loops[i].loop, &server->loops[i].stop_post);
    }
}

static void stop_as_asked(struct post *post)
{
    server_stop(OWNER_OF(post, struct server, ask_post));
}

void server_ask_stop(struct server *server)
{
    if (atomic_flag_test_and_set(&server->asked))
        return;
    server->ask_post.run = stop_as_asked;
    loop_post(server->loops[0].loop, &server->ask_post);
}

static void stop_after_failure(struct post *post)
{
    struct server *server = OWNER_OF(post, struct server, fail_post);
    server_note(server, LOG_ERROR, "failed", "the store cannot go on; exiting for a restart");
    server->exit_code = SERVER_EXIT_TEMPORARY;
    server_stop(server);
}

void server_fail(struct server *server)
{
    if (atomic_flag_test_and_set(&server->failed))
        return;
    server->fail_post.run = stop_after_failure;
    loop_post(server->loops[0].loop, &server->fail_post);
}

/* --- Tending --- */

/* Asking is enough: what ails the store is then tried again (store rule 13). */
static void tend(struct timer *timer)
{
    struct server *server = OWNER_OF(timer, struct server, tend_timer);
    struct loop *loop = server->loops[0].loop;
    (void)store_health(server->store);
    store_tend(server->store);
    loop_timer_start(loop, timer, loop_now_ms(loop) + TEND_MS);
}

/* --- Loops --- */

static void loop_thread(struct job *job)
{
    struct server_loop *l = OWNER_OF(job, struct server_loop, thread_job);
    log_use_ring(l->server->log, l->index);
    loop_run(l->loop);
}

static bool make_loop(struct server *server, unsigned index, struct error *error)
{
    struct server_loop *l = &server->loops[index];
    l->server = server;
    l->index = index;
    l->settings = server->settings;
    list_init(&l->conns);
    l->next_session = entropy_u64();
    l->cache = address_cache_new(server->shared);
    if (!l->cache)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    return sasl_service_new(&l->sasl, error) && loop_new(&l->loop, error);
}

static bool make_loops(struct server *server, unsigned count, struct error *error)
{
    server->loops = calloc(count, sizeof *server->loops);
    if (!server->loops)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    server->loop_count = count;
    for (unsigned i = 0; i < count; i++)
        if (!make_loop(server, i, error))
            return false;
    return true;
}

static bool make_threads(struct server *server, struct error *error)
{
    for (unsigned i = 1; i < server->loop_count; i++) {
        struct server_loop *l = &server->loops[i];
        if (!lane_new("loop", 1, 1, &l->thread, error))
            return false;
    }
    return true;
}

/* All or none: a loop that turns must be stopped with all others. */
static void turn_other_loops(struct server *server)
{
    for (unsigned i = 1; i < server->loop_count; i++) {
        struct server_loop *l = &server->loops[i];
        l->thread_job.run = loop_thread;
        lane_follow(l->thread, &l->thread_job);
    }
}

/* --- Starting --- */

static void store_failed(void *owner)
{
    server_fail(owner);
}

static void store_notice(void *owner, bool is_trouble, const char *words)
{
    server_note(owner, is_trouble ? LOG_WARNING : LOG_NOTICE, "store", words);
}

static bool open_log(struct server *server, const struct config *config, struct error *error)
{
    struct log_options options = {
        .file = config->log_file.len ? config->log_file.at : NULL,
        .format = config->log_json ? LOG_JSON : LOG_TEXT,
        .rings = server->loop_count + 1,
    };
    return log_new(&options, &server->log, error);
}

static bool open_auth(struct server *server, struct error *error)
{
    struct auth_options options = { server->people, server->shared, server->log };
    return auth_new(&options, &server->auth, error);
}

static bool open_store(struct server *server, const struct config *config, struct error *error)
{
    struct store_options options = {
        .path = config->data.at,
        .create = true,
        .body_memory = config->body_memory,
        .segment_octets = server->segment_octets,
        .notice = store_notice,
        .failed = store_failed,
        .owner = server,
    };
    return store_open(&options, &server->store, error) &&
           people_new(config->data.at, server->shared, &server->people, error) &&
           open_auth(server, error) && lane_new("chores", 1, 64, &server->chores, error);
}

static void cache_notice(void *owner, const char *words)
{
    server_note(owner, LOG_WARNING, "cache", words);
}

static bool open_cache(struct server *server, const struct config *config, struct error *error)
{
    struct cache_options options = {
        .path = config->data.at,
        .create = true,
        .notice = cache_notice,
        .owner = server,
    };
    struct cache *cache;
    if (!cache_open(&options, &cache, error))
        return false;
    guard_load(server->shared, cache, clock_wall_ms());
    return cache_lane_new(&cache, &server->cache, error);
}

static bool open_control(struct server *server, const struct config *config, struct error *error)
{
    char path[4096];
    int socket;
    snprintf(path, sizeof path, "%s/control.sock", config->data.at);
    return listener_bind_local(path, &socket, error) &&
           control_start(server, socket, &server->control, error);
}

bool server_new(struct config *config, const struct credentials *given, unsigned loops,
                struct server **out, struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    *out = server;
    if (!server) {
        config_free(&config);
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    }
    atomic_flag_clear(&server->failed);
    atomic_flag_clear(&server->asked);
    if (!tls_service_new(&server->tls, error)) {
        config_free(&config);
        server_free(out);
        return false;
    }
    struct settings_source source = { .service = server->tls, .files = { .given = given } };
    if (settings_new(config, &source, &server->settings, error) &&
        shared_new(&server->shared, error) && quota_new(&server->quota, error) &&
        make_loops(server, loops, error))
        return true;
    server_free(out);
    return false;
}

bool server_open(struct server *server, struct bound_ports *ports, struct error *error)
{
    const struct config *config = server->settings->config;
    return open_log(server, config, error) && open_store(server, config, error) &&
           open_cache(server, config, error) && relay_new(server, &server->relay, error) &&
           open_control(server, config, error) && local_start(server, &server->local, error) &&
           pickup_new(server, &server->pickup, error) &&
           renewal_new(server, &server->renewal, error) && ports_start(ports, server, error) &&
           log_start(server->log, error) && make_threads(server, error);
}

void server_begin(struct server *server)
{
    server->tend_timer.fire = tend;
    tend(&server->tend_timer);
    credentials_tell(server->settings->credentials, server->settings->config, server->log,
                     LOG_NOTICE);
    server_note(server, LOG_NOTICE, "ready", "godwit " GODWIT_VERSION " is serving");
    log_use_ring(server->log, 0);
    turn_other_loops(server);
    relay_start(server->relay);
    pickup_start(server->pickup);
}

void server_turn(struct server *server)
{
    server_begin(server);
    loop_run(server->loops[0].loop);
}

void server_free(struct server **server_ref)
{
    struct server *server = *server_ref;
    if (!server)
        return;
    *server_ref = NULL;
    for (unsigned i = 1; i < server->loop_count; i++)
        lane_free(&server->loops[i].thread);
    control_stop(&server->control);
    local_stop(&server->local);
    pickup_free(&server->pickup);
    renewal_free(&server->renewal);
    relay_free(&server->relay);
    auth_stop(server->auth);
    cache_lane_free(&server->cache);
    people_free(&server->people);
    auth_free(&server->auth);
    lane_free(&server->chores);
    store_close(&server->store);
    for (unsigned i = 0; i < server->loop_count; i++) {
        close_listeners(&server->loops[i]); /* open yet when the start has failed */
        loop_free(&server->loops[i].loop);
        address_cache_free(&server->loops[i].cache);
        sasl_service_free(&server->loops[i].sasl);
    }
    free(server->loops);
    quota_free(&server->quota);
    shared_free(&server->shared);
    log_free(&server->log);
    settings_free(&server->settings);
    tls_service_free(&server->tls);
    free(server);
}
