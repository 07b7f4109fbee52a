/* auth.h - is this password right?  One service for every protocol.
 *
 * The same words and the same work whether the user exists or not: an unknown user is checked
 * against a verifier that no password fits.  What was right before is recognised from shared.h
 * without the slow computation.
 */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include "serve/people.h"

struct auth;

bool auth_new(struct people *, struct shared *, struct auth **out, struct error *);
void auth_free(struct auth **);

enum auth_verdict {
    AUTH_RIGHT,
    AUTH_WRONG,     /* unknown user or wrong password: never tell which */
    AUTH_TEMPORARY, /* the lane is full, or the directory cannot be asked */
};

struct login;

/* Who asks for what; borrowed for the call. */
struct login_ask {
    const struct settings *settings;
    struct loop *home;
    struct text name; /* as given: an address in any case, or the local part alone when
                         one domain is configured */
    struct text password;
    void (*done)(struct login *); /* on home; the callee frees it with login_free() */
    void *owner;                  /* the asker */
};

struct login {
    void *owner;               /* the asker may set it to NULL and go */
    struct server_loop *holds; /* the asker's: what to release when done */
    enum auth_verdict verdict;
    mailbox_id mailbox;     /* with AUTH_RIGHT */
    struct address address; /* who it is, as far as the name could be read */

    void (*done)(struct login *); /* private from here */
    bool readable;                /* the name was an address of ours */
    struct auth *auth;
    struct loop *home;
    struct buffer password;
    struct lookup *lookup;
    struct verifier computed;
    struct job job;
};

/* Begins a login; `done` comes later, never within the call.  NULL: memory is short or the lane is
 * full, a temporary failure. */
struct login *auth_login(struct auth *, const struct login_ask *);
/* Wipes the password. */
void login_free(struct login **);

/* The quick way: whether this very login was right before and nothing has changed since. */
bool auth_is_known(struct auth *, const struct settings *, struct text name, struct text password,
                   mailbox_id *mailbox_out);

#endif
