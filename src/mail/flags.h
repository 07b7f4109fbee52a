/* flags.h - what somebody has done with a message: read, answered, ...  Pure.
 *
 * The bits stand in the journal: they never change.  Maildir and mbox have letters for them.
 */
#ifndef MAIL_FLAGS_H
#define MAIL_FLAGS_H

#include "base/text.h"

enum mail_flag {
    MAIL_SEEN = 1,
    MAIL_ANSWERED = 2,
    MAIL_FLAGGED = 4,
    MAIL_DELETED = 8, /* to be removed at the next opportunity */
    MAIL_DRAFT = 16,
    MAIL_PASSED = 32, /* forwarded, bounced or resent */
};

/* In which letters: */
enum mail_letters {
    MAIL_LETTERS_MAILDIR,  /* behind ":2," in a file's name, in order of ASCII */
    MAIL_LETTERS_STATUS,   /* an mbox's Status field */
    MAIL_LETTERS_X_STATUS, /* its X-Status field; an mbox has no letter for MAIL_PASSED */
};
enum { MAIL_LETTERS_MAX = 8 };

/* Letters that are not known mean nothing. */
unsigned mail_flags_read(enum mail_letters, struct text letters);
/* Terminated, returned. */
struct text mail_flags_print(enum mail_letters, unsigned flags, char out[MAIL_LETTERS_MAX]);
/* "seen", "answered", ...: of the n-th bit; NULL behind the last. */
const char *mail_flag_name(unsigned n);

#endif
