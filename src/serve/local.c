/* local.c - users of this machine: their socket, and who they are.
 *
 * An account's name is looked up in a lane, since the machine's directory may be elsewhere; until
 * it is known nothing is read.  Nothing that a user says counts for who he is.
 */
#include "serve/local.h"

#include "run/process.h"
#include "serve/conn.h"
#include "serve/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRIVALS_MAX = 48 /* of the lane's queue, which is also for other things */ };

struct local {
    struct server *server;
    struct served_port port;
    struct list arrivals;
    unsigned arrival_count;
};

/* Somebody whose name is not known yet. */
struct arrival {
    struct list link;
    struct local *local; /* NULL: the socket was closed meanwhile */
    struct server_loop *home;
    struct stream *stream;
    uint32_t uid;
    struct job job;
    bool found;
    struct process_user user;
    struct error error;
};

/* --- Who it is --- */

static void find_account(struct job *job)
{
    struct arrival *a = OWNER_OF(job, struct arrival, job);
    a->found = process_find_uid(a->uid, &a->user, &a->error);
}

static void turn_away(struct local *local, struct stream *stream, const char *why)
{
    server_note(local->server, LOG_NOTICE, "turned-away", why);
    conn_turn_away(&local->port, stream, why);
}

static void serve_account(struct local *local, struct arrival *a)
{
    struct policy_account account = { .uid = a->uid,
                                      .any_sender = a->uid == 0 || a->uid == process_uid() };
    struct address login;
    const struct config *config = local->port.home->settings->config;
    snprintf(account.name, sizeof account.name, "%s", a->user.name);
    if (!a->found)
        turn_away(local, a->stream, a->error.words);
    else if (!policy_account(config, &account, &login))
        turn_away(local, a->stream, "the name of your account makes no mail address");
    else
        conn_accepted_user(&local->port, a->stream, &account);
}

static void account_found(struct job *job)
{
    struct arrival *a = OWNER_OF(job, struct arrival, job);
    struct server_loop *home = a->home;
    list_remove(&a->link);
    if (a->local) {
        a->local->arrival_count--;
        serve_account(a->local, a);
    } else {
        stream_close(&a->stream);
    }
    free(a);
    server_loop_release(home);
}

/* False: he was sent away. */
static bool arrive(struct local *local, struct stream *stream, uint32_t uid)
{
    struct arrival *a = local->arrival_count < ARRIVALS_MAX ? calloc(1, sizeof *a) : NULL;
    if (!a) {
        turn_away(local, stream, "too many at once, try again later");
        return false;
    }
    *a = (struct arrival){
        .local = local,
        .home = local->port.home,
        .stream = stream,
        .uid = uid,
        .job = { .run = find_account, .done = account_found, .home = local->port.home->loop }
    };
    if (!lane_submit(local->server->chores, &a->job)) {
        free(a);
        turn_away(local, stream, "too busy, try again later");
        return false;
    }
    list_append(&local->arrivals, &a->link);
    local->arrival_count++;
    server_loop_hold(a->home);
    return true;
}

static void on_accepted(void *owner, struct stream *stream)
{
    struct local *local = owner;
    unsigned uid;
    if (stream_peer_user(stream, &uid))
        arrive(local, stream, uid);
    else
        stream_close(&stream);
}

bool local_serve(struct local *local, int socket, uint32_t uid)
{
    struct stream *stream;
    struct error error;
    if (stream_open(local->port.home->loop, socket, &stream, &error))
        return arrive(local, stream, uid);
    server_note(local->server, LOG_WARNING, "local", error.words);
    return false;
}

/* --- The socket --- */

static void on_trouble(void *owner, const struct error *error)
{
    struct local *local = owner;
    server_note(local->server, LOG_WARNING, "local", error->words);
}

/* Takes the socket. */
static bool accept_from(struct local *local, int socket, struct error *error)
{
    static const struct listener_events events = { on_accepted, on_trouble };
    return listener_start(local->port.home->loop, socket, &events, local, &local->port.listener,
                          error);
}

static bool open_socket(struct local *local, const struct config *config, struct error *error)
{
    int socket;
    if (config->local_socket.len == 0)
        return true;
    if (listener_bind_public(config->local_socket.at, &socket, error))
        return accept_from(local, socket, error);
    if (config->local_socket_written)
        return false;
    server_note(local->server, LOG_WARNING, "local", error->words);
    return true;
}

bool local_start(struct server *server, struct local **out, struct error *error)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    local->server = server;
    local->port = (struct served_port){ .home = &server->loops[0], .role = ROLE_LOCAL };
    list_init(&local->arrivals);
    *out = local;
    return open_socket(local, server->settings->config, error);
}

void local_stop(struct local **local_ref)
{
    struct local *local = *local_ref;
    if (!local)
        return;
    *local_ref = NULL;
    if (local->port.listener)
        listener_close(&local->port.listener);
    for (struct list *at; (at = list_take_first(&local->arrivals));)
        OWNER_OF(at, struct arrival, link)->local = NULL;
    free(local);
}
