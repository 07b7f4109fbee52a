/* user.c - who it is that has mail. */
#include "agent/user.h"

#include "run/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *either(const char *first, const char *second)
{
    return first ? first : second;
}

/* The ways to a password that are written. */
static struct password_wish password_ways(const struct user *u)
{
    return (struct password_wish){ .file = u->wish.password_file,
                                   .command = u->wish.password_command };
}

static bool has_password(const struct user *u)
{
    struct password_wish ways = password_ways(u);
    return u->password.len || u->written.len || password_is_given(&ways);
}

/* What is written on the command line counts first; of the ways to a password, all of it does. */
static void add_account(struct user *u, const struct account *a)
{
    struct user_wish *w = &u->wish;
    u->name = text_of(a->name);
    w->login = either(w->login, a->login);
    w->auth = either(w->auth, a->auth);
    w->authorities = either(w->authorities, a->authorities);
    if (!w->tls_written)
        w->tls = a->tls;
    if (has_password(u))
        return;
    w->password_file = a->password_file;
    w->password_command = a->password_command;
}

static bool set_address(struct user *u, const char *written, struct failure *f)
{
    enum address_verdict verdict = address_parse(text_of(written), ADDRESS_UTF8, &u->address);
    return verdict == ADDRESS_OK ||
           failure_set(f, FAILURE_USAGE, "%.100s: %s; write user@example.org", written,
                       address_problem(verdict));
}

/* The address that was written, or the only one there is. */
static bool find_address(struct user *u, struct failure *f)
{
    const struct account *one = NULL;
    size_t count = 0;
    if (u->wish.address)
        return set_address(u, u->wish.address, f);
    for (size_t i = 0; i < accounts_count(u->accounts); i++) {
        const struct account *a = accounts_at(u->accounts, i);
        if (!strchr(a->title, '@'))
            continue;
        one = a;
        count++;
    }
    if (count == 1)
        return set_address(u, one->title, f);
    return failure_set(f, FAILURE_USAGE, "whose mail? Give %s: %s has %s of an address",
                       u->wish.naming, u->wish.accounts ? u->wish.accounts : "agent.conf",
                       count ? "more than one account" : "no account");
}

/* A password of the account that is written there; what was given otherwise counts before it. */
static bool take_account_password(struct user *u, const struct account *a, struct failure *f)
{
    size_t len = a->password ? strlen(a->password) : 0;
    if (len == 0 || has_password(u))
        return true;
    if (len > sizeof u->written.at)
        return failure_set(f, FAILURE_CONFIG, "account \"%.100s\": the password is too long",
                           a->title);
    memcpy(u->written.at, a->password, len);
    u->written.len = len;
    return true;
}

/* It would end a line of the conversation, and begin another. */
static bool check_login(const struct user *u, struct failure *f)
{
    struct text login = text_of(u->wish.login);
    if (text_find(login, '\r') == login.len && text_find(login, '\n') == login.len)
        return true;
    return failure_set(f, FAILURE_USAGE, "the name to log in with, \"%.*s\", has a line end in it",
                       TEXT_ARGS(text_first(login, 100)));
}

static bool take_written(struct user *u, struct failure *f)
{
    struct error e;
    struct password_wish wish = { .written = u->wish.password };
    if (!u->wish.password)
        return true;
    u->wish.password = NULL;
    return password_find(&wish, &u->written, &e) || failure_of(f, &e);
}

bool user_open(struct user *u, const struct user_wish *wish, struct failure *f)
{
    *u = (struct user){ .wish = *wish };
    bool ok =
        take_written(u, f) && accounts_load(wish->accounts, &u->accounts, f) && find_address(u, f);
    const struct account *a = ok ? accounts_find(u->accounts, &u->address) : NULL;
    if (a) {
        add_account(u, a);
        ok = take_account_password(u, a, f);
    }
    ok = ok && check_login(u, f);
    if (!ok)
        user_close(u);
    return ok;
}

void user_close(struct user *u)
{
    accounts_free(&u->accounts);
    config_free(&u->config);
    secret_wipe(&u->password, sizeof u->password);
    secret_wipe(&u->written, sizeof u->written);
}

/* --- Servers --- */

/* Nobody's configuration need be there, or readable; one that was named must be. */
static bool load_config(struct user *u, struct failure *f)
{
    struct error e;
    if (u->config || config_load(u->wish.config, NULL, &u->config, &e))
        return true;
    u->config = NULL;
    return !u->wish.config || failure_of(f, &e);
}

bool user_find(struct user *u, struct agent *agent, enum find_service service, struct servers *out,
               struct failure *f)
{
    const struct account *a = accounts_find(u->accounts, &u->address);
    struct find_options options = {
        .service = service,
        .address = &u->address,
        .written = service == FIND_SMTP ? u->wish.smtp : u->wish.pop,
    };
    if (a)
        options.account = service == FIND_SMTP ? a->smtp : a->pop;
    if (!options.written && !options.account && !load_config(u, f))
        return false;
    options.config = u->config;
    return find_servers(agent, &options, out, f);
}

/* --- Login --- */

static bool ask_password(struct user *u, struct failure *f)
{
    struct error e;
    char prompt[ADDRESS_TEXT_MAX + 32];
    struct password_wish wish = password_ways(u);
    wish.prompt = prompt;
    snprintf(prompt, sizeof prompt, "password for %.*s: ", TEXT_ARGS(address_text(&u->address)));
    if (password_find(&wish, &u->password, &e))
        return true;
    failure_of(f, &e);
    if (e.kind == ERROR_REFUSED)
        f->kind = FAILURE_INTERRUPTED;
    return false;
}

static bool have_password(struct user *u, struct failure *f)
{
    if (u->password.len)
        return true;
    if (u->written.len == 0)
        return ask_password(u, f);
    u->password = u->written;
    return true;
}

const struct credentials *user_credentials(struct user *u, struct failure *f)
{
    if (!have_password(u, f))
        return NULL;
    u->credentials = (struct credentials){
        .user = u->wish.login ? text_of(u->wish.login) : address_text(&u->address),
        .password = password_text(&u->password),
        .mechanism = text_of(u->wish.auth),
    };
    return &u->credentials;
}

/* A part of a login is written, or somebody can be asked for the password. */
static bool logs_in(const struct user *u)
{
    if (u->wish.auth && strcmp(u->wish.auth, "off") == 0)
        return false;
    return has_password(u) || u->wish.login || u->wish.auth || prompt_is_possible();
}

bool user_may_log_in(struct user *u, const struct credentials **out, struct failure *f)
{
    bool wanted = logs_in(u);
    *out = wanted ? user_credentials(u, f) : NULL;
    return *out || !wanted;
}

void user_forget_password(struct user *u)
{
    secret_wipe(&u->password, sizeof u->password);
}
