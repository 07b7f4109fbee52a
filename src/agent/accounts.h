/* accounts.h - the user's own file: servers and logins by address or domain.
 *
 *     account "usr1@example.org" {
 *         smtp = "smtp.example.org:465"
 *         pop  = "pop.example.org"
 *         password_command = "pass show mail/example"
 *     }
 *
 * ~/.config/godwit/agent.conf ($XDG_CONFIG_HOME counts); written like godwit.conf.  It is read as a
 * whole and never changes; all that it points to lives as long as the file does.
 */
#ifndef AGENT_ACCOUNTS_H
#define AGENT_ACCOUNTS_H

#include "agent/agent.h"
#include "mail/address.h"

/* What was not written is NULL, and AGENT_TLS_AUTO. */
struct account {
    const char *title; /* an address or a domain */
    const char *smtp, *pop;
    const char *login;         /* the name to log in with; else the address */
    const char *name;          /* for From */
    const char *auth;          /* the SASL mechanism, or USER */
    const char *password;      /* a file that has one must be nobody else's to read */
    const char *password_file; /* absolute, or as it is found from where the program was started */
    const char *password_command;
    const char *authorities; /* ca: a PEM file; the same */
    enum agent_tls tls;
};

struct accounts;

/* `file` NULL: the standard one, which need not be there.  FAILURE_CONFIG with file and line. */
bool accounts_load(const char *file, struct accounts **out, struct failure *);
/* Wipes the passwords.  Harmless with NULL inside. */
void accounts_free(struct accounts **);

size_t accounts_count(const struct accounts *);
/* In the order of the file. */
const struct account *accounts_at(const struct accounts *, size_t index);
/* The account of this address, else that of its domain; NULL: there is none. */
const struct account *accounts_find(const struct accounts *, const struct address *);

#endif
