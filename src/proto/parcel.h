/* parcel.h - messages between two processes of this program: the command line, its own child that
 * reads or writes mail files, and the server.  Pure.
 *
 *   open DATE FLAGS WORDS     a message begins; for who must know that before the content
 *   data OCTETS               so many octets of its content follow the line
 *   keep DATE FLAGS           the message is complete
 *   drop                      forget what came of it
 *   mark DONE ALL             how far the work has come, in whatever unit
 *   end                       there is no more, and all went well
 *
 * Lines end with LF; DATE is in milliseconds since 1970, 0 for none
 * or before; FLAGS are those of
 * mail/flags.h; WORDS are what both sides take them for.
 */
#ifndef PROTO_PARCEL_H
#define PROTO_PARCEL_H

#include "base/buffer.h"

enum { PARCEL_LINE_MAX = 1024, PARCEL_DATA_MAX = 64 * 1024 };

enum parcel_kind {
    PARCEL_NEED_INPUT,
    PARCEL_OPEN,
    PARCEL_DATA,
    PARCEL_KEEP,
    PARCEL_DROP,
    PARCEL_MARK,
    PARCEL_END,
    PARCEL_BROKEN, /* this is none of ours; nothing behind it is read */
};

/* Texts and octets live until the next call. */
struct parcel {
    enum parcel_kind kind;
    int64_t date_ms;    /* OPEN, KEEP */
    uint32_t flags;     /* likewise */
    uint64_t done, all; /* MARK */
    struct text words;  /* OPEN */
    struct bytes data;  /* DATA: a part of the input */
};

struct parcel_reader {
    size_t line_len; /* private, as the rest */
    uint64_t data_left;
    char line[PARCEL_LINE_MAX];
};
void parcel_reader_init(struct parcel_reader *);
/* Takes octets from the front of *in. */
enum parcel_kind parcel_read(struct parcel_reader *, struct bytes *in, struct parcel *out);

/* Appends one; of data any number of octets, in pieces.  False: no room. */
bool parcel_write(struct buffer *, const struct parcel *);

#endif
