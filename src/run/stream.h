/* stream.h - byte streams and what accepts them.
 *
 * A stream gives 0..n times input and exactly one end, then nothing more.  Input is handed over in
 * the loop's own read slab: the bytes live for the call only, and the owner copies what it cannot
 * use yet.  Nothing is written on the owner's behalf: stream_write() tries the kernel at once and
 * keeps a copy only of what did not fit.  All functions are for the loop's thread.  An owner may
 * pause, write, finish and close within each of his callbacks.
 */
#ifndef RUN_STREAM_H
#define RUN_STREAM_H

#include "base/net.h"
#include "run/loop.h"

struct stream;
struct listener;

struct stream_events {
    /* 1..n octets arrived. */
    void (*input)(void *owner, struct bytes);
    /* No more will come: `why` is NULL after an orderly end, else what broke.  Writing may still
     * work after an orderly end.  Called exactly once unless the owner closes first. */
    void (*end)(void *owner, const struct error *why);
    /* All that stream_write() was given has reached the kernel, after it had said STREAM_QUEUED.
     * When that fails after an orderly end was told, this comes all the same, since nothing else
     * can come any more, and the next write says STREAM_BROKEN. */
    void (*drained)(void *owner);
};

enum stream_sent {
    STREAM_SENT,   /* all of it is with the kernel */
    STREAM_QUEUED, /* a copy of the rest is kept; `drained` will come; write no more before */
    STREAM_BROKEN, /* the peer is gone or memory is short; `end` comes later in this or a next turn
                    */
};

struct listener_options {
    bool share_port; /* SO_REUSEPORT: one socket a loop; the first is bound without, then joined */
    bool join;       /* with share_port: this is a further socket on a port that we have bound */
    bool v6_only;
    int backlog; /* 0: the default */
};

/* Binds and listens but accepts nothing yet: done before privileges are dropped and before any
 * thread exists.  The error's words name the endpoint and the reason; *in_use_out tells whether it
 * was EADDRINUSE; *no_family_out whether the machine lacks the address family. */
bool listener_bind(const struct endpoint *, const struct listener_options *, int *socket_out,
                   bool *in_use_out, bool *no_family_out, struct error *);
/* The same for a local socket (mode 0600) of this name.  A socket that is there is taken for one
 * that a dead process left behind: hold a lock that says so. */
bool listener_bind_local(const char *path, int *socket_out, struct error *);
/* The same for one that every user may call (mode 0666).  Where somebody answers already it is
 * ERROR_REFUSED, and left alone. */
bool listener_bind_public(const char *path, int *socket_out, struct error *);
/* Takes the listening socket (from listener_bind or handed over by the service manager) into the
 * loop and calls `accepted` for every connection with a stream that the callee then owns.  Accept
 * trouble (EMFILE, ENFILE, ENOBUFS, ENOMEM) pauses accepting for 100 ms, counts, and is told to
 * `trouble` at most once a second.  Both callbacks may close the listener.  On failure the socket
 * stays the caller's. */
struct listener_events {
    void (*accepted)(void *owner, struct stream *);
    void (*trouble)(void *owner, const struct error *);
};
bool listener_start(struct loop *, int socket, const struct listener_events *, void *owner,
                    struct listener **out, struct error *);
/* Closes the socket; no callback after this. */
void listener_close(struct listener **);

/* A stream over any connected socket (also of the local family: then both endpoints are
 * NET_NONE). Takes the socket, also on failure. */
bool stream_open(struct loop *, int socket, struct stream **out, struct error *);
/* Begins reading; before this call no event comes.  `events` must outlive the stream. */
void stream_start(struct stream *, const struct stream_events *events, void *owner);
/* Stops and goes on reading.  A paused stream notices neither input nor end. */
void stream_pause(struct stream *);
void stream_resume(struct stream *);

enum stream_sent stream_write(struct stream *, struct bytes);
/* Closes at once; what is queued may be lost.  No callback after this. */
void stream_close(struct stream **);
/* Says goodbye: lets what is queued go out, ends our direction, throws away what the peer still
 * sends (at most 256 KB and 5 s) so that our last words are not lost to a reset, then closes.  No
 * callback after this.  A loop keeps at most 1000 streams in this state and closes the oldest for
 * the next one; loop_free() closes those that are left. */
void stream_finish(struct stream **);
/* The same for a peer that has said that it sends nothing more, and of whose input all was read:
 * its end is not waited for. */
void stream_leave(struct stream **);

struct endpoint stream_peer(const struct stream *);
struct endpoint stream_local(const struct stream *);
/* The user at the other end of a local socket (SO_PEERCRED); false when it is not one. */
bool stream_peer_user(const struct stream *, unsigned *uid_out);
/* Whether the peer's socket is known dead (reset, or keepalive failed), without reading. */
bool stream_is_broken(const struct stream *);

#endif
