/* ports.c - the listening sockets. */
#include "serve/ports.h"

#include "run/process.h"
#include "serve/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HANDED_FIRST = 3, BACKLOG = 4096 };

static bool add(struct bound_ports *ports, const struct bound_port *port)
{
    if (ports->count == (size_t)SERVER_LISTENERS_MAX * ports->loops)
        return false;
    ports->ports[ports->count++] = *port;
    return true;
}

/* --- Socket activation: names of roles in LISTEN_FDNAMES say what each is for --- */

static bool role_named(struct text name, enum role *out)
{
    for (enum role role = 0; role < ROLE_COUNT; role++)
        if (text_equal(name, text_of(role_name(role)))) {
            *out = role;
            return true;
        }
    return false;
}

bool ports_new(unsigned loops, struct bound_ports *out, struct error *error)
{
    *out = (struct bound_ports){ .loops = loops };
    out->ports = calloc((size_t)SERVER_LISTENERS_MAX * loops, sizeof *out->ports);
    if (!out->ports)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    return true;
}

bool ports_take_handed(unsigned loops, struct bound_ports *ports, struct error *error)
{
    struct text names, name;
    if (!ports_new(loops, ports, error))
        return false;
    int count = process_handed_sockets(&names);
    for (int i = 0; i < count; i++) {
        struct bound_port port = { .socket = HANDED_FIRST + i, .handed_over = true };
        text_cut(&names, ':', &name);
        if (!role_named(name, &port.role))
            return error_set(error, ERROR_CONFIG,
                             "the service manager hands over a socket named \"%.*s\": name it "
                             "for its service, smtp or pop3 for example (FileDescriptorName=)",
                             TEXT_ARGS(name));
        if (!add(ports, &port))
            return error_set(error, ERROR_CONFIG, "too many sockets are handed over");
    }
    return true;
}

static bool is_handed(const struct bound_ports *ports, enum role role)
{
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].handed_over && ports->ports[i].role == role)
            return true;
    return false;
}

/* --- Binding --- */

static bool bind_listener(struct bound_ports *ports, const struct config_listener *l,
                          struct error *error)
{
    struct listener_options options = { .share_port = ports->loops > 1,
                                        .v6_only = true,
                                        .backlog = BACKLOG };
    for (unsigned i = 0; i < ports->loops; i++) {
        struct bound_port port = { .role = l->role, .endpoint = l->endpoint };
        bool in_use, no_family;
        options.join = i > 0;
        if (!listener_bind(&l->endpoint, &options, &port.socket, &in_use, &no_family, error))
            return no_family && l->optional;
        if (!add(ports, &port))
            return error_set(error, ERROR_CONFIG, "there are too many listeners");
    }
    return true;
}

bool ports_bind(const struct config *config, struct bound_ports *out, struct error *error)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *l = &config->listeners[i];
        if (!is_handed(out, l->role) && !bind_listener(out, l, error))
            return false;
    }
    if (out->count == 0)
        return error_set(error, ERROR_CONFIG,
                         "nothing to listen on: write listen smtp { ... } or listen pop3 { ... }");
    return true;
}

/* --- Serving --- */

static void on_trouble(void *owner, const struct error *error)
{
    const struct served_port *port = owner;
    server_note(port->home->server, LOG_WARNING, "accept", error->words);
}

static bool start_port(struct bound_port *bound, struct server_loop *home, struct error *error)
{
    static const struct listener_events events = { conn_accepted, on_trouble };
    if (home->port_count == SERVER_LISTENERS_MAX)
        return error_set(error, ERROR_CONFIG, "there are too many listeners");
    struct served_port *port = &home->ports[home->port_count];
    *port = (struct served_port){ .home = home, .role = bound->role };
    int socket = bound->socket;
    bound->socket = -1;
    if (!listener_start(home->loop, socket, &events, port, &port->listener, error))
        return false;
    home->port_count++;
    return true;
}

bool ports_start(struct bound_ports *ports, struct server *server, struct error *error)
{
    unsigned next = 0;
    for (size_t i = 0; i < ports->count; i++) {
        struct bound_port *bound = &ports->ports[i];
        unsigned loop = bound->handed_over ? 0 : next++ % ports->loops;
        if (!start_port(bound, &server->loops[loop], error))
            return false;
    }
    return true;
}

void ports_clear(struct bound_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        if (ports->ports[i].socket > 0)
            close(ports->ports[i].socket);
    free(ports->ports);
    *ports = (struct bound_ports){ 0 };
}

void ports_print(const struct bound_ports *ports)
{
    for (size_t i = 0; i < ports->count; i += ports->loops) {
        char words[ENDPOINT_TEXT_MAX];
        const struct bound_port *port = &ports->ports[i];
        printf("  %-12s %s\n", role_name(port->role), endpoint_print(&port->endpoint, words).at);
    }
}
