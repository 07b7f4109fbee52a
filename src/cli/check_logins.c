/* check_logins.c - smarthosts and the hosts of routes: whether TLS is spoken where it is expected,
 * whether the passwords for them can be read, who else can read them, and where they would go.
 *
 * Nobody is called: whether a password is right only the other host can say, and counts.
 */
#include "cli/check.h"
#include "queue/route.h"
#include "run/file.h"
#include "serve/credentials.h"

#include <sys/stat.h>

static bool read_password(struct check *c, struct text path)
{
    struct buffer octets;
    struct text password;
    struct error e;
    bool denied;
    buffer_init(&octets, CREDENTIAL_OCTETS_MAX);
    bool done = file_read(path.at, &octets, &denied, &e) &&
                credentials_read_password(path, buffer_bytes(&octets), &password, &e);
    buffer_wipe(&octets);
    if (!done)
        check_say(c, CHECK_WRONG, "relay", "%s", e.words);
    return done;
}

static bool is_open_to_all(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & S_IROTH);
}

static void check_file(struct check *c, const struct config_login *l,
                       const struct process_user *user)
{
    struct text path = l->password_file;
    if (!read_password(c, path))
        return;
    if (is_open_to_all(path.at))
        check_say(c, CHECK_WARN, "relay", "everybody on this machine may read the password in %s",
                  path.at);
    else if (check_try_as_user(path.at, user) != 0)
        check_say(c, CHECK_FINE, "relay",
                  "only root may read %s: after a change run godwit reload as root", path.at);
}

/* Somebody has written that no certificate counts. */
static bool is_open(const struct config *config, enum relay_tls own)
{
    enum relay_tls tls = own == RELAY_TLS_AS_RELAY ? config->relay_tls : own;
    return (own != RELAY_TLS_AS_RELAY || config->relay_tls_written) &&
           (tls == RELAY_TLS_NONE || tls == RELAY_TLS_MAY);
}

/* As whom to log in by this way. */
static void check_login(struct check *c, const struct config_route *way,
                        const struct process_user *user)
{
    const struct config_login *l = &way->login;
    struct text hop = way->host;
    check_say(c, CHECK_FINE, "relay", "logs in with %.*s as %.*s", TEXT_ARGS(hop),
              TEXT_ARGS(l->user));
    if (l->password_file.len)
        check_file(c, l, user);
    if (l->cleartext == CLEARTEXT_ALWAYS)
        check_say(c, CHECK_WARN, "relay",
                  "the password for %.*s is said to whoever answers, in the clear too: cleartext = "
                  "\"always\"",
                  TEXT_ARGS(hop));
    else if (is_open(c->cli->config, way->tls))
        check_say(c, CHECK_WARN, "relay",
                  "tls does not want certificates verified: the password for %.*s is said on this "
                  "machine only, and mail for others waits; remove tls, or write verify",
                  TEXT_ARGS(hop));
}

/* The way of this domain's mail. */
static void check_beginning(struct check *c, struct text domain)
{
    struct route route;
    char words[ROUTE_TEXT_MAX];
    route_for(c->cli->config, domain, &route);
    if (route.kind == ROUTE_HOST && route.tls_first && route.tls == RELAY_TLS_NONE)
        check_say(c, CHECK_WARN, "relay",
                  "%.*s expects TLS from the first octet, and tls = none: remove tls, or write "
                  "another port or tls_begins = starttls",
                  TEXT_ARGS(route_print(&route, words)));
}

void check_logins(struct check *c, const struct process_user *user)
{
    const struct config *config = c->cli->config;
    const struct config_route smarthost = { .host = config->smarthost,
                                            .tls = RELAY_TLS_AS_RELAY,
                                            .login = config->smarthost_login };
    check_beginning(c, T("")); /* a domain without a route */
    if (smarthost.login.user.len)
        check_login(c, &smarthost, user);
    for (size_t i = 0; i < config->route_count; i++) {
        check_beginning(c, config->routes[i].domain);
        if (config->routes[i].login.user.len)
            check_login(c, &config->routes[i], user);
    }
}
