/* convert_inner.h - private to convert*.c: a message as a row of pieces.
 *
 *   convert.c         the readings, and what is decided of each piece
 *   convert_survey.c  what is true of a piece
 *   convert_write.c   pieces as they are to be
 *
 *     | header | header | body | gap: CRLF --b CRLF | header | body | gap: CRLF --b-- CRLF ... |
 *
 * A piece ends where the next one begins, and the pieces are the whole message.  What holds other
 * parts has a header of its own but no body; what stands between its parts is gaps.
 */
#ifndef MAIL_CONVERT_INNER_H
#define MAIL_CONVERT_INNER_H

#include "mail/convert.h"
#include "mail/mime.h"
#include "mail/transfer.h"
#include "mail/transfer_encode.h"

enum piece_kind { PIECE_HEADER, PIECE_BODY, PIECE_GAP };

/* What an octet of a gap becomes that does not fit; RFC 2046 5.1.1 has it in no boundary. */
enum { GAP_FILLER = '*' };

/* UTF-8 read octet by octet. */
struct utf8_reader {
    uint8_t left;      /* octets that the character still wants */
    uint8_t low, high; /* what the next of them may be */
    bool bad;
};

/* What is true of a piece, counted as it passes; zeroed is the start. */
struct survey {
    uint64_t octets;
    uint64_t escapes; /* octets that quoted-printable encodes */
    uint64_t line;    /* octets of the unfinished line */
    bool after_cr;
    bool eight_bit, has_nul, bare, long_line;
    bool wants_charset; /* nothing says what text it is */
    struct utf8_reader utf8;
    /* Headers: which fields there are. */
    bool mime_version, content_type, dkim;
    bool ended; /* by its empty line */
    bool at_line_start;
    bool naming; /* in the name of a field */
    uint8_t name_len;
    char name[32];
};
/* The piece's next octets, its end. */
void survey_read(struct survey *, enum piece_kind, struct bytes);
void survey_end(struct survey *);

struct piece {
    uint64_t end_at;
    enum piece_kind kind;
    const struct mime_part *part; /* its own; of a gap the part before it */
    struct piece *message;        /* HEADER: that of the message it is in, maybe itself */
    bool frozen;                  /* within what is signed or encrypted */
    struct survey survey;

    /* What becomes of it; otherwise it is copied. */
    bool changes;
    enum mime_encoding from, to; /* BODY */
    bool labelled;               /* HEADER: as `to`, in place of any other label */
    bool add_version;            /* MIME-Version is added */
    bool add_type;               /* ... and Content-Type, of this character set */
    bool type_is_utf8;
};

/* A header on its way through; or a gap, of which the column counts. */
struct line_state {
    bool within;   /* a line has begun, and its front is known */
    bool dropping; /* the field goes */
    bool added;    /* what is to be added was */
    uint8_t held_len;
    char held[32]; /* the front of a line, as long as it may be the label's */
    uint32_t column;
};

/* The writing; everything that convert_rewind() forgets. */
struct writing {
    size_t piece;
    uint64_t at;
    bool begun; /* the piece */
    uint8_t tail[2];
    struct line_state line;
    struct transfer decoder;
    struct transfer_encoder encoder;
};

enum reading { READ_TREE, READ_FACTS, READ_COUNT, READ_OVER };

struct convert {
    enum convert_target target;
    enum reading reading;
    bool failed;
    struct mime *mime;
    uint64_t octets;      /* of the message, known behind the first reading */
    struct piece *pieces; /* all of it */
    size_t piece_count;
    size_t piece;      /* the one that is surveyed */
    uint64_t at;       /* octets read */
    bool odd_boundary; /* there is one that a changed gap could be taken for */
    enum convert_obstacle obstacle;
    bool changes;
    bool header_8bit;
    uint64_t converted_octets;
    struct buffer scratch; /* of the count */
    struct writing writing;
};

#endif
