/* date.h - dates: RFC 5322 3.3 for headers, RFC 3339 for logs and listings,
 * asctime() for mbox files. Pure. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/text.h"

enum { DATE_TEXT_MAX = 40 };

/* "Sat, 21 Nov 2026 07:41:27 +0000"; `zone_seconds` east of UTC. Terminated, returned. */
struct text date_rfc5322(int64_t wall_ms, int zone_seconds, char out[DATE_TEXT_MAX]);
/* "2026-11-21T07:41:27.123Z" or, without milliseconds, "2026-11-21T07:41:27Z". */
struct text date_rfc3339(int64_t wall_ms, bool milliseconds, char out[DATE_TEXT_MAX]);
/* "Thu Jan  1 00:00:00 1970", as the C library's asctime() has it: UTC (RFC 4155).  Terminated,
 * returned. */
struct text date_asctime(int64_t wall_ms, char out[DATE_TEXT_MAX]);
/* Reads an RFC 5322 date with its obsolete forms (4.3); false when it is none. */
bool date_parse_rfc5322(struct text, int64_t *wall_ms_out);
/* Reads what asctime() writes, also without seconds and with a zone before or behind the year, as
 * some writers have it; without one it is UTC. */
bool date_parse_asctime(struct text, int64_t *wall_ms_out);

#endif
