/* remote_call.c - from a route to a connection: hosts are called one after the other until one
 * greets.
 *
 * A host that fails before it has heard of the message says nothing about the message: the next one
 * is called.  When all have failed the last failure is the outcome: permanent only if each of them
 * was, and no host was left out because DNS has trouble.
 */
#include "queue/remote_inner.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

enum { CONNECT_MS = 30 * 1000 }; /* RFC 5321 4.5.3.2 is silent; a host that is up answers */

void remote_call_clear(struct remote *r)
{
    if (r->connecting)
        connect_cancel(&r->connecting);
    hosts_free(&r->hosts);
    sts_lookup_free(&r->sts);
    r->call.dane = NULL;
}

/* --- Failures --- */

void remote_keep_failure(struct remote *r, const struct outcome *o)
{
    struct kept_outcome *kept = &r->failure;
    struct arena *memory = &kept->memory;
    arena_reset(memory);
    kept->outcome = *o;
    kept->is_set = true;
    r->only_permanent &= o->permanent;
    if (!arena_text(memory, o->status, &kept->outcome.status) ||
        !arena_text(memory, o->host, &kept->outcome.host) ||
        !arena_text(memory, o->host_name, &kept->outcome.host_name) ||
        !arena_text(memory, text_first(o->reply, DSN_DIAGNOSTIC_MAX), &kept->outcome.reply) ||
        !arena_text(memory, o->reply_to, &kept->outcome.reply_to) ||
        !arena_text(memory, o->reason, &kept->outcome.reason))
        kept->outcome = (struct outcome){ .status = T("4.3.0"), .reason = T("memory is short") };
}

/* What one host refuses for good, and another may take, is refused for now (RFC 3463 2: the
 * class says which). */
static void soften(struct remote *r, struct outcome *o)
{
    o->permanent = false;
    if (!text_starts(o->status, T("5.")))
        return;
    char *status = arena_take(&r->failure.memory, o->status.len);
    if (status) {
        memcpy(status, o->status.at, o->status.len);
        status[0] = '4';
    }
    o->status = status ? (struct text){ status, o->status.len } : T("4.0.0");
}

/* For good: nobody of this hop will take anything.  For now: the first job stands for the others,
 * whose rows wait as they are (store rule 25). */
static void fail_errand(struct remote *r)
{
    struct remote_errand *e = &r->errand;
    e->outcome = r->failure.outcome;
    if (!r->only_permanent)
        soften(r, &e->outcome);
    e->news = e->outcome.permanent ? HOP_NO_NEWS : HOP_FAILED;
    remote_call_clear(r);
    do {
        CHECK(r->job);
        struct queue_job *job = r->job;
        r->job = NULL;
        list_append(&r->done, &job->link);
        remote_settle_rest(r, job, &e->outcome);
        struct list *link = e->outcome.permanent ? list_take_first(&e->jobs) : NULL;
        r->job = link ? OWNER_OF(link, struct queue_job, link) : NULL;
    } while (r->job);
    remote_give_up(r);
}

void remote_call_failed(struct remote *r)
{
    fail_errand(r);
}

static void nobody_to_call(struct remote *r)
{
    const struct hosts_failure *f = hosts_failure(r->hosts);
    struct outcome o = {
        .permanent = f->permanent,
        .status = text_of(f->status),
        .reason = text_of(f->words),
    };
    remote_keep_failure(r, &o);
    fail_errand(r);
}

static void no_room(struct remote *r)
{
    r->errand.local_trouble = true;
    remote_give_up(r);
}

/* --- Calling --- */

static void connected(void *owner, struct stream *stream, const struct error *why)
{
    struct remote *r = owner;
    r->connecting = NULL;
    if (stream) {
        remote_talk(r, stream);
        return;
    }
    struct outcome o = {
        .status = T("4.4.1"), /* RFC 3463 X.4.1: no answer from host */
        .host = text_of(r->host),
        .host_name = remote_host_name(r),
        .reason = error_text(why),
    };
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "no-connection", { "host", o.host },
              { "why", o.reason });
    remote_keep_failure(r, &o);
    remote_call_next(r);
}

static void name_host(struct remote *r)
{
    char words[ENDPOINT_TEXT_MAX];
    struct text address = endpoint_print_address(&r->call.endpoint, words);
    if (text_equal(address, text_of(r->call.name)))
        endpoint_print_literal(&r->call.endpoint, r->host);
    else
        snprintf(r->host, sizeof r->host, "%s[%s]", r->call.name, words);
}

struct text remote_host_name(const struct remote *r)
{
    return text_of(r->host[0] == '[' ? r->host : r->call.name);
}

/* What is known of this host forbids to call it (RFC 7672 2.1.2, 6; RFC 8689 4.2.1).  RFC 3463 3.8:
 * X.7.5 is a cryptographic failure. */
static void shun_host(struct remote *r)
{
    bool for_good = r->rule.is_for_good;
    struct outcome o = {
        .permanent = for_good,
        .status = for_good ? T("5.7.30") : T("4.7.5"),
        .host = text_of(r->host),
        .host_name = remote_host_name(r),
        .reason = text_of(r->rule.refusal),
    };
    LOG_EVENT(r->office->log, LOG_NOTICE, text_of(r->session), "not-called", { "host", o.host },
              { "why", o.reason });
    remote_keep_failure(r, &o);
}

static void call_host(struct remote *r)
{
    struct error error;
    struct connect_options options = {
        .to = r->call.endpoint, .timeout_ms = CONNECT_MS, .done = connected, .owner = r
    };
    r->connecting = connect_start(r->loop, &options, &error);
    if (r->connecting)
        return;
    LOG_EVENT(r->office->log, LOG_WARNING, text_of(r->session), "no-connection",
              { "host", text_of(r->host) }, { "why", error_text(&error) });
    no_room(r);
}

void remote_call_again(struct remote *r)
{
    r->state = REMOTE_CALLING;
    call_host(r);
}

static enum hosts_verdict next_callable(struct remote *r)
{
    enum hosts_verdict verdict;
    while ((verdict = hosts_next(r->hosts, &r->call)) == HOSTS_CALL) {
        name_host(r);
        remote_tls_decide(r);
        if (!r->rule.refusal)
            break;
        shun_host(r);
    }
    return verdict;
}

void remote_call_next(struct remote *r)
{
    r->state = REMOTE_CALLING;
    if (r->home->stopping) {
        remote_give_up(r);
        return;
    }
    switch (next_callable(r)) {
    case HOSTS_CALL:
        call_host(r);
        return;
    case HOSTS_WAIT:
        return;
    case HOSTS_END:
        if (r->only_permanent && hosts_failure(r->hosts))
            nobody_to_call(r);
        else
            fail_errand(r);
        return;
    case HOSTS_NONE:
        nobody_to_call(r);
        return;
    }
}

static void hosts_ready(void *owner)
{
    remote_call_next(owner);
}

static void look_for_hosts(struct remote *r)
{
    struct hosts_options options = {
        .office = r->office,
        .loop = r->home->index,
        .route = &r->errand.route,
        .seed = r->home->next_session,
        .ready = hosts_ready,
        .owner = r,
    };
    r->hosts = hosts_new(&options);
    if (r->hosts)
        remote_call_next(r);
    else
        no_room(r);
}

/* A policy is about the hosts of a domain, which a smarthost or a route's host is not; and mail may
 * say that it does not count. */
static bool wants_policy(const struct remote *r)
{
    const struct config *c = r->office->config(r->office->server, r->home->index);
    const struct route *route = &r->errand.route;
    return route->kind == ROUTE_MX && route->tls != RELAY_TLS_NONE &&
           route->tls != RELAY_TLS_DANE && route->need != TLS_NEED_WAIVED && c->relay_mta_sts;
}

static void policy_ready(void *owner)
{
    look_for_hosts(owner);
}

void remote_call(struct remote *r)
{
    struct sts_lookup_options options = {
        .office = r->office,
        .loop = r->home->index,
        .domain = r->errand.route.host,
        .session = text_of(r->session),
        .ready = policy_ready,
        .owner = r,
    };
    remote_call_clear(r);
    r->state = REMOTE_CALLING;
    r->host[0] = '\0';
    if (!wants_policy(r)) {
        look_for_hosts(r);
        return;
    }
    r->sts = sts_lookup_new(&options);
    if (!r->sts)
        no_room(r);
    else if (sts_lookup_is_over(r->sts))
        look_for_hosts(r);
}
