/* script.h - what a lab is told to do by a file: a language of a few verbs, for tests.
 *
 *   send FROM TO [SUBJECT]         hands in a message at FROM's server; it must be accepted
 *   refused FROM TO [SUBJECT]      the same; it must be refused for good (5xx)
 *   wait COUNT ADDRESS [SECONDS]   until ADDRESS has COUNT messages; at most 30 seconds, or these
 *   expect ADDRESS N TEXT          message N of ADDRESS holds TEXT
 *   pop ADDRESS COMMAND            logs in, says COMMAND, prints the answer, which must be +OK
 *   pause SECONDS
 *
 * One verb a line; an empty line or one that begins with # is passed over.  It ends at the first
 * line that does not come true.
 */
#ifndef LAB_SCRIPT_H
#define LAB_SCRIPT_H

#include "lab/plan.h"
#include "run/loop.h"

struct script;

/* Reads the file ("-": standard input) and checks every line; ERROR_USAGE names the first wrong
 * one.  The plan's users must be settled when it is started, not yet now. */
bool script_read(struct lab_plan *, const char *file, struct script **out, struct error *);
/* On the loop's thread.  `done` comes once: `why` is NULL when all came true.  Each line that did
 * is printed with "ok". */
void script_start(struct script *, struct loop *,
                  void (*done)(void *owner, const struct error *why), void *owner);
void script_free(struct script **);

#endif
