/* agent.c - what one call of the program has once when it is a user's agent.
 *
 * Waiting is turning the loop: whoever waits hands over a flag, and whoever sets one wakes him.
 */
#include "agent/agent_inner.h"

#include "base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool agent_tls_parse(struct text word, enum agent_tls *out)
{
    static const struct text words[] = {
        [AGENT_TLS_AUTO] = TEXT("auto"),     [AGENT_TLS_NONE] = TEXT("none"),
        [AGENT_TLS_MAY] = TEXT("may"),       [AGENT_TLS_ENCRYPT] = TEXT("encrypt"),
        [AGENT_TLS_VERIFY] = TEXT("verify"),
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_equal(word, words[i])) {
            *out = (enum agent_tls)i;
            return true;
        }
    return false;
}

static bool have_authorities(struct agent *a, struct failure *f)
{
    struct error e;
    const char *file = a->options.authorities;
    if (file && access(file, R_OK) != 0)
        return failure_set(f, FAILURE_CONFIG, "the authorities in %.300s: %s", file,
                           strerror(errno));
    if (!file || agent_tls_context(a, TLS_VERIFY_NAME, &e))
        return true;
    return failure_set(f, e.kind == ERROR_TEMPORARY ? FAILURE_LATER : FAILURE_CONFIG,
                       "%s; that file is to have the certificates, in PEM, of who may vouch for "
                       "servers",
                       e.words);
}

bool agent_new(const struct agent_options *options, struct agent **out, struct failure *f)
{
    struct error e;
    struct agent *a = calloc(1, sizeof *a);
    *out = NULL;
    if (!a)
        return failure_set(f, FAILURE_LATER, "memory is short");
    a->options = *options;
    if (!loop_new(&a->loop, &e)) {
        free(a);
        return failure_of(f, &e);
    }
    if (!have_authorities(a, f)) {
        agent_free(&a);
        return false;
    }
    *out = a;
    return true;
}

void agent_free(struct agent **agent)
{
    struct agent *a = *agent;
    if (!a)
        return;
    dns_free(&a->dns);
    loop_free(&a->loop);
    tls_context_free(&a->strict);
    tls_context_free(&a->lax);
    free(a);
    *agent = NULL;
}

struct loop *agent_loop(const struct agent *a)
{
    return a->loop;
}

/* --- Waiting --- */

bool agent_wait(struct agent *a, const bool *done)
{
    CHECK(!a->waiting);
    a->waiting = true;
    while (!*done && !a->interrupted)
        loop_run(a->loop);
    a->waiting = false;
    return *done;
}

void agent_wake(struct agent *a)
{
    if (a->waiting)
        loop_stop(a->loop);
}

void agent_interrupt(struct agent *a)
{
    a->interrupted = true;
    agent_wake(a);
}

static void caught(void *owner)
{
    agent_interrupt(owner);
}

bool agent_catch_interrupts(struct agent *a, struct failure *f)
{
    struct error e;
    return loop_on_signal(a->loop, SIGINT, caught, a, &e) || failure_of(f, &e);
}

struct last_post {
    struct post post;
    struct loop *loop;
};

static void stop(struct post *post)
{
    loop_stop(OWNER_OF(post, struct last_post, post)->loop);
}

void agent_run_posts(struct agent *a)
{
    struct last_post last = { .post.run = stop, .loop = a->loop };
    CHECK(!a->waiting);
    loop_post(a->loop, &last.post);
    loop_run(a->loop);
}

/* A signal that came meanwhile is told in the loop's next turn: that turn is made here. */
void agent_forget_interrupt(struct agent *a)
{
    agent_run_posts(a);
    a->interrupted = false;
}

/* --- TLS --- */

const struct tls_context *agent_tls_context(struct agent *a, enum tls_verify verify,
                                            struct error *e)
{
    bool strict = verify == TLS_VERIFY_NAME;
    struct tls_context **context = strict ? &a->strict : &a->lax;
    if (*context)
        return *context;
    bool made = strict ? tls_client_context_new(a->options.authorities, context, e)
                       : tls_client_context_new_lax(context, e);
    return made ? *context : NULL;
}

/* --- Names --- */

static const char hosts_file[] = "/etc/hosts";

static bool have_dns(struct agent *a, struct failure *f)
{
    struct error e;
    struct dns_options options = {
        .resolvers = a->options.resolvers,
        .resolver_count = a->options.resolver_count,
        .security = DNS_SECURITY_AUTO,
        .hosts = a->options.resolver_count || access(hosts_file, R_OK) != 0 ? NULL : hosts_file,
    };
    return a->dns || dns_new(&options, &a->dns, &e) || failure_of(f, &e);
}

struct agent_asking {
    struct agent *agent;
    size_t open;
    bool done;
};

static void answered(struct dns_query *query)
{
    struct agent_asking *asking = OWNER_OF(query, struct agent_query, query)->asking;
    if (--asking->open > 0)
        return;
    asking->done = true;
    agent_wake(asking->agent);
}

static void ask(struct agent *a, struct agent_query *q, struct agent_asking *asking)
{
    q->asking = asking;
    q->query.home = a->loop;
    q->query.done = answered;
    if (dns_ask(a->dns, &q->query))
        asking->open++;
    else
        q->query.verdict = DNS_TROUBLE;
}

bool agent_ask(struct agent *a, struct agent_query *queries, size_t count, struct failure *f)
{
    struct agent_asking asking = { .agent = a };
    if (!have_dns(a, f))
        return false;
    for (size_t i = 0; i < count; i++)
        ask(a, &queries[i], &asking);
    asking.done = asking.open == 0;
    if (agent_wait(a, &asking.done))
        return true;
    for (size_t i = 0; i < count; i++)
        dns_cancel(a->dns, &queries[i].query);
    return failure_set(f, FAILURE_INTERRUPTED, "interrupted");
}

void agent_forget(struct agent_query *queries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dns_query_clear(&queries[i].query);
}
