/* link_open.c - whom a link calls: names are looked up, addresses tried one after the other.
 *
 * A server that cannot be reached, or does not get as far as to be the right one, is followed by
 * the next.  When all have failed, the failure that got furthest is told: that one is worth
 * reading.
 */
#include "agent/link.h"

#include <stdio.h>
#include <string.h>

enum {
    CALL_MS = 30 * 1000,
    GUESS_MS = 6 * 1000, /* of a host that may not be there at all, or hides its closed ports */
    ADDRESSES_MAX = 16,
};

/* How far an attempt got. */
enum reach { REACH_NOTHING, REACH_NAME, REACH_ADDRESS, REACH_HOST };

struct attempt {
    struct link *link;
    struct stream *stream;
    struct error why;
    bool done;
};

struct opening {
    struct link *link;
    struct failure best; /* of what was tried */
    enum reach reach;
    bool any; /* something was */
    /* What the host of the last server was found to be: the next one often has the same. */
    char looked_up[DNS_NAME_MAX];
    struct endpoint addresses[ADDRESSES_MAX];
    size_t address_count;
};

static void keep_best(struct opening *o, enum reach reach, const struct failure *f)
{
    if (o->any && reach <= o->reach)
        return;
    o->any = true;
    o->reach = reach;
    o->best = *f;
}

/* --- Names --- */

static void add_addresses(struct opening *o, const struct dns_query *q, size_t max)
{
    for (size_t i = 0; q->verdict == DNS_FOUND && i < q->record_count; i++)
        if (o->address_count < max)
            o->addresses[o->address_count++] = q->records[i].address;
}

/* RFC 6761 6.3: nobody needs to be asked. */
static bool is_localhost(const char *host)
{
    return text_equal_nocase(text_of(host), T("localhost"));
}

static void take_localhost(struct opening *o)
{
    endpoint_parse_address(T("127.0.0.1"), &o->addresses[0]);
    endpoint_parse_address(T("::1"), &o->addresses[1]);
    o->address_count = 2;
}

enum { ASK_V6, ASK_V4, ASK_COUNT };

static void judge_names(struct opening *o, const char *host, const struct agent_query *queries)
{
    struct failure f;
    bool trouble = false;
    add_addresses(o, &queries[ASK_V6].query, ADDRESSES_MAX / 2);
    add_addresses(o, &queries[ASK_V4].query, ADDRESSES_MAX);
    if (o->address_count)
        return;
    for (int i = 0; i < ASK_COUNT; i++)
        trouble |= queries[i].query.verdict == DNS_TROUBLE;
    if (trouble)
        failure_set(&f, FAILURE_LATER, "%s: the DNS cannot be asked for its address: %s; try again",
                    host, queries[ASK_V4].query.words);
    else
        failure_set(&f, FAILURE_NO_HOST, "%s: the DNS knows no such server; check the name", host);
    keep_best(o, trouble ? REACH_NAME : REACH_NOTHING, &f);
}

/* Fills o->addresses; none: the reason was kept.  False: interrupted. */
static bool look_up(struct opening *o, const struct server *server, struct failure *f)
{
    struct agent_query queries[ASK_COUNT] = { 0 };
    if (strcmp(o->looked_up, server->host) == 0)
        return true;
    o->address_count = 0;
    snprintf(o->looked_up, sizeof o->looked_up, "%s", server->host);
    if (is_localhost(server->host)) {
        take_localhost(o);
        return true;
    }
    queries[ASK_V6].query = (struct dns_query){ .name = server->host, .type = DNS_AAAA };
    queries[ASK_V4].query = (struct dns_query){ .name = server->host, .type = DNS_A };
    bool asked = agent_ask(o->link->agent, queries, ASK_COUNT, f);
    if (asked)
        judge_names(o, server->host, queries);
    agent_forget(queries, ASK_COUNT);
    return asked;
}

/* --- Calls --- */

static void connected(void *owner, struct stream *stream, const struct error *why)
{
    struct attempt *a = owner;
    a->stream = stream;
    if (why)
        a->why = *why;
    a->done = true;
    agent_wake(a->link->agent);
}

static void name_place(struct link *l)
{
    char words[ENDPOINT_TEXT_MAX];
    struct text address = endpoint_print_address(&l->to, words);
    if (text_equal(address, text_of(l->server.host)))
        snprintf(l->where, sizeof l->where, "[%s]:%u", words, (unsigned)l->to.port);
    else
        snprintf(l->where, sizeof l->where, "%s[%s]:%u", l->server.host, words,
                 (unsigned)l->to.port);
}

/* NULL: *f; FAILURE_INTERRUPTED ends it all. */
static struct stream *call(struct link *l, struct failure *f)
{
    struct attempt a = { .link = l };
    struct connect_options options = {
        .to = l->to,
        .timeout_ms = l->server.source == SERVER_USUAL ? GUESS_MS : CALL_MS,
        .done = connected,
        .owner = &a,
    };
    trace_note(&l->trace, "calling %s", l->where);
    struct connecting *connecting = connect_start(l->agent->loop, &options, &a.why);
    if (!connecting) {
        failure_of(f, &a.why);
        return NULL;
    }
    if (!agent_wait(l->agent, &a.done)) {
        connect_cancel(&connecting);
        failure_set(f, FAILURE_INTERRUPTED, "%s: interrupted", l->where);
        return NULL;
    }
    if (!a.stream)
        failure_set(f, FAILURE_LATER, "%s: %s; is the server up, and the port right?", l->where,
                    a.why.words);
    return a.stream;
}

/* What the next server, or address, may still do better. */
static bool may_try_next(const struct link *l, const struct failure *f)
{
    return f->kind != FAILURE_INTERRUPTED &&
           (!l->begun || l->state != LINK_ENDED || !l->machine->is_settled(l->owner));
}

/* One address.  False: *next_out tells whether another may be tried. */
static bool try_address(struct opening *o, const struct endpoint *address, bool *next_out,
                        struct failure *f)
{
    struct link *l = o->link;
    uint16_t port = l->server.endpoint.port;
    l->to = *address;
    l->to.port = port;
    name_place(l);
    struct stream *stream = call(l, f);
    bool reached = stream != NULL;
    if (reached) {
        link_start(l, stream);
        if (link_wait(l, f))
            return true;
    }
    *next_out = may_try_next(l, f);
    keep_best(o, reached ? REACH_HOST : REACH_ADDRESS, f);
    const struct trace *to = l->trace.to;
    if (*next_out)
        trace_note(&l->trace, "%s", f->words);
    link_close(l);
    trace_begin(&l->trace, to);
    return false;
}

static bool try_server(struct opening *o, const struct server *server, bool *next_out,
                       struct failure *f)
{
    struct link *l = o->link;
    l->server = *server;
    *next_out = true;
    if (server->endpoint.family != NET_NONE)
        return try_address(o, &server->endpoint, next_out, f);
    if (!look_up(o, server, f)) {
        *next_out = false;
        return false;
    }
    for (size_t i = 0; i < o->address_count && *next_out; i++)
        if (try_address(o, &o->addresses[i], next_out, f))
            return true;
    return false;
}

/* A port that wants TLS at once, to somebody who wants none, beside others. */
static bool is_useless(const struct link *l, const struct servers *servers, size_t index)
{
    return servers->count > 1 && servers->at[index].tls_first && l->tls == AGENT_TLS_NONE;
}

bool link_open(struct link *l, const struct servers *servers, struct failure *f)
{
    struct opening o = { .link = l };
    const char *option = l->agent->options.server_option;
    bool next = true;
    for (size_t i = 0; i < servers->count && next; i++)
        if (!is_useless(l, servers, i) && try_server(&o, &servers->at[i], &next, f))
            return true;
    if (!next)
        return false;
    if (o.reach == REACH_NOTHING && l->server.source == SERVER_USUAL)
        return failure_set(f, FAILURE_NO_HOST,
                           "%s has no server by any usual name, and its DNS names none; name one "
                           "with %s HOST:PORT",
                           l->server.host, option ? option : "--smtp or --pop");
    *f = o.best;
    return false;
}

/* --- What TLS is for --- */

/* This machine, with which no exception is to be made when all must be verified. */
static bool is_here(const struct link *l)
{
    return endpoint_is_loopback(&l->to) && l->tls != AGENT_TLS_VERIFY;
}

enum link_wish link_wish(const struct link *l)
{
    switch (l->tls) {
    case AGENT_TLS_NONE:
        return LINK_TLS_NEVER;
    case AGENT_TLS_AUTO:
        return l->has_login && !is_here(l) ? LINK_TLS_MUST : LINK_TLS_IF_OFFERED;
    case AGENT_TLS_MAY:
        return LINK_TLS_IF_OFFERED;
    case AGENT_TLS_ENCRYPT:
    case AGENT_TLS_VERIFY:
        break;
    }
    return LINK_TLS_MUST;
}

enum tls_verify link_verify(const struct link *l)
{
    bool verify =
        l->tls == AGENT_TLS_VERIFY || (l->tls == AGENT_TLS_AUTO && l->has_login && !is_here(l));
    return verify ? TLS_VERIFY_NAME : TLS_VERIFY_NONE;
}

const char *link_tls_advice(const struct link *l)
{
    if (link_verify(l) == TLS_VERIFY_NAME)
        return "; the password was not said.  --ca FILE names who may vouch for the server, --tls "
               "encrypt trusts anybody";
    return "; --tls none does without, and says passwords in the clear";
}

const char *link_obstacle(const struct link *l)
{
    if (is_here(l))
        return NULL;
    if (l->server.is_foreign)
        return "the DNS names this server, which is outside of the domain, and nobody vouches for "
               "that answer (RFC 6186 6): if it is right, name it yourself, as an option or in "
               "agent.conf";
    if (!l->secured && l->tls != AGENT_TLS_NONE)
        return "the password is not said without TLS; --tls none says it in the clear";
    return NULL;
}

const struct stream *link_binding(const struct link *l)
{
    return l->secured ? l->stream : NULL;
}

struct text link_our_literal(const struct link *l, char out[ENDPOINT_TEXT_MAX])
{
    struct endpoint here = stream_local(l->stream);
    return endpoint_print_literal(&here, out);
}
