/* dispatch_world.h - a whole post office for tests of dispatch: a real store in a folder of its
 * own, a real loop, real connections to scripted hosts; only DNS and time are the test's.
 */
#ifndef TESTS_QUEUE_DISPATCH_WORLD_H
#define TESTS_QUEUE_DISPATCH_WORLD_H

#include "fake_dns.h"
#include "mail_host.h"
#include "tests/store/store_world.h"

#include "queue/dispatch.h"
#include "store/queue.h"

enum { ALICE = 0x1111, LETTER_RECIPIENTS_MAX = 200 };

struct office_world {
    struct world *store; /* and its loop */
    struct config *config;
    struct dns dns;
    struct mail_hosts hosts;
    struct office office;
    struct dispatch *dispatch;
    unsigned held;
    unsigned letters;     /* so far; each has its number as its first line */
    bool eight_bit;       /* the next letters' bodies are: no host takes them as they are */
    int64_t under_way_ms; /* so long ago the next letters began to come */
    struct error error;
};

/* As cmocka's fixtures.  Domains: b.test, c.test and d.test have the MX host 127.0.0.2, .3 and .4;
 * two.test has .2 before .3; six.test an IPv6 address where nobody listens, then .2; gone.test does
 * not exist; sick.test cannot be looked up. */
int office_set_up(void **state);
int office_tear_down(void **state);

/* Another configuration: its relay section has these further words. */
void office_configure(struct office_world *, const char *relay);

void office_start(struct office_world *);
/* Stops, waits until nothing holds the loop, frees. */
void office_stop(struct office_world *);

/* Stores a message from alice@a.test for `count` recipients: "uN@DOMAIN", and pokes.  Several
 * domains, with a comma between them, take turns. */
void office_mail(struct office_world *, const char *domain, unsigned count);

/* Turns the loop once; when nothing goes on any more, time passes. */
void office_turn(struct office_world *);
/* ... until no recipient waits any more. */
void office_until_empty(struct office_world *);
/* ... until so many lines that end with these words were taken. */
void office_until_taken(struct office_world *, const char *words, unsigned count);
/* ... for so long. */
void office_for(struct office_world *, uint64_t ms);

/* Recipients that wait, reports left out. */
unsigned office_waiting(const struct office_world *);
/* Reports that wait, or are in Alice's mailbox. */
unsigned office_reports(struct office_world *);

#endif
