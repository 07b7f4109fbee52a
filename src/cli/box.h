/* box.h - the mail files of other programs: a Maildir or an mbox, named on the command line. */
#ifndef CLI_BOX_H
#define CLI_BOX_H

#include "cli/hand.h"

struct box {
    bool is_maildir;
    bool is_stream; /* an mbox on standard input or output */
    const char *path;
};

/* "maildir:PATH", "mbox:PATH", "-" for an mbox on standard input or output, or a path that shows
 * what it is.  ERROR_USAGE; ERROR_REFUSED when there is nothing. */
bool box_parse(const char *word, bool must_exist, struct box *out, struct error *);

/* --- In the child (hand_work); the owner is the struct box --- */

/* Reads the box and sends its messages: data, then keep or drop; marks; end.  CLI_NO: some could
 * not be read, and that was said. */
enum cli_exit box_read(void *box, int socket);
/* Receives messages (open, data, keep or drop; end) and writes them.  The words of PARCEL_OPEN are
 * for a Maildir the base of the name, for an mbox the sender. */
enum cli_exit box_write(void *box, int socket);

/* --- In the command --- */

/* Calls `found` with the base of the name of every message in the Maildir; none when there is no
 * such folder. */
bool box_each_name(const struct box *, void (*found)(void *owner, struct text base), void *owner,
                   struct error *);

#endif
