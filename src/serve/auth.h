/* auth.h - is this password right?  One service for every protocol.
 *
 * The same words and the same work whether the user exists or not: an unknown user is checked
 * against a verifier that no password fits.  What was right before is recognised from shared.h
 * without the slow computation.  A password that was set when less work was asked for is hashed
 * anew behind a login that says it (rehash.h).
 */
#ifndef SERVE_AUTH_H
#define SERVE_AUTH_H

#include "serve/rehash.h"

struct auth;

struct auth_options {
    struct people *people;
    struct shared *shared;
    struct log *log;
};
bool auth_new(const struct auth_options *, struct auth **out, struct error *);
/* No login may come any more; what was computed for the directory is on its lane.  To be followed
 * by people_free(), and then by the last word. */
void auth_stop(struct auth *);
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
    struct text name;             /* as given: an address in any case, or the local part alone when
                                     one domain is configured */
    struct text password;         /* auth_login() */
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
    bool only_finds;
    struct auth *auth;
    struct loop *home;
    struct buffer password;
    struct lookup *lookup;
    struct verifier computed;
    struct rehash_wish wish; /* .iterations: the least that the answer costs */
    struct job job;
};

/* Whether the address is that of this name too: for who wants to act for somebody. */
bool auth_same_name(const struct settings *, struct text name, const struct address *);

/* Begins a login; `done` comes later, never within the call.  NULL: memory is short or the lane is
 * full, a temporary failure. */
struct login *auth_login(struct auth *, const struct login_ask *);
/* The same without a password: only finds who it is and the verifier, for a mechanism in which the
 * client proves that he knows it.  The verdict is AUTH_WRONG until login_proved() says otherwise,
 * or AUTH_TEMPORARY. */
struct login *auth_find(struct auth *, const struct login_ask *);
/* For a user who does not exist: one that nothing fits. */
const struct verifier *login_verifier(const struct login *);
void login_proved(struct login *);
/* Wipes the password. */
void login_free(struct login **);

/* The quick way: whether this very login was right before and nothing has changed since.  Of the
 * question only settings, name and password are looked at. */
struct login_known {
    mailbox_id mailbox;
    struct address address;
};
bool auth_is_known(struct auth *, const struct login_ask *, struct login_known *out);

#endif
