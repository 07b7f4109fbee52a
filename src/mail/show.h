/* show.h - a message for people: the header fields that matter, the text, what else is in it.
 * Pure.
 *
 * Whatever others sent comes out harmless (mail/harmless.h) and as UTF-8; taking it to the
 * terminal's character set is left to the caller.  Nothing malformed fails.  All is linear in the
 * message.
 *
 *     From: Jürgen Müller <j@a.example>
 *     To: k@a.example
 *     Date: Sat, 21 Nov 2026 08:50:27 +0100
 *     Subject: Grüße
 *
 *     the text
 *
 *     Attachments:
 *       1  report.pdf  application/pdf  12 KB
 */
#ifndef MAIL_SHOW_H
#define MAIL_SHOW_H

#include "mail/charset.h"
#include "mail/mime.h"
#include "mail/sink.h"

enum {
    SHOW_FIELD_MAX = 16 * 1024, /* octets of a field that are shown */
    SHOW_TEXT_MAX = 16 << 20,   /* octets of one part's text that are shown; it says so if more */
    SHOW_NAME_MAX = 255,        /* octets of a file name */
};

/* A message that was looked at. */
struct show;

/* What else is in it: everything that is not shown as text, in the order of the message; text that
 * has a file name is shown and stands here too. */
struct show_attachment {
    struct text name;      /* as the sender called it, harmless and on one line; may be empty */
    struct text file_name; /* what it can be saved as in any folder: never empty, no "/", no control
                            * character, begins with neither "." nor "-", SHOW_NAME_MAX at most */
    struct text type;      /* "application/pdf", harmless */
    uint64_t octets;       /* decoded */
    bool alternative;      /* another form of the text that is shown */
};

/* Looks at the message, whose octets must live as long.  `more` knows further character sets, and
 * may be NULL.  NULL: memory is short. */
struct show *show_new(struct text message, const struct charset_more *more);
/* NULL is fine. */
void show_free(struct show **);

/* Writes the message for people, in lines that end with LF.  False: memory, or the sink failed. */
bool show_write(const struct show *, struct sink, struct error *);

size_t show_attachment_count(const struct show *);
/* The attachment with this number, from 1 on; it lives as long as the show.  False: there is none.
 */
bool show_attachment(const struct show *, size_t number, struct show_attachment *out);
/* Writes its content, decoded, octet for octet.  ERROR_REFUSED: there is none. */
bool show_attachment_write(const struct show *, size_t number, struct sink, struct error *);

/* A name that is safe in any folder, out of one that a stranger chose (UTF-8 or not): folders
 * before it fall away, what is not safe becomes "_".  `type` gives an ending if there is no name at
 * all. */
bool show_file_name(struct text name, struct text type, size_t number, struct buffer *out);

#endif
