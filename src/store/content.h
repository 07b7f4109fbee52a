/* content.h - reading a stored message: every octet is verified before it is handed out. */
#ifndef STORE_CONTENT_H
#define STORE_CONTENT_H

#include "store/maildrop.h"

struct content;

/* Opens a message for reading on one loop and pins what it lies in.  NULL: memory or descriptors
 * are short. */
struct content *content_open(struct store *, struct loop *, const struct maildrop_entry *);
void content_close(struct content **);

enum content_state {
    CONTENT_HERE,    /* *out holds octets from `offset` on, valid until the next call */
    CONTENT_WAIT,    /* a lane is asked; `ready` will be called on the loop, then ask again */
    CONTENT_END,     /* `offset` is the length */
    CONTENT_DAMAGED, /* does not verify, or cannot be read */
    CONTENT_BUSY,    /* local trouble that may pass */
};
/* Content only (no prefix), from `offset` on: at least one octet, up to 64 KB. What is in the page
 * cache is read at once, on the loop. */
enum content_state content_read(struct content *, uint64_t offset, struct bytes *out,
                                void (*ready)(void *owner), void *owner);

#endif
