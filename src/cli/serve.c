/* serve.c - godwit serve: the server, in the foreground. */
#include "cli/cli.h"
#include "serve/run.h"

enum cli_exit cli_serve(struct cli *cli)
{
    /* One loop for each processor. */
    return (enum cli_exit)server_run(cli->file, 0);
}
