/* mail_host.h - mail hosts for tests of relaying: on every loopback address one that answers by a
 * script, all on one port that the system chooses, in the loop that calls them.
 */
#ifndef TESTS_QUEUE_MAIL_HOST_H
#define TESTS_QUEUE_MAIL_HOST_H

#include "base/buffer.h"
#include "run/stream.h"

/* The places of a session where a host may say something else. */
enum host_place {
    HOST_GREETING,
    HOST_EHLO,
    HOST_MAIL,
    HOST_RCPT,
    HOST_DATA,
    HOST_END,
    HOST_PLACES
};

enum { HOSTS_SCRIPTED = 8, HOST_PLACE_ALWAYS = 1000000 };

/* What one of them says; the place is its first octet: 127.0.0.N. */
struct host_script {
    struct {
        /* Instead of yes; "" hangs up, "..." says nothing at all.  A reply that ends with "!" is
         * followed by hanging up. */
        const char *reply;
        unsigned times; /* then yes */
    } at[HOST_PLACES];
    bool no_dsn;
};

struct mail_hosts {
    struct loop *loop;
    struct listener *listener;
    uint16_t port;
    struct host_script scripts[HOSTS_SCRIPTED]; /* [N] is 127.0.0.N */
    /* What was taken: "N FROM TO FIRST-LINE\n" for each recipient. */
    struct buffer taken;
    unsigned connections, quits, open, most_open, transactions; /* that were taken */
    struct list sessions;
    void (*enter)(void); /* around all that is done here, NULL: nothing */
    void (*leave)(void);
};

void mail_hosts_open(struct mail_hosts *, struct loop *);
void mail_hosts_close(struct mail_hosts *);
void mail_hosts_say(struct mail_hosts *, unsigned host, enum host_place, const char *reply,
                    unsigned times);
/* How many of the lines taken end with these words. */
unsigned mail_hosts_took(const struct mail_hosts *, const char *words);

#endif
