/* auth.c - is this password right?
 *
 * name -> verifier (directory lane) -> derived keys (slow lane) -> compared and remembered.
 */
#include "serve/auth.h"

#include "run/entropy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_THREADS = 2, HASH_QUEUE_MAX = 256, PASSWORD_MAX = 16 * 1024 };

struct auth {
    struct people *people;
    struct shared *shared;
    struct lane *slow;
    struct rehasher rehasher;
    uint8_t secret[SECRET_KEY]; /* makes the salts of users who do not exist */
};

bool auth_new(const struct auth_options *options, struct auth **out, struct error *error)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    a->people = options->people;
    a->shared = options->shared;
    entropy_fill(a->secret, sizeof a->secret);
    if (!lane_new("passwords", HASH_THREADS, HASH_QUEUE_MAX, &a->slow, error)) {
        auth_free(&a);
        return false;
    }
    a->rehasher.people = options->people;
    a->rehasher.slow = a->slow;
    a->rehasher.log = options->log;
    *out = a;
    return true;
}

void auth_stop(struct auth *a)
{
    if (a && a->slow)
        lane_free(&a->slow);
}

void auth_free(struct auth **auth)
{
    if (!*auth)
        return;
    auth_stop(*auth);
    secret_wipe((*auth)->secret, sizeof(*auth)->secret);
    free(*auth);
    *auth = NULL;
}

/* --- Names --- */

/* A name without '@' is a local part when there is only one domain that it can belong to. */
static bool read_name(const struct config *config, struct text name, struct address *out)
{
    char whole[ADDRESS_TEXT_MAX];
    if (text_find(name, '@') == name.len && config->domain_count == 1 &&
        name.len <= ADDRESS_LOCAL_MAX) {
        int len = snprintf(whole, sizeof whole, "%.*s@%.*s", TEXT_ARGS(name),
                           TEXT_ARGS(config->domains[0].name));
        name = (struct text){ whole, (size_t)len };
    }
    return address_parse(name, ADDRESS_UTF8, out) == ADDRESS_OK &&
           config_domain(config, address_domain(out)) != NULL;
}

bool auth_same_name(const struct settings *settings, struct text name,
                    const struct address *address)
{
    struct address other;
    struct address_key a, b;
    if (!read_name(settings->config, name, &other))
        return false;
    address_key(&other, &a);
    address_key(address, &b);
    return text_equal(address_key_text(&a), address_key_text(&b));
}

bool auth_is_known(struct auth *a, const struct login_ask *ask, struct login_known *out)
{
    struct address_key key;
    if (!read_name(ask->settings->config, ask->name, &out->address))
        return false;
    address_key(&out->address, &key);
    return shared_login_known(a->shared, address_key_text(&key), ask->password, &out->mailbox);
}

/* --- The slow computation --- */

/* A user who does not exist has a salt too, always the same one, so that the work is the same. */
static void imagine_verifier(const struct login *l, struct verifier *out)
{
    const struct auth *a = l->auth;
    uint8_t mac[SECRET_KEY];
    memset(out, 0, sizeof *out);
    out->iterations = l->wish.iterations;
    if (secret_mac(a->secret, sizeof a->secret, address_text(&l->address), mac))
        memcpy(out->salt, mac, sizeof out->salt);
}

/* A password that was set when less work was asked for costs as much as a name that nobody has. */
static bool make_up(const struct login *l, const struct verifier *kept)
{
    struct verifier unused;
    if (kept->iterations >= l->wish.iterations)
        return true;
    bool done = secret_verifier(buffer_as_text(&l->password), l->wish.iterations - kept->iterations,
                                kept->salt, &unused, NULL);
    secret_wipe(&unused, sizeof unused);
    return done;
}

static void compute_run(struct job *job)
{
    struct login *l = OWNER_OF(job, struct login, job);
    const struct verifier *kept = &l->lookup->verifier;
    l->verdict = AUTH_TEMPORARY;
    if (!secret_verifier(buffer_as_text(&l->password), kept->iterations, kept->salt, &l->computed,
                         NULL) ||
        !make_up(l, kept))
        return;
    bool equal = secret_equal(l->computed.stored_key, kept->stored_key, SECRET_KEY);
    l->verdict = equal && l->lookup->found ? AUTH_RIGHT : AUTH_WRONG;
}

static void renew_verifier(struct login *l)
{
    struct rehash_ask ask = {
        .address = &l->address,
        .password = buffer_as_text(&l->password),
        .kept = &l->lookup->verifier,
        .wish = l->wish,
    };
    rehash_begin(&l->auth->rehasher, &ask);
}

static void compute_done(struct job *job)
{
    struct login *l = OWNER_OF(job, struct login, job);
    if (l->verdict == AUTH_RIGHT) {
        struct address_key key;
        address_key(&l->address, &key);
        l->mailbox = l->lookup->mailbox;
        shared_login_remember(l->auth->shared, address_key_text(&key), buffer_as_text(&l->password),
                              l->mailbox, l->lookup->generation);
        renew_verifier(l);
    }
    l->done(l);
}

static void verifier_found(struct lookup *lookup)
{
    struct login *l = lookup->owner;
    if (lookup->resolved.verdict == RESOLVE_TROUBLE) {
        l->verdict = AUTH_TEMPORARY;
        l->done(l);
        return;
    }
    if (!lookup->found || !l->readable)
        imagine_verifier(l, &lookup->verifier);
    lookup->found &= l->readable;
    if (l->only_finds) {
        l->verdict = AUTH_WRONG;
        l->done(l);
        return;
    }
    l->job = (struct job){ .run = compute_run, .done = compute_done, .home = l->home };
    if (!lane_submit(l->auth->slow, &l->job)) {
        l->verdict = AUTH_TEMPORARY;
        l->done(l);
    }
}

static bool ask_for_verifier(struct login *l, const struct settings *settings)
{
    struct lookup *lookup = lookup_new(LOOKUP_VERIFIER, &l->address);
    l->lookup = lookup;
    if (!lookup)
        return false;
    lookup->settings = settings;
    lookup->home = l->home;
    lookup->done = verifier_found;
    lookup->owner = l;
    return people_ask(l->auth->people, lookup);
}

static struct login *login_new(struct auth *a, const struct login_ask *ask)
{
    struct login *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->auth = a;
    l->home = ask->home;
    l->done = ask->done;
    l->owner = ask->owner;
    buffer_init(&l->password, PASSWORD_MAX);
    l->wish.iterations = ask->settings->config->iterations;
    l->wish.sha1 = ask->settings->config->scram_sha1;
    l->readable = read_name(ask->settings->config, ask->name, &l->address);
    return l;
}

struct login *auth_login(struct auth *a, const struct login_ask *ask)
{
    struct login *l = login_new(a, ask);
    if (l && (!buffer_text(&l->password, ask->password) || !ask_for_verifier(l, ask->settings)))
        login_free(&l);
    return l;
}

struct login *auth_find(struct auth *a, const struct login_ask *ask)
{
    struct login *l = login_new(a, ask);
    if (!l)
        return NULL;
    l->only_finds = true;
    if (!ask_for_verifier(l, ask->settings))
        login_free(&l);
    return l;
}

const struct verifier *login_verifier(const struct login *l)
{
    return &l->lookup->verifier;
}

void login_proved(struct login *l)
{
    if (!l->lookup->found)
        return;
    l->verdict = AUTH_RIGHT;
    l->mailbox = l->lookup->mailbox;
}

void login_free(struct login **login)
{
    struct login *l = *login;
    if (!l)
        return;
    buffer_wipe(&l->password);
    secret_wipe(&l->computed, sizeof l->computed);
    lookup_free(&l->lookup);
    free(l);
    *login = NULL;
}
