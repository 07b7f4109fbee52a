/* ledger_space.c - how much room a store needs at the most for what its mailboxes hold. */
#include "sim/ledger_inner.h"

enum {
    LARGE_FROM = (1 << 20) - 16384, /* with its front such a letter may lie in a file of its own */
    LARGE_MORE = 64 * 1024,         /* the header of that, and a sum for each block */
    BATCH_OCTETS = 4096,
    FRAME_OCTETS_MAX = 4096, /* fields in front, recipients, or what a report says more */
};

/* A unit in a batch of its own. */
static uint64_t octets_on_disk(const struct letter *letter)
{
    uint64_t octets = letter->len + FRAME_OCTETS_MAX;
    return (octets + BATCH_OCTETS - 1) / BATCH_OCTETS * BATCH_OCTETS;
}

/* Its local copies share their content. */
static bool has_local_copy(const struct letter *letter, unsigned host)
{
    for (unsigned i = 0; letter->host == host && i < letter->copy_count; i++)
        if (letter->copies[i].kind == COPY_LOCAL && !letter->copies[i].refused &&
            letter->copies[i].removal != COPY_REMOVED)
            return true;
    return false;
}

uint64_t ledger_live_octets(const struct ledger *l, unsigned host)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct letter *letter = l->letters[i];
        if (letter->fate == FATE_REFUSED || letter->fate == FATE_OPEN)
            continue;
        octets += has_local_copy(letter, host) ? octets_on_disk(letter) : 0;
        for (unsigned k = 0; k < letter->copy_count; k++)
            if (letter->copies[k].kind != COPY_LOCAL && letter->copies[k].box->host == host &&
                letter->copies[k].removal != COPY_REMOVED)
                octets += octets_on_disk(letter);
        for (const struct copy *c = letter->others; c; c = c->next)
            if (c->box->host == host && c->removal != COPY_REMOVED)
                octets += octets_on_disk(letter);
    }
    return octets;
}

/* --- Those with a file of their own --- */

static bool is_there_since(const struct copy *c, unsigned host, uint64_t since_us)
{
    return c->box->host == host && !c->refused &&
           (c->removal != COPY_REMOVED || c->removed_us >= since_us);
}

/* Of what is sent on from here nobody knows when that has ended. */
static bool is_sent_on(const struct letter *letter, unsigned host)
{
    bool any = letter->doomed_count > 0;
    for (unsigned i = 0; i < letter->copy_count; i++)
        any |= letter->copies[i].kind == COPY_REMOTE;
    return any && letter->host == host;
}

/* All local copies are one message; each that came from another host may be one. */
static unsigned messages_since(const struct letter *letter, unsigned host, uint64_t since_us)
{
    unsigned count = 0;
    bool local = is_sent_on(letter, host);
    if (letter->fate == FATE_OPEN || letter->fate == FATE_REFUSED)
        return letter->host == host && letter->decided_us >= since_us;
    for (unsigned i = 0; i < letter->copy_count; i++) {
        const struct copy *c = &letter->copies[i];
        bool is_there = is_there_since(c, host, since_us);
        local |= is_there && c->kind == COPY_LOCAL;
        count += is_there && c->kind != COPY_LOCAL;
    }
    for (const struct copy *c = letter->others; c; c = c->next)
        count += c->kind == COPY_TWIN && is_there_since(c, host, since_us);
    return count + local;
}

uint64_t ledger_large_octets(const struct ledger *l, unsigned host, uint64_t since_us)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < l->count; i++)
        if (l->letters[i]->len >= LARGE_FROM)
            octets += messages_since(l->letters[i], host, since_us) *
                      (octets_on_disk(l->letters[i]) + LARGE_MORE);
    return octets;
}
