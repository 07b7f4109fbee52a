/* check_people.c - who gets mail: domains without anybody, names that lead nowhere, mailboxes that
 * a removed user left.
 */
#include "cli/check.h"
#include "cli/out.h"
#include "cli/people.h"
#include "store/maildrop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 4 << 20, LIST_MAX = 1 << 30 };

struct people {
    struct check *check;
    struct directory *directory;
    bool broken;
    struct error error;
    size_t users, aliases;
    struct buffer mailboxes; /* mailbox_id of every user */
};

/* Whether mail for the address has somewhere to go: a user or an alias. */
static bool leads_somewhere(struct people *p, struct text address)
{
    struct address parsed;
    struct address_key key;
    struct directory_entry entry = { 0 };
    struct arena arena;
    if (address_parse(address, ADDRESS_UTF8, &parsed) != ADDRESS_OK)
        return false;
    address_key(&parsed, &key);
    arena_init(&arena, ANSWER_MAX);
    p->broken |= !directory_find(p->directory, address_key_text(&key), &arena, &entry, &p->error);
    bool found = entry.is_user || entry.target_count;
    arena_reset(&arena);
    return found;
}

static bool has_user(struct people *p, struct text domain)
{
    struct account account;
    struct arena arena;
    bool found = false;
    arena_init(&arena, ANSWER_MAX);
    p->broken |= !account_first(p->directory, domain, &arena, &account, &found, &p->error);
    arena_reset(&arena);
    return found;
}

/* postmaster@ and abuse@ of every domain are accepted: somebody must get them. */
static bool has_name(struct people *p, const char *name, struct text domain)
{
    char words[ADDRESS_TEXT_MAX];
    snprintf(words, sizeof words, "%s@%.*s", name, TEXT_ARGS(domain));
    return leads_somewhere(p, text_of(words));
}

static void check_domain(struct people *p, const struct config_domain *domain)
{
    const struct config *config = p->check->cli->config;
    bool user = has_user(p, domain->name);
    bool reachable =
        user || config->postmaster.len ||
        (has_name(p, "postmaster", domain->name) && has_name(p, "abuse", domain->name));
    if (!user)
        check_say(p->check, CHECK_WARN, "domains", "%.*s has no user%s: godwit user add NAME@%.*s",
                  TEXT_ARGS(domain->name),
                  reachable ? "" : ", mail for its postmaster is put off (451)",
                  TEXT_ARGS(domain->name));
    else
        check_say(p->check, CHECK_FINE, "domains", "%.*s", TEXT_ARGS(domain->name));
    if (domain->catch_all.len && !leads_somewhere(p, domain->catch_all))
        check_say(p->check, CHECK_WARN, "domains",
                  "%.*s: its catch_all %.*s is neither a user nor an alias",
                  TEXT_ARGS(domain->name), TEXT_ARGS(domain->catch_all));
}

static void check_domains(struct people *p)
{
    const struct config *config = p->check->cli->config;
    for (size_t i = 0; i < config->domain_count && !p->broken; i++)
        check_domain(p, &config->domains[i]);
    if (config->postmaster.len && !leads_somewhere(p, config->postmaster))
        check_say(p->check, CHECK_WARN, "domains", "postmaster %.*s is neither a user nor an alias",
                  TEXT_ARGS(config->postmaster));
}

static bool is_configured(struct people *p, struct text address)
{
    struct address parsed;
    return address_parse(address, ADDRESS_UTF8, &parsed) == ADDRESS_OK &&
           config_domain(p->check->cli->config, address_domain(&parsed));
}

static void see_user(void *owner, const struct account *account)
{
    struct people *p = owner;
    p->users++;
    p->broken |= !buffer_append(&p->mailboxes, &account->mailbox, sizeof account->mailbox);
    if (!is_configured(p, account->address))
        check_say(p->check, CHECK_WARN, "accounts",
                  "%.*s gets no mail: its domain is not configured", TEXT_ARGS(account->address));
}

static void see_alias(void *owner, const struct alias *alias)
{
    struct people *p = owner;
    p->aliases++;
    if (is_configured(p, alias->target) && !leads_somewhere(p, alias->target))
        check_say(p->check, CHECK_WARN, "accounts",
                  "alias %.*s: its target %.*s is neither a user nor an alias",
                  TEXT_ARGS(alias->address), TEXT_ARGS(alias->target));
}

static int by_number(const void *a, const void *b)
{
    mailbox_id x = *(const mailbox_id *)a, y = *(const mailbox_id *)b;
    return x < y ? -1 : x > y;
}

static void see_mailbox(void *owner, const struct mailbox_summary *summary)
{
    struct people *p = owner;
    char id[OUT_MAILBOX_MAX];
    if (p->mailboxes.len &&
        bsearch(&summary->mailbox, p->mailboxes.at, p->mailboxes.len / sizeof(mailbox_id),
                sizeof(mailbox_id), by_number))
        return;
    check_say(p->check, CHECK_WARN, "accounts",
              "mailbox %s of %.*s (%u messages) has no user: godwit user add --adopt %s %.*s",
              out_mailbox(summary->mailbox, id), TEXT_ARGS(summary->address), summary->count, id,
              TEXT_ARGS(summary->address));
}

static void check_accounts(struct people *p)
{
    bool ok = account_each(p->directory, T(""), see_user, p, &p->error) &&
              alias_each(p->directory, T(""), see_alias, p, &p->error);
    p->broken |= !ok;
    if (p->mailboxes.len)
        qsort(p->mailboxes.at, p->mailboxes.len / sizeof(mailbox_id), sizeof(mailbox_id),
              by_number);
    check_say(p->check, CHECK_FINE, "accounts", "%zu users, %zu alias targets", p->users,
              p->aliases);
    ok = store_each_mailbox(cli_data(p->check->cli), see_mailbox, p, &p->error);
    p->broken |= !ok && p->error.kind != ERROR_REFUSED;
}

void check_people(struct check *c)
{
    struct people p = { .check = c };
    buffer_init(&p.mailboxes, LIST_MAX);
    if (!people_open(c->cli, &p.directory, &p.error))
        check_say(c, CHECK_WRONG, "accounts", "%s", p.error.words);
    else if (!p.directory)
        check_say(c, CHECK_WARN, "domains", "there is no user yet: godwit user add NAME@%.*s",
                  TEXT_ARGS(c->cli->config->domains[0].name));
    else {
        check_domains(&p);
        check_accounts(&p);
        if (p.broken)
            check_say(c, CHECK_WRONG, "accounts", "%s", p.error.words);
    }
    buffer_clear(&p.mailboxes);
    directory_close(&p.directory);
}
