/* mbox.h - many messages in one file, both ways, in any slicing (RFC 4155 and its relatives). Pure.
 *
 * Each message stands behind a line "From SENDER DATE", called From_ line, and before an empty line
 * that is not its own.  Writers differ in what they do with lines of the message that look the
 * same:
 *
 *   mboxo    puts ">" before "From "; ">From " of the message comes back bare
 *   mboxrd   puts ">" before any number of ">" and "From "; all comes back as it was
 *   mboxcl   as mboxo, and says the length of the body in a field Content-Length
 *   mboxcl2  says the length and changes nothing
 *
 * We write mboxrd.  The reader takes all four:
 *   - A line is a From_ line when it ends with a date as asctime() writes it, so that text
 *     beginning with "From here" does not divide a message.  If the first line of the box has no
 *     such date, this writer has other habits: then "From " is enough.
 *   - A Content-Length is believed only if the box ends there or has a From_ line there, perhaps
 *     behind an empty line; such a body is taken as it is.  Every other line loses one ">" before
 *     "From ".
 *   - Status and X-Status are flags (mail/flags.h).  They, Content-Length, and the fields by which
 *     other programs number messages are the box's, not the message's: they are taken away, folded
 *     lines and all.  The writer puts "X-Kept-" before the names of the message's own and writes
 * its flags; the reader takes one "X-Kept-" off such a name.
 *   - The header ends at an empty line, or at one that is neither a field nor a From_ line of an
 *     earlier box: there the body begins, as for mail/header.h.
 * So what is written comes back as it was, but for ends of lines.
 */
#ifndef MAIL_MBOX_H
#define MAIL_MBOX_H

#include "mail/flags.h"
#include "mail/line_ends.h"

/* Longer lines are looked at no further than this: no From_ line and no field of the box is. */
enum { MBOX_LINE_MAX = 1024 };

/* The front of a line, as much as it takes to see what it is. */
struct mbox_head {
    uint64_t quotes; /* how many ">" there were, which are not held */
    size_t len;
    char at[MBOX_LINE_MAX];
};

/* --- Reading --- */

/* Of a message, once it has ended. */
struct mbox_facts {
    bool dated; /* by its From_ line */
    int64_t date_ms;
    unsigned flags;
    bool folder_data; /* no message, but what UW IMAP keeps in the first place of a box: it says so
                       */
};

struct mbox_reader {
    struct mbox_facts facts; /* valid at MBOX_MESSAGE_END */
    uint64_t look_at;        /* valid at MBOX_LOOK: an offset in the box */

    uint64_t position; /* all below is private: octets taken */
    uint64_t body_left;
    uint64_t claimed; /* by a Content-Length */
    uint64_t owed_quotes;
    struct bytes owed_blank, owed; /* what goes out before anything else, quotes between them */
    struct bytes blank;            /* an empty line: the box's, if a From_ line follows */
    struct mbox_head head;
    struct mbox_facts next;
    uint8_t place, line, turn;
    bool ended, any_from, is_claimed, may_fold, dropping, looking;
    bool may_be_data, has_data, says_data; /* of a folder */
};

void mbox_reader_init(struct mbox_reader *);

enum mbox_step {
    MBOX_NEED_INPUT,  /* all of it is taken */
    MBOX_CONTENT,     /* *slice_out is the message's; valid until the next call */
    MBOX_LOOK,        /* call mbox_reader_found() with what stands at look_at */
    MBOX_MESSAGE_END, /* the message is complete; its facts are known */
    MBOX_END,         /* of the box; after mbox_reader_end() only */
    MBOX_NO_BOX,      /* the first line is no From_ line: nothing was, or will be, read */
};
/* Takes octets from the front of *in. */
enum mbox_step mbox_read(struct mbox_reader *, struct bytes *in, struct bytes *slice_out);
/* No more input will come: what follows is MBOX_CONTENT, MBOX_MESSAGE_END and MBOX_END. */
void mbox_reader_end(struct mbox_reader *);
/* The octets at look_at: MBOX_LINE_MAX + 2 of them, fewer only at the end of the box.  `known`
 * false: the box is shorter, or cannot be looked at there. */
void mbox_reader_found(struct mbox_reader *, bool known, struct bytes);

/* --- Writing --- */

struct mbox_writer {
    unsigned flags; /* all is private */
    struct line_ends ends;
    struct mbox_head head;
    struct buffer lines; /* a slice with its line ends changed */
    uint8_t place, line;
    bool may_fold, ends_with_lf;
};

void mbox_writer_init(struct mbox_writer *);
void mbox_writer_clear(struct mbox_writer *);
/* The From_ line.  `sender`: empty, or with octets that may not stand there, is MAILER-DAEMON.
 * Each of these appends to the buffer; false: no room, or memory is short. */
bool mbox_write_begin(struct mbox_writer *, struct text sender, int64_t date_ms, unsigned flags,
                      struct buffer *out);
/* At most MBOX_SLICE_MAX octets of the message, with CRLF or LF. */
enum { MBOX_SLICE_MAX = 64 * 1024 };
bool mbox_write(struct mbox_writer *, struct bytes, struct buffer *out);
/* A last line without its end gets one.  Without the flags where they could not stand: before a
 * message that begins with white space. */
bool mbox_write_end(struct mbox_writer *, struct buffer *out);

#endif
