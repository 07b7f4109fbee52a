/* rules.c - the named rules about who a stranger is. */
#include "serve/rules.h"

#include "mail/address.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 480, SHOWN_MAX = 100 };

/* --- HELO --- */

static bool is_literal(struct text name)
{
    struct endpoint e;
    struct text inner = name;
    if (name.len < 2 || name.at[0] != '[' || name.at[name.len - 1] != ']')
        return false;
    inner = (struct text){ name.at + 1, name.len - 2 };
    text_take_nocase(&inner, T("IPv6:"));
    return endpoint_parse_address(inner, &e);
}

/* A name of two labels at least, whose last is no number: "192.0.2.1" is an address that lacks its
 * brackets. */
static bool is_host_name(struct text name)
{
    char canonical[ADDRESS_DOMAIN_MAX + 1];
    if (address_parse_domain(name, canonical) != ADDRESS_OK)
        return false;
    const char *dot = strrchr(canonical, '.');
    return dot && !text_is_digit(dot[1]);
}

static bool helo_name_broken(const struct rule_facts *f, struct buffer *words)
{
    if (is_host_name(f->hello) || is_literal(f->hello))
        return false;
    return buffer_printf(words, "%.*s is no full host name to greet with",
                         TEXT_ARGS(text_first(f->hello, SHOWN_MAX)));
}

static bool is_our_literal(const struct rule_facts *f)
{
    char words[ENDPOINT_TEXT_MAX];
    return f->local.family != NET_NONE &&
           (text_equal_nocase(f->hello, endpoint_print_literal(&f->local, words)) ||
            text_equal_nocase(f->hello, endpoint_print_address(&f->local, words)));
}

static bool helo_ours_broken(const struct rule_facts *f, struct buffer *words)
{
    char canonical[ADDRESS_DOMAIN_MAX + 1];
    bool ours = is_our_literal(f);
    if (!ours && address_parse_domain(f->hello, canonical) == ADDRESS_OK)
        ours = text_equal(text_of(canonical), f->config->hostname) ||
               config_domain(f->config, text_of(canonical)) != NULL;
    return ours &&
           buffer_printf(words, "%.*s is our own name", TEXT_ARGS(text_first(f->hello, SHOWN_MAX)));
}

/* --- DNS --- */

static bool reverse_dns_broken(const struct rule_facts *f, struct buffer *words)
{
    char peer[ENDPOINT_TEXT_MAX];
    if (f->reverse != REVERSE_MISSING && f->reverse != REVERSE_UNCONFIRMED)
        return false;
    endpoint_print_address(&f->peer, peer);
    return f->reverse == REVERSE_MISSING
               ? buffer_printf(words, "%s has no name in the DNS (PTR)", peer)
               : buffer_printf(words, "the name of %s in the DNS does not have this address", peer);
}

/* --- The table --- */

static const struct rule {
    const char *name;
    const char *looks_at;
    size_t action; /* where in struct config */
    bool (*broken)(const struct rule_facts *, struct buffer *words);
    const char *defer, *reject; /* RFC 3463, RFC 7372 3.3 */
} rules[] = {
    { "helo_name", "HELO", offsetof(struct config, helo_name), helo_name_broken, "4.7.1", "5.7.1" },
    { "helo_ours", "HELO", offsetof(struct config, helo_ours), helo_ours_broken, "4.7.1", "5.7.1" },
    { "reverse_dns", "PTR, A, AAAA", offsetof(struct config, reverse_dns), reverse_dns_broken,
      "4.7.25", "5.7.25" },
};

/* The lists are as many as are configured, each with an action of its own. */
static const struct rule blocklist = {
    .name = "blocklist", .looks_at = "A, TXT of the list", .defer = "4.7.1", .reject = "5.7.1"
};

static struct smtp_answer answer_of(const struct rule *rule, enum rule_action action,
                                    const struct buffer *words)
{
    bool rejects = action == RULE_REJECT;
    return (struct smtp_answer){ rejects ? SMTP_REJECT : SMTP_DEFER, rejects ? 550 : 450,
                                 rejects ? rule->reject : rule->defer, buffer_as_text(words) };
}

struct judging {
    void (*found)(void *owner, const struct rule_finding *);
    void *owner;
};

static void tell(const struct judging *j, const struct rule *rule, enum rule_action action,
                 const struct buffer *words)
{
    struct rule_finding finding = { rule->name, action, answer_of(rule, action, words) };
    j->found(j->owner, &finding);
}

static void judge_rule(const struct judging *j, const struct rule *rule, const struct rule_facts *f)
{
    char room[WORDS_MAX];
    struct buffer words = buffer_over(room, sizeof room);
    enum rule_action action;
    memcpy(&action, (const char *)f->config + rule->action, sizeof action);
    buffer_printf(&words, "rule %s: ", rule->name);
    if (action != RULE_OFF && rule->broken(f, &words))
        tell(j, rule, action, &words);
}

static void judge_listing(const struct judging *j, const struct rule_facts *f,
                          const struct rule_listing *l)
{
    char room[WORDS_MAX], peer[ENDPOINT_TEXT_MAX];
    struct buffer words = buffer_over(room, sizeof room);
    if (!l->listed || l->action == RULE_OFF)
        return;
    endpoint_print_address(&f->peer, peer);
    buffer_printf(&words, "rule blocklist: %s is listed by %.*s", peer,
                  TEXT_ARGS(text_first(text_of(l->zone), SHOWN_MAX)));
    if (l->words[0])
        buffer_printf(&words, ": %s", l->words);
    tell(j, &blocklist, l->action, &words);
}

void rules_judge(const struct rule_facts *f, void (*found)(void *, const struct rule_finding *),
                 void *owner)
{
    struct judging j = { found, owner };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        judge_rule(&j, &rules[i], f);
    for (size_t i = 0; i < f->listing_count; i++)
        judge_listing(&j, f, &f->listings[i]);
}

/* --- Names --- */

bool rules_reverse_name(const struct endpoint *e, struct text zone, char out[RULE_ZONE_MAX])
{
    struct buffer name = buffer_over(out, RULE_ZONE_MAX);
    if (e->family == NET_IPV4)
        for (size_t i = 4; i-- > 0;)
            buffer_printf(&name, "%u.", e->octets[i]);
    else
        for (size_t i = 16; i-- > 0;)
            buffer_printf(&name, "%x.%x.", e->octets[i] & 15, e->octets[i] >> 4);
    return buffer_text(&name, zone) && buffer_byte(&name, 0) && !name.failed;
}

bool rules_is_listed(const struct endpoint *answer)
{
    static const uint8_t network[] = { 127, 0, 0 };
    return answer->family == NET_IPV4 && memcmp(answer->octets, network, sizeof network) == 0 &&
           answer->octets[3] >= 2;
}
