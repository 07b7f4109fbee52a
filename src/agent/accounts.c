/* accounts.c - the user's own file, through libConfuse.
 *
 * The library's callbacks get no pointer of ours: a row under a name that no file can reach ('|' is
 * taken for a path) carries one, as in config/parse.c.
 */
#include "agent/accounts.h"

#include "config/guard.h"
#include "run/file.h"
#include "run/secret.h"

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024, PATH_OCTETS_MAX = 1024, ROW_CONTEXT = 0 };

struct accounts {
    char *folder; /* where the file is; paths in it are meant from there */
    cfg_t *cfg;
    char **paths; /* made here; PATHS_EACH for each account */
    struct account *at;
    size_t count;
};

enum { PATHS_EACH = 2 };

struct reading {
    const char *file;
    struct failure *failure;
    bool failed;
};

static void free_accounts(struct accounts *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->at[i].password)
            secret_wipe((char *)(uintptr_t)a->at[i].password, strlen(a->at[i].password));
        for (size_t j = 0; j < PATHS_EACH; j++)
            free(a->paths[i * PATHS_EACH + j]);
    }
    if (a->cfg)
        cfg_free(a->cfg);
    free(a->folder);
    free(a->paths);
    free(a->at);
    free(a);
}

void accounts_free(struct accounts **accounts)
{
    if (*accounts)
        free_accounts(*accounts);
    *accounts = NULL;
}

size_t accounts_count(const struct accounts *a)
{
    return a->count;
}

const struct account *accounts_at(const struct accounts *a, size_t index)
{
    return &a->at[index];
}

const struct account *accounts_find(const struct accounts *a, const struct address *address)
{
    struct address_key wanted, has;
    struct address one;
    const struct account *of_domain = NULL;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    address_key(address, &wanted);
    for (size_t i = 0; i < a->count; i++) {
        struct text title = text_of(a->at[i].title);
        if (address_parse(title, ADDRESS_UTF8, &one) == ADDRESS_OK) {
            address_key(&one, &has);
            if (text_equal(address_key_text(&has), address_key_text(&wanted)))
                return &a->at[i];
        } else if (!of_domain && address_parse_domain(title, domain) == ADDRESS_OK &&
                   text_equal(text_of(domain), address_domain(address))) {
            of_domain = &a->at[i];
        }
    }
    return of_domain;
}

/* --- Values --- */

/* A path as it is meant in the file: "~/" is the user's, others from the file's folder. */
static char *path_from(const struct accounts *a, const char *written)
{
    const char *home = getenv("HOME");
    char *path = NULL;
    bool homely = written[0] == '~' && written[1] == '/' && home;
    int len = homely              ? asprintf(&path, "%s%s", home, written + 1)
              : written[0] == '/' ? asprintf(&path, "%s", written)
                                  : asprintf(&path, "%s/%s", a->folder, written);
    return len < 0 ? NULL : path;
}

static bool is_title(struct text title)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    return address_parse(title, ADDRESS_UTF8, &address) == ADDRESS_OK ||
           address_parse_domain(title, domain) == ADDRESS_OK;
}

static bool take_path(struct accounts *a, const char *written, char **room, const char **out)
{
    if (!written)
        return true;
    *out = *room = path_from(a, written);
    return *room != NULL;
}

static bool take_account(struct accounts *a, cfg_t *section, struct failure *f)
{
    struct account *to = &a->at[a->count];
    char **paths = &a->paths[a->count * PATHS_EACH];
    const char *tls = cfg_getstr(section, "tls");
    *to = (struct account){
        .title = cfg_title(section),
        .smtp = cfg_getstr(section, "smtp"),
        .pop = cfg_getstr(section, "pop"),
        .login = cfg_getstr(section, "login"),
        .name = cfg_getstr(section, "name"),
        .auth = cfg_getstr(section, "auth"),
        .password = cfg_getstr(section, "password"),
        .password_command = cfg_getstr(section, "password_command"),
    };
    a->count++;
    if (!take_path(a, cfg_getstr(section, "password_file"), &paths[0], &to->password_file) ||
        !take_path(a, cfg_getstr(section, "ca"), &paths[1], &to->authorities))
        return failure_set(f, FAILURE_LATER, "memory is short");
    if (!is_title(text_of(to->title)))
        return failure_set(f, FAILURE_CONFIG, "account \"%.100s\": write an address or a domain",
                           to->title);
    if (tls && !agent_tls_parse(text_of(tls), &to->tls))
        return failure_set(f, FAILURE_CONFIG,
                           "account \"%.100s\": tls is auto, none, may, encrypt or verify, not "
                           "\"%.50s\"",
                           to->title, tls);
    return true;
}

static bool take_accounts(struct accounts *a, struct reading *r)
{
    size_t count = cfg_size(a->cfg, "account");
    a->at = calloc(count + 1, sizeof *a->at);
    a->paths = calloc(count + 1, PATHS_EACH * sizeof *a->paths);
    if (!a->at || !a->paths)
        return failure_set(r->failure, FAILURE_LATER, "memory is short");
    for (size_t i = 0; i < count; i++) {
        struct failure f;
        if (!take_account(a, cfg_getnsec(a->cfg, "account", (unsigned)i), &f))
            return failure_set(r->failure, f.kind, "%s: %s", r->file, f.words);
    }
    return true;
}

/* --- The file --- */

static void complaint(cfg_t *cfg, const char *format, va_list arguments)
{
    char words[FAILURE_WORDS_MAX / 2];
    struct reading *r = (struct reading *)(void *)cfg->opts[ROW_CONTEXT].simple_value.ptr;
    if (r->failed)
        return;
    r->failed = true;
    vsnprintf(words, sizeof words, format, arguments);
    failure_set(r->failure, FAILURE_CONFIG, "%s:%d: %s", r->file, cfg->line, words);
}

static bool parse(struct accounts *a, char *text, size_t len, struct reading *r)
{
    struct error e;
    unsigned line = 0;
    if (!guard_check(text, len, &line, &e))
        return failure_set(r->failure, FAILURE_CONFIG, "%s:%u: %s", r->file, line, e.words);
    cfg_opt_t context = { .name = "context|", .type = CFGT_PTR, .flags = CFGF_NODEFAULT };
    context.simple_value.ptr = (void **)(void *)r;
    cfg_opt_t account[] = {
        context,
        CFG_STR("smtp", NULL, CFGF_NONE),
        CFG_STR("pop", NULL, CFGF_NONE),
        CFG_STR("login", NULL, CFGF_NONE),
        CFG_STR("name", NULL, CFGF_NONE),
        CFG_STR("auth", NULL, CFGF_NONE),
        CFG_STR("password", NULL, CFGF_NONE),
        CFG_STR("password_file", NULL, CFGF_NONE),
        CFG_STR("password_command", NULL, CFGF_NONE),
        CFG_STR("ca", NULL, CFGF_NONE),
        CFG_STR("tls", NULL, CFGF_NONE),
        CFG_END(),
    };
    cfg_opt_t top[] = {
        context,
        CFG_SEC("account", account, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_END(),
    };
    a->cfg = cfg_init(top, CFGF_NONE);
    if (!a->cfg)
        return failure_set(r->failure, FAILURE_LATER, "memory is short");
    cfg_set_error_function(a->cfg, complaint);
    if (cfg_parse_buf(a->cfg, text) == CFG_SUCCESS)
        return take_accounts(a, r);
    if (!r->failed)
        failure_set(r->failure, FAILURE_LATER, "%s: memory is short", r->file);
    return false;
}

/* A password that others may read is none. */
static bool is_private(const struct accounts *a, struct reading *r)
{
    struct stat facts;
    for (size_t i = 0; i < a->count; i++)
        if (a->at[i].password && (stat(r->file, &facts) != 0 || (facts.st_mode & 077) != 0))
            return failure_set(r->failure, FAILURE_CONFIG,
                               "%s has a password in it and may be read by others: chmod 600 it, "
                               "or write password_command",
                               r->file);
    return true;
}

static bool read_into(struct accounts *a, struct reading *r)
{
    struct buffer text;
    struct error e;
    bool denied;
    const char *slash = strrchr(r->file, '/');
    buffer_init(&text, FILE_MAX);
    a->folder = slash ? strndup(r->file, (size_t)(slash - r->file)) : strdup(".");
    if (!a->folder)
        return failure_set(r->failure, FAILURE_LATER, "memory is short");
    error_set(&e, ERROR_TEMPORARY, "memory is short");
    /* All at once: what grew would leave passwords behind. */
    bool ok = (buffer_reserve(&text, FILE_MAX) && file_read(r->file, &text, &denied, &e) &&
               buffer_byte(&text, '\0')) ||
              failure_of(r->failure, &e);
    ok = ok && parse(a, (char *)text.at, text.len - 1, r) && is_private(a, r);
    buffer_wipe(&text);
    return ok;
}

static bool standard_file(char out[PATH_OCTETS_MAX])
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int len = -1;
    if (config && config[0] == '/')
        len = snprintf(out, PATH_OCTETS_MAX, "%s/godwit/agent.conf", config);
    else if (home && home[0] == '/')
        len = snprintf(out, PATH_OCTETS_MAX, "%s/.config/godwit/agent.conf", home);
    return len > 0 && len < PATH_OCTETS_MAX && access(out, F_OK) == 0;
}

bool accounts_load(const char *file, struct accounts **out, struct failure *f)
{
    char standard[PATH_OCTETS_MAX];
    struct reading r = { .file = file, .failure = f };
    struct accounts *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return failure_set(f, FAILURE_LATER, "memory is short");
    if (!file && standard_file(standard))
        r.file = standard;
    if (r.file && !read_into(a, &r)) {
        free_accounts(a);
        return false;
    }
    *out = a;
    return true;
}
