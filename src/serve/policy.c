/* policy.c - who may send: each rule a row, each row an answer. */
#include "serve/policy.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN = 120 }; /* octets of an address in a reply */

/* An answer is a constant row; words are shown to the peer as they stand. */
#define ROW(verdict, code, status, words)                                                          \
    {                                                                                              \
        verdict, code, status, TEXT(words)                                                         \
    }

bool policy_store_takes_mail(enum store_health health, struct smtp_answer *refusal_out)
{
    static const struct smtp_answer refusals[] = {
        [STORE_FULL] = ROW(SMTP_DEFER, 452, "4.3.1", "no room for mail now, try again later"),
        [STORE_BEHIND] = ROW(SMTP_DEFER, 452, "4.3.0", "the mail store is catching up, try again"),
        [STORE_FAILED] =
            ROW(SMTP_DEFER, 451, "4.3.0", "the mail store has failed, try again later"),
    };
    if (health == STORE_READY)
        return true;
    *refusal_out = refusals[health];
    return false;
}

bool policy_asks_for_sender(const struct config *config, const struct policy_peer *peer,
                            const struct address *sender)
{
    return peer->trusted && !peer->authenticated && sender->len > 0 &&
           config_domain(config, address_domain(sender)) != NULL;
}

/* For senders and VRFY what counts is that the name exists, not where its mail would go. */
static enum resolve_verdict existence(const struct resolved *r)
{
    if (r->verdict == RESOLVED || r->verdict == RESOLVE_UNKNOWN)
        return r->exists ? RESOLVED : RESOLVE_UNKNOWN;
    return r->verdict;
}

struct smtp_answer policy_sender(const struct resolved *resolved)
{
    static const struct smtp_answer answers[] = {
        [RESOLVED] = { SMTP_ACCEPT, 0, NULL, { NULL, 0 } },
        [RESOLVE_FOREIGN] = { SMTP_ACCEPT, 0, NULL, { NULL, 0 } },
        [RESOLVE_NOBODY] = { SMTP_ACCEPT, 0, NULL, { NULL, 0 } },
        [RESOLVE_UNKNOWN] =
            ROW(SMTP_REJECT, 553, "5.1.0", "this domain is ours and has no such sender"),
        [RESOLVE_TROUBLE] = ROW(SMTP_DEFER, 451, "4.3.0", "cannot look up the sender, try again"),
    };
    return answers[existence(resolved)];
}

static bool make_own(const struct policy_account *account, struct text domain, struct address *out)
{
    char words[sizeof account->name + ADDRESS_DOMAIN_MAX + 1];
    int len = snprintf(words, sizeof words, "%s@%.*s", account->name, TEXT_ARGS(domain));
    *out = (struct address){ 0 };
    return len > 0 && (size_t)len < sizeof words &&
           address_parse((struct text){ words, (size_t)len }, ADDRESS_UTF8, out) == ADDRESS_OK;
}

bool policy_account(const struct config *config, struct policy_account *account,
                    struct address *login_out)
{
    account->any_sender |= config_trusts_account(config, text_of(account->name));
    account->also = (struct address){ 0 };
    return make_own(account, config->hostname, login_out) &&
           (config->local_domain.len == 0 ||
            make_own(account, config->local_domain, &account->also));
}

static bool is_same(const struct address *a, const struct address *b)
{
    struct address_key one, other;
    address_key(a, &one);
    address_key(b, &other);
    return text_equal(address_key_text(&one), address_key_text(&other));
}

/* Without its detail. */
static bool is_plus_form(const struct address *own, const struct address *sender)
{
    struct address_key mine, wanted, plain;
    address_key(own, &mine);
    address_key(sender, &wanted);
    return address_key_without_plus(&wanted, &plain) &&
           text_equal(address_key_text(&mine), address_key_text(&plain));
}

/* Whether an account exists as a user of ours is not asked: what is meant is the account. */
bool policy_is_self(const struct config *config, const struct policy_peer *peer,
                    const struct address *sender)
{
    if (sender->len == 0 || (peer->account && peer->account->any_sender))
        return true;
    if (peer->account)
        return is_same(&peer->login, sender) || is_same(&peer->account->also, sender);
    return config_domain(config, address_domain(sender)) && is_same(&peer->login, sender);
}

/* Where plus forms are his who has the name: unless somebody has this very one. */
static bool is_own_plus_form(const struct config *config, const struct policy_peer *peer,
                             const struct address *sender, const struct resolved *found)
{
    const struct config_domain *domain = config_domain(config, address_domain(sender));
    if (!domain || !domain->plus_addressing || found->exact || found->verdict == RESOLVE_TROUBLE)
        return false;
    return is_plus_form(&peer->login, sender) ||
           (peer->account && is_plus_form(&peer->account->also, sender));
}

/* An account has no mailbox: the user who has its name has one. */
static bool is_target(const struct policy_peer *peer, const struct resolved_target *target)
{
    struct address user;
    if (!peer->account)
        return target->mailbox == peer->mailbox;
    return peer->account->also.len > 0 &&
           address_parse(target->account, ADDRESS_UTF8, &user) == ADDRESS_OK &&
           is_same(&peer->account->also, &user);
}

bool policy_owns(const struct config *config, const struct policy_peer *peer,
                 const struct address *sender, const struct resolved *found)
{
    if (is_own_plus_form(config, peer, sender, found))
        return true;
    if (found->verdict != RESOLVED || !found->exists)
        return false;
    for (size_t i = 0; i < found->count; i++)
        if (is_target(peer, &found->targets[i]))
            return true;
    return false;
}

struct smtp_answer policy_not_owner(const struct policy_peer *peer, const struct address *sender,
                                    const struct resolved *resolved, struct policy_words *room)
{
    static const struct smtp_answer trouble =
        ROW(SMTP_DEFER, 451, "4.3.0", "cannot look up the sender, try again");
    struct buffer words = buffer_over(room->at, sizeof room->at);
    if (resolved && resolved->verdict == RESOLVE_TROUBLE)
        return trouble;
    if (peer->account)
        buffer_printf(&words,
                      "rule local: user %s (uid %" PRIu32 ") may not send as %.*s: only as "
                      "%.*s",
                      peer->account->name, peer->account->uid,
                      TEXT_ARGS(text_first(address_text(sender), SHOWN)),
                      TEXT_ARGS(text_first(address_text(&peer->login), SHOWN)));
    else
        buffer_printf(&words,
                      "%.*s may not send as %.*s: only as itself or as an alias that leads to it",
                      TEXT_ARGS(text_first(address_text(&peer->login), SHOWN)),
                      TEXT_ARGS(text_first(address_text(sender), SHOWN)));
    return (struct smtp_answer){ SMTP_REJECT, 553, "5.7.1", buffer_as_text(&words) };
}

struct smtp_answer policy_sent_enough(const struct policy_peer *peer, const char *key, uint32_t max,
                                      struct policy_words *room)
{
    struct buffer words = buffer_over(room->at, sizeof room->at);
    buffer_printf(&words, "submission.%s: %.*s may send %" PRIu32 " %s within an hour, try later",
                  key, TEXT_ARGS(text_first(address_text(&peer->login), SHOWN)), max, key);
    return (struct smtp_answer){ SMTP_DEFER, 450, "4.7.1", buffer_as_text(&words) };
}

enum policy_route policy_route(const struct config *config, const struct policy_peer *peer,
                               const struct address *recipient, struct smtp_answer *refusal_out)
{
    static const struct smtp_answer refusal =
        ROW(SMTP_REJECT, 550, "5.7.1", "relaying denied: this domain is not ours");
    if (config_domain(config, address_domain(recipient)) || config->catch_all.len)
        return POLICY_LOCAL;
    if (peer->trusted || peer->authenticated)
        return POLICY_REMOTE;
    *refusal_out = refusal;
    return POLICY_DENIED;
}

struct smtp_answer policy_recipient(enum resolve_verdict verdict)
{
    static const struct smtp_answer answers[] = {
        [RESOLVED] = { SMTP_ACCEPT, 0, NULL, { NULL, 0 } },
        [RESOLVE_UNKNOWN] = ROW(SMTP_REJECT, 550, "5.1.1", "no such user here"),
        [RESOLVE_FOREIGN] =
            ROW(SMTP_REJECT, 550, "5.7.1", "relaying denied: this domain is not ours"),
        [RESOLVE_NOBODY] =
            ROW(SMTP_DEFER, 451, "4.3.0", "this domain has no users yet, try again later"),
        [RESOLVE_TROUBLE] =
            ROW(SMTP_DEFER, 451, "4.3.0", "cannot look up the recipient, try again"),
    };
    return answers[verdict];
}

struct smtp_answer policy_expand(enum resolve_verdict verdict)
{
    static const struct smtp_answer answers[] = {
        [RESOLVED] = { SMTP_ACCEPT, 250, "2.1.5", { NULL, 0 } },
        [RESOLVE_UNKNOWN] = ROW(SMTP_REJECT, 550, "5.1.1", "no such user here"),
        [RESOLVE_FOREIGN] = ROW(SMTP_REJECT, 550, "5.1.2", "this domain is not ours"),
        [RESOLVE_NOBODY] =
            ROW(SMTP_DEFER, 451, "4.3.0", "this domain has no users yet, try again later"),
        [RESOLVE_TROUBLE] = ROW(SMTP_DEFER, 451, "4.3.0", "cannot look up the name, try again"),
    };
    return answers[verdict];
}

struct smtp_answer policy_verify(const struct resolved *resolved)
{
    return policy_expand(existence(resolved));
}
