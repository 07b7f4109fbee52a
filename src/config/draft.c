/* draft.c - a configuration while its file is read: problems, defaults, values and titles.
 *
 * What concerns several settings at once is in finish.c.
 */
#include "config/draft.h"

#include "base/check.h"
#include "base/escape.h"
#include "config/nearest.h"
#include "config/values.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct shown shown(struct text value)
{
    struct shown out = { "" };
    struct buffer b;
    bool cut = value.len > 60;
    buffer_init(&b, 4096);
    escape_text(&b, text_first(value, 60));
    snprintf(out.words, sizeof out.words, "%.*s%s", TEXT_ARGS(text_first(buffer_as_text(&b), 90)),
             cut ? "..." : "");
    buffer_clear(&b);
    return out;
}

bool draft_problem(struct draft *d, const char *format, ...)
{
    char words[ERROR_WORDS_MAX], line[16] = "", name[64] = "";
    if (d->failed)
        return false;
    d->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (d->line)
        snprintf(line, sizeof line, ":%u", d->line);
    if (d->setting)
        snprintf(name, sizeof name, "%s%s%s: ", d->setting->row.section,
                 d->setting->row.section[0] ? "." : "", d->setting->row.key);
    return error_set(d->error, ERROR_CONFIG, "%.*s%s: %s%s", TEXT_ARGS(d->file), line, name, words);
}

bool draft_no_memory(struct draft *d)
{
    if (d->failed)
        return false;
    d->failed = true;
    return error_set(d->error, ERROR_TEMPORARY, "%.*s: memory is short", TEXT_ARGS(d->file));
}

bool draft_bad_name(struct draft *d, const char *kind, struct text value,
                    enum address_verdict verdict)
{
    if (verdict == ADDRESS_NO_MEMORY)
        return draft_no_memory(d);
    return draft_problem(d, "\"%s\" is no %s: %s", shown(value).words, kind,
                         address_problem(verdict));
}

bool draft_text(struct draft *d, struct text t, struct text *copy_out)
{
    char *at = arena_take(d->arena, t.len + 1);
    if (!at)
        return draft_no_memory(d);
    if (t.len)
        memcpy(at, t.at, t.len);
    *copy_out = (struct text){ at, t.len };
    return true;
}

void draft_notice(struct draft *d, const char *format, ...)
{
    char words[ERROR_WORDS_MAX];
    if (!d->notices || !d->notices->warning)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    d->notices->warning(d->notices->owner, words);
}

static struct buffer *lists(struct draft *d, size_t index)
{
    struct buffer *const all[] = { &d->listeners, &d->domains,    &d->certificates, &d->routes,
                                   &d->trusted,   &d->retry,      &d->resolvers,    &d->titles,
                                   &d->allowed,   &d->blocklists, &d->accounts };
    return index < sizeof all / sizeof *all ? all[index] : NULL;
}

bool draft_init(struct draft *d)
{
    CHECK(d->config);
    for (size_t i = 0; lists(d, i); i++)
        buffer_init(lists(d, i), CONFIG_MEMORY_MAX);
    return draft_defaults(d, "", d->config) && draft_defaults(d, "tls", &d->standard_certificate) &&
           draft_defaults(d, "relay", d->config) && draft_defaults(d, "auth", d->config) &&
           draft_defaults(d, "submission", d->config) && draft_defaults(d, "dns", d->config) &&
           draft_defaults(d, "limits", d->config) && draft_defaults(d, "abuse", d->config) &&
           draft_defaults(d, "local", d->config) && draft_defaults(d, "record", d->config) &&
           draft_defaults(d, "log", d->config);
}

void draft_clear(struct draft *d)
{
    for (size_t i = 0; lists(d, i); i++)
        buffer_clear(lists(d, i));
}

/* The default as it would be written in a file: a word, "a string", or {"a", "list"}. */
static bool read_standard(struct draft *d, const struct setting *s, void *target)
{
    struct text rest = text_of(s->row.standard), value;
    if (rest.at[0] != '"' && rest.at[0] != '{')
        return s->read(d, s, rest, target);
    while (text_cut(&rest, '"', &value)) {
        text_cut(&rest, '"', &value);
        if (!s->read(d, s, value, target))
            return false;
    }
    return true;
}

bool draft_defaults(struct draft *d, const char *section, void *target)
{
    for (size_t i = 0; i < schema_settings(); i++) {
        const struct setting *s = schema_setting(i);
        if (!text_equal(text_of(s->row.section), text_of(section)))
            continue;
        d->lines[i] = 0;
        if (s->read == value_listener)
            continue; /* by role: finish.c */
        d->setting = s;
        if (!read_standard(d, s, target))
            return false;
    }
    d->setting = NULL;
    return true;
}

/* Lets a list start anew: what it held was the default. */
static void empty_list(struct draft *d, const struct setting *s)
{
    if (s->read == value_trusted)
        buffer_clear(&d->trusted);
    else if (s->read == value_allow)
        buffer_clear(&d->allowed);
    else if (s->read == value_account)
        buffer_clear(&d->accounts);
    else if (s->read == value_retry)
        buffer_clear(&d->retry);
    else if (s->read == value_resolver)
        buffer_clear(&d->resolvers);
}

bool draft_value(struct draft *d, const struct setting *s, struct text value, bool first,
                 void *target)
{
    unsigned *line = &d->lines[schema_index(s)];
    d->setting = s;
    if (first && *line)
        return draft_problem(d, "given twice, on lines %u and %u", *line, d->line);
    if (first) {
        *line = d->line;
        empty_list(d, s);
    }
    if (!s->read(d, s, value, target))
        return false;
    d->setting = NULL;
    return true;
}

bool draft_empty_list(struct draft *d, const struct setting *s)
{
    d->setting = s;
    empty_list(d, s);
    if (s->read == value_listener)
        return draft_problem(d, "the list is empty: name an address, or leave address out");
    if (s->read == value_retry)
        return draft_problem(d, "the list is empty: name at least one duration");
    d->setting = NULL;
    return true;
}

/* Remembers a title; a second one of the same is a problem. */
static bool add_title(struct draft *d, const char *section, struct text title)
{
    struct draft_title item = { .section = section, .line = d->line };
    const struct draft_title *titles = (const void *)d->titles.at;
    for (size_t i = 0; i < d->titles.len / sizeof item; i++)
        if (strcmp(titles[i].section, section) == 0 && text_equal(titles[i].title, title))
            return draft_problem(d, "%s \"%.*s\" is given twice, on lines %u and %u", section,
                                 TEXT_ARGS(title), titles[i].line, d->line);
    return draft_text(d, title, &item.title) &&
           (buffer_append(&d->titles, &item, sizeof item) || draft_no_memory(d));
}

/* A title that is a domain name, canonical and owned. */
static bool domain_title(struct draft *d, const char *section, struct text title, struct text *out)
{
    char name[ADDRESS_DOMAIN_MAX + 1] = "";
    enum address_verdict verdict = title.len ? address_parse_domain(title, name) : ADDRESS_SYNTAX;
    if (verdict != ADDRESS_OK)
        return draft_bad_name(d, "domain name", title, verdict);
    return add_title(d, section, text_of(name)) && draft_text(d, text_of(name), out);
}

/* Appends a zeroed item and returns it; it stays in place until the next one. */
static void *new_item(struct draft *d, struct buffer *list, size_t size)
{
    uint8_t *item = buffer_reserve(list, size);
    if (!item) {
        draft_no_memory(d);
        return NULL;
    }
    memset(item, 0, size);
    list->len += size;
    return item;
}

bool draft_begin_listen(struct draft *d, struct text title, void **target_out)
{
    struct nearest nearest = nearest_to(title);
    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        nearest_offer(&nearest, role_name((enum role)i));
        if (!text_equal(title, text_of(role_name((enum role)i))))
            continue;
        d->role = (enum role)i;
        d->role_begins = d->listeners.len;
        d->listen_written = true;
        *target_out = d;
        return draft_defaults(d, "listen", d) && add_title(d, "listen", title);
    }
    return draft_problem(d, "listen \"%s\": there is no such service; nearest: %s",
                         shown(title).words, nearest.name);
}

bool draft_begin_domain(struct draft *d, struct text title, void **target_out)
{
    struct text name;
    if (!domain_title(d, "domain", title, &name))
        return false;
    struct draft_domain *item = new_item(d, &d->domains, sizeof *item);
    *target_out = item;
    if (!item || !draft_defaults(d, "domain", item))
        return false;
    item->domain.name = name;
    return true;
}

bool draft_end_domain(struct draft *d, void *target)
{
    struct draft_domain *item = target;
    item->catch_all_line = d->lines[schema_index(schema_find(T("domain"), T("catch_all")))];
    return true;
}

bool draft_begin_host(struct draft *d, struct text title, void **target_out)
{
    struct text name;
    if (!domain_title(d, "host", title, &name))
        return false;
    struct config_certificate *item = new_item(d, &d->certificates, sizeof *item);
    *target_out = item;
    if (!item || !draft_defaults(d, "host", item))
        return false;
    item->host = name;
    return true;
}

bool draft_end_host(struct draft *d, void *target)
{
    const struct config_certificate *item = target;
    if (item->certificate.len && item->key.len)
        return true;
    return draft_problem(d, "host \"%.*s\": it needs a certificate and a key",
                         TEXT_ARGS(item->host));
}

bool draft_begin_route(struct draft *d, struct text title, void **target_out)
{
    struct text name;
    if (!domain_title(d, "route", title, &name))
        return false;
    struct config_route *item = new_item(d, &d->routes, sizeof *item);
    *target_out = item;
    if (!item || !draft_defaults(d, "route", item))
        return false;
    item->domain = name;
    return true;
}

bool draft_end_route(struct draft *d, void *target)
{
    const struct config_route *item = target;
    if (item->host.len == 0 && item->tls == RELAY_TLS_AS_RELAY)
        return draft_problem(d, "route \"%.*s\": it needs a host, or tls", TEXT_ARGS(item->domain));
    if (item->host.len == 0 && item->login.user.len)
        return draft_problem(d, "route \"%.*s\": a user needs a host", TEXT_ARGS(item->domain));
    return draft_check_login(d, &item->login);
}

bool draft_begin_blocklist(struct draft *d, struct text title, void **target_out)
{
    struct text zone;
    if (!domain_title(d, "blocklist", title, &zone))
        return false;
    if (zone.len > BLOCKLIST_ZONE_MAX)
        return draft_problem(d, "blocklist \"%.*s\": the name is too long to be asked",
                             TEXT_ARGS(zone));
    if (d->blocklists.len / sizeof(struct config_blocklist) == CONFIG_BLOCKLISTS_MAX)
        return draft_problem(d, "there may be %d blocklists at most", CONFIG_BLOCKLISTS_MAX);
    struct config_blocklist *item = new_item(d, &d->blocklists, sizeof *item);
    *target_out = item;
    if (!item || !draft_defaults(d, "blocklist", item))
        return false;
    item->zone = zone;
    return true;
}

bool draft_end_blocklist(struct draft *d, void *target)
{
    (void)d;
    (void)target;
    return true;
}
