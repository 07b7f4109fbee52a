/* smtp_script.h - dialogues with the SMTP machine as text that a person can read, and their runner.
 *
 * A script is a file of lines:
 *
 *   # a comment
 *   = size=1000 tls               settings, at the top: see smtp_script.c
 *   C: EHLO client                the client sends this line and CRLF
 *   c: half a line\r              ... sends these octets; \r \n \0 \\ and \xNN are octets
 *   c* 70000 a                    ... sends the octets so often
 *   S: 250 mx.example.org         the server says this line and CRLF
 *   D: recipient bob@example.org  what the driver was asked or ordered
 *   D: rest 250 ms                the machine wants time to pass, and it passes
 *   B: Subject: hi\r\n            a line of the content that was committed
 *   ! wait 5m | ! input ends | ! shut down | ! tls        what else happens
 *
 * A script is right when the lines S, D and B come in this order, however its input is cut and its
 * answers are delayed, as long as nothing crosses a line with "!".
 */
#ifndef TESTS_SMTP_SCRIPT_H
#define TESTS_SMTP_SCRIPT_H

#include "base/buffer.h"
#include "proto/smtp_server.h"

struct script;

/* Prints the problem and exits when the file is not a script. */
struct script *script_load(const char *path);
struct script *script_parse(const char *name, const char *lines);
void script_free(struct script **);
const char *script_name(const struct script *);
/* Octets that the client sends. */
size_t script_input(const struct script *);
/* The lines S, D and B of the file. */
struct text script_expected(const struct script *);

/* How the world treats the session. */
struct script_weather {
    size_t cut;    /* the input comes in two pieces, cut behind so many octets; 0: not cut */
    size_t piece;  /* ... or in pieces of this size; 0: in one */
    bool lockstep; /* ... or a line of the script at a time */
    bool late;     /* a step is tried before each answer */
    bool trickle;  /* output is written one octet at a time */
    void (*enter)(void *); /* called before the machine is, and left after; NULL: not */
    void (*leave)(void *);
    void *data;
};

/* Plays the script and appends what came: lines S, D and B.  False: the machine could not be made.
 */
bool script_play(const struct script *, const struct script_weather *, struct buffer *log);

#endif
