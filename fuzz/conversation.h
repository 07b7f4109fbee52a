/* conversation.h - the whole server in the simulated world, and peers who say what a script says.
 *
 * The first octet of a script seeds the world's chance, the second is its weather: 1 input comes in
 * crumbs and output in parts, 2 reading the disk takes its time, 4 connections are slow, 8 the
 * configuration is changed now and then.  Then come octets to be said, and instructions among them,
 * each a backquote and an octet:
 *
 *   0 1 2   from here on this one speaks: SMTP, who calls when he has no connection
 *   3 4     likewise, POP3
 *   5 6     likewise, submission
 *   .  ;  ! a fifth of a second, five seconds, ten minutes pass
 *   h       he says nothing more, and listens
 *   q       he hangs up
 *   x       his connection is cut
 *   k       within a fiftieth of a second, which passes, the server is killed, or its power is cut;
 *           it starts again by itself
 *   `       he says a backquote
 *
 * Users are u0@d1.test and u1@d1.test.  When the script is over everybody leaves, the server stops,
 * and what it has must be what it promised (witness.h), verify, and be what its journal says.
 */
#ifndef FUZZ_CONVERSATION_H
#define FUZZ_CONVERSATION_H

#include "base/error.h"
#include "base/text.h"

struct conversation_result {
    bool failed;
    char why[ERROR_WORDS_MAX];
    uint64_t steps, accepted, read;
};

/* Once in a process. */
bool conversation_set_up(void);
/* `show`: every step is printed. */
void conversation_run(struct bytes script, bool show, struct conversation_result *);

#endif
