/* renewal.c - certificates and password files that change while the server runs.
 *
 * It decides when to look; reload.c looks.  A folder that cannot be watched is no trouble: the hour
 * passes, or somebody says godwit reload.
 */
#include "serve/renewal.h"

#include "run/watch.h"
#include "serve/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FOLDERS_MAX = 64,
    SETTLE_MS = 1000, /* certificate and key are written one after the other */
    HOUR_MS = 3600 * 1000,
    HOURS_BETWEEN_WARNINGS = 24,
};

struct folder {
    char *path;
    struct watch *watch; /* NULL: it cannot be watched */
};

struct renewal {
    struct server *server;
    struct folder folders[FOLDERS_MAX];
    size_t count;
    struct timer soon, hourly;
    bool soon_is_set;
    unsigned hours;
    char told[ERROR_WORDS_MAX]; /* why it failed last time */
};

/* --- Looking --- */

static void looked(void *owner, bool ok, const struct error *why)
{
    struct renewal *r = owner;
    if (!ok && strcmp(r->told, why->words) != 0)
        server_note(r->server, LOG_ERROR, "renewal-failed", why->words);
    snprintf(r->told, sizeof r->told, "%s", ok ? "" : why->words);
}

static void look_soon(struct renewal *r)
{
    struct loop *loop = r->server->loops[0].loop;
    if (!r->soon_is_set)
        r->soon_is_set = loop_timer_start(loop, &r->soon, loop_now_ms(loop) + SETTLE_MS);
}

static void look(struct timer *timer)
{
    struct renewal *r = OWNER_OF(timer, struct renewal, soon);
    struct error busy;
    r->soon_is_set = false;
    if (!reload_certificates(r->server, looked, r, &busy))
        look_soon(r);
}

static void look_hourly(struct timer *timer)
{
    struct renewal *r = OWNER_OF(timer, struct renewal, hourly);
    const struct settings *s = r->server->settings;
    struct loop *loop = r->server->loops[0].loop;
    look_soon(r);
    if (++r->hours % HOURS_BETWEEN_WARNINGS == 0)
        credentials_tell(s->credentials, s->config, r->server->log, LOG_WARNING);
    loop_timer_start(loop, timer, loop_now_ms(loop) + HOUR_MS);
}

static void something_changed(void *owner)
{
    look_soon(owner);
}

/* --- Where --- */

static bool is_watched(const struct renewal *r, const char *path)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->folders[i].path, path) == 0)
            return true;
    return false;
}

/* Takes the path of a file, and keeps that of its folder. */
static void add_folder_of(struct renewal *r, char *path)
{
    char *end = path ? strrchr(path, '/') : NULL;
    if (end)
        end[end == path ? 1 : 0] = 0;
    if (!end || r->count == FOLDERS_MAX || is_watched(r, path)) {
        free(path);
        return;
    }
    struct folder *f = &r->folders[r->count++];
    f->path = path;
    if (!watch_folder(r->server->loops[0].loop, path, something_changed, r, &f->watch))
        LOG_EVENT(r->server->log, LOG_NOTICE, T("-"), "not-watched", { "folder", text_of(path) },
                  { "why", T("it is missing, or the server may not read it: after a renewal run "
                             "godwit reload as root") });
}

static void add_file(struct renewal *r, struct text path)
{
    add_folder_of(r, strndup(path.at, path.len));
    add_folder_of(r, realpath(path.at, NULL)); /* NULL: it may not be looked at */
}

static void clear(struct renewal *r)
{
    for (size_t i = 0; i < r->count; i++) {
        watch_close(&r->folders[i].watch);
        free(r->folders[i].path);
    }
    r->count = 0;
}

/* The server's own certificate changes when the server changes it. */
void renewal_follow(struct renewal *r)
{
    const struct config *config = r->server->settings->config;
    const struct config_login *login;
    clear(r);
    for (size_t i = 0; i < config->certificate_count && !config->certificate_made; i++) {
        add_file(r, config->certificates[i].certificate);
        add_file(r, config->certificates[i].key);
    }
    for (size_t i = 0; (login = config_login(config, i)); i++)
        if (login->password_file.len)
            add_file(r, login->password_file);
}

/* --- Its life --- */

bool renewal_new(struct server *server, struct renewal **out, struct error *e)
{
    struct renewal *r = calloc(1, sizeof *r);
    struct loop *loop = server->loops[0].loop;
    *out = r;
    if (!r)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    r->server = server;
    r->soon.fire = look;
    r->hourly.fire = look_hourly;
    loop_timer_start(loop, &r->hourly, loop_now_ms(loop) + HOUR_MS);
    renewal_follow(r);
    return true;
}

void renewal_free(struct renewal **renewal)
{
    struct renewal *r = *renewal;
    if (!r)
        return;
    *renewal = NULL;
    loop_timer_stop(r->server->loops[0].loop, &r->soon);
    loop_timer_stop(r->server->loops[0].loop, &r->hourly);
    clear(r);
    free(r);
}
