/* import.h - godwit import: its parts.  Private to the command. */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/cli.h"
#include "run/digest.h"
#include "store/ids.h"

/* --- Where messages go: the running server, or the store itself --- */

struct sink;
/* Afterwards nobody else imports into this mailbox, and all that others have imported can be seen.
 * ERROR_TEMPORARY when another process is at the store. */
bool sink_open(const char *data, mailbox_id, struct text address, struct sink **out,
               struct error *);
/* What is not complete is dropped; what is complete may or may not be stored, unless sink_end()
 * said so. */
void sink_close(struct sink **);
bool sink_data(struct sink *, struct bytes, struct error *);
bool sink_keep(struct sink *, int64_t dated_ms, uint32_t flags, struct error *);
bool sink_drop(struct sink *, struct error *);
/* All that was kept is stored. */
bool sink_end(struct sink *, struct error *);
/* Messages stored, as far as is known: all of them after sink_end(), fewer or none before. */
uint64_t sink_stored(const struct sink *);

/* --- What the mailbox has already --- */

struct known;
bool known_open(const char *data, mailbox_id, struct known **out, struct error *);
void known_close(struct known **);
/* Whether a message of so many octets and this digest is there, other than those that were asked
 * for before: two equal messages must be there twice. */
bool known_take(struct known *, uint64_t octets, const uint8_t digest[DIGEST_OCTETS],
                bool *there_out, struct error *);

#endif
