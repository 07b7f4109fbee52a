/* peer.c - what all who come from outside have in common: a connection, what they say, an end.
 *
 * It knows no protocol: senders, readers, keepers and hosts outside do.
 */
#include "sim/peer.h"

#include <stdio.h>

enum { SAID_MAX = 300 };

static void free_it(struct event *e)
{
    struct peer *p = OWNER_OF(e, struct peer, leaves);
    buffer_clear(&p->talk.in);
    buffer_clear(&p->talk.out);
    p->kind->clear(p);
}

void peer_leave(struct peer *p)
{
    talk_close(&p->talk);
    if (p->kind->parting)
        p->kind->parting(p);
    list_remove(&p->link);
    p->town->peer_count--;
    p->leaves.fire = free_it;
    event_in(&p->leaves, 0);
}

static void be_rude(struct event *e)
{
    fault_count(FAULT_RUDE);
    peer_leave(OWNER_OF(e, struct peer, leaves));
}

static void ended(struct talk *t)
{
    peer_leave(OWNER_OF(t, struct peer, talk));
}

static void heard(struct talk *t, struct text line)
{
    struct peer *p = OWNER_OF(t, struct peer, talk);
    p->kind->heard(p, line);
}

void peer_came(struct peer *p, struct town *t, const struct peer_kind *kind, const char *who)
{
    p->town = t;
    p->kind = kind;
    snprintf(p->who, sizeof p->who, "%s", who);
    p->talk.heard = heard;
    p->talk.ended = ended;
    p->leaves = (struct event){ .fire = be_rude, .host = &t->world->hosts[0] };
    list_append(&t->peers, &p->link);
    t->peer_count++;
    t->sessions++;
}

void peer_vsay(struct peer *p, const char *format, va_list args)
{
    char line[SAID_MAX];
    int len = vsnprintf(line, sizeof line, format, args);
    trace_show("%s: %.*s", p->who, len > 2 ? len - 2 : len, line);
    talk_say(&p->talk, (struct bytes){ (const uint8_t *)line, (size_t)len });
}
