/* sink.h - where what is written goes, piece by piece.
 *
 * A pure room makes text that may be larger than memory should hold; whoever called it takes the
 * pieces to a socket, a file or a buffer.
 */
#ifndef MAIL_SINK_H
#define MAIL_SINK_H

#include "base/buffer.h"
#include "base/error.h"

struct sink {
    void *context;
    /* Takes the octets, all of them, in the order of the calls; they live until it returns.  False:
     * it could not, the error is filled, and it is not called again. */
    bool (*write)(void *context, struct bytes, struct error *);
};

/* A sink that appends to the buffer, as long as that has room. */
struct sink sink_of_buffer(struct buffer *);

#endif
