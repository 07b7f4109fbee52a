/* check.h - godwit check: what its parts share.  Private to the command. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "cli/cli.h"
#include "run/process.h"

enum check_level {
    CHECK_FINE,
    CHECK_WARN,   /* it will work, but somebody should look */
    CHECK_WRONG,  /* it will not work */
    CHECK_CONFIG, /* it will not work because of the configuration */
};

struct check {
    struct cli *cli;
    struct check_count {
        size_t fine, warnings, wrong, config;
    } count;
};

/* Prints one line: "ok|warn|error AREA: text". */
void check_say(struct check *, enum check_level, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The machine: account, data folder, ports, certificates, limits.  Nothing is made or changed. */
void check_machine(struct check *);
/* Certificates and keys, for a server that will be this user. */
void check_tls(struct check *, const struct process_user *);
/* Whether the user can read the file: 0 or an errno.  Root asks a child that has become him. */
int check_try_as_user(const char *path, const struct process_user *);
/* Logging in elsewhere: the passwords, and where they may go. */
void check_logins(struct check *, const struct process_user *);
/* The one that the server makes for itself when none is named.  As for check_people(). */
void check_own_certificate(struct check *);
/* Who gets mail: domains, users, aliases, and mailboxes without a user.  Root has become DATA's
 * owner before. */
void check_people(struct check *);
/* The records of the domains in DNS, within 5 s.  Starts threads: nothing forks behind it. */
void check_dns(struct check *);

#endif
