/* sendmail.h - godwit sendmail: what its parts share.  Private to the command.
 *
 *   sendmail_options.c   what programs say to it (pure)
 *   sendmail.c           what is asked for; the message, from standard input to an exit code
 *   sendmail_give.c      to the server, or into the spool
 *   sendmail_queue.c     mailq, -q
 */
#ifndef CLI_SENDMAIL_H
#define CLI_SENDMAIL_H

#include "base/error.h"
#include "cli/cli.h"
#include "mail/posting.h"

/* sysexits.h, as programs expect them of sendmail. */
enum sendmail_exit {
    SENDMAIL_DONE = 0,
    SENDMAIL_USAGE = 64,
    SENDMAIL_DATA = 65, /* the message is none */
    SENDMAIL_NOUSER = 67,
    SENDMAIL_UNAVAILABLE = 69,
    SENDMAIL_TROUBLE = 71, /* memory is short, the caller is nobody */
    SENDMAIL_IO = 74,      /* standard input cannot be read */
    SENDMAIL_AGAIN = 75,
    SENDMAIL_NOPERM = 77,
    SENDMAIL_CONFIG = 78,
};

enum sendmail_mode {
    SENDMAIL_SEND,
    SENDMAIL_SMTP,    /* -bs */
    SENDMAIL_QUEUE,   /* -bp, mailq */
    SENDMAIL_RETRY,   /* -q */
    SENDMAIL_ALIASES, /* -bi, -I, newaliases */
    SENDMAIL_HELP,
};
/* What happens to those who are refused. */
enum sendmail_errors {
    SENDMAIL_PRINT, /* -oep: they are told on standard error */
    SENDMAIL_MAIL,  /* -oem, -oew: in a report by mail */
    SENDMAIL_BACK,  /* -oee: likewise, and the exit code is 0 */
    SENDMAIL_QUIET, /* -oeq: only the exit code says so */
};

/* Texts are argv's; NULL: not given. */
struct sendmail_options {
    enum sendmail_mode mode;
    enum sendmail_errors errors;
    bool from_header; /* -t */
    bool dots;        /* -i: a line with a dot alone is one as any other */
    bool verbose;     /* -v */
    const char *file; /* -C, -c: configuration */
    const char *sender, *name, *ret, *envid;
    unsigned notify;
    char **words; /* the recipients */
    size_t word_count;
};
/* Behind the program's name.  `mixed`: options may stand behind recipients, as in all commands of
 * godwit; otherwise the first recipient ends them, so that no recipient can be taken for one.
 * Reorders argv.  ERROR_USAGE. */
bool sendmail_options_read(int argc, char **argv, bool mixed, struct sendmail_options *,
                           struct error *);

/* Where the server is found, and by whom. */
struct sendmail_place {
    char socket[128], spool[4096]; /* "": there is none */
    char data[4096];
    uint64_t octets_max;
    bool own; /* nobody installed this server: it must be run by ourselves, or root */
    char login[64], full_name[POSTING_NAME_MAX + 1];
};
/* False: only with a configuration that was named. */
bool sendmail_find_place(const char *file, struct sendmail_place *, struct error *);
/* A socket at which the server answers; -1: none does. */
int sendmail_reach(const struct sendmail_place *, struct error *);

/* Hands the posting over, or leaves it in the spool; tells what became of it. */
enum sendmail_exit sendmail_give(const struct sendmail_place *, const struct sendmail_options *,
                                 const struct posting *, struct arena *);
/* -bs: standard input and output are joined to the server. */
enum sendmail_exit sendmail_join(const struct sendmail_place *);

/* For who may look into DATA. */
enum sendmail_exit sendmail_list(const struct sendmail_place *, struct cli *);
enum sendmail_exit sendmail_retry(const struct sendmail_place *, struct cli *);

/* Whether the program was called by one of these names: sendmail, mailq, newaliases. */
bool sendmail_is_name(const char *program);
/* As called by that name. */
int sendmail_main(int argc, char **argv);

#endif
