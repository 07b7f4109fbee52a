/* dot.h - the end of data and dot-stuffing (RFC 5321 4.5.2, RFC 1939 3), both directions. Pure.
 *
 * One decoder, and only CRLF.CRLF ends the data.  It also counts, once and for all, what the rest
 * of the program wants to know of the content.
 *
 * Where readers may differ, the rules are these (they are what keeps one message from being read
 * as two, by us or by whoever gets it from us):
 *   - The decoder knows one line start: the front of the data, or behind a CRLF that was really
 *     sent.  Only there is a dot taken away, and only there does ".CRLF" end the data.  A dot
 *     behind a bare CR or LF is content, with DOT_MEND too: "a LF . CRLF" gives the lines "a" and
 *     ".".
 *   - A CR is bare unless an LF follows it, an LF is bare unless a CR stands before it: in CR CR LF
 *     the first CR is bare.
 *   - The encoder doubles a dot behind every LF, bare or not, so that no reader of any habit finds
 *     an end in the content.  For content without bare LF the decoder undoes exactly that.
 */
#ifndef PROTO_DOT_H
#define PROTO_DOT_H

#include "base/buffer.h"
#include "mail/header.h"

/* What is true of content, counted as it passes. After all of it: see content_facts_end(). */
struct content_facts {
    uint64_t octets;       /* as RETR sends them after un-stuffing */
    uint32_t received;     /* Received fields in the header */
    uint32_t line_longest; /* octets without CRLF, capped at UINT32_MAX; only CRLF ends a line */
    bool dot_lines;        /* a dot at the front or behind an LF: dot_encode() would change it */
    bool ends_with_crlf;   /* true of empty content too: no line is unfinished */
    bool eight_bit;
    bool has_nul;
    bool bare_cr_or_lf; /* in what came; with DOT_MEND the content itself has none */
};

/* Counts content that comes in slices; also used alone, for what this host writes itself. */
struct content_counter {
    struct content_facts facts;
    struct header_counter header;
    uint64_t line_octets; /* of the unfinished line, a CR at its end too */
    bool after_lf;        /* or at the front */
    bool after_cr;
};
void content_counter_init(struct content_counter *);
void content_count(struct content_counter *, struct bytes);
/* The facts once no more will come: a CR that ends the content is bare. (What a dot_decoder that
 * has ended counted needs no such care: its `counter.facts` are final.) */
struct content_facts content_facts_end(const struct content_counter *);

enum dot_line_ends {
    DOT_KEEP,   /* a bare CR or LF stays and is told in the facts */
    DOT_MEND,   /* each becomes CRLF */
    DOT_BINARY, /* the content is no lines: as DOT_KEEP, and nothing is added to its end; BDAT only
                 */
};

struct dot_decoder {
    enum dot_line_ends line_ends;
    uint8_t state; /* private */
    bool stuffed;  /* private: dots are doubled and a dot alone ends (DATA), or not (BDAT) */
    struct content_counter counter;
};

/* DATA: stuffed = true.  BDAT: stuffed = false, the end is where the caller says. */
void dot_decoder_init(struct dot_decoder *, bool stuffed, enum dot_line_ends);
enum dot_step {
    DOT_SLICE,      /* *slice_out is content: a part of the input, or a constant; take it first */
    DOT_NEED_INPUT, /* the input is used up */
    DOT_END,        /* CRLF.CRLF was read; *in stands behind it */
};
/* Takes octets from the front of *in.  A slice of the input is as long as the content there goes on
 * unchanged: text without dot lines is one slice.  Behind DOT_END it says DOT_END again. */
enum dot_step dot_decode(struct dot_decoder *, struct bytes *in, struct bytes *slice_out);
/* BDAT only: the last chunk is over.  Gives what is still owed (the LF of a pending CR, or a
 * missing final CRLF): a constant slice, maybe empty, which is content like any other.  The facts
 * are final behind it. */
struct bytes dot_decoder_finish(struct dot_decoder *);

/* The other direction: appends content with its dots doubled.  `*at_line_start` is the state
 * between slices, true before the first.  Neither the final dot nor a missing CRLF before it is
 * added.  False: no room (nothing may be assumed). */
bool dot_encode(struct buffer *, struct bytes, bool *at_line_start);

#endif
