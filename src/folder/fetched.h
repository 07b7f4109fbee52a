/* fetched.h - which messages of a maildrop elsewhere are here already: a file of unique-ids
 * (RFC 1939 7) that survives a stop at any point.
 *
 * Messages come in windows.  For each window, in this order:
 *
 *     the content is on the disk, seen by nobody
 *     fetched_plan() for each, fetched_write_plan()   which message is under which name
 *     the content is shown
 *     fetched_commit()                                all that was planned is here
 *     only now may the server be told to delete
 *
 * After a stop between the plan and its commit, the next fetched_open() gives the plan back: what
 * it names is looked for and shown, or was never shown and comes again.  So every message is here
 * exactly once, and what the server still holds is known whether or not its QUIT was heard.
 *
 * The file is text, one word of what happened a line:
 *
 *     godwit fetched 1
 *     > TARGET         where the plans behind it go, until the next such line
 *     ? NAME UID       planned
 *     !                all planned so far are here
 *     -                none of them is
 *     + UID            is here (as the file is written anew)
 *
 * A last line without its end was torn by a stop, and never counted.  All calls block; what fails
 * is ERROR_TEMPORARY and names the file, a file that is not understood ERROR_DAMAGED.
 */
#ifndef FOLDER_FETCHED_H
#define FOLDER_FETCHED_H

#include "base/error.h"

struct fetched; /* opaque */

enum {
    FETCHED_UID_MAX = 255, /* RFC 1939 has 70; servers have more */
    FETCHED_MESSAGES_MAX = 4 * 1000 * 1000,
};

/* Opens the file, made when missing, with the folders above it (0700).  ERROR_REFUSED: there cannot
 * be such a file.  ERROR_TEMPORARY: another process has it, too. */
bool fetched_open(const char *path, struct fetched **out, struct error *);
void fetched_close(struct fetched **);

/* Whether a unique-id can be relied on: 1 to FETCHED_UID_MAX octets of printable ASCII. */
bool fetched_is_usable(struct text uid);
bool fetched_has(const struct fetched *, struct text uid);
size_t fetched_count(const struct fetched *);

/* --- What was left open --- */

/* The plan that has no commit: its target, "" without one. */
struct text fetched_open_target(const struct fetched *);
/* Calls `each` for every message of it; false stops.  Names and uids live for the call. */
bool fetched_each_open(struct fetched *, bool (*each)(void *owner, const char *name), void *owner);
/* It is settled: those of the plan for which `here[n]`, in their order, are here; the others are
 * not. */
bool fetched_settle(struct fetched *, const bool here[], struct error *);
size_t fetched_open_count(const struct fetched *);
/* The last plan that has its commit, as far as the file tells: its target and one name; "" for
 * none.  What is left of it is only to be swept up (landing.h). */
struct text fetched_last_target(const struct fetched *);
struct text fetched_last_name(const struct fetched *);

/* --- A window --- */

/* ERROR_TEMPORARY: memory. `target` and `name` are without line ends, `name` without spaces. */
bool fetched_plan(struct fetched *, struct text target, struct text name, struct text uid,
                  struct error *);
bool fetched_write_plan(struct fetched *, struct error *);
bool fetched_commit(struct fetched *, struct error *);
/* Without a plan, for what goes where nothing could be made good: it is here with the next
 * fetched_commit(). */
bool fetched_add(struct fetched *, struct text uid, struct error *);

/* --- What the server has no more --- */

/* Before a listing; then each of its uids; then, if the listing was complete, all others are
 * forgotten, on the disk too: a server may use their ids again (RFC 1939 7).  Not while a plan is
 * open. */
void fetched_listing_begins(struct fetched *);
void fetched_listed(struct fetched *, struct text uid);
bool fetched_prune(struct fetched *, struct error *);

#endif
