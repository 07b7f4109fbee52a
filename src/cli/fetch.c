/* fetch.c - godwit fetch: mail from POP3 servers to a Maildir, an mbox or standard output.
 *
 * One account after the other; what goes wrong with one does not keep the others from their mail.
 * The exit code is that of the first that failed.
 */
#include "cli/fetch.h"
#include "run/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_PATH_MAX = 2048, SERVER_NAME_MAX = DNS_NAME_MAX + 8 };

static const struct option rows[] = {
    { "--to", 0, OPTION_TEXT, "PLACE", offsetof(struct fetch_words, to),
      "maildir:PATH, mbox:PATH, or - for standard output (as an mbox)" },
    { "--keep", 0, OPTION_FLAG, NULL, offsetof(struct fetch_words, keep),
      "leave the mail on the server (unless said otherwise)" },
    { "--delete", 0, OPTION_FLAG, NULL, offsetof(struct fetch_words, deletes),
      "delete there what is on the disk here" },
    { "--state", 0, OPTION_TEXT, "FILE", offsetof(struct fetch_words, state),
      "note here what was fetched (else a file for each account in ~/.local/state/godwit/fetch)" },
    { "--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct fetch_words, quiet),
      "say nothing unless something is wrong" },
    USER_WORDS_ROWS(struct fetch_words, user),
};
const struct option_table cli_fetch_options = OPTION_TABLE(rows, struct fetch_words);

/* --- Where the state is kept --- */

/* The same maildrop has the same name, whichever of its servers answers today: unique-ids of
 * another one must never be taken for its own. */
static void name_server(const struct user *user, const struct servers *servers,
                        char out[SERVER_NAME_MAX])
{
    const struct server *least = &servers->at[0];
    for (size_t i = 1; i < servers->count; i++)
        if (strcmp(servers->at[i].host, least->host) < 0)
            least = &servers->at[i];
    const char *scheme = user->wish.pop ? strstr(user->wish.pop, "://") : NULL;
    const char *written = scheme ? scheme + 3 : user->wish.pop;
    snprintf(out, SERVER_NAME_MAX, "%.*s", SERVER_NAME_MAX - 1, written ? written : least->host);
}

static bool name_state(const struct fetch_words *words, const struct user *user,
                       const struct servers *servers, char out[STATE_PATH_MAX])
{
    const char *folder = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char server[SERVER_NAME_MAX], name[ADDRESS_TEXT_MAX + 256 + SERVER_NAME_MAX];
    if (words->state)
        return snprintf(out, STATE_PATH_MAX, "%s", words->state) < STATE_PATH_MAX;
    name_server(user, servers, server);
    snprintf(name, sizeof name, "%.*s%s%.200s,%s", TEXT_ARGS(address_text(&user->address)),
             user->wish.login ? "," : "", user->wish.login ? user->wish.login : "", server);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    if ((!folder || folder[0] != '/') && (!home || home[0] != '/'))
        return false;
    int len = folder && folder[0] == '/'
                  ? snprintf(out, STATE_PATH_MAX, "%s/godwit/fetch/%s", folder, name)
                  : snprintf(out, STATE_PATH_MAX, "%s/.local/state/godwit/fetch/%s", home, name);
    return len < STATE_PATH_MAX;
}

static bool open_state(struct fetch *f, const struct user *user, const struct servers *servers)
{
    char path[STATE_PATH_MAX];
    struct error e;
    if (!name_state(f->words, user, servers, path))
        return failure_set(f->failure, FAILURE_USAGE,
                           "no place for what was fetched: HOME is not set; say --state FILE");
    if (fetched_open(path, &f->fetched, &e))
        return fetch_make_good(f);
    failure_of(f->failure, &e);
    if (e.kind == ERROR_REFUSED)
        f->failure->kind = FAILURE_CREATE;
    return false;
}

/* --- One account --- */

/* What the server says to QUIT decides what became of the deletions. */
static bool quit(struct fetch *f)
{
    enum pop3_client_deletions deletions;
    bool ok = maildrop_quit(f->maildrop, &deletions, f->failure);
    if (ok || f->deleted == 0)
        return true;
    if (deletions == POP3_CLIENT_DELETED)
        return true;
    struct failure why = *f->failure;
    return failure_set(f->failure, FAILURE_LATER,
                       "%.600s: this does not confirm the deletion; nothing is lost, and the next "
                       "fetch sees to it",
                       why.words);
}

static bool talk(struct fetch *f)
{
    bool ok =
        fetch_list(f) && fetch_retrieve(f) && (!f->words->deletes || fetch_delete(f)) && quit(f);
    if (!ok)
        f->deleted = 0; /* a mark is no deletion yet */
    return ok && fetch_forget(f);
}

static void report(const struct fetch *f, const struct user *user)
{
    size_t fetched = 0, before = 0;
    for (size_t i = 0; i < f->count; i++) {
        before += f->messages[i].before;
        fetched += f->messages[i].here && !f->messages[i].before;
    }
    FILE *to = landing_kind(f->landing) == LANDING_STREAM ? stderr : stdout;
    fprintf(to, "%.*s: %zu fetched, %zu here before", TEXT_ARGS(address_text(&user->address)),
            fetched, before);
    if (f->words->deletes)
        fprintf(to, ", %zu deleted on the server", f->deleted);
    if (f->refused)
        fprintf(to, ", %zu not given", f->refused);
    fputc('\n', to);
}

static void clear(struct fetch *f)
{
    maildrop_close(&f->maildrop);
    landing_close(&f->landing);
    fetched_close(&f->fetched);
    buffer_clear(&f->uids);
    free(f->messages);
}

static bool fetch_from(struct fetch *f, struct user *user, struct agent *agent)
{
    struct servers servers;
    const struct trace trace = { .line = trace_print, .owner = stderr };
    struct maildrop_options options = {
        .servers = &servers,
        .tls = user->wish.tls,
        .trace = f->words->user.trace ? &trace : NULL,
        .utf8 = true,
    };
    if (!user_find(user, agent, FIND_POP, &servers, f->failure) || !open_state(f, user, &servers))
        return false;
    options.credentials = user_credentials(user, f->failure);
    if (!options.credentials)
        return false;
    bool ok = maildrop_open(agent, &options, &f->maildrop, f->failure) && talk(f);
    if (f->maildrop && !f->words->quiet)
        report(f, user);
    maildrop_close(&f->maildrop);
    return ok;
}

static bool with_agent(struct fetch *f, struct user *user)
{
    struct user_resolvers resolvers;
    struct agent_options options;
    struct agent *agent = NULL;
    struct error e;
    if (!user_words_agent(&f->words->user, &user->wish, &resolvers, &options, &e))
        return failure_of(f->failure, &e);
    bool ok = agent_new(&options, &agent, f->failure) &&
              agent_catch_interrupts(agent, f->failure) && fetch_from(f, user, agent);
    agent_free(&agent);
    return ok;
}

/* The place is opened for each account anew: what one has left half done is none of the next. */
static bool open_place(struct fetch *f)
{
    struct error e;
    if (landing_open(f->words->to, &f->landing, &e))
        return true;
    failure_of(f->failure, &e);
    if (e.kind == ERROR_REFUSED)
        f->failure->kind = FAILURE_CREATE;
    return false;
}

/* Of several, whose mail it is. */
static enum cli_exit fail_account(const struct cli *cli, const char *address,
                                  const struct failure *f)
{
    struct failure named = *f;
    if (cli->word_count > 1)
        failure_set(&named, f->kind, "%.200s: %.590s", address, f->words);
    return user_fail(&named);
}

/* `password` as it is wanted for each of several accounts, or ""; wiped here. */
static enum cli_exit fetch_account(struct cli *cli, const char *address, char *password)
{
    const struct fetch_words *words = cli->options;
    struct failure failure = { 0 };
    struct fetch f = { .words = words, .failure = &failure };
    struct user user;
    struct user_wish wish = user_words_wish(&words->user, cli, address, FIND_POP);
    if (password[0])
        wish.password = password;
    if (!user_open(&user, &wish, &failure))
        return fail_account(cli, address, &failure);
    bool ok = open_place(&f) && with_agent(&f, &user);
    bool refused = f.refused > 0;
    clear(&f);
    user_close(&user);
    if (!ok)
        return fail_account(cli, address, &failure);
    return refused ? CLI_NO : CLI_DONE;
}

/* --- All of them --- */

static bool fits(const struct cli *cli, struct error *e)
{
    const struct fetch_words *words = cli->options;
    struct address address;
    enum landing_kind kind;
    const char *path;
    if (!words->to)
        return error_set(e, ERROR_USAGE,
                         "where to? --to maildir:PATH, --to mbox:PATH, or --to - for standard "
                         "output");
    if (!landing_parse(words->to, &kind, &path, e))
        return false;
    if (words->keep && words->deletes)
        return error_set(e, ERROR_USAGE, "--keep and --delete: one of them");
    if (words->state && cli->word_count > 1)
        return error_set(e, ERROR_USAGE, "--state is for one account");
    for (size_t i = 0; i < cli->word_count; i++)
        if (!cli_address(cli->words[i], &address, e))
            return false;
    return true;
}

/* What is written of a password is wiped when it is taken (agent/password.h): for several accounts
 * it is kept here. */
static void keep_password(const struct cli *cli, char out[PASSWORD_MAX])
{
    const struct fetch_words *words = cli->options;
    const char *written = words->user.password, *value = getenv(PASSWORD_VARIABLE);
    bool other = words->user.password_file || words->user.password_command;
    if (written || other)
        value = written;
    bool kept = value && cli->word_count > 1 && strlen(value) < PASSWORD_MAX;
    snprintf(out, PASSWORD_MAX, "%s", kept ? value : "");
}

static enum cli_exit fetch_all(struct cli *cli)
{
    char kept[PASSWORD_MAX], password[PASSWORD_MAX];
    enum cli_exit first = CLI_DONE;
    size_t count = cli->word_count ? cli->word_count : 1;
    keep_password(cli, kept);
    for (size_t i = 0; i < count; i++) {
        memcpy(password, kept, sizeof password);
        enum cli_exit code = fetch_account(cli, cli->word_count ? cli->words[i] : NULL, password);
        if (first == CLI_DONE)
            first = code;
    }
    secret_wipe(password, sizeof password);
    secret_wipe(kept, sizeof kept);
    return first;
}

enum cli_exit cli_fetch(struct cli *cli)
{
    struct error e;
    return fits(cli, &e) ? fetch_all(cli) : cli_fail(&e);
}
