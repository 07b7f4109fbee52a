/* penance.c - how long the reply to a mistake is held back, and what may be shown meanwhile. */
#include "proto/penance.h"

#include "base/check.h"

uint64_t penance_ms(uint32_t mistake)
{
    if (mistake <= PENANCE_FREE)
        return 0;
    uint64_t ms = PENANCE_FIRST_MS;
    for (uint32_t i = PENANCE_FREE + 1; i < mistake && ms < PENANCE_MOST_MS; i++)
        ms *= 2;
    return ms < PENANCE_MOST_MS ? ms : PENANCE_MOST_MS;
}

void penance_begin(struct penance *p, uint32_t mistake, size_t octets, uint64_t now_ms)
{
    uint64_t ms = penance_ms(mistake);
    CHECK(p->octets == 0);
    if (ms > 0)
        *p = (struct penance){ octets, now_ms + ms };
}

bool penance_lasts(const struct penance *p)
{
    return p->octets > 0;
}

bool penance_ends(struct penance *p, uint64_t now_ms)
{
    if (p->octets == 0 || now_ms < p->until_ms)
        return false;
    p->octets = 0;
    return true;
}

void penance_forgive(struct penance *p)
{
    p->until_ms = 0;
}

struct bytes penance_shows(const struct penance *p, struct bytes output)
{
    CHECK(p->octets <= output.len);
    output.len -= p->octets;
    return output;
}
