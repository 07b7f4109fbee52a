/* password.c - a new password for a user: from a pipe or a terminal. */
#include "cli/input.h"
#include "run/secret.h"

#include <unistd.h>

bool input_password(enum password_source source, struct password *out, struct error *e)
{
    bool ok;
    if (source == PASSWORD_STDIN)
        ok = prompt_read_line(out, e);
    else if (isatty(STDIN_FILENO))
        ok = prompt_new_password(out, e);
    else
        ok = error_set(e, ERROR_USAGE, "no terminal to ask for the password: use --password-stdin");
    if (!ok)
        secret_wipe(out, sizeof *out);
    return ok;
}
