/* server.h - one server: what its loops, sessions and lanes have in common.
 *
 * Private to serve/ and to those who run one: serve/run.c as the whole process, the lab as one of
 * several.
 *
 *   who            owns                                   may be touched by
 *   server         store, people, auth, cache, shared...  set before the loops start, then constant
 *   server_loop    its sessions, listeners, cache         its own thread
 *   settings       immutable                              a loop reads the one it was last given
 */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "run/log.h"
#include "run/sandbox.h"
#include "run/stream.h"
#include "serve/people.h"
#include "serve/quota.h"
#include "serve/settings.h"
#include "serve/shared.h"
#include "store/store.h"

struct auth;
struct cache_lane;
struct bound_ports;
struct control;
struct local;
struct pickup;
struct relay;
struct renewal;
struct dispatch;
struct sasl_service;
struct office;
struct server;

enum { SERVER_LOOPS_MAX = 64, SERVER_LISTENERS_MAX = 64 };

/* docs/border.md, "Exit codes". */
enum server_exit {
    SERVER_EXIT_DONE = 0,
    SERVER_EXIT_REFUSED = 1,
    SERVER_EXIT_TEMPORARY = 75,
    SERVER_EXIT_CONFIG = 78,
};

/* A listening socket of one loop, and the role that it serves. */
struct served_port {
    struct server_loop *home;
    enum role role;
    struct listener *listener;
};

struct server_loop {
    struct server *server;
    unsigned index;
    struct loop *loop;
    const struct settings *settings;
    struct address_cache *cache;
    struct sasl_service *sasl;
    struct list conns;
    uint64_t next_session;   /* counts from a random start: names the sessions in the log */
    size_t operations;       /* see server_loop_hold() */
    size_t screen_questions; /* that are open in DNS: screen.c */
    bool stopping;
    struct served_port ports[SERVER_LISTENERS_MAX];
    size_t port_count;
    struct lane *thread; /* runs loop_run(); loop 0 runs on the thread that serves */
    struct job thread_job;
    struct post stop_post;
    struct timer stop_timer; /* when waiting for messages in flight ends */
    struct post rest_post;   /* to loop 0: nothing is left to do here */
    struct post settings_post, settings_taken;
    const struct settings *next_settings;
};

struct server {
    struct tls_service *tls;   /* outlives all settings and streams */
    struct settings *settings; /* the newest; loop 0 replaces it */
    struct shared *shared;
    struct quota *quota;
    struct store *store;
    struct people *people;
    struct auth *auth;
    struct cache_lane *cache; /* what may be lost: bans, greylist, policies */
    struct log *log;
    struct sandbox_walls walls; /* around the process; none when it has several servers */
    uint64_t segment_octets;    /* of the journal; 0: the store's default */
    struct lane *chores;        /* reading configuration and certificates again */
    struct control *control;
    struct local *local;
    struct pickup *pickup;
    struct relay *relay;       /* the way out */
    struct dispatch *dispatch; /* the relay's; NULL: nothing is sent */
    struct office
        *office; /* the relay's: what the queue has of this server; NULL: no reports are written */
    struct renewal *renewal;
    struct reload *reload; /* the one that is under way, or NULL */
    bool reload_again;     /* ... and another was asked for meanwhile */
    struct server_loop *loops;
    unsigned loop_count;
    unsigned loops_at_rest;  /* loop 0 counts them: all turn until the last has nothing to do */
    struct timer tend_timer; /* loop 0: an ailing store heals although nobody sends */
    void (*tell_manager)(const char *state); /* the service manager; NULL: nobody */
    atomic_flag failed, asked;
    struct post fail_post, ask_post;
    enum server_exit exit_code;
};

/* --- Its life: new, open, turn, free --- */

/* Takes the configuration over, also on failure.  `given`: what was read of its certificates before
 * root became the user; borrowed for the call, may be NULL.  1 to SERVER_LOOPS_MAX loops; no thread
 * yet. */
bool server_new(struct config *, const struct credentials *given, unsigned loops,
                struct server **out, struct error *);
/* Opens log and store, and takes the sockets that ports_bind() bound for as many loops. */
bool server_open(struct server *, struct bound_ports *, struct error *);
/* Serves on this thread (loop 0) and others, until it has stopped; the reason is in exit_code. */
void server_turn(struct server *);
/* The same up to loop 0's first turn: for a world whose loops turn by themselves. */
void server_begin(struct server *);
/* A server that does not turn, in whatever state its start has left it. */
void server_free(struct server **);

/* Any thread, while it turns, or before: stops it, as server_stop(). */
void server_ask_stop(struct server *);

/* Loop 0.  Begins to stop: nothing new is accepted, messages in flight are finished. */
void server_stop(struct server *);
/* The loop's thread.  Something has begun that will end on this loop: a session, or a question, a
 * commit, a reload that may outlive whoever asked.  A server that stops takes nothing apart before
 * the last of them is over. */
void server_loop_hold(struct server_loop *);
void server_loop_release(struct server_loop *);

/* Any thread.  The store cannot go on (store rule 14): stops, with an exit code that asks for a
 * restart. */
void server_fail(struct server *);

/* A word to the log from the server itself rather than a session. */
void server_note(struct server *, enum log_level, const char *event, const char *words);

#endif
