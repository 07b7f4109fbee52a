/* pop3_driver.h - a POP3 session with a driver that answers at once, for tests that look at sizes,
 * time and memory rather than at words.
 */
#ifndef TESTS_POP3_DRIVER_H
#define TESTS_POP3_DRIVER_H

#include "proto/pop3_server.h"

/* The scene is set in the first members, all zero by default. */
struct driver {
    struct pop3_server_config config;
    struct pop3_server_peer peer;
    const struct pop3_message *messages;
    uint32_t count;
    struct bytes content; /* of each message */
    size_t slice_max;

    struct pop3_server *session;
    struct pop3_step step; /* the last */
    uint64_t now_ms;
    char *said; /* by the server, terminated */
    size_t said_len;
    size_t drain_max, output_most;
    unsigned reads, writes, updates;
    uint32_t updated;
};

/* Whether a function of a session is running now. */
extern bool driver_in_session;

void open_session(struct driver *);
void close_session(struct driver *);
/* One step and what it asks for; false when the session waits for input or is over. */
bool turn(struct driver *, struct bytes *in);
/* Gives the session input until it waits for more; returns how much of it is left. */
size_t give(struct driver *, struct text words);
/* The same with all output written; returns what was said since. */
const char *ask(struct driver *, const char *words);
/* The answer to the last step. */
struct pop3_answer answer_to(struct driver *);
void log_in(struct driver *);

enum { MANY = 100000 };
/* So many messages of these octets; to be freed. */
struct pop3_message *many_messages(uint64_t octets);

#endif
