/* guard.h - what the library's scanner lets through, caught before it: lexical soundness.
 *
 * libConfuse 3.3 drops characters that it does not know, takes a missing closing brace or comment
 * end for the end of the file, lets strings run over line ends, gives an unset variable as nothing,
 * and counts the lines of comments wrongly.  So the text is walked once before it gets there.
 */
#ifndef CONFIG_GUARD_H
#define CONFIG_GUARD_H

#include "base/error.h"

/* Checks the text and overwrites its comments with blanks.  False: *error says why and *line_out on
 * which line (from 1).  The environment is asked for ${NAME}. */
bool guard_check(char *text, size_t len, unsigned *line_out, struct error *);

#endif
