/* pop3_world.h - a client and a driver around one POP3 session, for tests.
 *
 * A test is a transcript that a person can read:
 *
 *   S: +OK ...          a line that the server says; with ~ at its end it was never completed
 *   C: STAT             a line that the client says
 *   P: ST               the same without its end
 *   R: update 1 3       what the session asks or orders; READs are carried out and not shown
 *   R: rest 250 ms      the session wants time to pass, and it passes
 *   W:                  the client waits for what was said so far
 *   T: 600000           so many milliseconds pass
 *   E:                  the client's direction ends
 *   X:                  the server goes down
 *   A: TEMPORARY words  the next request but READ gets this verdict
 *   D: DAMAGED 10       READs from this offset on get this verdict, or content that is SHORT, LONG
 *   K: errors 3         at the beginning: how the session is configured, see pop3_world.c
 *
 * The same script is played line by line, in one piece, and with any habits of the network and the
 * driver: the transcript must not change.
 */
#ifndef TESTS_POP3_WORLD_H
#define TESTS_POP3_WORLD_H

#include "proto/pop3_server.h"

/* How bytes and answers come; zeroes: all at once. */
struct pop3_habits {
    bool in_step;      /* the client waits after each of its lines */
    size_t cut;        /* the first delivery of each piece is so long; 0: none */
    size_t input_max;  /* octets of each delivery */
    size_t drain_max;  /* octets written at each wait */
    size_t slice_max;  /* octets of each READ */
    unsigned patience; /* steps with an open request before it is answered */
};

/* Plays the script and gives what happened in the same form, S: and R: lines only; to be freed. */
char *pop3_play(struct text script, const struct pop3_habits *);
/* The script's own S: and R: lines; to be freed. */
char *pop3_expected(struct text script);
/* The octets that the client says in the script: so many places there are to cut. */
size_t pop3_said(struct text script);

#endif
