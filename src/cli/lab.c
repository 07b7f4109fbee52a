/* lab.c - godwit lab: a mail internet on this machine. */
#include "lab/lab.h"
#include "cli/cli.h"

enum cli_exit cli_lab(struct cli *cli)
{
    struct error e;
    struct lab_options options = {
        .folder = cli->word_count ? cli->words[0] : NULL,
        .domains = cli->domains,
        .faults = cli->faults,
        .script = cli->script,
        .any = cli->any,
        .json = cli->json,
    };
    return lab_run(&options, &e) ? CLI_DONE : cli_fail(&e);
}
