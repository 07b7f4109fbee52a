/* resolve.c - from an address to the mailboxes that it means, and to the addresses elsewhere.
 *
 * An expansion is a walk over keys.  Each key is entered once, so that aliases which name each
 * other end by themselves, and the number of keys is bounded.
 */
#include "serve/resolve.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 20, TARGETS_MAX = 1000, KEYS_MAX = 2000 };

struct walk {
    struct directory *directory;
    const struct config *config;
    struct arena *arena;
    struct resolved out;
    struct text keys[KEYS_MAX]; /* entered so far */
    size_t key_count;
};

static bool trouble(struct walk *w, const char *words)
{
    w->out.verdict = RESOLVE_TROUBLE;
    return error_set(&w->out.error, ERROR_TEMPORARY, "%s", words);
}

static const struct config_domain *domain_of(const struct config *c, const struct address *a)
{
    return config_domain(c, address_domain(a));
}

static bool exists(const struct directory_entry *e)
{
    return e->is_user || e->target_count > 0;
}

struct found {
    struct directory_entry entry;
    bool exact; /* it has the address as it stands */
};

/* Finds the entry for the address: as it stands, then without its plus part. */
static bool find(struct directory *d, const struct config_domain *domain,
                 const struct address_key *key, struct arena *arena, struct found *out,
                 struct error *error)
{
    if (!directory_find(d, address_key_text(key), arena, &out->entry, error))
        return false;
    struct address_key plain;
    out->exact = exists(&out->entry);
    if (out->exact || !domain->plus_addressing || !address_key_without_plus(key, &plain))
        return true;
    return directory_find(d, address_key_text(&plain), arena, &out->entry, error);
}

static size_t found_count(const struct walk *w)
{
    return w->out.count + w->out.remote_count;
}

static bool add_target(struct walk *w, const struct account *user, struct text delivered_to)
{
    for (size_t i = 0; i < w->out.count; i++)
        if (w->out.targets[i].mailbox == user->mailbox)
            return true; /* the same mailbox twice gets one copy */
    if (w->out.count == TARGETS_MAX)
        return trouble(w, "the aliases of this address lead to too many mailboxes");
    if (!w->out.targets)
        w->out.targets = arena_take(w->arena, TARGETS_MAX * sizeof *w->out.targets);
    if (!w->out.targets)
        return trouble(w, "memory is short");
    w->out.targets[w->out.count++] =
        (struct resolved_target){ user->mailbox, user->address, delivered_to };
    return true;
}

static bool add_remote(struct walk *w, const struct address *address)
{
    if (w->out.remote_count == TARGETS_MAX)
        return trouble(w, "the aliases of this address lead to too many others");
    if (!w->out.remotes)
        w->out.remotes = arena_take(w->arena, TARGETS_MAX * sizeof *w->out.remotes);
    if (!w->out.remotes ||
        !arena_text(w->arena, address_text(address), &w->out.remotes[w->out.remote_count]))
        return trouble(w, "memory is short");
    w->out.remote_count++;
    return true;
}

/* False with trouble when the bound is reached; *again_out when the key was entered before. */
static bool enter(struct walk *w, struct text key, bool *again_out)
{
    *again_out = false;
    for (size_t i = 0; i < w->key_count; i++)
        if (text_equal(w->keys[i], key)) {
            *again_out = true;
            return true;
        }
    if (w->key_count == KEYS_MAX)
        return trouble(w, "the aliases of this address name too many others");
    if (!arena_text(w->arena, key, &w->keys[w->key_count++]))
        return trouble(w, "memory is short");
    return true;
}

static bool deliver_to(struct walk *, const struct address *, struct text shown, unsigned depth);

static bool deliver_to_text(struct walk *w, struct text target, unsigned depth)
{
    struct address address;
    if (address_parse(target, ADDRESS_UTF8, &address) != ADDRESS_OK)
        return true; /* the directory holds no such thing; a foreign hand may have */
    return deliver_to(w, &address, (struct text){ 0 }, depth);
}

/* A user who is also an alias receives only if he names himself. */
static bool deliver_to_entry(struct walk *w, const struct directory_entry *e, struct text shown,
                             unsigned depth)
{
    if (e->target_count == 0)
        return add_target(w, &e->user, shown.len ? shown : e->user.address);
    for (size_t i = 0; i < e->target_count; i++) {
        bool himself = e->is_user && text_equal_nocase(e->targets[i], e->user.address);
        if (himself ? !add_target(w, &e->user, e->user.address)
                    : !deliver_to_text(w, e->targets[i], depth + 1))
            return false;
    }
    return true;
}

static bool is_role_account(const struct address_key *key)
{
    struct text local = address_key_local(key);
    return text_equal(local, T("postmaster")) || text_equal(local, T("abuse"));
}

/* postmaster@ and abuse@ that nobody has taken: the configured postmaster, else the first user. */
static bool deliver_to_postmaster(struct walk *w, const struct config_domain *domain,
                                  unsigned depth)
{
    size_t before = found_count(w);
    if (w->config->postmaster.len && !deliver_to_text(w, w->config->postmaster, depth + 1))
        return false;
    if (found_count(w) > before)
        return true;
    struct account first;
    bool found;
    if (!account_first(w->directory, domain->name, w->arena, &first, &found, &w->out.error))
        return trouble(w, w->out.error.words);
    if (found)
        return add_target(w, &first, first.address);
    w->out.verdict = RESOLVE_NOBODY;
    return true;
}

static bool deliver_to(struct walk *w, const struct address *address, struct text shown,
                       unsigned depth)
{
    const struct config_domain *domain = domain_of(w->config, address);
    struct address_key key;
    struct found found;
    bool again;
    if (depth > DEPTH_MAX)
        return trouble(w, "the aliases of this address are nested too deep");
    address_key(address, &key);
    if (!enter(w, address_key_text(&key), &again))
        return false;
    if (again)
        return true;
    if (!domain)
        return w->config->catch_all.len ? deliver_to_text(w, w->config->catch_all, depth + 1)
                                        : add_remote(w, address);
    if (!find(w->directory, domain, &key, w->arena, &found, &w->out.error)) {
        w->out.verdict = RESOLVE_TROUBLE;
        return false;
    }
    if (depth == 0) {
        w->out.exists = exists(&found.entry) || is_role_account(&key);
        w->out.exact = found.exact;
    }
    if (exists(&found.entry))
        return deliver_to_entry(w, &found.entry, shown, depth);
    if (is_role_account(&key))
        return deliver_to_postmaster(w, domain, depth);
    if (domain->catch_all.len)
        return deliver_to_text(w, domain->catch_all, depth + 1);
    return true;
}

static bool is_literal_of(const struct address *a, const struct endpoint *e)
{
    char words[ENDPOINT_TEXT_MAX];
    return e->family != NET_NONE && text_equal(address_domain(a), endpoint_print_literal(e, words));
}

static bool names_this_host(const struct config *c, const struct endpoint *here,
                            const struct address *a)
{
    if (!a->literal)
        return a->no_domain;
    if (here && is_literal_of(a, here))
        return true;
    for (size_t i = 0; i < c->listener_count; i++)
        if (is_literal_of(a, &c->listeners[i].endpoint))
            return true;
    return false;
}

static void put_first_domain(const struct config *c, struct address *a)
{
    struct address completed;
    char words[ADDRESS_TEXT_MAX + 1];
    int len = snprintf(words, sizeof words, "%.*s@%.*s", TEXT_ARGS(address_local(a)),
                       TEXT_ARGS(c->domains[0].name));
    struct text whole = { words, (size_t)len };
    if (address_parse(whole, ADDRESS_UTF8, &completed) == ADDRESS_OK)
        *a = completed; /* otherwise too long: no such name is here */
}

void resolve_complete(const struct config *c, const struct endpoint *here, struct address *a)
{
    if (c->domain_count > 0 && names_this_host(c, here, a))
        put_first_domain(c, a);
}

void resolve_machine(const struct config *c, struct address *a)
{
    if (c->domain_count > 0 && text_equal(address_domain(a), c->hostname) &&
        !config_domain(c, c->hostname))
        put_first_domain(c, a);
}

bool resolve_postmaster(struct text domain, struct address *out)
{
    char words[ADDRESS_TEXT_MAX];
    int len = snprintf(words, sizeof words, "postmaster@%.*s",
                       TEXT_ARGS(text_first(domain, ADDRESS_DOMAIN_MAX)));
    return address_parse((struct text){ words, (size_t)len }, 0, out) == ADDRESS_OK;
}

struct resolved resolve_recipient(struct directory *directory, const struct config *config,
                                  const struct address *address, struct arena *arena)
{
    struct walk *w = arena_take(arena, sizeof *w);
    if (!w) {
        struct resolved r = { .verdict = RESOLVE_TROUBLE };
        error_set(&r.error, ERROR_TEMPORARY, "memory is short");
        return r;
    }
    w->directory = directory;
    w->config = config;
    w->arena = arena;
    w->out.verdict = RESOLVE_UNKNOWN;
    if (!domain_of(config, address) && !config->catch_all.len) {
        w->out.verdict = RESOLVE_FOREIGN;
        return w->out;
    }
    if (deliver_to(w, address, address_text(address), 0) && found_count(w) > 0)
        w->out.verdict = RESOLVED;
    return w->out;
}

struct expansion resolve_expand(struct directory *directory, const struct config *config,
                                const struct address *address, struct arena *arena)
{
    struct expansion out = { .verdict = RESOLVE_FOREIGN };
    const struct config_domain *domain = domain_of(config, address);
    struct address_key key;
    struct found found;
    if (!domain)
        return out;
    address_key(address, &key);
    out.verdict = RESOLVE_TROUBLE;
    if (!find(directory, domain, &key, arena, &found, &out.error))
        return out;
    const struct directory_entry *entry = &found.entry;
    out.verdict = exists(entry) ? RESOLVED : RESOLVE_UNKNOWN;
    out.lines = entry->targets;
    out.count = entry->target_count;
    if (entry->is_user && entry->target_count == 0) {
        out.lines = arena_take(arena, sizeof *out.lines);
        out.count = out.lines ? 1 : 0;
        if (out.lines)
            *out.lines = entry->user.address;
        else
            out.verdict = RESOLVE_TROUBLE;
    }
    return out;
}
