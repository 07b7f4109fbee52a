/* run.c - a server that is the whole process: its signals, user, service manager and exit code.
 *
 * Whatever several servers in one process could not each have is here; the rest is server.c.
 */
#include "serve/run.h"

#include "run/fetch.h"
#include "run/owner.h"
#include "run/process.h"
#include "serve/confine.h"
#include "serve/ports.h"
#include "serve/reload.h"

#include <signal.h>
#include <stdio.h>

enum { DESCRIPTORS_FOR_US = 200 /* segments, databases, logs */ };

/* --- Signals --- */

static void on_terminate(void *owner)
{
    server_stop(owner);
}

static void on_hangup(void *owner)
{
    reload_ask(owner);
}

static bool catch_signals(struct server *server, struct error *error)
{
    struct loop *loop = server->loops[0].loop;
    signal(SIGPIPE, SIG_IGN);
    return loop_on_signal(loop, SIGTERM, on_terminate, server, error) &&
           loop_on_signal(loop, SIGINT, on_terminate, server, error) &&
           loop_on_signal(loop, SIGHUP, on_hangup, server, error);
}

/* --- The process --- */

static void warn(void *owner, const char *words)
{
    (void)owner;
    fprintf(stderr, "godwit: warning: %s\n", words);
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
    static const struct owner_place places[] = {
        { "/run/godwit", 0755 },
        { "/var/spool/godwit", 03733 },
    };
    struct owner_wish wish = {
        .data = config->data.at,
        .user = config->user.at,
        .user_written = config->user_written,
        .create = true,
        .must_be_user = true,
        .places = places,
        .place_count = config->local_standard ? sizeof places / sizeof *places : 0,
    };
    if (!owner_become(&wish, warning, error))
        return false;
    if (warning[0])
        warn(NULL, warning);
    return true;
}

/* --- From start to end --- */

/* What a newcomer sees who has no configuration file. */
static void greet(const struct config *config, const struct bound_ports *ports)
{
    if (config->file.len)
        return;
    printf("godwit " GODWIT_VERSION " serves the domain localhost on this machine only:\n");
    ports_print(ports);
    printf("Next, in another terminal in this folder:\n"
           "  godwit user add alice@localhost\n"
           "  swaks --server 127.0.0.1:2525 --from alice@localhost --to alice@localhost\n"
           "  godwit mailbox list alice@localhost\n");
    fflush(stdout);
}

static enum server_exit exit_code_of(const struct error *error)
{
    return error->kind == ERROR_CONFIG      ? SERVER_EXIT_CONFIG
           : error->kind == ERROR_TEMPORARY ? SERVER_EXIT_TEMPORARY
                                            : SERVER_EXIT_REFUSED;
}

static enum server_exit complain(const struct error *error)
{
    fprintf(stderr, "godwit: serve: %s\n", error->words);
    return exit_code_of(error);
}

/* What takes root, if we are root: certificates, ports below 1024, another user. */
static bool take_what_root_may(struct config *config, unsigned loops, struct credentials **given,
                               struct bound_ports *ports, struct error *error)
{
    static const struct credential_sources sources = { .without_own = true };
    return credentials_read(config, &sources, given, error) &&
           ports_take_handed(loops, ports, error) && ports_bind(config, ports, error) &&
           become_user(config, error);
}

static void tell_walls(struct server *server)
{
    char words[ERROR_WORDS_MAX];
    bool whole = confine_words(server->settings->config, &server->walls, words);
    server_note(server, whole ? LOG_NOTICE : LOG_WARNING, "sandbox", words);
}

static enum server_exit serve(struct server *server, struct bound_ports *ports)
{
    struct error error;
    if (!server_open(server, ports, &error) || !catch_signals(server, &error))
        return complain(&error);
    tell_walls(server);
    greet(server->settings->config, ports);
    process_notify("READY=1");
    server_turn(server);
    return server->exit_code;
}

/* Takes the configuration. */
static enum server_exit start(struct config *config, unsigned loops, struct bound_ports *ports)
{
    struct credentials *given = NULL;
    struct server *server = NULL;
    struct error error;
    bool ok = take_what_root_may(config, loops, &given, ports, &error);
    struct sandbox_walls walls = { 0 };
    if (ok)
        walls = confine(config);
    else
        config_free(&config);
    ok = ok && server_new(config, given, loops, &server, &error);
    credentials_free(&given);
    if (!ok)
        return complain(&error);
    server->tell_manager = process_notify;
    server->walls = walls;
    enum server_exit code = serve(server, ports);
    server_free(&server);
    return code;
}

enum server_exit server_run(const char *config_file, unsigned loops)
{
    struct config_notices notices = { warn, NULL };
    struct config *config = NULL;
    struct bound_ports ports = { 0 };
    struct error error;
    if (loops == 0 || loops > SERVER_LOOPS_MAX)
        loops = process_processors() < SERVER_LOOPS_MAX ? process_processors() : SERVER_LOOPS_MAX;
    if (!fetch_set_up(&error) || !config_load(config_file, &notices, &config, &error))
        return complain(&error);
    fit_connections(config);
    enum server_exit code = start(config, loops, &ports);
    ports_clear(&ports);
    return code;
}
