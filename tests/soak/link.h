/* link.h - one connection of the soak: lines in, octets out, blocking, with an end to all patience.
 */
#ifndef SOAK_LINK_H
#define SOAK_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum { LINK_INPUT = 256 << 10, LINK_OUTPUT = 64 << 10, LINK_PATIENCE_S = 60 };

enum link_state {
    LINK_CLOSED,
    LINK_OPEN,
    LINK_BROKEN, /* the peer is gone */
    LINK_SILENT, /* it said nothing, or read nothing, for LINK_PATIENCE_S */
};

struct link {
    int fd;
    enum link_state state;
    size_t taken, filled; /* of the input */
    size_t waiting;       /* of the output */
    char input[LINK_INPUT];
    char output[LINK_OUTPUT];
};

void link_init(struct link *);
bool link_open(struct link *, const struct sockaddr_in *to);
/* Politely, or with a reset; nothing on a closed one. */
void link_close(struct link *);
void link_reset(struct link *);

/* All return false once the connection is of no use any more; `state` says why. */
bool link_put(struct link *, const char *octets, size_t len);
bool link_printf(struct link *, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool link_flush(struct link *);
/* Sends what waits, then brings a line, without its CRLF and with a NUL behind it; it is borrowed
 * until the next call.  NULL: the connection is of no use. */
const char *link_line(struct link *, size_t *len_out);

#endif
