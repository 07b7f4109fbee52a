/* sendmail_queue.c - mailq and sendmail -q: what waits, in the queue and in the spool.
 *
 * For root and the server's own user: nobody else may look into either.
 */
#include "cli/queue.h"
#include "cli/sendmail.h"

#include "mail/date.h"
#include "run/dropbox.h"
#include "run/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct listing {
    struct dropbox *box;
    uint64_t count;
};

static bool print_file(void *owner, const char *name)
{
    struct listing *l = owner;
    struct dropbox_file file;
    struct process_user user;
    char date[DATE_TEXT_MAX];
    bool bad = strncmp(name, ".bad-", 5) == 0;
    if (!posting_is_file_name(text_of(bad ? name + 5 : name)))
        return true;
    enum dropbox_verdict verdict = dropbox_look(l->box, name, &file);
    if (verdict != DROPBOX_TAKEN && verdict != DROPBOX_LINKED)
        return true;
    if (l->count++ == 0)
        puts("in the spool:");
    date_rfc3339(file.changed_ms, false, date);
    printf("  %.12s  %s  %" PRIu64 " octets, from %s%s\n", bad ? name + 5 : name, date, file.octets,
           process_find_uid(file.uid, &user, NULL) ? user.name : "nobody",
           bad ? ", was set aside: the log says why" : "");
    return true;
}

static bool list_spool(const struct sendmail_place *place, uint64_t *count_out, struct error *e)
{
    struct listing l = { 0 };
    *count_out = 0;
    if (!place->spool[0] || !dropbox_open(place->spool, false, &l.box, e))
        return !place->spool[0] || e->kind == ERROR_REFUSED;
    bool ok = dropbox_each(l.box, print_file, &l, e);
    dropbox_close(&l.box);
    *count_out = l.count;
    return ok;
}

static bool may_look(const struct sendmail_place *place)
{
    if (access(place->data, R_OK | X_OK) == 0 || errno != EACCES)
        return true;
    cli_say(CLI_NO, "the queue is for root and the server's user to see");
    return false;
}

/* What other commands of godwit end with, as programs expect it of sendmail. */
static enum sendmail_exit exit_of(enum cli_exit code)
{
    switch (code) {
    case CLI_DONE:
        return SENDMAIL_DONE;
    case CLI_USAGE:
        return SENDMAIL_USAGE;
    case CLI_AGAIN:
        return SENDMAIL_AGAIN;
    case CLI_CONFIG:
        return SENDMAIL_CONFIG;
    case CLI_NO:
        break;
    }
    return SENDMAIL_UNAVAILABLE;
}

enum sendmail_exit sendmail_list(const struct sendmail_place *place, struct cli *cli)
{
    struct error e;
    if (!may_look(place))
        return SENDMAIL_NOPERM;
    uint64_t queued, spooled;
    enum cli_exit code = queue_list_if_any(cli, &queued);
    if (code != CLI_DONE)
        return exit_of(code);
    if (!list_spool(place, &spooled, &e))
        return exit_of(cli_fail(&e));
    if (queued + spooled == 0)
        puts("Mail queue is empty"); /* what programs that watch over a mailq look for */
    return SENDMAIL_DONE;
}

enum sendmail_exit sendmail_retry(const struct sendmail_place *place, struct cli *cli)
{
    struct error e;
    char all[] = "all";
    char *words[] = { all };
    if (!may_look(place))
        return SENDMAIL_NOPERM;
    if (place->spool[0] && !dropbox_poke(place->spool, &e) && e.kind != ERROR_REFUSED)
        return exit_of(cli_fail(&e));
    cli->words = words;
    cli->word_count = 1;
    enum cli_exit code = queue_retry_if_any(cli);
    cli->words = NULL;
    cli->word_count = 0;
    return exit_of(code);
}
