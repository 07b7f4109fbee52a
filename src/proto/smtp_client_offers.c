/* smtp_client_offers.c - what a server tells of itself in its reply to EHLO.
 *
 * A table of keywords.  What is not in it is ignored (RFC 5321 4.1.1.1), and so are parameters that
 * cannot be read: a server that says too little is used as if it said nothing.
 */
#include "proto/smtp_client_internal.h"

#include <string.h>

void client_offers_reset(struct smtp_client *c)
{
    c->offers = (struct smtp_client_offers){ .mechanisms = { c->mechanisms, 0 } };
}

/* RFC 1870 4: a number, 0 or none for "not told". */
static void read_size(struct smtp_client *c, struct text parameters)
{
    uint64_t octets;
    c->offers.size = true;
    if (text_to_u64(text_trim(parameters), &octets))
        c->offers.size_max = octets;
}

static void read_limit(struct smtp_client_offers *o, struct text name, uint64_t value)
{
    uint32_t limit = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    if (text_equal_nocase(name, T("MAILMAX")))
        o->messages_max = limit;
    else if (text_equal_nocase(name, T("RCPTMAX")))
        o->recipients_max = limit;
    else if (text_equal_nocase(name, T("RCPTDOMAINMAX")))
        o->domains_max = limit;
}

/* RFC 9422 3: NAME=value, and no value is 0. */
static void read_limits(struct smtp_client *c, struct text parameters)
{
    struct text limit, name;
    uint64_t value;
    while (text_word(&parameters, &limit))
        if (text_cut(&limit, '=', &name) && text_to_u64(limit, &value) && value > 0)
            read_limit(&c->offers, name, value);
}

static void read_mechanisms(struct smtp_client *c, struct text parameters)
{
    struct text words = text_trim(parameters);
    if (words.len > sizeof c->mechanisms)
        return;
    memcpy(c->mechanisms, words.at, words.len);
    c->offers.mechanisms.len = words.len;
}

static const struct {
    struct text keyword;
    size_t offered;                                  /* a bool of the offers; 0: none */
    void (*read)(struct smtp_client *, struct text); /* its parameters; NULL: has none */
} keywords[] = {
#define OFFER(field) offsetof(struct smtp_client_offers, field)
    { TEXT("PIPELINING"), OFFER(pipelining), NULL },
    { TEXT("SIZE"), 0, read_size },
    { TEXT("8BITMIME"), OFFER(eight_bit_mime), NULL },
    { TEXT("BINARYMIME"), OFFER(binary_mime), NULL },
    { TEXT("SMTPUTF8"), OFFER(smtputf8), NULL },
    { TEXT("CHUNKING"), OFFER(chunking), NULL },
    { TEXT("DSN"), OFFER(dsn), NULL },
    { TEXT("STARTTLS"), OFFER(starttls), NULL },
    { TEXT("REQUIRETLS"), OFFER(requiretls), NULL },
    { TEXT("LIMITS"), 0, read_limits },
    { TEXT("AUTH"), 0, read_mechanisms },
#undef OFFER
};

void client_offers_line(struct smtp_client *c, struct text words)
{
    struct text keyword;
    if (!text_word(&words, &keyword))
        return;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (!text_equal_nocase(keyword, keywords[i].keyword))
            continue;
        if (keywords[i].read)
            keywords[i].read(c, words);
        else
            *(bool *)((char *)&c->offers + keywords[i].offered) = true;
    }
}
