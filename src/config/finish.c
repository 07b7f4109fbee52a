/* finish.c - what concerns several settings at once, and the finished configuration. */
#include "config/draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct service {
    const char *name;
    uint16_t port;          /* the usual one */
    uint16_t loopback_port; /* without any file: no privilege needed */
};

static const struct service services[ROLE_COUNT + 1] = {
    [ROLE_SMTP] = { "smtp", 25, 2525 },
    [ROLE_SUBMISSION] = { "submission", 587, 2587 },
    [ROLE_SUBMISSIONS] = { "submissions", 465, 2465 },
    [ROLE_POP3] = { "pop3", 110, 2110 },
    [ROLE_POP3S] = { "pop3s", 995, 2995 },
    [ROLE_LOCAL] = { "local", 0, 0 },
};

const char *role_name(enum role role)
{
    return services[role].name;
}

/* The setting of this name; it exists. */
static void at_setting(struct draft *d, const char *section, const char *key)
{
    d->setting = schema_find(text_of(section), text_of(key));
    d->line = d->lines[schema_index(d->setting)];
}

/* --- Listeners --- */

static bool add_listener(struct draft *d, enum role role, struct text address, uint16_t port)
{
    struct draft_listener item = {
        .listener = { .role = role, .written = d->listen_written, .optional = true },
        .line = d->line
    };
    bool literal = endpoint_parse_address(address, &item.listener.endpoint);
    item.listener.endpoint.port = port;
    if (!literal || !buffer_append(&d->listeners, &item, sizeof item))
        return draft_no_memory(d);
    return true;
}

static bool add_everywhere(struct draft *d, enum role role)
{
    return add_listener(d, role, T("0.0.0.0"), services[role].port) &&
           add_listener(d, role, T("[::]"), services[role].port);
}

bool draft_end_listen(struct draft *d, void *target)
{
    (void)target;
    return d->listeners.len > d->role_begins || add_everywhere(d, d->role);
}

static bool all_listeners(struct draft *d)
{
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (!add_everywhere(d, (enum role)i))
            return false;
    return true;
}

static bool distinct_listeners(struct draft *d)
{
    const struct draft_listener *items = (const void *)d->listeners.at;
    size_t count = d->listeners.len / sizeof *items;
    char words[ENDPOINT_TEXT_MAX];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct endpoint *a = &items[i].listener.endpoint;
            const struct endpoint *b = &items[j].listener.endpoint;
            if (a->port != b->port || !endpoint_equal_address(a, b))
                continue;
            d->line = items[i].line;
            endpoint_print(a, words);
            return draft_problem(d, "the address %s is given twice, on lines %u (%s) and %u (%s)",
                                 words, items[j].line, role_name(items[j].listener.role),
                                 items[i].line, role_name(items[i].listener.role));
        }
    return true;
}

/* --- Names --- */

static bool finish_hostname(struct draft *d)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    if (d->config->hostname.len)
        return true;
    if (d->machine.len == 0 || address_parse_domain(d->machine, name) != ADDRESS_OK) {
        draft_notice(d,
                     "the machine's name \"%s\" is no domain name; greeting as localhost: set "
                     "hostname",
                     shown(d->machine).words);
        memcpy(name, "localhost", sizeof "localhost");
    }
    return draft_text(d, text_of(name), &d->config->hostname);
}

static bool is_local(struct draft *d, struct text address)
{
    struct address parsed;
    return address_parse(address, ADDRESS_UTF8, &parsed) == ADDRESS_OK &&
           config_domain(d->config, address_domain(&parsed)) != NULL;
}

static bool local_addresses(struct draft *d)
{
    const struct draft_domain *items = (const void *)d->domains.at;
    at_setting(d, "", "postmaster");
    if (d->config->postmaster.len && !is_local(d, d->config->postmaster))
        return draft_problem(d, "%.*s is in none of the configured domains",
                             TEXT_ARGS(d->config->postmaster));
    at_setting(d, "", "catch_all");
    if (d->config->catch_all.len && !is_local(d, d->config->catch_all))
        return draft_problem(d, "%.*s is in none of the configured domains",
                             TEXT_ARGS(d->config->catch_all));
    at_setting(d, "domain", "catch_all");
    for (size_t i = 0; i < d->config->domain_count; i++) {
        d->line = items[i].catch_all_line;
        if (items[i].domain.catch_all.len && !is_local(d, items[i].domain.catch_all))
            return draft_problem(d, "%.*s is in none of the configured domains",
                                 TEXT_ARGS(items[i].domain.catch_all));
    }
    d->setting = NULL;
    return true;
}

/* --- Lists, moved to memory that lives as long as the configuration --- */

static const void *keep(struct draft *d, const struct buffer *list)
{
    void *kept = list->len ? arena_take(d->arena, list->len) : NULL;
    if (list->len && !kept)
        draft_no_memory(d);
    else if (list->len)
        memcpy(kept, list->at, list->len);
    return kept;
}

static bool keep_listeners(struct draft *d)
{
    const struct draft_listener *items = (const void *)d->listeners.at;
    size_t count = d->listeners.len / sizeof *items;
    struct config_listener *kept = arena_take(d->arena, (count + 1) * sizeof *kept);
    if (!kept)
        return draft_no_memory(d);
    for (size_t i = 0; i < count; i++)
        kept[i] = items[i].listener;
    d->config->listeners = kept;
    d->config->listener_count = count;
    return true;
}

static bool keep_domains(struct draft *d)
{
    const struct draft_domain *items = (const void *)d->domains.at;
    size_t count = d->domains.len / sizeof *items;
    struct config_domain *kept = arena_take(d->arena, (count + 1) * sizeof *kept);
    if (!kept)
        return draft_no_memory(d);
    for (size_t i = 0; i < count; i++)
        kept[i] = items[i].domain;
    d->config->domains = kept;
    d->config->domain_count = count;
    return true;
}

bool config_name_made(struct config *c, struct arena *arena)
{
    static const char name[] = "/certificate.pem";
    struct config_certificate *made = arena_take(arena, sizeof *made);
    char *path = arena_take(arena, c->data.len + sizeof name);
    if (!made || !path)
        return false;
    memcpy(path, c->data.at, c->data.len);
    memcpy(path + c->data.len, name, sizeof name);
    *made = (struct config_certificate){ T(""), text_of(path), text_of(path) };
    c->certificates = made;
    c->certificate_count = 1;
    c->certificate_made = true;
    return true;
}

/* The default certificate first. */
static bool keep_certificates(struct draft *d)
{
    const struct config_certificate *standard = &d->standard_certificate;
    size_t hosts = d->certificates.len / sizeof *standard;
    size_t has_standard = standard->certificate.len ? 1 : 0;
    struct config_certificate *kept = arena_take(d->arena, (hosts + 1) * sizeof *kept);
    if (!kept)
        return draft_no_memory(d);
    kept[0] = *standard;
    if (hosts)
        memcpy(kept + has_standard, d->certificates.at, d->certificates.len);
    d->config->certificates = kept;
    d->config->certificate_count = hosts + has_standard;
    return hosts + has_standard > 0 || config_name_made(d->config, d->arena) || draft_no_memory(d);
}

static bool keep_lists(struct draft *d)
{
    struct config *c = d->config;
    c->trusted = keep(d, &d->trusted);
    c->trusted_count = d->trusted.len / sizeof *c->trusted;
    c->ban_allow = keep(d, &d->allowed);
    c->ban_allow_count = d->allowed.len / sizeof *c->ban_allow;
    c->blocklists = keep(d, &d->blocklists);
    c->blocklist_count = d->blocklists.len / sizeof *c->blocklists;
    c->routes = keep(d, &d->routes);
    c->route_count = d->routes.len / sizeof *c->routes;
    c->local_trusted = keep(d, &d->accounts);
    c->local_trusted_count = d->accounts.len / sizeof *c->local_trusted;
    c->retry_ms = keep(d, &d->retry);
    c->retry_count = d->retry.len / sizeof *c->retry_ms;
    c->resolvers = keep(d, &d->resolvers);
    c->resolver_count = d->resolvers.len / sizeof *c->resolvers;
    return !d->failed && keep_listeners(d) && keep_domains(d) && keep_certificates(d);
}

static bool whole_certificate(struct draft *d)
{
    const struct config_certificate *standard = &d->standard_certificate;
    if (standard->certificate.len && !standard->key.len) {
        at_setting(d, "tls", "certificate");
        return draft_problem(d, "a certificate needs its key: add tls.key");
    }
    if (standard->key.len && !standard->certificate.len) {
        at_setting(d, "tls", "key");
        return draft_problem(d, "a key needs its certificate: add tls.certificate");
    }
    return true;
}

/* --- Logging in elsewhere --- */

bool draft_check_login(struct draft *d, const struct config_login *l)
{
    bool either = l->password.len || l->password_file.len;
    if (l->user.len == 0)
        return !either || draft_problem(d, "a password, and nobody it belongs to: add user");
    if (!either)
        return draft_problem(d, "the user %s has no password: add password_file or password",
                             shown(l->user).words);
    if (l->password.len && l->password_file.len)
        return draft_problem(d, "password and password_file are both given: leave one out");
    if (l->user.len > CONFIG_LOGIN_MAX)
        return draft_problem(d, "the user's name is longer than %d octets", CONFIG_LOGIN_MAX);
    return true;
}

static bool check_smarthost_login(struct draft *d)
{
    const struct config *c = d->config;
    at_setting(d, "relay", "user");
    if (c->smarthost_login.user.len && c->smarthost.len == 0)
        return draft_problem(d, "there is no smarthost to log in with: add smarthost, or give the "
                                "user to a route");
    bool ok = draft_check_login(d, &c->smarthost_login);
    if (ok)
        d->setting = NULL;
    return ok;
}

static bool is_written(const struct draft *d, const char *section, const char *key)
{
    return d->lines[schema_index(schema_find(text_of(section), text_of(key)))] != 0;
}

/* --- Users of this machine --- */

static bool is_auto(struct text place)
{
    return text_equal(place, T("auto"));
}

static bool place_in_data(struct draft *d, const char *name, struct text *place)
{
    struct buffer path;
    buffer_init(&path, CONFIG_FILE_MAX);
    buffer_printf(&path, "%.*s/%s", TEXT_ARGS(d->config->data), name);
    bool ok = path.failed ? draft_no_memory(d) : draft_text(d, buffer_as_text(&path), place);
    buffer_clear(&path);
    return ok;
}

/* Where every user may reach them for the server of an installation; for one that somebody tries
 * out, in its data, for him alone. */
static bool place_local(struct draft *d)
{
    struct config *c = d->config;
    const struct setting *data = schema_find(T(""), T("data"));
    char standard[64];
    snprintf(standard, sizeof standard, "\"%.*s\"", TEXT_ARGS(text_first(c->data, 60)));
    bool installed = text_equal(text_of(standard), text_of(data->row.standard));
    c->local_standard = installed && (is_auto(c->local_socket) || is_auto(c->local_spool));
    c->local_socket_written = !is_auto(c->local_socket);
    if (is_auto(c->local_socket) && installed)
        c->local_socket = T("/run/godwit/submit.sock");
    if (is_auto(c->local_spool) && installed)
        c->local_spool = T("/var/spool/godwit");
    if (c->local_domain.len == 0 && c->domain_count == 1)
        c->local_domain = c->domains[0].name;
    if (is_auto(c->local_socket) && !place_in_data(d, "submit.sock", &c->local_socket))
        return false;
    return !is_auto(c->local_spool) || place_in_data(d, "spool", &c->local_spool);
}

/* What is allowed but has no effect. */
static void notices(struct draft *d)
{
    const struct config *c = d->config;
    if (c->warn_ms >= c->expire_ms)
        draft_notice(d, "relay.warn is not before relay.expire: nobody will be warned");
    for (size_t i = 0; i < c->retry_count; i++)
        if (c->retry_ms[i] >= c->expire_ms) {
            draft_notice(d, "relay.retry: step %zu is not before relay.expire: it never comes",
                         i + 1);
            break;
        }
    if (c->connections_per_peer >= c->connections)
        draft_notice(d, "limits.connections_per_peer is not below limits.connections: one peer may "
                        "take all of them");
}

bool draft_finish(struct draft *d)
{
    d->setting = NULL;
    d->line = 0;
    if (d->domains.len == 0)
        return draft_problem(d, "there is no domain: add for example: "
                                "domain \"example.org\" { }");
    if (!d->listen_written && d->listeners.len == 0 && !all_listeners(d))
        return false;
    if (!finish_hostname(d) || !distinct_listeners(d) || !whole_certificate(d) || !keep_lists(d))
        return false;
    d->config->user_written = is_written(d, "", "user");
    d->config->data_written = is_written(d, "", "data");
    d->config->relay_tls_written = is_written(d, "relay", "tls");
    if (!place_local(d) || !local_addresses(d) || !check_smarthost_login(d))
        return false;
    notices(d);
    return true;
}

bool draft_without_file(struct draft *d)
{
    void *domain;
    d->line = 0;
    const struct setting *data = schema_find(T(""), T("data"));
    if (!data->read(d, data, T("godwit-data"), d->config) ||
        !draft_begin_domain(d, T("localhost"), &domain))
        return false;
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (!add_listener(d, (enum role)i, T("127.0.0.1"), services[i].loopback_port) ||
            !add_listener(d, (enum role)i, T("[::1]"), services[i].loopback_port))
            return false;
    return draft_finish(d);
}
