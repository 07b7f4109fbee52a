/* date.h - dates: RFC 5322 3.3 for headers, RFC 3339 for logs and listings. Pure. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/text.h"

enum { DATE_TEXT_MAX = 40 };

/* "Sat, 21 Nov 2026 07:41:27 +0000"; `zone_seconds` east of UTC. Terminated, returned. */
struct text date_rfc5322(int64_t wall_ms, int zone_seconds, char out[DATE_TEXT_MAX]);
/* "2026-11-21T07:41:27.123Z" or, without milliseconds, "2026-11-21T07:41:27Z". */
struct text date_rfc3339(int64_t wall_ms, bool milliseconds, char out[DATE_TEXT_MAX]);
/* Reads an RFC 5322 date with its obsolete forms (4.3); false when it is none. */
bool date_parse_rfc5322(struct text, int64_t *wall_ms_out);

#endif
