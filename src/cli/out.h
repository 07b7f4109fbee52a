/* out.h - listings: JSON Lines, times, sizes, what peers said. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include "store/ids.h"

#include <jansson.h>

enum { OUT_TIME_MAX = 32, OUT_MAILBOX_MAX = 17, OUT_ROUGH_MAX = 24 };

/* Prints the object on a line of its own and gives it back.  False: memory was short (a NULL object
 * says that too) and nothing was printed. */
bool out_json(json_t *object);
/* A JSON string; NULL when memory is short or it is not UTF-8. */
json_t *out_text(struct text);
/* The same of what a peer may have said: what is not UTF-8 is escaped (base/escape.h). */
json_t *out_said(struct text);
/* Prints text as it is safe for a terminal: escaped. */
void out_words(struct text);
/* The same of a reply of several lines, on one: "450 4.2.0 busy / 450 4.2.0 later". */
void out_reply(struct text);
/* A duration and a size as people say them, roughly: "4m", "3d", "8.2K", "309B". */
const char *out_rough_duration(int64_t ms, char out[OUT_ROUGH_MAX]);
const char *out_rough_size(uint64_t octets, char out[OUT_ROUGH_MAX]);
/* RFC 3339, UTC, seconds. */
const char *out_time(int64_t wall_ms, char out[OUT_TIME_MAX]);
/* Mailboxes have no name but their number: 16 hexadecimal digits. */
const char *out_mailbox(mailbox_id, char out[OUT_MAILBOX_MAX]);
bool out_parse_mailbox(struct text, mailbox_id *out);

#endif
