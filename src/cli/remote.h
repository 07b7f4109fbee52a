/* remote.h - the running server, asked through DATA/control.sock (serve/control.h). */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/cli.h"

#include <jansson.h>

enum remote_state {
    REMOTE_DONE,
    REMOTE_REFUSED, /* *error says what the server said, or that it did not answer */
    REMOTE_NOBODY,  /* no server runs */
};
/* Sends the request, which is given back, and waits for the answer. */
enum remote_state remote_ask(const char *data, json_t *request, struct error *);
/* The same with octets behind the request's line. */
enum remote_state remote_ask_with(const char *data, json_t *request, struct bytes behind,
                                  struct error *);
/* The same; with REMOTE_DONE *answer_out is the whole answer, to be given back. */
enum remote_state remote_ask_for(const char *data, json_t *request, json_t **answer_out,
                                 struct error *);

/* Whether a server runs on this DATA and hears us. */
bool remote_is_there(const char *data);

/* A longer talk: a request and its answer, octets of any number, then another answer. */
struct remote_talk {
    int socket;
    struct buffer in;
};
/* Sends the request, which is given back.  REMOTE_DONE: the answer was yes; close it. */
enum remote_state remote_talk_open(struct remote_talk *, const char *data, json_t *request,
                                   struct error *);
bool remote_talk_send(struct remote_talk *, struct bytes, struct error *);
/* False: the answer is no, *error says why; or there is none, and *answer_out is NULL.  It is to be
 * given back in any case. */
bool remote_talk_answer(struct remote_talk *, json_t **answer_out, struct error *);
void remote_talk_close(struct remote_talk *);

#endif
