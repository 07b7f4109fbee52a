/* confine.h - the folders of a server, for its sandbox. */
#ifndef SERVE_CONFINE_H
#define SERVE_CONFINE_H

#include "config/config.h"
#include "run/log.h"
#include "run/sandbox.h"

/* Before the first thread, when sockets are bound, certificates read and the user is the right one:
 * builds the sandbox around DATA (which is made when missing), and the folders of configuration,
 * certificates and log.  Nothing when the configuration switches it off. */
struct sandbox_walls confine(const struct config *);

/* How it came out, for log and check: one sentence; true: all that is wanted stands. */
bool confine_words(const struct config *, const struct sandbox_walls *,
                   char words_out[ERROR_WORDS_MAX]);

#endif
