/* people.c - the directory, opened for a command; purging a mailbox. */
#include "cli/people.h"

#include "cli/out.h"
#include "cli/remote.h"
#include "store/store.h"

#include <errno.h>
#include <unistd.h>

bool people_open(struct cli *cli, struct directory **out, struct error *e)
{
    *out = NULL;
    /* Who makes DATA later must still be root. */
    if (access(cli_data(cli), F_OK) != 0 && errno == ENOENT)
        return true;
    return cli_enter_data(cli, false, e) &&
           (directory_open(cli_data(cli), false, out, e) || e->kind == ERROR_REFUSED);
}

bool people_create(struct cli *cli, struct directory **out, struct error *e)
{
    *out = NULL;
    return cli_enter_data(cli, true, e) && directory_open(cli_data(cli), true, out, e);
}

void people_changed(const struct cli *cli, struct directory **d)
{
    struct error ignored;
    directory_close(d);
    remote_ask(cli_data(cli), json_pack("{s:s}", "do", "directory"), &ignored);
}

bool people_user(struct directory *d, const struct address *address, mailbox_id *out,
                 struct error *e)
{
    struct address_key key;
    struct verifier verifier = { 0 };
    bool found = false;
    address_key(address, &key);
    bool ok = !d || account_verifier(d, address_key_text(&key), &verifier, out, &found, e);
    secret_wipe(&verifier, sizeof verifier);
    if (ok && !found)
        return error_set(e, ERROR_REFUSED, "there is no user %.*s",
                         TEXT_ARGS(address_text(address)));
    return ok;
}

/* --- Purging --- */

struct purge {
    struct commit commit;
    struct loop *loop;
};

static void purge_done(struct commit *commit)
{
    loop_stop(OWNER_OF(commit, struct purge, commit)->loop);
}

static bool purge_in(struct store *store, mailbox_id mailbox, struct error *e)
{
    struct purge purge = { .commit = { .purge = mailbox, .done = purge_done } };
    if (!loop_new(&purge.loop, e))
        return false;
    purge.commit.home = purge.loop;
    store_submit(store, &purge.commit);
    loop_run(purge.loop);
    loop_free(&purge.loop);
    if (purge.commit.verdict == STORE_STORED)
        return true;
    *e = purge.commit.error;
    return false;
}

/* Memory for bodies: none arrive. */
enum { BODY_MEMORY = 1 << 20 };

bool people_purge(const struct cli *cli, mailbox_id mailbox, struct error *e)
{
    char words[OUT_MAILBOX_MAX];
    struct store *store = NULL;
    switch (remote_ask(
        cli_data(cli),
        json_pack("{s:s,s:s}", "do", "purge", "mailbox", out_mailbox(mailbox, words)), e)) {
    case REMOTE_DONE:
        return true;
    case REMOTE_REFUSED:
        return false;
    case REMOTE_NOBODY:
        break;
    }
    struct store_options options = { .path = cli_data(cli),
                                     .create = true,
                                     .body_memory = BODY_MEMORY };
    if (!store_open(&options, &store, e))
        return false;
    bool ok = purge_in(store, mailbox, e);
    store_close(&store);
    return ok;
}
