/* listener.c - listening and calling in the simulated world: who is at an address. */
#include "base/check.h"
#include "run/connect.h"
#include "sim/stream_inner.h"
#include "sim/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_US_MAX = 60 * 1000, FIRST_OWN_PORT = 30000, LOCAL_PATH_MAX = 64 };

/* What a bound socket is, before and after it is listened to. */
struct listener {
    struct list link; /* in the host's listeners */
    int socket;
    struct endpoint at; /* NET_NONE: a local one */
    char path[LOCAL_PATH_MAX];
    struct host *host;
    struct loop *loop; /* NULL: only bound */
    const struct listener_events *events;
    void *owner;
};

static struct listener *find_socket(struct host *h, int socket)
{
    for (struct list *at = h->listeners.next; at != &h->listeners; at = at->next) {
        struct listener *l = OWNER_OF(at, struct listener, link);
        if (l->socket == socket)
            return l;
    }
    return NULL;
}

static bool bind_at(const struct endpoint *at, const char *path, int *socket_out, struct error *e)
{
    struct host *h = world_current();
    struct listener *l = calloc(1, sizeof *l);
    if (!l)
        return error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot listen");
    l->host = h;
    l->at = *at;
    snprintf(l->path, sizeof l->path, "%s", path);
    l->socket = (int)world_now()->next_socket++;
    list_append(&h->listeners, &l->link);
    *socket_out = l->socket;
    return true;
}

bool listener_bind(const struct endpoint *at, const struct listener_options *options,
                   int *socket_out, bool *in_use_out, bool *no_family_out, struct error *e)
{
    (void)options;
    *in_use_out = *no_family_out = false;
    return bind_at(at, "", socket_out, e);
}

bool listener_bind_local(const char *path, int *socket_out, struct error *e)
{
    return bind_at(&(struct endpoint){ 0 }, path, socket_out, e);
}

bool listener_bind_public(const char *path, int *socket_out, struct error *e)
{
    return listener_bind_local(path, socket_out, e);
}

bool listener_start(struct loop *loop, int socket, const struct listener_events *events,
                    void *owner, struct listener **out, struct error *e)
{
    *out = find_socket(loop->host, socket);
    if (!*out)
        return error_set(e, ERROR_CONFIG, "descriptor %d is not a listening socket", socket);
    (*out)->loop = loop;
    (*out)->events = events;
    (*out)->owner = owner;
    return true;
}

void listener_close(struct listener **listener_ref)
{
    struct listener *l = *listener_ref;
    *listener_ref = NULL;
    if (!l)
        return;
    list_remove(&l->link);
    free(l);
}

/* Whether somebody who calls there comes to this listener: on this loop, when one is named. */
static bool listens_at(const struct listener *l, const struct endpoint *at, const struct loop *on)
{
    return l->loop && !l->host->dead && (!on || l->loop == on) && l->at.family != NET_NONE &&
           l->at.port == at->port && endpoint_equal_address(&l->at, at);
}

/* One of those that share the port, each as likely as the others (SO_REUSEPORT). */
static struct listener *find_listener(const struct endpoint *at, const struct loop *on)
{
    struct world *w = world_now();
    struct listener *found = NULL;
    uint64_t count = 0;
    if (zone_is_out_of_service(w->zone, at))
        return NULL;
    for (unsigned i = 0; i < w->host_count; i++) {
        struct host *h = &w->hosts[i];
        for (struct list *next = h->listeners.next; next != &h->listeners; next = next->next) {
            struct listener *l = OWNER_OF(next, struct listener, link);
            if (listens_at(l, at, on) && (count++ == 0 || chance_below(count) == 0))
                found = l;
        }
    }
    return found;
}

struct listener *listener_of_link(struct list *link)
{
    return OWNER_OF(link, struct listener, link);
}

/* --- Calling --- */

struct connecting {
    struct loop *loop;
    struct connect_options options;
    struct event answer, limit;
};

/* The callee's side of a new connection: his kernel has it, and he takes it. */
struct arrival {
    struct event event;
    struct stream *stream;
    const char *path; /* of a local socket, or NULL */
};

static struct listener *find_local(const struct host *h, const char *path)
{
    for (struct list *at = h->listeners.next; at != &h->listeners; at = at->next) {
        struct listener *l = OWNER_OF(at, struct listener, link);
        if (l->loop && !h->dead && strcmp(l->path, path) == 0)
            return l;
    }
    return NULL;
}

static void arrived(struct event *e)
{
    struct arrival *a = OWNER_OF(e, struct arrival, event);
    struct stream *s = a->stream;
    struct listener *l =
        a->path ? find_local(s->host, a->path) : find_listener(&s->local_at, s->loop);
    free(a);
    if (l && !s->host->dead)
        l->events->accepted(l->owner, s);
    else
        stream_close(&s);
}

static void announce(struct stream *s, const char *path)
{
    struct arrival *a = calloc(1, sizeof *a);
    CHECK(a);
    *a = (struct arrival){ { .fire = arrived, .host = s->host, .loop = s->loop }, s, path };
    event_in(&a->event, chance_below(200));
}

struct stream *connect_local(struct loop *loop, const struct host *h, const char *path)
{
    struct listener *l = find_local(h, path);
    struct endpoint nowhere[2] = { 0 };
    struct stream *ends[2];
    if (!l)
        return NULL;
    stream_pair(loop, l->loop, nowhere, ends);
    announce(ends[1], path);
    return ends[0];
}

static void give_up(struct connecting *c, int number)
{
    struct connect_options o = c->options;
    struct error why;
    char words[ENDPOINT_TEXT_MAX];
    error_system(&why, ERROR_TEMPORARY, number, "connect to %s", endpoint_print(&o.to, words).at);
    connect_cancel(&c);
    o.done(o.owner, NULL, &why);
}

static void timed_out(struct event *e)
{
    give_up(OWNER_OF(e, struct connecting, limit), ETIMEDOUT);
}

static void answered(struct event *e)
{
    struct connecting *c = OWNER_OF(e, struct connecting, answer);
    struct connect_options o = c->options;
    struct listener *l = c->loop->host->dead ? NULL : find_listener(&o.to, NULL);
    struct stream *ends[2];
    if (!l) {
        give_up(c, ECONNREFUSED);
        return;
    }
    struct endpoint at[2] = { o.from.family == NET_NONE ? c->loop->host->address : o.from, o.to };
    at[0].port = (uint16_t)(FIRST_OWN_PORT + chance_below(30000));
    stream_pair(c->loop, l->loop, at, ends);
    announce(ends[1], NULL);
    connect_cancel(&c);
    o.done(o.owner, ends[0], NULL);
}

struct connecting *connect_start(struct loop *loop, const struct connect_options *options,
                                 struct error *e)
{
    struct connecting *c = calloc(1, sizeof *c);
    loop_expect_own(loop);
    if (!c) {
        error_system(e, ERROR_TEMPORARY, ENOMEM, "cannot connect");
        return NULL;
    }
    c->loop = loop;
    c->options = *options;
    c->answer = (struct event){ .fire = answered, .host = loop->host, .loop = loop };
    c->limit = (struct event){ .fire = timed_out, .host = loop->host, .loop = loop };
    event_in(&c->limit, options->timeout_ms * 1000);
    if (!fault_strikes(FAULT_STALL, world_now()->weather.stall))
        event_in(&c->answer, 50 + chance_below(CALL_US_MAX));
    return c;
}

void connect_cancel(struct connecting **connecting)
{
    struct connecting *c = *connecting;
    *connecting = NULL;
    if (!c)
        return;
    event_cancel(&c->answer);
    event_cancel(&c->limit);
    free(c);
}
