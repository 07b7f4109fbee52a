/* config.c - finding and reading the configuration file, and questions to the finished value. */
#include "config/config.h"

#include "base/check.h"
#include "config/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STANDARD_FILE "/etc/godwit/godwit.conf"

enum { PATH_OCTETS_MAX = 4096, MACHINE_NAME_MAX = 256 };

/* A config and what it owns; the config is first, so that the one pointer is also the other. */
struct owned {
    struct config config;
    struct arena arena;
};

static struct owned *owned_new(struct error *e)
{
    struct owned *o = calloc(1, sizeof *o);
    if (!o)
        error_set(e, ERROR_TEMPORARY, "configuration: memory is short");
    else
        arena_init(&o->arena, CONFIG_MEMORY_MAX);
    return o;
}

/* The memory that a text was copied to. */
static void wipe(struct text secret)
{
    if (secret.len)
        explicit_bzero((char *)(uintptr_t)secret.at, secret.len);
}

void config_free(struct config **c)
{
    const struct config_login *login;
    struct owned *o = (struct owned *)(void *)*c;
    for (size_t i = 0; o && (login = config_login(*c, i)); i++)
        wipe(login->password);
    if (o)
        arena_reset(&o->arena);
    free(o);
    *c = NULL;
}

/* The folder of an absolute path, with its last '/'. */
static struct text folder_of(struct text path)
{
    while (path.len && path.at[path.len - 1] != '/')
        path.len--;
    return path;
}

/* The name with the working directory in front, unless it is absolute. */
static bool absolute(const char *file, char out[PATH_OCTETS_MAX], struct error *e)
{
    char here[PATH_OCTETS_MAX] = "";
    if (file[0] != '/' && !getcwd(here, sizeof here))
        return error_system(e, ERROR_CONFIG, errno, "%s: the working directory has no name", file);
    const char *between = file[0] == '/' || here[1] == 0 ? "" : "/";
    int len = snprintf(out, PATH_OCTETS_MAX, "%s%s%s", here, between, file);
    if (len >= PATH_OCTETS_MAX)
        return error_set(e, ERROR_CONFIG, "%.200s...: the path is too long", file);
    return true;
}

/* `file` NULL: there is none, and names are relative to the working directory. */
static bool build(const char *file, char *text, size_t len, const struct config_notices *notices,
                  struct config **out, struct error *e)
{
    char machine[MACHINE_NAME_MAX] = "", path[PATH_OCTETS_MAX];
    struct owned *o = owned_new(e);
    if (!o)
        return false;
    *out = &o->config;
    if (gethostname(machine, sizeof machine - 1) != 0)
        machine[0] = 0;
    o->config.file = T("");
    struct draft d = { .config = &o->config,
                       .arena = &o->arena,
                       .file = file ? text_of(file) : T("no configuration file"),
                       .machine = text_of(machine),
                       .error = e,
                       .notices = notices };
    bool ok = absolute(file ? file : "none", path, e);
    d.folder = folder_of(text_of(path));
    ok = ok && draft_init(&d);
    if (ok && file)
        ok = draft_text(&d, d.file, &o->config.file) && parse_text(&d, text, len) &&
             draft_finish(&d);
    else if (ok)
        ok = draft_without_file(&d);
    draft_clear(&d);
    if (!ok)
        config_free(out);
    return ok;
}

bool config_read(const char *file, struct text text, const struct config_notices *notices,
                 struct config **out, struct error *e)
{
    *out = NULL;
    if (text.len > CONFIG_FILE_MAX)
        return error_set(e, ERROR_CONFIG, "%s: the file is larger than %d octets", file,
                         CONFIG_FILE_MAX);
    char *copy = malloc(text.len + 1);
    if (!copy)
        return error_set(e, ERROR_TEMPORARY, "%s: memory is short", file);
    if (text.len)
        memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    bool ok = build(file, copy, text.len, notices, out, e);
    explicit_bzero(copy, text.len);
    free(copy);
    return ok;
}

/* The whole file, up to one octet more than may be. */
static bool slurp(const char *file, struct buffer *to, struct error *e)
{
    FILE *from = fopen(file, "re");
    if (!from)
        return error_system(e, ERROR_CONFIG, errno, "%s: cannot be read", file);
    size_t got = 1;
    while (got && to->len <= CONFIG_FILE_MAX) {
        uint8_t *at = buffer_reserve(to, 4096);
        got = at ? fread(at, 1, 4096, from) : 0;
        to->len += got;
    }
    bool broken = ferror(from) != 0;
    int number = errno;
    fclose(from);
    if (broken)
        return error_system(e, ERROR_CONFIG, number, "%s: cannot be read", file);
    if (to->failed)
        return error_set(e, ERROR_TEMPORARY, "%s: memory is short", file);
    return true;
}

static const char *standard_file(void)
{
    return access(STANDARD_FILE, F_OK) == 0 ? STANDARD_FILE : NULL;
}

bool config_load(const char *file, const struct config_notices *notices, struct config **out,
                 struct error *e)
{
    struct buffer text;
    *out = NULL;
    if (!file)
        file = standard_file();
    if (!file)
        return build(NULL, NULL, 0, notices, out, e);
    buffer_init(&text, CONFIG_FILE_MAX + 8192);
    bool ok = slurp(file, &text, e) && config_read(file, buffer_as_text(&text), notices, out, e);
    buffer_wipe(&text);
    return ok;
}

/* The first line that sets data, or nothing. */
static struct text data_line(struct text rest)
{
    while (rest.len) {
        struct text line, words;
        text_cut(&rest, '\n', &line);
        words = text_trim(line);
        if (text_take_nocase(&words, T("data")) && text_starts(text_trim(words), T("=")))
            return line;
    }
    return T("");
}

bool config_load_data(const char *file, struct config **out, struct error *e)
{
    struct buffer text, only;
    *out = NULL;
    if (!file)
        file = standard_file();
    if (!file)
        return build(NULL, NULL, 0, NULL, out, e);
    buffer_init(&text, CONFIG_FILE_MAX + 8192);
    buffer_init(&only, CONFIG_FILE_MAX + 8192);
    bool ok = slurp(file, &text, e);
    buffer_text(&only, data_line(buffer_as_text(&text)));
    buffer_text(&only, T("\ndomain localhost { }\n"));
    ok = ok && !only.failed && config_read(file, buffer_as_text(&only), NULL, out, e);
    buffer_wipe(&text);
    buffer_clear(&only);
    return ok;
}

const struct config_domain *config_domain(const struct config *c, struct text name)
{
    for (size_t i = 0; i < c->domain_count; i++)
        if (text_equal(c->domains[i].name, name))
            return &c->domains[i];
    return NULL;
}

const struct config_login *config_login(const struct config *c, size_t index)
{
    if (c->smarthost_login.user.len && index-- == 0)
        return &c->smarthost_login;
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].login.user.len && index-- == 0)
            return &c->routes[i].login;
    return NULL;
}

static bool is_in(const struct network *networks, size_t count, const struct endpoint *peer)
{
    for (size_t i = 0; i < count; i++)
        if (network_contains(&networks[i], peer))
            return true;
    return false;
}

bool config_trusts(const struct config *c, const struct endpoint *peer)
{
    return is_in(c->trusted, c->trusted_count, peer);
}

bool config_trusts_account(const struct config *c, struct text account)
{
    for (size_t i = 0; i < c->local_trusted_count; i++)
        if (text_equal(c->local_trusted[i], account))
            return true;
    return false;
}

bool config_allows(const struct config *c, const struct endpoint *peer)
{
    return is_in(c->ban_allow, c->ban_allow_count, peer);
}

static bool copy_text(struct owned *to, struct text from, struct text *out)
{
    char *at = arena_take(&to->arena, from.len + 1);
    if (!at)
        return false;
    if (from.len)
        memcpy(at, from.at, from.len);
    at[from.len] = 0;
    *out = (struct text){ at, from.len };
    return true;
}

bool config_keep(struct config *next, const struct config *now, struct error *e)
{
    struct owned *o = (struct owned *)(void *)next;
    next->sandbox = now->sandbox;
    if (copy_text(o, now->data, &next->data) && copy_text(o, now->user, &next->user) &&
        copy_text(o, now->local_socket, &next->local_socket) &&
        copy_text(o, now->local_spool, &next->local_spool) &&
        (!next->certificate_made || config_name_made(next, &o->arena)))
        return true;
    return error_set(e, ERROR_TEMPORARY, "configuration: memory is short");
}

static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->listener_count != b->listener_count)
        return false;
    for (size_t i = 0; i < a->listener_count; i++) {
        const struct config_listener *x = &a->listeners[i], *y = &b->listeners[i];
        if (x->role != y->role || x->endpoint.port != y->endpoint.port ||
            !endpoint_equal_address(&x->endpoint, &y->endpoint))
            return false;
    }
    return true;
}

size_t config_needs_restart(const struct config *now, const struct config *next,
                            const char *out[CONFIG_RESTART_MAX])
{
    size_t count = 0;
    if (!text_equal(now->data, next->data))
        out[count++] = "data";
    if (!text_equal(now->user, next->user))
        out[count++] = "user";
    if (!same_listeners(now, next))
        out[count++] = "listen";
    if (now->sandbox != next->sandbox)
        out[count++] = "sandbox";
    if (text_equal(now->data, next->data) && /* or they are elsewhere for that reason */
        (!text_equal(now->local_socket, next->local_socket) ||
         !text_equal(now->local_spool, next->local_spool)))
        out[count++] = "local";
    return count;
}
