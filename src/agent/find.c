/* find.c - from an address to the servers of its domain: who is asked, in which order. */
#include "agent/find.h"

#include "agent/agent_inner.h"
#include "run/entropy.h"

#include <stdio.h>
#include <string.h>

static const struct service {
    const char *option, *words;
    const char *srv_tls, *srv_plain; /* RFC 8314 5.1, RFC 6186 3.1, 3.3 */
} services[] = {
    [FIND_SMTP] = { "--smtp", "mail submission", "_submissions._tcp", "_submission._tcp" },
    [FIND_POP] = { "--pop", "POP3", "_pop3s._tcp", "_pop3._tcp" },
};

enum { SRV_TLS, SRV_PLAIN, SRV_COUNT, SRV_NAME_MAX = DNS_NAME_MAX + 24 };

/* --- SRV --- */

static void take_srv(const struct find_options *o, struct agent_query *queries, struct servers *out)
{
    struct servers_srv srv = { .service = o->service, .domain = address_domain(o->address) };
    for (int i = 0; i < SRV_COUNT; i++) {
        const struct dns_query *q = &queries[i].query;
        srv.tls_first = i == SRV_TLS;
        srv.secure = q->secure;
        srv.seed = entropy_u64();
        if (q->verdict == DNS_FOUND)
            servers_add_srv(out, &srv, q->records, q->record_count);
    }
}

/* Neither name has a server, and at least one says so. */
static bool is_denied(const struct agent_query *queries)
{
    bool denied = false;
    for (int i = 0; i < SRV_COUNT; i++) {
        const struct dns_query *q = &queries[i].query;
        denied |= q->verdict == DNS_FOUND && servers_are_denied(q->records, q->record_count);
    }
    return denied;
}

static const char *option_of(const struct agent *a, enum find_service service)
{
    return a->options.server_option ? a->options.server_option : services[service].option;
}

static bool judge_srv(const struct agent *a, const struct find_options *o,
                      struct agent_query *queries, struct servers *out, struct failure *f)
{
    const struct service *s = &services[o->service];
    struct text domain = address_domain(o->address);
    take_srv(o, queries, out);
    if (out->count)
        return true;
    if (is_denied(queries))
        return failure_set(f, FAILURE_NO_HOST,
                           "%.*s offers no %s, its DNS says; name a server with %s HOST:PORT",
                           TEXT_ARGS(domain), s->words, option_of(a, o->service));
    for (int i = 0; i < SRV_COUNT; i++)
        if (queries[i].query.verdict == DNS_TROUBLE)
            return failure_set(f, FAILURE_LATER,
                               "the DNS cannot be asked for the servers of %.*s: %s; try again, or "
                               "name one with %s HOST:PORT",
                               TEXT_ARGS(domain), queries[i].query.words, option_of(a, o->service));
    return true;
}

static bool ask_srv(struct agent *a, const struct find_options *o, struct servers *out,
                    struct failure *f)
{
    const struct service *s = &services[o->service];
    char names[SRV_COUNT][SRV_NAME_MAX];
    struct agent_query queries[SRV_COUNT] = { 0 };
    struct text domain = address_domain(o->address);
    snprintf(names[SRV_TLS], SRV_NAME_MAX, "%s.%.*s", s->srv_tls, TEXT_ARGS(domain));
    snprintf(names[SRV_PLAIN], SRV_NAME_MAX, "%s.%.*s", s->srv_plain, TEXT_ARGS(domain));
    for (int i = 0; i < SRV_COUNT; i++) {
        queries[i].query.name = names[i];
        queries[i].query.type = DNS_SRV;
    }
    bool ok = agent_ask(a, queries, SRV_COUNT, f) && judge_srv(a, o, queries, out, f);
    agent_forget(queries, SRV_COUNT);
    return ok;
}

/* --- All --- */

static bool take_written(const struct agent *a, const struct find_options *o, struct servers *out,
                         struct failure *f)
{
    struct error e;
    bool by_option = o->written != NULL;
    struct text words = text_of(by_option ? o->written : o->account);
    if (!servers_add_written(out, o->service, words, &e))
        return failure_set(f, by_option ? FAILURE_USAGE : FAILURE_CONFIG, "%s%s%s",
                           by_option ? option_of(a, o->service) : "", by_option ? ": " : "",
                           e.words);
    for (size_t i = 0; i < out->count; i++)
        out->at[i].source = by_option ? SERVER_WRITTEN : SERVER_ACCOUNT;
    return true;
}

bool find_servers(struct agent *a, const struct find_options *o, struct servers *out,
                  struct failure *f)
{
    struct text domain = address_domain(o->address);
    out->count = 0;
    if (o->written || o->account)
        return take_written(a, o, out, f);
    if (o->config)
        servers_add_ours(out, o->service, o->config, domain);
    if (out->count)
        return true;
    if (o->address->literal) { /* "user@[192.0.2.1]": the machine itself, on the usual ports */
        servers_add_usual(out, o->service, domain);
        return true;
    }
    if (!ask_srv(a, o, out, f))
        return false;
    if (out->count == 0)
        servers_add_usual(out, o->service, domain);
    return true;
}
