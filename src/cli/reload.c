/* reload.c - godwit reload: the running server reads its configuration again. */
#include "cli/remote.h"

/* A mistake in the file is the server's to find and log as well; its folder is enough to ask it. */
static bool load(struct cli *cli, struct error *mistake)
{
    struct error ignored;
    if (cli_load(cli, mistake))
        return true;
    return mistake->kind == ERROR_CONFIG && config_load_data(cli->file, &cli->config, &ignored);
}

enum cli_exit cli_reload(struct cli *cli)
{
    struct error mistake = { 0 }, e;
    if (!load(cli, &mistake))
        return cli_fail(&mistake);
    switch (remote_ask(cli_data(cli), json_pack("{s:s}", "do", "reload"), &e)) {
    case REMOTE_DONE:
        return CLI_DONE;
    case REMOTE_REFUSED:
        return cli_fail(&e);
    case REMOTE_NOBODY:
        break;
    }
    if (mistake.kind != ERROR_NONE)
        return cli_fail(&mistake);
    return cli_say(CLI_NO, "no server runs on %s: start it with godwit serve", cli_data(cli));
}
