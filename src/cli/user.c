/* user.c - godwit user add, passwd, del, list. */
#include "cli/input.h"
#include "cli/out.h"
#include "cli/people.h"
#include "run/clock.h"
#include "run/entropy.h"
#include "store/maildrop.h"

#include <stddef.h>
#include <stdio.h>

/* Of all four; a table names those that its command takes. */
struct user_options {
    bool password_stdin, purge;
    const char *adopt;
};

#define PASSWORD_ROW                                                                               \
    {                                                                                              \
        "--password-stdin", 0, OPTION_FLAG, NULL, offsetof(struct user_options, password_stdin),   \
            "read the password as a line from standard input"                                      \
    }
static const struct option add_rows[] = {
    PASSWORD_ROW,
    { "--adopt", 0, OPTION_TEXT, "ID", offsetof(struct user_options, adopt),
      "take over this mailbox, which a removed user left" },
};
static const struct option passwd_rows[] = { PASSWORD_ROW };
static const struct option del_rows[] = {
    { "--purge", 0, OPTION_FLAG, NULL, offsetof(struct user_options, purge),
      "remove the user's mail as well, for good" },
};
const struct option_table cli_user_add_options = OPTION_TABLE(add_rows, struct user_options);
const struct option_table cli_user_passwd_options = OPTION_TABLE(passwd_rows, struct user_options);
const struct option_table cli_user_del_options = OPTION_TABLE(del_rows, struct user_options);

/* Asks for the password and keeps only what it is checked with. */
static bool ask_verifier(const struct cli *cli, struct verifier *out, struct error *e)
{
    uint8_t salt[SECRET_SALT];
    struct password password;
    const struct user_options *options = cli->options;
    entropy_fill(salt, sizeof salt);
    if (!input_password(options->password_stdin ? PASSWORD_STDIN : PASSWORD_ASKED, &password, e))
        return false;
    struct text words = { password.at, password.len };
    bool ok = secret_verifier(words, cli->config->iterations, salt, out, e) &&
              (!cli->config->scram_sha1 || secret_verifier_add_sha1(words, out, e));
    secret_wipe(&password, sizeof password);
    return ok;
}

static mailbox_id new_mailbox(void)
{
    mailbox_id id = 0;
    while (id == 0)
        id = entropy_u64() >> 1;
    return id;
}

/* --- add --- */

struct wanted {
    mailbox_id mailbox;
    bool found;
};

static void look_for_mailbox(void *owner, const struct mailbox_summary *summary)
{
    struct wanted *wanted = owner;
    wanted->found |= summary->mailbox == wanted->mailbox;
}

/* The mailbox of --adopt, which must hold something, or a new one. */
static bool choose_mailbox(const struct cli *cli, mailbox_id *out, struct error *e)
{
    struct wanted wanted = { 0 };
    const char *adopt = ((const struct user_options *)cli->options)->adopt;
    if (!adopt) {
        *out = new_mailbox();
        return true;
    }
    if (!out_parse_mailbox(text_of(adopt), &wanted.mailbox))
        return error_set(e, ERROR_USAGE,
                         "--adopt %.60s: a mailbox is 16 hexadecimal digits; godwit check and "
                         "godwit mailbox list show those without a user",
                         adopt);
    if (!store_each_mailbox(cli_data(cli), look_for_mailbox, &wanted, e))
        return false;
    *out = wanted.mailbox;
    return wanted.found || error_set(e, ERROR_REFUSED, "there is no mailbox %s", adopt);
}

/* Says so before a password is asked for; whoever comes between is found by account_add(). */
static bool is_free(struct directory *d, const struct address *address, struct error *e)
{
    mailbox_id mailbox;
    if (!people_user(d, address, &mailbox, e))
        return e->kind == ERROR_REFUSED;
    return error_set(e, ERROR_REFUSED,
                     "%.*s is there already; godwit user passwd changes the "
                     "password",
                     TEXT_ARGS(address_text(address)));
}

static bool add(struct cli *cli, struct directory *d, const struct address *address,
                const struct verifier *verifier, struct error *e)
{
    struct address_key key;
    struct account account = { .address = address_text(address), .created_ms = clock_wall_ms() };
    address_key(address, &key);
    return choose_mailbox(cli, &account.mailbox, e) &&
           account_add(d, address_key_text(&key), &account, verifier, e);
}

enum cli_exit cli_user_add(struct cli *cli)
{
    struct error e;
    struct address address;
    struct directory *d = NULL;
    struct verifier verifier = { 0 };
    bool ok = cli_load(cli, &e) && cli_local_address(cli, cli->words[0], &address, &e) &&
              people_open(cli, &d, &e) && is_free(d, &address, &e) &&
              ask_verifier(cli, &verifier, &e);
    directory_close(&d);
    ok = ok && people_create(cli, &d, &e) && add(cli, d, &address, &verifier, &e);
    secret_wipe(&verifier, sizeof verifier);
    if (ok)
        people_changed(cli, &d);
    directory_close(&d);
    return ok ? CLI_DONE : cli_fail(&e);
}

/* --- passwd --- */

enum cli_exit cli_user_passwd(struct cli *cli)
{
    struct error e;
    struct address address;
    struct address_key key;
    struct directory *d = NULL;
    struct verifier verifier = { 0 };
    mailbox_id mailbox;
    bool ok = cli_load(cli, &e) && cli_local_address(cli, cli->words[0], &address, &e) &&
              people_open(cli, &d, &e) && people_user(d, &address, &mailbox, &e) &&
              ask_verifier(cli, &verifier, &e);
    if (ok) {
        address_key(&address, &key);
        ok = account_set_verifier(d, address_key_text(&key), &verifier, &e);
    }
    secret_wipe(&verifier, sizeof verifier);
    if (ok)
        people_changed(cli, &d);
    directory_close(&d);
    return ok ? CLI_DONE : cli_fail(&e);
}

/* --- del --- */

/* A user as he was, to be put back when his mail cannot be removed. */
struct removed {
    struct address_key key;
    struct account account;
    struct verifier verifier;
};

static bool remove_user(struct directory *d, const struct address *address, struct arena *arena,
                        struct removed *out, struct error *e)
{
    struct directory_entry entry = { 0 };
    bool found = false;
    address_key(address, &out->key);
    struct text key = address_key_text(&out->key);
    if (d && !(directory_find(d, key, arena, &entry, e) &&
               account_verifier(d, key, &out->verifier, &out->account.mailbox, &found, e)))
        return false;
    if (!found || !entry.is_user)
        return error_set(e, ERROR_REFUSED, "there is no user %.*s",
                         TEXT_ARGS(address_text(address)));
    out->account = entry.user;
    return account_remove(d, key, &out->account.mailbox, e);
}

/* From now on no mail comes, so what is purged stays purged. */
static bool purge_user(struct cli *cli, struct directory *d, const struct removed *user,
                       struct error *e)
{
    struct error ignored;
    if (people_purge(cli, user->account.mailbox, e))
        return true;
    if (!account_add(d, address_key_text(&user->key), &user->account, &user->verifier, &ignored))
        cli_warn("the user is gone but not his mail: %s", ignored.words);
    return false;
}

enum cli_exit cli_user_del(struct cli *cli)
{
    struct error e;
    struct address address;
    struct directory *d = NULL;
    struct removed user = { 0 };
    struct arena arena;
    arena_init(&arena, 1 << 20);
    /* Any domain: one that is configured no more may still have users. */
    bool ok = cli_address(cli->words[0], &address, &e) && cli_load(cli, &e) &&
              people_open(cli, &d, &e) && remove_user(d, &address, &arena, &user, &e);
    bool removed = ok;
    if (ok && ((const struct user_options *)cli->options)->purge)
        ok = purge_user(cli, d, &user, &e);
    secret_wipe(&user, sizeof user);
    arena_reset(&arena);
    if (removed)
        people_changed(cli, &d);
    directory_close(&d);
    return ok ? CLI_DONE : cli_fail(&e);
}

/* --- list --- */

struct listing {
    bool json, short_of_memory;
    size_t count;
};

static void print_user(void *owner, const struct account *account)
{
    struct listing *l = owner;
    char time[OUT_TIME_MAX], mailbox[OUT_MAILBOX_MAX];
    l->count++;
    if (!l->json)
        printf("%.*s\n", TEXT_ARGS(account->address));
    else if (!out_json(json_pack("{s:o,s:s,s:s}", "address", out_text(account->address), "mailbox",
                                 out_mailbox(account->mailbox, mailbox), "created",
                                 out_time(account->created_ms, time))))
        l->short_of_memory = true;
}

enum cli_exit cli_user_list(struct cli *cli)
{
    struct error e;
    struct directory *d = NULL;
    struct listing listing = { .json = cli->json };
    char domain[ADDRESS_DOMAIN_MAX + 1] = "";
    if (cli->word_count && address_parse_domain(text_of(cli->words[0]), domain) != ADDRESS_OK)
        return cli_say(CLI_USAGE, "%s: not a domain", cli->words[0]);
    bool ok = cli_load(cli, &e) && people_open(cli, &d, &e) &&
              (!d || account_each(d, text_of(domain), print_user, &listing, &e));
    directory_close(&d);
    if (!ok)
        return cli_fail(&e);
    if (listing.short_of_memory)
        return cli_say(CLI_AGAIN, "memory is short: the listing is not complete");
    if (listing.count == 0 && cli->word_count)
        return cli_say(CLI_NO, "%s has no user", domain);
    return CLI_DONE;
}
