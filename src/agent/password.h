/* password.h - where a user's password comes from.
 *
 * The first that is given: the command line, a file, a command, the environment, the user's own
 * file, a question on the terminal.  Every copy but the one handed out is wiped.
 */
#ifndef AGENT_PASSWORD_H
#define AGENT_PASSWORD_H

#include "run/prompt.h"

/* The variable of the environment; it is taken out of it, so that no program that is started has
 * it. */
#define PASSWORD_VARIABLE "GODWIT_PASSWORD"

struct password_wish {
    char *written;       /* of the command line; wiped in place.  NULL: none, as for all below */
    const char *file;    /* its first line */
    const char *command; /* run by the shell; the first line of its output */
    const char *prompt;  /* asked on the terminal: "password for a@a.test: " */
};

/* Wipe it with secret_wipe().  False: ERROR_USAGE when there is no way to ask, or the password
 * cannot be one; ERROR_CONFIG: a file or command that gives none. */
bool password_find(const struct password_wish *, struct password *out, struct error *);
/* Whether one is given, so that nobody would be asked. */
bool password_is_given(const struct password_wish *);

#endif
