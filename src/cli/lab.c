/* lab.c - godwit lab: a mail internet on this machine. */
#include "lab/lab.h"
#include "cli/cli.h"

struct lab_words {
    const char *domains, *faults, *script;
    bool any;
};
static const struct option rows[] = {
    { "--domains", 0, OPTION_TEXT, "LIST", offsetof(struct lab_words, domains),
      "a.test,b.test; a server with a name or more domains is HOST=DOMAIN+DOMAIN" },
    { "--any", 0, OPTION_FLAG, NULL, offsetof(struct lab_words, any),
      "the first server takes mail for every address of every domain into one mailbox" },
    { "--faults", 0, OPTION_TEXT, "LIST", offsetof(struct lab_words, faults),
      "b.test=slow:2s,c.test=dead; also silent, busy, refuse, defer, cut, liar, greylist:TIME" },
    { "--script", 0, OPTION_TEXT, "FILE", offsetof(struct lab_words, script),
      "do what the file says, then end: 0 if all came true, else 1" },
};
const struct option_table cli_lab_options = OPTION_TABLE(rows, struct lab_words);

enum cli_exit cli_lab(struct cli *cli)
{
    struct error e;
    const struct lab_words *words = cli->options;
    struct lab_options options = {
        .folder = cli->word_count ? cli->words[0] : NULL,
        .domains = words->domains,
        .faults = words->faults,
        .script = words->script,
        .any = words->any,
        .json = cli->json,
    };
    return lab_run(&options, &e) ? CLI_DONE : cli_fail(&e);
}
