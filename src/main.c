/* main.c - the program: whatever is asked is one of the commands (cli/commands.c). */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
