/* print_shown.h - a message as people are shown it, for another reader to compare. */
#ifndef TESTS_MAIL_PRINT_SHOWN_H
#define TESTS_MAIL_PRINT_SHOWN_H

#include "mail/show.h"

/* In hexadecimal, "-" for an empty one. */
void print_hex(struct text, const char *behind);
/* Prints "shown HEX", and "attached NAME FILE-NAME CONTENT" for each attachment.  `more` may be
 * NULL: only the character sets that the room knows by itself. */
void print_shown(struct text message, const struct charset_more *more);

#endif
