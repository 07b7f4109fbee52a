/* office.c - what the queue has of the server that it works for.
 *
 * Who receives mail is answered by the same rules and from the same cache as at RCPT
 * (serve/resolve.c), so that a report goes where a letter to that address would go.  It decides
 * nothing about mail on its way out.
 */
#include "serve/office.h"

#include "base/check.h"
#include "queue/dispatch.h"

#include <stdlib.h>

/* Somebody of the queue waits for a lookup. */
struct question {
    office_found *found;
    void *asker;
};

static struct server_loop *loop_of(void *server, unsigned index)
{
    struct server *s = server;
    CHECK(index < s->loop_count);
    return &s->loops[index];
}

static const struct config *config_of(void *server, unsigned index)
{
    return loop_of(server, index)->settings->config;
}

static struct text password_of(void *server, unsigned index, const struct config_login *login)
{
    return credentials_password(loop_of(server, index)->settings->credentials, login);
}

static void hold(void *server, unsigned index)
{
    server_loop_hold(loop_of(server, index));
}

static void release(void *server, unsigned index)
{
    server_loop_release(loop_of(server, index));
}

static void poke(void *server)
{
    struct server *s = server;
    dispatch_poke(s->dispatch);
}

/* --- Who receives mail for an address --- */

static enum office_verdict verdict_of(enum resolve_verdict verdict)
{
    static const enum office_verdict verdicts[] = {
        [RESOLVED] = OFFICE_FOUND,          [RESOLVE_UNKNOWN] = OFFICE_UNKNOWN,
        [RESOLVE_FOREIGN] = OFFICE_FOREIGN, [RESOLVE_NOBODY] = OFFICE_NOBODY,
        [RESOLVE_TROUBLE] = OFFICE_TROUBLE,
    };
    return verdicts[verdict];
}

static void tell(const struct question *q, enum office_verdict verdict)
{
    q->found(q->asker, &(struct office_answer){ .verdict = verdict });
}

static void tell_found(const struct question *q, const struct resolved *resolved)
{
    struct office_mailbox *mailboxes = calloc(resolved->count + 1, sizeof *mailboxes);
    if (!mailboxes) {
        tell(q, OFFICE_TROUBLE);
        return;
    }
    for (size_t i = 0; i < resolved->count; i++) {
        const struct resolved_target *target = &resolved->targets[i];
        mailboxes[i] =
            (struct office_mailbox){ target->mailbox, target->account, target->delivered_to };
    }
    struct office_answer answer = {
        .verdict = OFFICE_FOUND,
        .mailboxes = mailboxes,
        .mailbox_count = resolved->count,
        .remotes = resolved->remotes,
        .remote_count = resolved->remote_count,
    };
    q->found(q->asker, &answer);
    free(mailboxes);
}

static void tell_resolved(const struct question *q, const struct resolved *resolved)
{
    if (resolved->verdict == RESOLVED)
        tell_found(q, resolved);
    else
        tell(q, verdict_of(resolved->verdict));
}

static bool ask_people(struct server_loop *, const struct address *, const struct question *);

/* What root's programs sent is for whoever looks after the machine, as at RCPT. */
static bool ask_for_root(const struct lookup *l, const struct question *q)
{
    struct address postmaster;
    return l->resolved.verdict == RESOLVE_UNKNOWN &&
           text_equal(address_local(&l->address), T("root")) &&
           resolve_postmaster(address_domain(&l->address), &postmaster) &&
           ask_people(l->holds, &postmaster, q);
}

static void lookup_answered(struct lookup *l)
{
    struct question *q = l->owner;
    struct server_loop *home = l->holds;
    address_cache_keep(home->cache, l);
    if (l->resolved.verdict == RESOLVE_TROUBLE)
        server_note(home->server, LOG_WARNING, "directory", l->resolved.error.words);
    if (!ask_for_root(l, q))
        tell_resolved(q, &l->resolved);
    lookup_free(&l);
    free(q);
    server_loop_release(home);
}

/* False: memory is short or the lane is full, and nobody was asked. */
static bool ask_people(struct server_loop *home, const struct address *address,
                       const struct question *question)
{
    struct question *q = malloc(sizeof *q);
    struct lookup *l = lookup_new(LOOKUP_ADDRESS, address);
    if (!q || !l)
        goto failed;
    *q = *question;
    l->settings = home->settings;
    l->home = home->loop;
    l->holds = home;
    l->done = lookup_answered;
    l->owner = q;
    if (!people_ask(home->server->people, l))
        goto failed;
    server_loop_hold(home);
    return true;
failed:
    lookup_free(&l);
    free(q);
    return false;
}

static void resolve(void *server, unsigned index, const struct address *address,
                    office_found *found, void *asker)
{
    struct server_loop *home = loop_of(server, index);
    const struct config *config = home->settings->config;
    struct question question = { found, asker };
    struct address whole = *address;
    resolve_complete(config, NULL, &whole);
    resolve_machine(config, &whole);
    const struct resolved *known = address_cache_find(home->cache, &whole);
    if (known)
        tell_resolved(&question, known);
    else if (!config->catch_all.len && !config_domain(config, address_domain(&whole)))
        tell(&question, OFFICE_FOREIGN);
    else if (!ask_people(home, &whole, &question))
        tell(&question, OFFICE_TROUBLE);
}

void office_fill(struct server *server, struct office *out)
{
    CHECK(server->loop_count <= OFFICE_LOOPS_MAX);
    out->store = server->store;
    out->log = server->log;
    out->loop_count = server->loop_count;
    out->config = config_of;
    out->password = password_of;
    out->slow = server->chores;
    out->resolve = resolve;
    out->hold = hold;
    out->release = release;
    out->poke = poke;
    out->server = server;
    for (unsigned i = 0; i < server->loop_count; i++)
        out->loops[i] = server->loops[i].loop;
}
