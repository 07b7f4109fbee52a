/* server.c - one server from its start to its end.
 *
 * The order of the start is fixed (DESIGN.md): configuration, sockets, user, store; only then
 * threads.  The end is the same backwards.
 */
#include "serve/server.h"

#include "base/check.h"
#include "run/entropy.h"
#include "run/owner.h"
#include "run/process.h"
#include "serve/auth.h"
#include "serve/conn.h"
#include "serve/control.h"
#include "serve/ports.h"
#include "serve/reload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    EXIT_DONE = 0,
    EXIT_REFUSED = 1,
    EXIT_TEMPORARY = 75,
    EXIT_CONFIG = 78,
    STOP_GRACE_MS = 30000,
    TEND_MS = 1000,
    DESCRIPTORS_FOR_US = 200, /* segments, databases, logs */
};

/* Everything that exists before the server does. */
struct start {
    struct config *config;
    struct bound_ports ports;
    struct server server;
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
        c->type->shut_down(c);
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
    process_notify("STOPPING=1");
    server_note(server, LOG_NOTICE, "stopping", "finishing the messages in flight");
    control_stop(&server->control);
    for (unsigned i = 0; i < server->loop_count; i++) {
        server->loops[i].stop_post.run = loop_stop_serving;
        loop_post(server->loops[i].loop, &server->loops[i].stop_post);
    }
}

static void stop_after_failure(struct post *post)
{
    struct server *server = OWNER_OF(post, struct server, fail_post);
    server_note(server, LOG_ERROR, "failed", "the store cannot go on; exiting for a restart");
    server->exit_code = EXIT_TEMPORARY;
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

/* Asking is enough: what ails the store is then tried again (STORE.md 13). */
static void tend(struct timer *timer)
{
    struct server *server = OWNER_OF(timer, struct server, tend_timer);
    struct loop *loop = server->loops[0].loop;
    (void)store_health(server->store);
    loop_timer_start(loop, timer, loop_now_ms(loop) + TEND_MS);
}

/* --- Signals --- */

static void on_terminate(void *owner)
{
    server_stop(owner);
}

static void on_hangup(void *owner)
{
    struct server *server = owner;
    struct error error;
    if (!reload_start(server, NULL, NULL, &error))
        server_note(server, LOG_WARNING, "reload", error.words);
}

static bool catch_signals(struct server *server, struct error *error)
{
    struct loop *loop = server->loops[0].loop;
    signal(SIGPIPE, SIG_IGN);
    return loop_on_signal(loop, SIGTERM, on_terminate, server, error) &&
           loop_on_signal(loop, SIGINT, on_terminate, server, error) &&
           loop_on_signal(loop, SIGHUP, on_hangup, server, error);
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
    return loop_new(&l->loop, error);
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

static bool start_threads(struct server *server, struct error *error)
{
    for (unsigned i = 1; i < server->loop_count; i++) {
        struct server_loop *l = &server->loops[i];
        if (!lane_new("loop", 1, 1, &l->thread, error))
            return false;
    }
    /* Only now: a loop that turns must be stopped with all others. */
    for (unsigned i = 1; i < server->loop_count; i++) {
        struct server_loop *l = &server->loops[i];
        l->thread_job.run = loop_thread;
        lane_follow(l->thread, &l->thread_job);
    }
    return true;
}

/* --- Starting --- */

static void warn(void *owner, const char *words)
{
    (void)owner;
    fprintf(stderr, "godwit: warning: %s\n", words);
}

static void store_failed(void *owner)
{
    server_fail(owner);
}

static void store_notice(void *owner, bool is_trouble, const char *words)
{
    server_note(owner, is_trouble ? LOG_WARNING : LOG_NOTICE, "store", words);
}

/* More connections than descriptors would only fail later and worse. */
static void fit_connections(struct config *config)
{
    uint64_t descriptors = process_raise_descriptors();
    uint64_t most =
        descriptors > 2 * DESCRIPTORS_FOR_US ? descriptors - DESCRIPTORS_FOR_US : descriptors / 2;
    if (config->connections && config->connections <= most)
        return;
    if (config->connections)
        fprintf(stderr,
                "godwit: warning: limits: connections = %u is more than the %llu descriptors of "
                "this process allow: using %llu\n",
                config->connections, (unsigned long long)descriptors, (unsigned long long)most);
    config->connections = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
}

static bool become_user(const struct config *config, struct error *error)
{
    char warning[ERROR_WORDS_MAX];
    struct owner_wish wish = {
        .data = config->data.at,
        .user = config->user.at,
        .user_written = config->user_written,
        .create = true,
        .must_be_user = true,
    };
    if (!owner_become(&wish, warning, error))
        return false;
    if (warning[0])
        warn(NULL, warning);
    return true;
}

static bool open_log(struct server *server, const struct config *config, unsigned loops,
                     struct error *error)
{
    struct log_options options = {
        .file = config->log_file.len ? config->log_file.at : NULL,
        .format = config->log_json ? LOG_JSON : LOG_TEXT,
        .rings = loops + 1,
    };
    return log_new(&options, &server->log, error);
}

static bool open_store(struct server *server, const struct config *config, struct error *error)
{
    struct store_options options = {
        .path = config->data.at,
        .create = true,
        .body_memory = config->body_memory,
        .notice = store_notice,
        .failed = store_failed,
        .owner = server,
    };
    return store_open(&options, &server->store, error) &&
           people_new(config->data.at, server->shared, &server->people, error) &&
           auth_new(server->people, server->shared, &server->auth, error) &&
           lane_new("chores", 1, 16, &server->chores, error);
}

static bool open_control(struct server *server, const struct config *config, struct error *error)
{
    char path[4096];
    int socket;
    snprintf(path, sizeof path, "%s/control.sock", config->data.at);
    return listener_bind_local(path, &socket, error) &&
           control_start(server, socket, &server->control, error);
}

/* What a newcomer sees who has no configuration file. */
static void greet(const struct start *start)
{
    if (start->server.settings->config->file.len)
        return;
    printf("godwit " GODWIT_VERSION " serves the domain localhost on this machine only:\n");
    ports_print(&start->ports);
    printf("Next, in another terminal in this folder:\n"
           "  godwit user add alice@localhost\n"
           "  swaks --server 127.0.0.1:2525 --from alice@localhost --to alice@localhost\n"
           "  godwit mailbox list alice@localhost\n");
    fflush(stdout);
}

static bool open_server(struct start *start, unsigned loops, struct error *error)
{
    struct server *server = &start->server;
    struct config *config = start->config;
    start->config = NULL; /* the settings own it from here */
    return settings_new(config, &server->settings, error) && shared_new(&server->shared, error) &&
           open_store(server, config, error) && make_loops(server, loops, error) &&
           open_control(server, config, error) && ports_start(&start->ports, server, error) &&
           log_start(server->log, error) && catch_signals(server, error) &&
           start_threads(server, error);
}

static void close_server(struct start *start)
{
    struct server *server = &start->server;
    for (unsigned i = 1; i < server->loop_count; i++)
        lane_free(&server->loops[i].thread);
    control_stop(&server->control);
    auth_free(&server->auth);
    people_free(&server->people);
    lane_free(&server->chores);
    store_close(&server->store);
    for (unsigned i = 0; i < server->loop_count; i++) {
        close_listeners(&server->loops[i]); /* open yet when the start has failed */
        loop_free(&server->loops[i].loop);
        address_cache_free(&server->loops[i].cache);
    }
    free(server->loops);
    shared_free(&server->shared);
    log_free(&server->log);
    settings_free(&server->settings);
    ports_clear(&start->ports);
    config_free(&start->config);
}

static int exit_code_of(const struct error *error)
{
    return error->kind == ERROR_CONFIG      ? EXIT_CONFIG
           : error->kind == ERROR_TEMPORARY ? EXIT_TEMPORARY
                                            : EXIT_REFUSED;
}

static int complain(const struct error *error)
{
    fprintf(stderr, "godwit: serve: %s\n", error->words);
    return exit_code_of(error);
}

static int serve(struct start *start, unsigned loops)
{
    struct server *server = &start->server;
    struct error error;
    if (!open_server(start, loops, &error))
        return complain(&error);
    greet(start);
    server->tend_timer.fire = tend;
    tend(&server->tend_timer);
    process_notify("READY=1");
    server_note(server, LOG_NOTICE, "ready", "godwit " GODWIT_VERSION " is serving");
    log_use_ring(server->log, 0);
    loop_run(server->loops[0].loop);
    return server->exit_code;
}

int server_run(const char *config_file, unsigned loops)
{
    struct start start = { .server.failed = ATOMIC_FLAG_INIT };
    struct config_notices notices = { warn, NULL };
    struct error error = { .kind = ERROR_NONE };
    if (loops == 0 || loops > SERVER_LOOPS_MAX)
        loops = process_processors() < SERVER_LOOPS_MAX ? process_processors() : SERVER_LOOPS_MAX;
    if (!config_load(config_file, &notices, &start.config, &error))
        return complain(&error);
    fit_connections(start.config);
    int code;
    if (!ports_bind(start.config, loops, &start.ports, &error) ||
        !become_user(start.config, &error) || !open_log(&start.server, start.config, loops, &error))
        code = complain(&error);
    else
        code = serve(&start, loops);
    close_server(&start);
    return code;
}
