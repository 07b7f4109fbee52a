/* people.h - the directory, opened for a command, and what commands ask of it alike. */
#ifndef CLI_PEOPLE_H
#define CLI_PEOPLE_H

#include "cli/cli.h"
#include "store/accounts.h"

/* A directory that is not there yet is an empty one: *out NULL and true. */
bool people_open(struct cli *, struct directory **out, struct error *);
/* For a change: creates DATA and the directory. */
bool people_create(struct cli *, struct directory **out, struct error *);
/* A change was made: closes, and tells a running server, which would notice anyway. */
void people_changed(const struct cli *, struct directory **);

/* The user with this address; ERROR_REFUSED when there is none. */
bool people_user(struct directory *, const struct address *, mailbox_id *out, struct error *);

/* Removes a mailbox with everything in it, through the running server or, without one, in the store
 * itself. */
bool people_purge(const struct cli *, mailbox_id, struct error *);

#endif
