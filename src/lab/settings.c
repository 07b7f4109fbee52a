/* settings.c - the configuration of each server of a lab. */
#include "lab/settings.h"

#include "lab/folder.h"
#include "run/process.h"
#include "run/tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETTINGS_MAX = 64 * 1024 };

static void write_listeners(const struct lab_plan *plan, const struct lab_host *host,
                            struct buffer *out)
{
    for (enum role role = 0; role < ROLE_COUNT; role++) {
        char words[ENDPOINT_TEXT_MAX];
        struct endpoint at =
            role == ROLE_SMTP ? plan_entrance(plan, host) : plan_endpoint(plan, host, role);
        buffer_printf(out, "listen %s { address = \"%s\" }\n", role_name(role),
                      endpoint_print(&at, words).at);
    }
}

/* What nobody else gets in a lab with one inbox for all comes to the first user. */
static const struct lab_user *taker_of_all(const struct lab_plan *plan, const struct lab_host *host)
{
    return plan->any && host == plan->hosts ? &plan->domains[0].users[0] : NULL;
}

static void write_domains(const struct lab_plan *plan, const struct lab_host *host,
                          struct buffer *out)
{
    const struct lab_user *taker = taker_of_all(plan, host);
    for (size_t i = 0; i < host->domain_count; i++) {
        buffer_printf(out, "domain \"%s\" {", plan->domains[host->first_domain + i].name);
        if (taker)
            buffer_printf(out, " catch_all = \"%.*s\" ", TEXT_ARGS(address_text(&taker->address)));
        buffer_text(out, T("}\n"));
    }
    if (taker)
        buffer_printf(out, "catch_all = \"%.*s\"\n", TEXT_ARGS(address_text(&taker->address)));
}

/* Commands that root gives must not look for the account godwit. */
static void write_user(struct buffer *out)
{
    struct process_user user;
    struct error ignored;
    if (process_find_self(&user, &ignored))
        buffer_printf(out, "user = \"%s\"\n", user.name);
}

/* Short times: one wants to see something. */
static void write_sections(const struct lab_plan *plan, struct buffer *out)
{
    char dns[ENDPOINT_TEXT_MAX];
    buffer_printf(out,
                  "relay {\n"
                  "    port = %u\n"
                  "    retry = {\"2s\", \"5s\", \"10s\", \"30s\"}\n"
                  "    warn = \"1m\"\n"
                  "    expire = \"5m\"\n"
                  "}\n"
                  "tls { certificate = \"certificate.pem\"  key = \"key.pem\" }\n"
                  "dns { resolvers = {\"%s\"}  dnssec = \"off\" }\n"
                  "auth { iterations = 4096 }\n"
                  "limits { connections = 500 }\n"
                  "log { file = \"log\"  protocol = \"commands\" }\n",
                  plan->ports.roles[ROLE_SMTP], endpoint_print(&plan->dns, dns).at);
}

static bool write_file(const char *path, mode_t mode, struct text words, struct error *error)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return error_system(error, ERROR_REFUSED, errno, "cannot write %s", path);
    bool ok = fchmod(fileno(file), mode) == 0 && fwrite(words.at, 1, words.len, file) == words.len;
    ok = fclose(file) == 0 && ok;
    return ok || error_system(error, ERROR_TEMPORARY, errno, "cannot write %s", path);
}

/* A certificate that vouches for itself, once for each folder: clients may have learnt to trust it.
 */
static bool make_certificate(const struct lab_plan *plan, const struct lab_host *host,
                             struct error *error)
{
    char certificate_path[LAB_PATH_MAX], key_path[LAB_PATH_MAX];
    struct buffer certificate, key;
    if (!plan_path(plan, host, "certificate.pem", certificate_path) ||
        !plan_path(plan, host, "key.pem", key_path))
        return error_set(error, ERROR_REFUSED, "the path of %s is too long", plan->folder);
    if (access(certificate_path, F_OK) == 0)
        return true;
    buffer_init(&certificate, SETTINGS_MAX);
    buffer_init(&key, SETTINGS_MAX);
    bool ok =
        tls_make_certificate(text_of(host->name), (struct bytes){ 0 }, &certificate, &key, error) &&
        write_file(key_path, 0600, buffer_as_text(&key), error) &&
        write_file(certificate_path, 0644, buffer_as_text(&certificate), error);
    buffer_wipe(&key);
    buffer_clear(&certificate);
    return ok;
}

static bool make_folder(const struct lab_plan *plan, const struct lab_host *host,
                        char path[LAB_PATH_MAX], struct error *error)
{
    if (!plan_path(plan, host, "", path))
        return error_set(error, ERROR_REFUSED, "the path of %s is too long", plan->folder);
    return folder_add(path, error);
}

bool lab_config(const struct lab_plan *plan, const struct lab_host *host, struct config **out,
                struct error *error)
{
    char path[LAB_PATH_MAX];
    struct buffer words;
    buffer_init(&words, SETTINGS_MAX);
    buffer_printf(&words,
                  "# written by godwit lab at each start\nhostname = \"%s\"\ndata = \"data\"\n",
                  host->name);
    write_user(&words);
    write_listeners(plan, host, &words);
    write_domains(plan, host, &words);
    write_sections(plan, &words);
    bool ok = !words.failed || error_set(error, ERROR_TEMPORARY, "memory is short");
    ok = ok && make_folder(plan, host, path, error) && make_certificate(plan, host, error) &&
         (plan_path(plan, host, "godwit.conf", path) ||
          error_set(error, ERROR_REFUSED, "the path of %s is too long", plan->folder)) &&
         write_file(path, 0640, buffer_as_text(&words), error) &&
         config_load(path, NULL, out, error);
    buffer_clear(&words);
    return ok;
}
