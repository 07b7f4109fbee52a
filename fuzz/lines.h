/* lines.h - what a peer was heard to say, line by line.
 *
 * Included in the one file of a fuzzer.
 */
#ifndef FUZZ_LINES_H
#define FUZZ_LINES_H

#include "base/buffer.h"
#include "base/check.h"

enum { LINES_OCTETS_MAX = 8192 };

/* Tells each line that ends in these octets, without its line end; of a long one the front.  `line`
 * is kept for the next ones. */
static void lines_heard(struct buffer *line, struct bytes octets,
                        void (*tell)(void *owner, struct text), void *owner)
{
    for (size_t i = 0; i < octets.len; i++) {
        if (octets.at[i] != '\n') {
            if (line->len < LINES_OCTETS_MAX)
                CHECK(buffer_byte(line, octets.at[i]));
            continue;
        }
        struct text whole = buffer_as_text(line);
        if (whole.len && whole.at[whole.len - 1] == '\r')
            whole.len--;
        tell(owner, whole);
        line->len = 0;
    }
}

#endif
