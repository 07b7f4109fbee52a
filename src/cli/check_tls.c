/* check_tls.c - whether certificates and keys can be read, belong together, and are still good.
 *
 * What only root may read is fine: the server reads it before it becomes the user, and `godwit
 * reload` by root brings what was renewed.  The server's own certificate is looked at, never made.
 */
#include "cli/check.h"
#include "mail/date.h"
#include "run/clock.h"
#include "run/file.h"
#include "serve/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAY_S = 86400 };

/* --- Reading --- */

int check_try_as_user(const char *path, const struct process_user *user)
{
    int status = 0;
    pid_t child = process_is_root() && user->uid != 0 ? fork() : 0;
    if (child < 0)
        return errno;
    if (child == 0) {
        bool is_child = process_is_root() && user->uid != 0;
        bool became = !is_child || process_become(user, NULL);
        int fd = became ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        int number = fd >= 0 ? 0 : errno;
        if (fd >= 0)
            close(fd);
        if (is_child)
            _exit(number);
        return number;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

/* Adds the file's octets; false when they cannot be had.  `user`: who else must read it, or NULL.
 */
static bool read_file(struct check *c, struct text path, const struct process_user *user,
                      struct credentials *to)
{
    struct buffer octets;
    struct error e;
    bool denied;
    buffer_init(&octets, CREDENTIAL_OCTETS_MAX);
    bool done = file_read(path.at, &octets, &denied, &e) &&
                credentials_add(to, path, buffer_bytes(&octets), &e);
    buffer_wipe(&octets);
    if (!done)
        check_say(c, CHECK_WRONG, "tls", "%s", e.words);
    else if (user && check_try_as_user(path.at, user) != 0)
        check_say(c, CHECK_FINE, "tls",
                  "only root may read %s: after a renewal run godwit reload as root (certbot: "
                  "--deploy-hook \"godwit reload\")",
                  path.at);
    return done;
}

/* --- Judging --- */

static void check_dates(struct check *c, const char *file, const struct tls_certificate *seen)
{
    char until[DATE_TEXT_MAX];
    int64_t now_s = clock_wall_ms() / 1000;
    date_rfc3339(seen->until_s * 1000, false, until);
    if (seen->from_s > now_s)
        check_say(c, CHECK_WRONG, "tls", "%s is not valid yet; is the clock right?", file);
    else if (seen->until_s <= now_s)
        check_say(c, CHECK_WRONG, "tls", "%s has expired at %s", file, until);
    else if (seen->until_s - now_s < CERTIFICATE_SOON_S)
        check_say(c, CHECK_WARN, "tls", "%s expires in %d days, at %s", file,
                  (int)((seen->until_s - now_s) / DAY_S), until);
    else
        check_say(c, CHECK_FINE, "tls", "%s: %s, serial %s, until %s", file, seen->subject,
                  seen->serial, until);
}

static void check_pair(struct check *c, const struct tls_pair *pair, struct tls_service *service)
{
    struct tls_context *context = NULL;
    struct tls_certificate seen;
    struct error e;
    struct text name = pair->host.len ? pair->host : c->cli->config->hostname;
    if (!tls_server_context_new(service, pair, 1, &context, &e) ||
        !tls_read_certificate(pair, name, &seen, &e)) {
        check_say(c, CHECK_CONFIG, "tls", "%s", e.words);
    } else {
        check_dates(c, pair->certificate_name, &seen);
        if (!seen.for_name)
            check_say(c, CHECK_WARN, "tls", "%s is not for the name %.*s", pair->certificate_name,
                      TEXT_ARGS(name));
    }
    tls_context_free(&context);
}

static void check_coverage(struct check *c)
{
    const struct config *config = c->cli->config;
    if (config->certificates[0].host.len)
        check_say(c, CHECK_WARN, "tls",
                  "only hosts have certificates: who asks for another name, or for none, gets no "
                  "TLS");
    if (config->cleartext == CLEARTEXT_ALWAYS)
        check_say(c, CHECK_WARN, "auth",
                  "passwords are taken in the clear from everywhere: cleartext = \"always\"");
}

/* --- The server's own --- */

static void check_made(struct check *c, const struct credentials *files)
{
    struct tls_pair pair = credentials_pair(files, &c->cli->config->certificates[0]);
    struct tls_service *service = NULL;
    struct error e;
    if (!tls_service_new(&service, &e))
        check_say(c, CHECK_WRONG, "tls", "%s", e.words);
    else
        check_pair(c, &pair, service);
    tls_service_free(&service);
}

void check_own_certificate(struct check *c)
{
    const struct config *config = c->cli->config;
    struct text path = config->certificates[0].certificate;
    struct credentials *files = NULL;
    struct error e;
    if (!config->certificate_made)
        return;
    bool exists = access(path.at, F_OK) == 0;
    check_say(c, CHECK_WARN, "tls",
              "no certificate is named: %s %s, it vouches for itself, and mail programs warn of "
              "it; for a real one: certbot certonly --standalone -d %.*s --deploy-hook \"godwit "
              "reload\", and name its files in tls { }",
              exists ? "the server has made" : "the first start makes", path.at,
              TEXT_ARGS(config->hostname));
    if (!exists)
        return;
    if (!credentials_new(&files, &e))
        check_say(c, CHECK_WRONG, "tls", "%s", e.words);
    else if (read_file(c, path, NULL, files))
        check_made(c, files);
    credentials_free(&files);
}

/* --- Those that are named --- */

void check_tls(struct check *c, const struct process_user *user)
{
    struct tls_service *service = NULL;
    struct credentials *files = NULL;
    struct error e;
    const struct config *config = c->cli->config;
    check_coverage(c);
    if (config->certificate_made)
        return;
    if (!tls_service_new(&service, &e) || !credentials_new(&files, &e))
        check_say(c, CHECK_WRONG, "tls", "%s", e.words);
    for (size_t i = 0; files && i < config->certificate_count; i++) {
        const struct config_certificate *pair = &config->certificates[i];
        if (read_file(c, pair->certificate, user, files) && read_file(c, pair->key, user, files)) {
            struct tls_pair loaded = credentials_pair(files, pair);
            check_pair(c, &loaded, service);
        }
    }
    credentials_free(&files);
    tls_service_free(&service);
}
