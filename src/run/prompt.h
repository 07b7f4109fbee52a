/* prompt.h - a password from a person, or from a pipe: asked without echo, one line, wiped on every
 * path.
 */
#ifndef RUN_PROMPT_H
#define RUN_PROMPT_H

#include "base/error.h"

enum { PASSWORD_MAX = 1024 };

/* A password; wipe it with secret_wipe(). */
struct password {
    size_t len;
    char at[PASSWORD_MAX];
};

static inline struct text password_text(const struct password *p)
{
    return (struct text){ p->at, p->len };
}

/* ERROR_USAGE for one that cannot be: empty, with CR or NUL. */
bool password_check(const struct password *, struct error *);

/* Reads one line of standard input, octet by octet: what stands behind it is not taken. */
bool prompt_read_line(struct password *out, struct error *);
/* Asks on the terminal, which shows nothing: standard input if it is one, else /dev/tty.
 * ERROR_USAGE when there is none; ERROR_REFUSED: interrupted. */
bool prompt_password(const char *prompt, struct password *out, struct error *);
/* Whether there is a terminal to ask on. */
bool prompt_is_possible(void);
/* The same with "password: " and "again: "; ERROR_REFUSED when the two differ. */
bool prompt_new_password(struct password *out, struct error *);

#endif
