/* book.c - lab.json: what a lab is, for programs, and for its next start. */
#include "lab/book.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DOMAINS_TEXT_MAX = LAB_DOMAINS_MAX * 2 * (ADDRESS_DOMAIN_MAX + 2) };

/* --- Making it --- */

static json_t *ports_of(const struct lab_plan *plan)
{
    json_t *ports = json_object();
    for (enum role role = 0; role < ROLE_COUNT; role++)
        json_object_set_new(ports, role_name(role), json_integer(plan->ports.roles[role]));
    return ports;
}

static json_t *domains_of(const struct lab_plan *plan, const struct lab_host *host)
{
    json_t *domains = json_array();
    for (size_t i = 0; i < host->domain_count; i++)
        json_array_append_new(domains, json_string(plan->domains[host->first_domain + i].name));
    return domains;
}

static json_t *users_of(const struct lab_plan *plan, const struct lab_host *host)
{
    json_t *users = json_array();
    for (size_t i = 0; i < host->domain_count * LAB_USERS_EACH; i++) {
        const struct lab_user *user =
            &plan->domains[host->first_domain + i / LAB_USERS_EACH].users[i % LAB_USERS_EACH];
        json_array_append_new(users,
                              json_pack("{s:s%,s:s}", "address", user->address.text,
                                        (size_t)user->address.len, "password", user->password));
    }
    return users;
}

static json_t *server_of(const struct lab_plan *plan, const struct lab_host *host)
{
    char address[ENDPOINT_TEXT_MAX], config[LAB_PATH_MAX], log[LAB_PATH_MAX];
    endpoint_print_address(&host->address, address);
    if (!plan_path(plan, host, "godwit.conf", config) || !plan_path(plan, host, "log", log))
        return NULL;
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:i,s:s,s:o,s:o}", "host", host->name, "address",
                     address, "config", config, "log", log, "ports", ports_of(plan), "entrance",
                     plan_entrance(plan, host).port, "fault", fault_name(host->fault.kind),
                     "domains", domains_of(plan, host), "users", users_of(plan, host));
}

json_t *book_make(const struct lab_plan *plan)
{
    char dns[ENDPOINT_TEXT_MAX];
    json_t *servers = json_array();
    for (size_t i = 0; i < plan->host_count; i++)
        if (json_array_append_new(servers, server_of(plan, &plan->hosts[i])) != 0) {
            json_decref(servers);
            return NULL;
        }
    endpoint_print(&plan->dns, dns);
    return json_pack("{s:s,s:s,s:o}", "folder", plan->folder, "dns", dns, "servers", servers);
}

bool book_write(const struct lab_plan *plan, struct error *error)
{
    char path[LAB_PATH_MAX], fresh[LAB_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/lab.json", plan->folder);
    int fresh_len = snprintf(fresh, sizeof fresh, "%s/lab.json.new", plan->folder);
    if (len >= LAB_PATH_MAX || fresh_len >= LAB_PATH_MAX)
        return error_set(error, ERROR_REFUSED, "the path of %s is too long", plan->folder);
    json_t *book = book_make(plan);
    if (!book)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    mode_t before = umask(077);
    bool ok = json_dump_file(book, fresh, JSON_INDENT(2)) == 0 && rename(fresh, path) == 0;
    int number = errno;
    umask(before);
    json_decref(book);
    return ok || error_system(error, ERROR_TEMPORARY, number, "cannot write %s", path);
}

/* --- Reading it --- */

bool book_read(const char *folder, json_t **out, struct error *error)
{
    char path[LAB_PATH_MAX];
    json_error_t why;
    *out = NULL;
    snprintf(path, sizeof path, "%s/lab.json", folder);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    *out = json_load_file(path, 0, &why);
    return *out != NULL ||
           error_set(error, ERROR_DAMAGED, "%s: line %d: %s", path, why.line, why.text);
}

/* The hosts of the book as --domains would name them. */
static bool write_domains(const json_t *book, struct buffer *out)
{
    size_t i, j;
    json_t *server, *domain;
    bool ok = true;
    json_array_foreach(json_object_get(book, "servers"), i, server)
    {
        const char *host = json_string_value(json_object_get(server, "host"));
        ok = ok && host && buffer_printf(out, "%s%s", i > 0 ? "," : "", host);
        json_array_foreach(json_object_get(server, "domains"), j, domain) ok =
            ok && json_is_string(domain) &&
            buffer_printf(out, "%c%s", j > 0 ? '+' : '=', json_string_value(domain));
    }
    return ok && out->len > 0;
}

bool book_add_domains(const json_t *book, struct lab_plan *plan, struct error *error)
{
    struct buffer domains;
    buffer_init(&domains, DOMAINS_TEXT_MAX);
    bool ok = write_domains(book, &domains)
                  ? plan_add_domains(plan, buffer_as_text(&domains), error)
                  : error_set(error, ERROR_DAMAGED, "%s/lab.json is not a lab's", plan->folder);
    buffer_clear(&domains);
    return ok;
}

static void take_password(const json_t *entry, struct lab_plan *plan)
{
    const char *words = json_string_value(json_object_get(entry, "address"));
    const char *password = json_string_value(json_object_get(entry, "password"));
    struct address address;
    if (!words || !password || strlen(password) > LAB_PASSWORD ||
        address_parse(text_of(words), ADDRESS_UTF8, &address) != ADDRESS_OK)
        return;
    struct lab_user *user = plan_user(plan, &address);
    if (user)
        snprintf(user->password, sizeof user->password, "%s", password);
}

void book_take_passwords(const json_t *book, struct lab_plan *plan)
{
    size_t i, j;
    json_t *server, *user;
    json_array_foreach(json_object_get(book, "servers"), i, server)
        json_array_foreach(json_object_get(server, "users"), j, user) take_password(user, plan);
}
