/* hand.h - a child of a command that reads or writes people's files, while the command itself
 * handles DATA.
 *
 * Root becomes the owner of the files in the one and the owner of DATA in the other, so that
 * neither touches what the other may.  Between them runs a socket with parcels (proto/parcel.h). To
 * be started before any thread, and before root becomes anybody.
 */
#ifndef CLI_HAND_H
#define CLI_HAND_H

#include "cli/cli.h"
#include "proto/parcel.h"

#include <sys/types.h>

struct hand {
    pid_t child;
    int socket; /* -1: closed */
};

/* What the child does once it may; it tells people itself what went wrong. */
typedef enum cli_exit hand_work(void *owner, int socket);
/* The child waits for hand_go(). */
bool hand_start(struct hand *, hand_work *, void *owner, struct error *);
#define HAND_GONE "the process that handles the files is gone"
/* The child begins.  False: it is gone. */
bool hand_go(const struct hand *);
/* Closes the socket and waits for the child's end. */
enum cli_exit hand_end(struct hand *);

/* --- Both sides: parcels on a socket --- */

struct hand_out {
    int socket;
    struct buffer buffer;
    bool gone; /* nobody reads any more: what is sent is thrown away */
};
void hand_out_init(struct hand_out *, int socket);
/* False: nobody reads any more, or memory is short. */
bool hand_send(struct hand_out *, const struct parcel *);
bool hand_flush(struct hand_out *);
void hand_out_clear(struct hand_out *);

struct hand_in {
    int socket;
    struct parcel_reader reader;
    struct buffer buffer;
    struct bytes rest; /* of it */
};
void hand_in_init(struct hand_in *, int socket);
/* PARCEL_NEED_INPUT: nothing more will come. */
enum parcel_kind hand_receive(struct hand_in *, struct parcel *);
void hand_in_clear(struct hand_in *);

#endif
