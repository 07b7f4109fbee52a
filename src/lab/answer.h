/* answer.h - one DNS query in, its reply out.  No socket and no clock: only the records.
 *
 * Authoritative answers (RFC 1034 4.3.2) with CNAMEs followed through all zones, NXDOMAIN and "no
 * data" told apart (RFC 2308), the addresses of mail hosts added, EDNS (RFC 6891), and TC where a
 * datagram has no room.  Since the little internet is complete, an answer to a query that wants
 * recursion is as good as recursion, and RA says so.
 */
#ifndef LAB_ANSWER_H
#define LAB_ANSWER_H

#include "lab/zone.h"

#include "base/buffer.h"

enum answer_by { ANSWER_BY_DATAGRAM, ANSWER_BY_STREAM };

enum { ANSWER_OCTETS_MAX = 65535, ANSWER_EDNS_OCTETS = 1232 };

/* Appends the reply.  False: nothing is to be said (what came is no query, or shorter than a
 * header), or the buffer has no room. */
bool answer_query(const struct zones *, struct bytes query, enum answer_by, struct buffer *reply);

#endif
