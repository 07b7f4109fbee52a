/* town.c - everybody outside: they come in bursts. */
#include "sim/foreign.h"

#include "base/check.h"
#include "run/loop.h"
#include "sim/peer.h"

enum { SENDERS_AT_ONCE = 8, READERS_AT_ONCE = 4, PEERS_MAX = 60, SUBMITTERS_IN = 4 };

struct endpoint town_address(void)
{
    return (struct endpoint){
        .family = NET_IPV4,
        .octets = { 192, 0, (uint8_t)chance_below(200), (uint8_t)chance_from(1, 250) },
    };
}

static unsigned any_host(const struct town *t)
{
    return 1 + (unsigned)chance_below(t->world->host_count - 1);
}

static void burst(struct event *e)
{
    struct town *t = OWNER_OF(e, struct town, burst);
    uint64_t senders = chance_below(SENDERS_AT_ONCE + 1);
    uint64_t readers = chance_below(READERS_AT_ONCE + 1);
    if (t->letters_left == 0 || t->world->calm)
        return;
    for (; senders && t->letters_left && t->peer_count < PEERS_MAX; senders--)
        if (chance_below(SUBMITTERS_IN))
            sender_start(t, any_host(t));
        else
            submitter_start(t, ledger_any_box(t->ledger));
    for (; readers && t->peer_count < PEERS_MAX; readers--)
        reader_start(t, ledger_any_box(t->ledger));
    event_some_time(e, t->pause_us);
}

static void steer(struct event *e)
{
    struct town *t = OWNER_OF(e, struct town, steer);
    if (t->world->calm)
        return;
    fault_count(FAULT_STEER);
    keeper_start(t, t->world->hosts[any_host(t)].node,
                 (enum keeper_wish)chance_below(KEEPER_WISHES));
    event_some_time(e, t->world->weather.steer_every_us);
}

void town_open(struct town *t, struct world *w, struct ledger *ledger)
{
    struct error error;
    t->world = w;
    t->ledger = ledger;
    list_init(&t->peers);
    w->current = &w->hosts[0];
    CHECK(loop_new(&t->loop, &error));
    w->current = NULL;
    t->foreign = foreign_open(t);
    t->burst = (struct event){ .fire = burst, .host = &w->hosts[0] };
    event_in(&t->burst, 1000);
    t->steer = (struct event){ .fire = steer, .host = &w->hosts[0] };
    event_some_time(&t->steer, w->weather.steer_every_us);
}

void town_close(struct town *t)
{
    while (!list_empty(&t->peers)) {
        struct peer *p = OWNER_OF(t->peers.next, struct peer, link);
        peer_leave(p);
    }
    event_cancel(&t->burst);
    event_cancel(&t->steer);
    foreign_close(&t->foreign);
    loop_free(&t->loop);
}
