/* rehash.c - a new verifier for a password that was set when less was asked for.
 *
 * Never answers anybody, and never weakens what is kept: the new verifier has at least as many
 * iterations as the old one.
 */
#include "serve/rehash.h"

#include "run/entropy.h"

#include <stdio.h>
#include <stdlib.h>

enum { PASSWORD_MAX = 16 * 1024 };

struct rehash {
    struct rehasher *home;
    struct address address;
    struct buffer password;
    struct rehash_wish wish;
    struct verifier_change change;
    struct job job;            /* on the slow lane */
    struct people_chore chore; /* on the directory's */
};

bool rehash_is_due(const struct verifier *v, const struct rehash_wish *wish)
{
    bool short_of_sha1 = wish->sha1 && v->sha1_iterations < v->iterations;
    bool too_much = !wish->sha1 && v->sha1_iterations > 0;
    return v->iterations < wish->iterations || short_of_sha1 || too_much;
}

static void rehash_free(struct rehash *r)
{
    buffer_wipe(&r->password);
    secret_wipe(&r->change, sizeof r->change);
    free(r);
}

/* The next one may begin. */
static void over(struct rehash *r)
{
    struct rehasher *home = r->home;
    rehash_free(r);
    atomic_store(&home->busy, false);
}

/* --- On the directory's lane --- */

static void tell(const struct rehash *r, bool stands, const struct error *why)
{
    char iterations[16];
    snprintf(iterations, sizeof iterations, "%u", r->change.now.iterations);
    if (stands)
        LOG_EVENT(r->home->log, LOG_INFO, T("-"), "rehashed", { "user", address_text(&r->address) },
                  { "iterations", text_of(iterations) });
    else
        LOG_EVENT(r->home->log, LOG_NOTICE, T("-"), "not-rehashed",
                  { "user", address_text(&r->address) }, { "why", error_text(why) });
}

static void store(struct people_chore *chore, struct directory *directory)
{
    struct rehash *r = OWNER_OF(chore, struct rehash, chore);
    struct error why;
    struct address_key key;
    bool stands = false;
    address_key(&r->address, &key);
    if (account_renew_verifier(directory, address_key_text(&key), &r->change, &stands, &why) &&
        !stands)
        error_set(&why, ERROR_REFUSED, "the password was set, or the user removed, meanwhile");
    tell(r, stands, &why);
    over(r);
}

/* --- On the slow lane --- */

static bool compute(struct rehash *r)
{
    uint8_t salt[SECRET_SALT];
    struct verifier *now = &r->change.now;
    uint32_t kept = r->change.before.iterations, wanted = r->wish.iterations;
    struct text password = buffer_as_text(&r->password);
    entropy_fill(salt, sizeof salt);
    return secret_verifier(password, kept > wanted ? kept : wanted, salt, now, NULL) &&
           (!r->wish.sha1 || secret_verifier_add_sha1(password, now, NULL));
}

static void run(struct job *job)
{
    struct rehash *r = OWNER_OF(job, struct rehash, job);
    r->chore.run = store;
    if (!compute(r) || !people_do(r->home->people, &r->chore))
        over(r);
}

/* --- Beginning --- */

/* NULL: memory is short. */
static struct rehash *rehash_new(struct rehasher *home, const struct rehash_ask *ask)
{
    struct rehash *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->home = home;
    r->address = *ask->address;
    r->wish = ask->wish;
    r->change.before = *ask->kept;
    buffer_init(&r->password, PASSWORD_MAX);
    if (buffer_reserve(&r->password, ask->password.len) && buffer_text(&r->password, ask->password))
        return r;
    rehash_free(r);
    return NULL;
}

void rehash_begin(struct rehasher *home, const struct rehash_ask *ask)
{
    if (!rehash_is_due(ask->kept, &ask->wish) || atomic_exchange(&home->busy, true))
        return;
    struct rehash *r = rehash_new(home, ask);
    if (!r) {
        atomic_store(&home->busy, false);
        return;
    }
    r->job = (struct job){ .run = run };
    if (!lane_submit(home->slow, &r->job))
        over(r);
}
