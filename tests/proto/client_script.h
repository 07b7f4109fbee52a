/* client_script.h - dialogues of the SMTP client machine as text that a person can read, and their
 * runner.
 *
 *   # a comment
 *   = tls=must eager                settings, at the top: see client_script.c
 *   M: from=a@a.example to=b@b.example,c@b.example        a message that is to be sent
 *   B: Subject: hi                  a line of its content
 *   b: half a line\r                ... octets of it; \r \n \0 \\ and \xNN are octets
 *   b* 70000 a                      ... octets so often
 *   A: PLAIN \0bob\0secret          what the driver answers when it is asked to log in: the
 *                                   mechanism and its words, later words alone; "-WHY" gives up;
 *   a: SCRAM-SHA-256 n,,n=bob       ... words to which the server must not yet say yes
 *   S: 220 mx.example.org           the server says this line and CRLF
 *   s: 250                          ... these octets
 *   s* 70000 a                      ... octets so often
 *   C: EHLO client.example.net      the client says this line and CRLF
 *   D: b@b.example: delivered ...   what the driver was told
 *   ! wait 5m | ! ends | ! broken WORDS | ! tls | ! hold | ! go | ! unreadable
 *
 * Messages are given as soon as the machine takes them, QUIT is said behind the last.  Lines S that
 * stand together arrive together, when all was said that can be said.  A script is right when the
 * lines S, C, D and ! come in this order, however the input is cut and answers are delayed.
 */
#ifndef TESTS_CLIENT_SCRIPT_H
#define TESTS_CLIENT_SCRIPT_H

#include "base/buffer.h"
#include "proto/smtp_client.h"

struct client_script;

/* Prints the problem and exits when the file is not a script. */
struct client_script *client_script_load(const char *path);
void client_script_free(struct client_script **);
/* Octets that the server says; 0 when they may not be cut (= whole). */
size_t client_script_input(const struct client_script *);
/* Octets of all messages. */
size_t client_script_content(const struct client_script *);
/* The lines S, C, D and ! of the file. */
struct text client_script_expected(const struct client_script *);

/* How the world treats the session. */
struct client_weather {
    size_t cut;          /* the input comes in two pieces, cut behind so many octets; 0: not cut */
    size_t piece;        /* ... or in pieces of this size; 0: in one */
    size_t body_piece;   /* content is given in pieces of this size; 0: 64 KB */
    bool late;           /* a step is tried before each answer */
    bool trickle;        /* output is written one octet at a time */
    void (*enter)(void); /* called before the machine is, and left after; NULL: not */
    void (*leave)(void);
};

/* Plays the script and appends what came.  False: the machine could not be made.  Every message
 * that was given gets exactly one SENT, or the test is stopped. */
bool client_script_play(const struct client_script *, const struct client_weather *,
                        struct buffer *log);

#endif
