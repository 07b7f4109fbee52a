/* draft.h - a configuration while its file is read.
 *
 * The parser tells it where it is (draft->line, draft->setting) and gives it titles and values; it
 * keeps what was said, notices what was said twice, and remembers the first problem.  Private to
 * src/config.
 */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "base/arena.h"
#include "config/schema.h"
#include "mail/address.h"

enum {
    CONFIG_FILE_MAX = 1 << 20,    /* octets of a file */
    CONFIG_MEMORY_MAX = 64 << 20, /* octets that a configuration may take */
    BLOCKLIST_ZONE_MAX = 189,     /* an IPv6 address takes 64 octets in front of it */
};

struct draft_domain {
    struct config_domain domain;
    unsigned catch_all_line;
};

/* What was titled, to notice titles given twice. */
struct draft_title {
    const char *section;
    struct text title; /* canonical */
    unsigned line;
};

struct draft_listener {
    struct config_listener listener;
    unsigned line;
};

struct draft {
    struct config *config;
    struct arena *arena;
    struct text file;    /* for messages; empty: none */
    struct text folder;  /* absolute, ends with '/': what relative paths are relative to */
    struct text machine; /* its name */

    /* Lists: runs of what their name says. */
    struct buffer listeners;    /* struct draft_listener */
    struct buffer domains;      /* struct draft_domain */
    struct buffer certificates; /* struct config_certificate */
    struct buffer routes;       /* struct config_route */
    struct buffer trusted;      /* struct network */
    struct buffer allowed;      /* struct network */
    struct buffer blocklists;   /* struct config_blocklist */
    struct buffer accounts;     /* struct text */
    struct buffer retry;        /* uint64_t */
    struct buffer resolvers;    /* struct endpoint */
    struct buffer titles;       /* struct draft_title */
    struct config_certificate standard_certificate;
    bool listen_written;
    enum role role;      /* of the listen section that is open */
    size_t role_begins;  /* how many listeners there were before it */
    bool role_addresses; /* it has an `address` */

    /* Where the parser is. */
    unsigned line;
    const struct setting *setting;     /* or NULL */
    unsigned lines[SETTING_COUNT_MAX]; /* where each was given; 0: not yet */

    bool failed;
    struct error *error;
    const struct config_notices *notices;
};

/* Defaults of everything.  `config` and `arena` are the caller's. */
bool draft_init(struct draft *);
void draft_clear(struct draft *);

/* Remembers the problem, with file, line and setting in front, unless there is one already; returns
 * false. */
bool draft_problem(struct draft *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The problem of an address or a domain name: "WHAT "VALUE" is no KIND: ...". */
bool draft_bad_name(struct draft *, const char *kind, struct text value, enum address_verdict);
/* A copy that lives as long as the configuration, with a zero behind it. */
bool draft_text(struct draft *, struct text, struct text *copy_out);
/* Memory is short: temporary, not the file's fault. */
bool draft_no_memory(struct draft *);
void draft_notice(struct draft *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fills the settings of a section with their defaults. */
bool draft_defaults(struct draft *, const char *section, void *target);
/* One value of a setting; `first`: a list starts anew with it. */
bool draft_value(struct draft *, const struct setting *, struct text value, bool first,
                 void *target);
/* A list was written and is empty. */
bool draft_empty_list(struct draft *, const struct setting *);
/* The whole file was read: checks what concerns several settings and completes the config. */
bool draft_finish(struct draft *);
/* Whether a login has all that it needs, and nothing twice. */
bool draft_check_login(struct draft *, const struct config_login *);
/* No file at all: the loopback setting for trying things out. */
bool draft_without_file(struct draft *);

/* The certificate of a configuration that names none: key and certificate in one file of DATA.
 * False: memory is short. */
bool config_name_made(struct config *, struct arena *);

/* A value as it may be shown in a message: escaped, cut. */
struct shown {
    char words[96];
};
struct shown shown(struct text);

/* Titles; see struct section_actions. */
bool draft_begin_listen(struct draft *, struct text title, void **target_out);
bool draft_end_listen(struct draft *, void *target);
bool draft_begin_domain(struct draft *, struct text title, void **target_out);
bool draft_end_domain(struct draft *d, void *target);
bool draft_begin_host(struct draft *, struct text title, void **target_out);
bool draft_end_host(struct draft *, void *target);
bool draft_begin_route(struct draft *, struct text title, void **target_out);
bool draft_end_route(struct draft *, void *target);
bool draft_begin_blocklist(struct draft *, struct text title, void **target_out);
bool draft_end_blocklist(struct draft *, void *target);

#endif
