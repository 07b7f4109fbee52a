/* user.h - who it is that has mail: address, servers, login; of what was written on the command
 * line and in his own file.
 *
 *   user_open() -> user_find() -> user_credentials() ... -> user_close()
 */
#ifndef AGENT_USER_H
#define AGENT_USER_H

#include "agent/accounts.h"
#include "agent/find.h"
#include "agent/login.h"
#include "agent/password.h"

/* As written; NULL, and 0, is not written.  Borrowed as long as the user. */
struct user_wish {
    const char *address; /* NULL: that of the only account in the file */
    const char *naming;  /* how it is named on the command line: "-e ADDRESS"; always written */
    char *password;      /* wiped where it stands */
    const char *password_file, *password_command;
    const char *login, *auth;
    const char *smtp, *pop;
    const char *authorities;
    enum agent_tls tls;
    bool tls_written;
    const char *accounts; /* the file of accounts; NULL: the standard one */
    const char *config;   /* godwit.conf; NULL: the standard one, if it may be read */
};

struct user {
    struct user_wish wish; /* with what the account adds */
    struct address address;
    struct text name; /* for From; "" */
    struct accounts *accounts;
    struct config *config;    /* NULL: none, or not needed */
    struct password password; /* once it is known */
    struct password written;  /* from the command line or the account, until then */
    struct credentials credentials;
};

/* Takes the password off the command line at once.  False: nothing is open. */
bool user_open(struct user *, const struct user_wish *, struct failure *);
/* Wipes the password.  Harmless on one that is zeroed. */
void user_close(struct user *);

bool user_find(struct user *, struct agent *, enum find_service, struct servers *out,
               struct failure *);
/* The login, with the password, which is asked for when it is needed first.  NULL: *f. */
const struct credentials *user_credentials(struct user *, struct failure *);
/* The same where a login can be left: NULL in *out when nothing of one is written and nobody can be
 * asked for the password, or when the mechanism is "off". */
bool user_may_log_in(struct user *, const struct credentials **out, struct failure *);
/* Forgets a password that a server has refused, if it was typed: it is asked for again. */
void user_forget_password(struct user *);

#endif
