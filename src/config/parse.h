/* parse.h - from the text of a file to a draft, through libConfuse. */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

#include "config/draft.h"

/* `text` (terminated, `len` without the end) is overwritten.  The library's scanner is global: one
 * caller at a time. */
bool parse_text(struct draft *, char *text, size_t len);

#endif
