/* compose.h - a message from what a person wrote: text in any script, files, addresses (RFC 5322,
 * 2045 to 2047, 2231, 3676).  Pure.
 *
 * The message is a function of what is given here: the time, the Message-ID and the boundary too
 * come from outside.  It goes to a sink as it is made; files are pulled, so that none is held.
 *
 * What comes out: lines end with CRLF, have at most 998 octets and, but for an address or a word
 * that cannot be divided, at most 78; all is ASCII, except that an address with UTF-8 in its local
 * part stands as it is when SMTPUTF8 is allowed.  Text is 7bit when that is possible, otherwise
 * quoted-printable or base64, whichever is shorter.  Files are base64, so that every octet arrives,
 * line ends too.
 *
 *     multipart/mixed                if there are files
 *       multipart/alternative        if there is HTML
 *         text/plain
 *         text/html
 *       each file
 */
#ifndef MAIL_COMPOSE_H
#define MAIL_COMPOSE_H

#include "mail/sink.h"

enum {
    COMPOSE_TEXT_MAX = 32 << 20,  /* octets of the text, and of the HTML */
    COMPOSE_FIELD_MAX = 64 << 10, /* octets of one value */
    COMPOSE_FILE_NAME_MAX = 512,  /* octets of a file's name; no system has longer ones */
    COMPOSE_BOUNDARY_MIN = 16,
    COMPOSE_BOUNDARY_MAX = 50,
};

/* Something that is sent along. */
struct compose_file {
    struct text name; /* without folders; empty: none.  Octets that are no UTF-8 become U+FFFD. */
    /* "image/png", parameters too; empty: by the name.  A message or multipart becomes
     * application/octet-stream, since RFC 2045 6.4 lets neither be encoded. */
    struct text type;
    void *context;
    /* The next octets, at most `room`; none is the end, behind which it is not called.  False: it
     * cannot be read, and the error is filled. */
    bool (*read)(void *context, uint8_t *to, size_t room, size_t *len_out, struct error *);
};

struct compose_field {
    struct text name, value;
};

struct compose {
    /* Lists of mailboxes as people write them: "Jürgen Müller <j@a.example>, k@a.example". */
    struct text from;
    const struct text *to;
    size_t to_count;
    const struct text *cc;
    size_t cc_count;
    /* Who gets a hidden copy stands in no header, so those are not given here.  With neither To nor
     * Cc the message says "To: undisclosed-recipients:;". */
    struct text subject;
    /* Further fields: their names are none of those that are written here.  A value that is not
     * ASCII becomes encoded-words; ASCII stands as it is. */
    const struct compose_field *extra;
    size_t extra_count;

    int64_t date_ms;        /* since 1970 */
    int zone_seconds;       /* east of UTC */
    struct text message_id; /* with its angle brackets; empty: none */
    /* Letters and digits that nobody can foresee, COMPOSE_BOUNDARY_MIN at the least. */
    struct text boundary;

    struct text text; /* UTF-8; lines end with LF or CRLF */
    struct text html; /* the same in HTML; empty: there is none */
    const struct compose_file *files;
    size_t file_count;

    bool smtputf8;     /* addresses may have UTF-8 (RFC 6531) */
    bool force_base64; /* text is UTF-8 in base64, whatever it is */
};

/* Whether it can be written.  Otherwise an error for people (ERROR_USAGE): a control character in
 * the subject or another value, an address that is none, text that is no UTF-8, a field that is
 * written twice. */
bool compose_check(const struct compose *, struct error *);
/* Whether the message has an address that wants SMTPUTF8; compose_check() has passed. */
bool compose_needs_smtputf8(const struct compose *);
/* Checks it, then writes it.  False: as compose_check(), before anything was written; or the sink,
 * a file or memory failed, and what was written is a part.  The octets live until it returns. */
bool compose_write(const struct compose *, struct sink, struct error *);

#endif
