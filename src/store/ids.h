/* ids.h - the names of what the store holds. Plain values.
 *
 * A message id is 32 bits drawn at random at each start (checked unused) and a 31-bit counter; it
 * is taken when the message is opened, without coordination, and never used again.  Mailbox ids are
 * random 64-bit numbers and never reused, so that nothing ever inherits another's mail.
 */
#ifndef STORE_IDS_H
#define STORE_IDS_H

#include "base/text.h"

typedef uint64_t message_id; /* 63 bits; 0 is none */
typedef uint64_t mailbox_id; /* 0 is none; the top bit is clear (SQLite's integers are signed) */

/* 13 octets of "0123456789abcdefghjkmnpqrstvwxyz": letters and digits, as seen in Received, in
 * replies, logs and listings. */
enum { MESSAGE_ID_TEXT = 13 };
struct text message_id_print(message_id, char out[MESSAGE_ID_TEXT + 1]);
bool message_id_parse(struct text, message_id *out);

#endif
