/* login.h - logging in: who, with which password, by which mechanism; one exchange with a server.
 */
#ifndef AGENT_LOGIN_H
#define AGENT_LOGIN_H

#include "proto/sasl_talk.h"
#include "run/sasl_client.h"

/* Borrowed; the password is its owner's to wipe. */
struct credentials {
    struct text user, password;
    struct text mechanism; /* "PLAIN"...; "USER" for USER and PASS of POP3; "": the strongest */
};

/* An exchange under way; zeroed it is none. */
struct login {
    struct sasl_client *sasl;
    struct error error;
};

/* Begins with one of the mechanisms that the server offers.  `stream`: as for sasl_client.h.
 * False: login->error. */
bool login_begin(struct login *, const struct credentials *, struct text offered,
                 const struct stream *stream, struct sasl_words *out);
/* Answers a challenge.  Blocks for up to half a second when the server wants much computed.
 * False: login->error. */
bool login_go_on(struct login *, struct text challenge, struct sasl_words *out);
/* Wipes it. */
void login_clear(struct login *);

#endif
