/* letter.h - a message on its way from a person to a sender: its octets, in memory while they are
 * few, else in a file without a name; and what SMTP must know of them.
 *
 * What is written are whole lines with CRLF, as mail/compose.h makes them.
 */
#ifndef AGENT_LETTER_H
#define AGENT_LETTER_H

#include "mail/sink.h"

enum { LETTER_MEMORY_MAX = 1024 * 1024, LETTER_PIECE = 64 * 1024 };

struct letter {
    /* What SMTP must know. */
    uint64_t octets;
    bool eight_bit; /* an octet over 0x7F */
    bool dot_lines; /* a line begins with a dot */

    bool begins;          /* private: the next octet is a line's first */
    int file;             /* -1: all is in memory */
    struct buffer memory; /* or the piece that was read last */
};

void letter_init(struct letter *);
/* Gives memory and file back; it is then as after letter_init(). */
void letter_clear(struct letter *);
/* What is written there is added to the letter. */
struct sink letter_sink(struct letter *);
/* 1..n octets from there on, borrowed until the next call.  False: the file cannot be read, or ends
 * before. */
bool letter_read(struct letter *, uint64_t offset, struct bytes *piece_out);

#endif
