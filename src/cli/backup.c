/* backup.c - godwit backup and godwit restore: the store as a folder that can be kept elsewhere. */
#include "base/escape.h"
#include "cli/cli.h"
#include "run/owner.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

static bool enter(struct cli *cli, const struct owner_place *place, struct error *e)
{
    struct owner_wish wish = { .data = cli_data(cli),
                               .user = cli->config->user.at,
                               .user_written = cli->config->user_written,
                               .create = place == NULL,
                               .places = place,
                               .place_count = place ? 1 : 0 };
    char warning[ERROR_WORDS_MAX];
    bool ok = owner_become(&wish, warning, e);
    if (ok && warning[0])
        cli_warn("%s", warning);
    return ok;
}

enum cli_exit cli_backup(struct cli *cli)
{
    struct error e;
    struct store_copied copied;
    struct owner_place place = { cli->words[0], 0700 };
    if (!cli_load(cli, &e) || !enter(cli, &place, &e) ||
        !store_backup(cli_data(cli), cli->words[0], &copied, &e))
        return cli_fail(&e);
    printf("%s: up to batch %" PRIu64 "; copied %" PRIu64 " segments and %" PRIu64
           " large messages, %.1f MB; %" PRIu64 " files were there already\n",
           cli->words[0], copied.batch, copied.segments, copied.large,
           (double)copied.octets / 1048576, copied.segments_kept + copied.large_kept);
    if (copied.holes.octets > 0)
        return cli_say(CLI_NO,
                       "%" PRIu64 " octets could not be read, the first of them in %s: the backup "
                       "lacks the mail there; see godwit restore --verify %s",
                       copied.holes.octets, copied.holes.first, cli->words[0]);
    return CLI_DONE;
}

/* --- Restore --- */

struct restore_options {
    bool verify;
};
static const struct option rows[] = {
    { "--verify", 0, OPTION_FLAG, NULL, offsetof(struct restore_options, verify),
      "read all of the backup and say what is wrong with it; nothing is restored" },
};
const struct option_table cli_restore_options = OPTION_TABLE(rows, struct restore_options);

static void tell_finding(void *owner, bool is_trouble, const char *words)
{
    struct buffer b;
    (void)owner;
    (void)is_trouble;
    buffer_init(&b, 8 * ERROR_WORDS_MAX);
    escape_text(&b, text_of(words));
    printf("%.*s\n", TEXT_ARGS(buffer_as_text(&b)));
    buffer_clear(&b);
}

static enum cli_exit verify(const char *path)
{
    struct error e;
    uint64_t findings;
    if (!store_verify(path, tell_finding, NULL, &findings, &e))
        return cli_fail(&e);
    if (findings > 0)
        return cli_say(CLI_NO, "%s: %" PRIu64 " things are wrong", path, findings);
    printf("%s: every message verifies\n", path);
    return CLI_DONE;
}

enum cli_exit cli_restore(struct cli *cli)
{
    const struct restore_options *options = cli->options;
    struct error e;
    struct store_restored restored;
    const char *from = cli->words[0];
    if (!cli_load(cli, &e))
        return cli_fail(&e);
    if (options->verify)
        return owner_become_of(from, &e) ? verify(from) : cli_fail(&e);
    if (!enter(cli, NULL, &e) || !store_restore(from, cli_data(cli), &restored, &e))
        return cli_fail(&e);
    printf("%s: %" PRIu64 " mailboxes with %" PRIu64 " messages\n", cli_data(cli),
           restored.mailboxes, restored.messages);
    if (restored.held > 0)
        cli_warn("%" PRIu64 " recipients waited for mail, which may have been sent since the "
                 "backup: it is held; see godwit queue list, then queue release or queue drop",
                 restored.held);
    return verify(cli_data(cli));
}
