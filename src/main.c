/* main.c - the program: whatever is asked is one of the commands (cli/commands.c).
 *
 * What a library or the process keeps once for all is set here and nowhere else.
 */
#include "cli/cli.h"

#include <sqlite3.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    umask(027);                                 /* mail is nobody else's */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock around every allocation otherwise */
    return cli_main(argc, argv);
}
