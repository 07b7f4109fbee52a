/* fetch.h - one small text over https: what MTA-STS policies are published as (RFC 8461 3.3).
 *
 * One of the interfaces with two implementations (src/run over libcurl, and sim).  The call blocks:
 * it belongs on a lane of its own.  No resolver is asked, no redirect followed, no proxy used, no
 * cookie and no credential sent, and nothing but https spoken.
 */
#ifndef RUN_FETCH_H
#define RUN_FETCH_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/net.h"

#include <stdatomic.h>

/* Once in a process, before any thread; the libraries that it uses have globals. */
bool fetch_set_up(struct error *);

enum { FETCH_ADDRESSES_MAX = 8, FETCH_HOST_MAX = 255, FETCH_PATH_MAX = 100 };

struct fetch {
    struct text host; /* a name; the certificate must be for it */
    uint16_t port;
    const char *path;                 /* "/..." */
    const struct endpoint *addresses; /* of the host, tried in this order; their ports count for
                                          nothing */
    size_t address_count;             /* 1 to FETCH_ADDRESSES_MAX */
    const char *authorities;          /* a PEM file that is trusted instead of the system's; NULL */
    uint64_t connect_ms, whole_ms;    /* for the connection, and for everything */
    const atomic_bool *stop;          /* once true, it ends within a second */
};

/* Appends the text to the buffer, whose maximum is its largest length.  ERROR_TEMPORARY for
 * whatever else than "200, text/plain, not too long" came of it. */
bool fetch_text(const struct fetch *, struct buffer *out, struct error *);

#endif
