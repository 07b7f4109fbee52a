/* ledger_space.c - how much room a store needs at the most for what its mailboxes hold. */
#include "sim/ledger_inner.h"

enum {
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
