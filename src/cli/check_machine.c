/* check_machine.c - what the machine has for a server: account, folder, ports, files, limits.
 *
 * Nothing is made: ports are bound for a moment and let go, files are opened and closed.
 */
#include "cli/check.h"
#include "cli/remote.h"
#include "run/process.h"
#include "serve/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- user and data --- */

/* Who the server will be; false when that cannot be said. */
static bool check_user(struct check *c, struct process_user *out)
{
    struct error e;
    struct stat status;
    const struct config *config = c->cli->config;
    *out = (struct process_user){ .uid = process_uid(), .gid = getegid() };
    if (!process_is_root()) {
        check_say(c, CHECK_FINE, "user", "not started as root: stays user %u", out->uid);
        return true;
    }
    if (process_find_user(config->user.at, out, &e)) {
        check_say(c, CHECK_FINE, "user", "%s (%u)", out->name, out->uid);
        return true;
    }
    if (e.kind != ERROR_REFUSED || config->user_written) {
        check_say(c, e.kind == ERROR_REFUSED ? CHECK_CONFIG : CHECK_WRONG, "user", "%s", e.words);
        return false;
    }
    if (stat(cli_data(c->cli), &status) == 0)
        *out = (struct process_user){ .uid = status.st_uid, .gid = status.st_gid };
    check_say(c, CHECK_WARN, "user",
              "this machine has no account %s: the server will be user %u, as the data folder",
              config->user.at, out->uid);
    return true;
}

static void check_space(struct check *c, const char *path)
{
    /* Mail is refused below the store's reserve, which is well under this. */
    enum { COMFORT_MB = 2048 };
    struct statvfs space;
    if (statvfs(path, &space) != 0)
        return;
    uint64_t free_mb = (uint64_t)space.f_bavail * space.f_frsize >> 20;
    check_say(c, free_mb < COMFORT_MB ? CHECK_WARN : CHECK_FINE, "data",
              "%s has %" PRIu64 " MB left%s", path, free_mb,
              free_mb < COMFORT_MB ? ": mail is refused before it is full" : "");
}

static void check_folder(struct check *c, const struct process_user *user)
{
    struct stat status;
    const char *path = cli_data(c->cli);
    if (stat(path, &status) != 0) {
        check_say(c, errno == ENOENT ? CHECK_WARN : CHECK_WRONG, "data", "%s: %s%s", path,
                  strerror(errno),
                  errno == ENOENT ? "; godwit user add or the first start makes it" : "");
        return;
    }
    if (!S_ISDIR(status.st_mode))
        check_say(c, CHECK_CONFIG, "data", "%s is no folder", path);
    else if (status.st_uid != user->uid)
        check_say(c, CHECK_CONFIG, "data",
                  "%s belongs to user %u, the server will be user %u: chown -R %u %s", path,
                  status.st_uid, user->uid, user->uid, path);
    else if (status.st_mode & 077)
        check_say(c, CHECK_WARN, "data", "%s is open to others: chmod 700 %s", path, path);
    else
        check_space(c, path);
}

/* --- listen --- */

static socklen_t socket_address(const struct endpoint *e, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    if (e->family == NET_IPV4) {
        four->sin_family = AF_INET;
        four->sin_port = htons(e->port);
        memcpy(&four->sin_addr, e->octets, sizeof four->sin_addr);
        return sizeof *four;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(e->port);
    memcpy(&six->sin6_addr, e->octets, sizeof six->sin6_addr);
    return sizeof *six;
}

/* Whether the address can be had now: 0 or an errno. */
static int try_address(const struct endpoint *e)
{
    struct sockaddr_storage address;
    socklen_t len = socket_address(e, &address);
    int one = 1;
    int s = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return errno;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (e->family == NET_IPV6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    int number = bind(s, (const struct sockaddr *)&address, len) == 0 ? 0 : errno;
    close(s);
    return number;
}

static bool family_is_missing(int number)
{
    return number == EAFNOSUPPORT || number == EADDRNOTAVAIL;
}

static void check_listener(struct check *c, const struct config_listener *l, bool server_runs)
{
    char words[ENDPOINT_TEXT_MAX];
    const char *role = role_name(l->role);
    endpoint_print(&l->endpoint, words);
    int number = server_runs ? 0 : try_address(&l->endpoint);
    if (number == 0)
        check_say(c, CHECK_FINE, "listen", "%s %s%s", role, words,
                  server_runs ? " (not tried: a server is running)" : "");
    else if (l->optional && family_is_missing(number))
        check_say(c, CHECK_FINE, "listen", "%s %s: left out, this machine has no such family", role,
                  words);
    else if (number == EACCES)
        check_say(c, CHECK_WARN, "listen",
                  "%s %s: only root, or a service with CAP_NET_BIND_SERVICE, may listen there",
                  role, words);
    else if (number == EADDRINUSE && getenv("INVOCATION_ID"))
        /* Run by systemd, which may hold the socket that it will hand to the server. */
        check_say(c, CHECK_WARN, "listen", "%s %s: in use, if not by the service manager itself",
                  role, words);
    else
        check_say(c, CHECK_WRONG, "listen", "%s %s: %s", role, words, strerror(number));
}

static void check_listeners(struct check *c)
{
    bool server_runs = remote_is_there(cli_data(c->cli));
    for (size_t i = 0; i < c->cli->config->listener_count; i++)
        check_listener(c, &c->cli->config->listeners[i], server_runs);
}

/* --- limits --- */

static void check_limits(struct check *c)
{
    /* Listeners, the store's files, databases, the log, and what libraries open. */
    enum { BESIDES = 128 };
    struct rlimit files;
    uint32_t connections = c->cli->config->connections;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    if (files.rlim_max >= (rlim_t)connections + BESIDES)
        check_say(c, CHECK_FINE, "limits", "%" PRIu32 " connections fit", connections);
    else
        check_say(c, CHECK_WARN, "limits",
                  "connections is %" PRIu32
                  ", but at most %llu files may be open: it will be lowered; "
                  "raise LimitNOFILE or ulimit -n",
                  connections, (unsigned long long)files.rlim_max);
}

/* --- local --- */

/* In data they are nobody else's business. */
static void check_spool(struct check *c, const struct process_user *user)
{
    const struct config *config = c->cli->config;
    const char *path = config->local_spool.at;
    struct stat status;
    if (config->local_spool.len == 0 || text_starts(config->local_spool, config->data))
        return;
    if (stat(path, &status) != 0)
        check_say(c, CHECK_WARN, "local",
                  "%s: %s; mail of programs cannot wait there: systemd-tmpfiles --create, or root "
                  "starts the server",
                  path, strerror(errno));
    else if (status.st_uid != user->uid)
        check_say(c, CHECK_WARN, "local", "%s belongs to user %u: chown %u:%u %s", path,
                  status.st_uid, user->uid, user->gid, path);
    else if ((status.st_mode & 07777) != 03733)
        check_say(
            c, CHECK_WARN, "local",
            "%s: everybody must be able to leave mail there, and nobody to read it or take it "
            "away: chmod 3733 %s",
            path, path);
    else
        check_say(c, CHECK_FINE, "local", "users of this machine: %s, %s", config->local_socket.at,
                  path);
}

/* --- sandbox --- */

/* The server that runs may be of before the last change of the configuration: it is asked. */
static void check_running(struct check *c)
{
    struct error e;
    json_t *answer = NULL;
    enum remote_state state =
        remote_ask_for(cli_data(c->cli), json_pack("{s:s}", "do", "sandbox"), &answer, &e);
    if (state == REMOTE_DONE)
        check_say(c, json_is_true(json_object_get(answer, "whole")) ? CHECK_FINE : CHECK_WARN,
                  "sandbox", "the server that runs: %s",
                  json_string_value(json_object_get(answer, "words")));
    else if (state == REMOTE_REFUSED)
        check_say(c, CHECK_WARN, "sandbox", "the server that runs cannot be asked: %s", e.words);
    json_decref(answer);
}

static void check_sandbox(struct check *c)
{
    char words[ERROR_WORDS_MAX];
    struct sandbox_walls walls = sandbox_possible();
    bool whole = confine_words(c->cli->config, &walls, words);
    check_say(c, whole ? CHECK_FINE : CHECK_WARN, "sandbox", "%s", words);
    check_running(c);
}

void check_machine(struct check *c)
{
    struct process_user user;
    bool known = check_user(c, &user);
    if (known)
        check_folder(c, &user);
    if (known)
        check_spool(c, &user);
    check_listeners(c);
    if (known)
        check_tls(c, &user);
    check_logins(c, &user);
    check_limits(c);
    check_sandbox(c);
}
