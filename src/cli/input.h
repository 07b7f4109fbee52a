/* input.h - what the command line reads: passwords and other people's files. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/cli.h"
#include "run/prompt.h"

enum password_source {
    PASSWORD_ASKED,
    PASSWORD_STDIN, /* --password-stdin */
};
/* Reads one line of standard input, or asks twice on the terminal,
 * which shows nothing.  ERROR_USAGE without either, or for a password that cannot be (empty, with
 * CR or NUL, too long); ERROR_REFUSED when the two differ. */
bool input_password(enum password_source, struct password *out, struct error *);

/* A line of an aliases file (/etc/aliases of sendmail and others): one target of a name.  Texts are
 * as written, without quotes, and live as long as the file's text. */
struct alias_line {
    unsigned line; /* of the target, from 1 */
    struct text name;
    struct text target;
    const char *problem; /* NULL: usable.  Then name and target may be empty */
};
/* Calls `each` for every target, and for every line that is wrong.  Pure. */
void input_aliases(struct text file, void (*each)(void *owner, const struct alias_line *),
                   void *owner);

#endif
