/* maildir.h - names of files in a Maildir: which message, and its flags behind ":2,". Pure. */
#ifndef MAIL_MAILDIR_H
#define MAIL_MAILDIR_H

#include "mail/flags.h"

enum { MAILDIR_NAME_MAX = 255 };

/* What of the name stays the same whatever happens to the message. */
struct text maildir_base(struct text name);
unsigned maildir_flags(struct text name);
/* The seconds since 1970 that most names begin with; 0: it does not. */
uint64_t maildir_time(struct text name);

/* "cur/BASE:2,FLAGS", or "new/BASE" for one with which nothing was done.  Terminated, returned;
 * NULL: the base is too long. */
enum { MAILDIR_PATH_MAX = MAILDIR_NAME_MAX + 5 };
const char *maildir_path(struct text base, unsigned flags, char out[MAILDIR_PATH_MAX]);

#endif
