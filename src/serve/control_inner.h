/* control_inner.h - between control.c, which hears and answers, and those that do. */
#ifndef SERVE_CONTROL_INNER_H
#define SERVE_CONTROL_INNER_H

#include "serve/control.h"

#include <jansson.h>

/* Somebody on the control socket; he asks once, and is answered once. */
struct caller {
    struct list link;
    struct control *control; /* NULL: the control socket was closed meanwhile */
    struct stream *stream;   /* NULL: the caller has gone */
    struct server *server;
    struct buffer request;
    bool busy; /* something is under way and will answer */
    struct commit commit;
    struct import *import; /* control_import.c: what comes behind the request goes there */
};

/* Everybody who is there. */
struct list *control_callers(struct control *);

/* Sends the reply, which is given back, and says goodbye: the caller is freed, and so are those
 * that have gone meanwhile.  NULL, for want of memory: the connection closes without an answer. */
void control_answer(struct caller *, json_t *reply);
void control_fail(struct caller *, const struct error *);

/* control_queue.c: requests as in the table of control.c, with nothing behind their line.  The
 * request lives for the call. */
void control_ask_queue(struct caller *, const json_t *request, struct bytes behind);
void control_ask_hops(struct caller *, const json_t *request, struct bytes behind);
/* control_import.c: a request that is followed by parcels (proto/parcel.h). */
void control_ask_import(struct caller *, const json_t *request, struct bytes behind);
/* The next octets; the caller has gone; the server stops. */
void control_import_input(struct caller *, struct bytes);
void control_import_gone(struct caller *);
void control_import_stop(struct caller *);
/* control_ban.c: likewise. */
void control_ask_ban(struct caller *, const json_t *request, struct bytes behind);

#endif
