/* run.h - a server that is the whole process: godwit serve. */
#ifndef SERVE_RUN_H
#define SERVE_RUN_H

#include "serve/server.h"

/* Runs until SIGTERM or SIGINT: binds, becomes the user, opens the store, serves.  Returns the exit
 * code (docs/border.md, "Exit codes").  `loops`: how many event loops, 0: one for each processor.
 */
enum server_exit server_run(const char *config_file, unsigned loops);

#endif
