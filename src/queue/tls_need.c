/* tls_need.c - what a message itself wants of TLS, and the names that its rows are queued under. */
#include "queue/tls_need.h"

#include "mail/address.h"

#include <string.h>

enum { NEEDS = TLS_NEED_WAIVED + 1, SUFFIX_MAX = 16 };

/* No domain has a space in it. */
static const struct {
    struct text suffix;
    const char *words;
} needs[NEEDS] = {
    [TLS_NEED_NONE] = { TEXT(""), "" },
    [TLS_NEED_REQUIRED] = { TEXT(" requiretls"), "REQUIRETLS" },
    [TLS_NEED_WAIVED] = { TEXT(" tls-required=no"), "TLS-Required: No" },
};
_Static_assert((int)ADDRESS_DOMAIN_MAX + SUFFIX_MAX <= (int)QUEUE_NAME_MAX, "a name has room");

/* RFC 8689 4.1: the parameter has the say when both are there. */
enum tls_need tls_need_of(const struct queue_envelope *e)
{
    if (e->requires_tls)
        return TLS_NEED_REQUIRED;
    return e->waives_tls ? TLS_NEED_WAIVED : TLS_NEED_NONE;
}

bool tls_need_name(struct text domain, enum tls_need need, struct arena *memory, struct text *out)
{
    struct text suffix = needs[need].suffix;
    *out = domain;
    if (suffix.len == 0)
        return true;
    char *name = arena_take(memory, domain.len + suffix.len);
    if (!name)
        return false;
    memcpy(name, domain.at, domain.len);
    memcpy(name + domain.len, suffix.at, suffix.len);
    *out = (struct text){ name, domain.len + suffix.len };
    return true;
}

enum tls_need tls_need_take(struct text *name)
{
    size_t space = text_find(*name, ' ');
    struct text suffix = text_skip(*name, space);
    *name = text_first(*name, space);
    for (size_t i = 0; i < NEEDS; i++)
        if (text_equal(suffix, needs[i].suffix))
            return (enum tls_need)i;
    return TLS_NEED_NONE;
}

const char *tls_need_words(enum tls_need need)
{
    return needs[need].words;
}
