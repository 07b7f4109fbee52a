/* greylist.c - who has waited long enough: a ring of hashes. */
#include "lab/greylist.h"

bool greylist_passes(struct greylist *g, struct text sender, struct text recipient, uint64_t now_ms,
                     uint64_t delay_ms)
{
    uint64_t pair = text_hash_nocase(recipient, text_hash_nocase(sender, g->key)) | 1;
    for (size_t i = 0; i < GREYLIST_PAIRS_MAX; i++)
        if (g->pairs[i].pair == pair)
            return now_ms - g->pairs[i].first_ms >= delay_ms;
    g->pairs[g->next].pair = pair;
    g->pairs[g->next].first_ms = now_ms;
    g->next = (g->next + 1) % GREYLIST_PAIRS_MAX;
    return delay_ms == 0;
}
