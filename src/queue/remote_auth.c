/* remote_auth.c - logging in with a next hop (RFC 4954): whether the password may be said on this
 * connection, and the exchange.
 *
 * The machine frames it and run/sasl_client.h knows the mechanisms.  What takes long to compute is
 * done on a lane; a session that ends meanwhile leaves it behind, and it frees itself.
 *
 *   where the password may go                                       because
 *   a host whose certificate was verified                           it is who it says
 *   any host over TLS, with tls = encrypt                           the operator wrote so
 *   this machine                                                    unless cleartext = never
 *   anywhere                                                        cleartext = always
 */
#include "queue/remote_inner.h"

#include "run/sasl_client.h"

#include <stdlib.h>

struct remote_login {
    struct remote *r; /* NULL: the session has ended */
    struct office *office;
    unsigned index; /* of the loop */
    struct sasl_client *sasl;
    bool begun;
    bool busy; /* on the lane */
    struct job job;
    struct buffer challenge; /* for the lane */
    enum sasl_client_verdict verdict;
    struct error error;
};

enum { CHALLENGE_MAX = 16 * 1024 };

/* --- Whether the password may be said --- */

/* NULL, or why not. */
static const char *obstacle(const struct remote *r, const struct config_login *login)
{
    struct tls_facts facts;
    bool here = endpoint_is_loopback(&r->call.endpoint);
    bool secured = tls_facts(r->stream, &facts);
    if (login->cleartext == CLEARTEXT_ALWAYS || (here && login->cleartext != CLEARTEXT_NEVER))
        return NULL;
    if (!secured)
        return "the password is not said without TLS, which the host does not offer or tls does "
               "not want (see relay: tls, cleartext)";
    if (!facts.verified && r->errand.route.tls != RELAY_TLS_ENCRYPT && !here)
        return "the password is not said to a host whose certificate was not verified (see relay: "
               "tls, cleartext)";
    return NULL;
}

/* --- An exchange --- */

static void login_free(struct remote_login *l)
{
    sasl_client_free(&l->sasl);
    buffer_wipe(&l->challenge);
    free(l);
}

void remote_auth_clear(struct remote *r)
{
    struct remote_login *l = r->login;
    r->login = NULL;
    if (!l)
        return;
    l->r = NULL;
    if (!l->busy)
        login_free(l);
}

static struct remote_login *login_new(struct remote *r)
{
    struct remote_login *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->r = r;
    l->office = r->office;
    l->index = r->home->index;
    buffer_init(&l->challenge, CHALLENGE_MAX);
    return l;
}

static uint64_t now_ms(const struct remote *r)
{
    return loop_now_ms(r->loop);
}

static bool refuse(struct remote *r, const struct error *why)
{
    r->errand.local_trouble |= why->kind == ERROR_TEMPORARY;
    smtp_client_auth_failed(r->machine, error_text(why), now_ms(r));
    remote_auth_clear(r); /* `why` may be its own */
    return true;
}

/* The log masks what stands behind the mechanism's name, and every line that follows. */
static bool answer(struct remote *r)
{
    struct remote_login *l = r->login;
    if (l->verdict == SASL_CLIENT_DOUBTS)
        return refuse(r, &l->error);
    struct sasl_words words = {
        .mechanism = sasl_client_mechanism(l->sasl),
        .has_words = l->verdict == SASL_CLIENT_SAYS,
        .words = sasl_client_words(l->sasl),
        .may_end = sasl_client_may_end(l->sasl),
    };
    smtp_client_auth(r->machine, &words, now_ms(r));
    wire_add_output(&r->wire, LOG_CLIENT, l->begun ? WIRE_SECRET : WIRE_WORDS,
                    smtp_client_output(r->machine));
    l->begun = true;
    return true;
}

/* --- On the lane --- */

static void compute(struct job *job)
{
    struct remote_login *l = OWNER_OF(job, struct remote_login, job);
    l->verdict = sasl_client_step(l->sasl, buffer_as_text(&l->challenge), &l->error);
}

static void computed(struct job *job)
{
    struct remote_login *l = OWNER_OF(job, struct remote_login, job);
    struct office *office = l->office;
    struct remote *r = l->r;
    unsigned index = l->index;
    l->busy = false;
    if (r) {
        answer(r);
        remote_talk_on(r);
    } else {
        login_free(l);
    }
    office->release(office->server, index);
}

/* False: the lane will answer. */
static bool ask_lane(struct remote *r, struct text challenge)
{
    struct remote_login *l = r->login;
    struct error error;
    l->job = (struct job){ .run = compute, .done = computed, .home = r->loop };
    buffer_wipe(&l->challenge);
    if (!buffer_text(&l->challenge, challenge) || !lane_submit(r->office->slow, &l->job)) {
        error_set(&error, ERROR_TEMPORARY, "this server is too busy to log in");
        return refuse(r, &error);
    }
    l->busy = true;
    r->office->hold(r->office->server, l->index);
    return false;
}

/* --- Steps --- */

static bool make_client(struct remote *r, const struct config_login *login, struct error *error)
{
    static const struct text names[] = {
        [MECHANISM_AUTO] = TEXT(""),
        [MECHANISM_PLAIN] = TEXT("PLAIN"),
        [MECHANISM_LOGIN] = TEXT("LOGIN"),
        [MECHANISM_SCRAM_SHA_1] = TEXT("SCRAM-SHA-1"),
        [MECHANISM_SCRAM_SHA_256] = TEXT("SCRAM-SHA-256"),
        [MECHANISM_SCRAM_SHA_256_PLUS] = TEXT("SCRAM-SHA-256-PLUS"),
    };
    struct tls_facts ignored;
    struct sasl_client_options options = {
        .offered = smtp_client_offers(r->machine)->mechanisms,
        .mechanism = names[login->mechanism],
        .user = login->user,
        .password = r->office->password(r->office->server, r->home->index, login),
        .stream = tls_facts(r->stream, &ignored) ? r->stream : NULL,
    };
    remote_auth_clear(r);
    r->login = login_new(r);
    if (!r->login)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    return sasl_client_new(&options, &r->login->sasl, error);
}

static bool begin(struct remote *r)
{
    const struct config *c = r->office->config(r->office->server, r->home->index);
    const struct config_login *login = route_login(c, &r->errand.route);
    const char *why = login ? obstacle(r, login) : "the configuration has changed";
    struct error error;
    if (why)
        error_set(&error, ERROR_REFUSED, "%s", why);
    else if (make_client(r, login, &error))
        r->login->verdict = sasl_client_step(r->login->sasl, T(""), &r->login->error);
    else
        why = error.words;
    return why ? refuse(r, &error) : answer(r);
}

bool remote_auth_step(struct remote *r, const struct smtp_client_step *step)
{
    struct remote_login *l = r->login;
    if (step->begins)
        return begin(r);
    if (sasl_client_is_slow(l->sasl))
        return ask_lane(r, step->challenge);
    l->verdict = sasl_client_step(l->sasl, step->challenge, &l->error);
    return answer(r);
}

/* --- The log --- */

void remote_auth_done(struct remote *r)
{
    if (!r->login)
        return;
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "login", { "host", text_of(r->host) },
              { "user", text_of(r->errand.route.user) },
              { "mechanism", sasl_client_mechanism(r->login->sasl) });
    remote_auth_clear(r);
}

void remote_auth_failed(struct remote *r, const struct smtp_client_result *failure)
{
    LOG_EVENT(r->office->log, LOG_WARNING, text_of(r->session), "login-failed",
              { "host", text_of(r->host) }, { "user", text_of(r->errand.route.user) },
              { "why", failure->reply });
}
