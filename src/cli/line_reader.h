/* line_reader.h - lines from a person: with editing, history and completion on a terminal, plainly
 * from a pipe.  The prompt is shown in both cases, so that scripts can wait for it.
 *
 * Lines come as UTF-8, whatever the terminal's character set is.
 */
#ifndef CLI_LINE_READER_H
#define CLI_LINE_READER_H

#include "base/error.h"

struct line_reader;

/* Adds a word that may stand where the cursor is; it must begin with what is there already. */
struct line_offer {
    void (*add)(void *to, struct text word);
    void *to;
};

struct line_options {
    const char *program;
    const char *history; /* a file for what is typed as LINE_COMMAND, copied; NULL: none */
    /* Offers what may follow `before`, the line up to the cursor, whose last word begins at
     * `word`. */
    void (*complete)(void *owner, struct text before, size_t word, const struct line_offer *);
    void *owner;
};

enum line_kind { LINE_COMMAND, LINE_WORDS };

enum line_verdict {
    LINE_READ,
    LINE_END,         /* of the input; Ctrl-D on an empty line */
    LINE_INTERRUPTED, /* Ctrl-C */
    LINE_TOO_LONG,    /* more than LINE_OCTETS_MAX: it is thrown away as a whole */
};

enum { LINE_OCTETS_MAX = 1024 * 1024 };

bool line_reader_new(const struct line_options *, struct line_reader **out, struct error *);
/* Saves the history. */
void line_reader_free(struct line_reader **);
/* One line without its end, borrowed until the next call. */
enum line_verdict line_read(struct line_reader *, enum line_kind, const char *prompt,
                            struct text *out);
bool line_reader_is_terminal(const struct line_reader *);

#endif
