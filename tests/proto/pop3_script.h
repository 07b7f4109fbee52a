/* pop3_script.h - dialogues of the POP3 client machine as text that a person can read, and their
 * runner.
 *
 *   # a comment
 *   = tls=must secured utf8 lang=de longest=100 whole stay          settings, at the top
 *   L: bob secret                   what the driver answers when it is asked to log in: USER and
 * PASS A: PLAIN \0bob\0secret          ... the mechanism and its words, later words alone; "-WHY"
 * gives up a: SCRAM-SHA-256 n,,n=bob       ... words to which the server must not yet say yes Q:
 * RETR 1                       a command that the driver gives as soon as it may S: +OK ready the
 * server says this line and CRLF s: +O                           ... these octets; \r \n \0 \\ and
 * \xNN are octets s* 70000 a                      ... octets so often C: CAPA the client says this
 * line and CRLF D: RETR 1: yes 120 octets ...   what the driver was told B: Subject: hi a line of
 * content ! wait 300s | ! ends | ! broken WORDS | ! tls
 *
 * QUIT is said behind the last command, unless = stay.  Lines S that stand together arrive
 * together, when all was said that can be said.  A script is right when the lines S, C, D, B and !
 * come in this order, however the input is cut and answers are delayed.
 */
#ifndef TESTS_POP3_SCRIPT_H
#define TESTS_POP3_SCRIPT_H

#include "base/buffer.h"
#include "proto/pop3_client.h"

struct pop3_script;

/* Prints the problem and exits when the file is not a script. */
struct pop3_script *pop3_script_load(const char *path);
void pop3_script_free(struct pop3_script **);
/* Octets that the server says; 0 when they may not be cut (= whole). */
size_t pop3_script_input(const struct pop3_script *);
/* The lines S, C, D, B and ! of the file. */
struct text pop3_script_expected(const struct pop3_script *);

/* How the world treats the session. */
struct pop3_weather {
    size_t cut;          /* the input comes in two pieces, cut behind so many octets; 0: not cut */
    size_t piece;        /* ... or in pieces of this size; 0: in one */
    bool late;           /* a step is tried before each answer */
    bool trickle;        /* output is written one octet at a time */
    void (*enter)(void); /* called before the machine is, and left after; NULL: not */
    void (*leave)(void);
};

/* Plays the script and appends what came.  False: the machine could not be made.  Every command
 * that was given gets exactly one ANSWERED, or the test is stopped. */
bool pop3_script_play(const struct pop3_script *, const struct pop3_weather *, struct buffer *log);

#endif
