/* posting.h - a message as godwit sendmail hands it over: who, to whom, what; and a file that holds
 * one.  Pure.
 *
 *   godwit-posting 1            always the first line; lines end with LF
 *   file NAME                  the file's own name: one under another name is no posting
 *   user UID                   in a file of the server's own: whose posting it goes on with ...
 *   since MILLISECONDS         ... and since when it waits (Unix time)
 *   sender ADDRESS             absent: the user's own; with nothing behind it: <>
 *   name TEXT                  of the user, for a From that is missing
 *   notify N, ret FULL, envid XTEXT
 *   to ADDRESS                 once for each recipient
 *   content OCTETS             always the last line of the head, then an empty one
 *
 *   OCTETS octets as they were given to sendmail, and nothing behind them
 *
 * An address without a domain ("root") is one of the machine that the posting is handed over on.
 * Files are written by any user of the machine, with sendmail or without: the reader believes
 * nothing.
 */
#ifndef MAIL_POSTING_H
#define MAIL_POSTING_H

#include "base/arena.h"
#include "base/buffer.h"

enum {
    POSTING_RECIPIENTS_MAX = 2000,
    POSTING_NAME_MAX = 128,         /* octets of a user's name */
    POSTING_HEAD_MAX = 1024 * 1024, /* octets of a file in front of the content */
    POSTING_FILE_NAME_MAX = 64,     /* letters, digits and '-' */
    POSTING_ADDED_MAX = 1024,       /* octets that posting_content() may add to ... */
    POSTING_GROWS = 2               /* ... so many times the octets of the content */
};

struct posting {
    bool has_user, has_sender;
    uint32_t user;
    int64_t since_ms;   /* 0: not said */
    struct text sender; /* canonical, or a local part; "" for <> */
    struct text name;   /* of the user; "" */
    struct text *to;    /* canonical, or local parts; in the arena */
    size_t to_count, to_room;
    unsigned notify;        /* mail/notify.h */
    struct text ret, envid; /* "FULL", "HDRS" or ""; xtext or "" */
    struct text content;    /* as it was given, whatever its line ends */
};

/* --- Filling one in; what is kept is copied to the arena --- */

enum posting_verdict {
    POSTING_OK,
    POSTING_MALFORMED,
    POSTING_TOO_MANY,  /* recipients */
    POSTING_NO_MEMORY, /* temporary */
};
/* Addresses as programs write them: "a@b.example", "root", "Bob <bob@b.example>, carol". */
enum posting_verdict posting_add(struct posting *, struct arena *, struct text addresses);
/* One of them, or "" and "<>", as the sender. */
enum posting_verdict posting_set_sender(struct posting *, struct arena *, struct text address);
/* The recipients of To, Cc and Bcc; when the header has such fields with Resent- in front, theirs
 * (RFC 5322 3.6.6).  *field_out: the name of the field that is malformed. */
enum posting_verdict posting_add_header(struct posting *, struct arena *, struct text *field_out);
/* The user's name, as far as it can be said in a header: no controls, and not too long. */
enum posting_verdict posting_set_name(struct posting *, struct arena *, struct text name);

/* --- Handing it over --- */

/* The address in full: with "@" and the domain unless it has one.  False: it makes none. */
bool posting_address(struct text address, struct text domain, struct arena *, struct text *out);

struct posting_facts {
    bool eight_bit, dot_lines;
};
/* The content as it is sent: every line with CRLF, a first line of an mbox gone, and a From with
 * the user's name when it lacks one and there is a name.  The buffer's maximum is at least
 * POSTING_GROWS times the content and POSTING_ADDED_MAX.  False: no room. */
bool posting_content(const struct posting *, struct text author, struct buffer *,
                     struct posting_facts *);
/* How long it is then, but for a From that is added. */
uint64_t posting_octets(const struct posting *);

/* --- As a file --- */

bool posting_is_file_name(struct text);
/* Whether a file that begins with this text was meant to be one. */
bool posting_begins(struct text);
/* Appends all that stands in front of the content.  False: no room. */
bool posting_write_head(const struct posting *, struct text file_name, struct buffer *);
/* Reads a whole file of this name; texts are borrowed from it, the list from the arena.  What is
 * MALFORMED is told as a few words. */
enum posting_verdict posting_read(struct text file, struct text file_name, struct arena *,
                                  struct posting *out, const char **why_out);

#endif
