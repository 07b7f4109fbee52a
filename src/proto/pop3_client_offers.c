/* pop3_client_offers.c - what a server tells of itself in its answer to CAPA (RFC 2449 5).
 *
 * A table of capabilities.  What is not in it is ignored, and so are parameters that cannot be
 * read: a server that says too little is used as if it said nothing.
 */
#include "proto/pop3_client_internal.h"

#include <string.h>

void pop3_client_offers_reset(struct pop3_client *c)
{
    c->offers = (struct pop3_client_offers){ .mechanisms = { c->mechanisms, 0 },
                                             .implementation = { c->implementation, 0 },
                                             .expire_days = UINT32_MAX };
}

static void read_mechanisms(struct pop3_client *c, struct text parameters)
{
    struct text words = text_trim(parameters);
    if (words.len == 0 || words.len > sizeof c->mechanisms)
        return;
    memcpy(c->mechanisms, words.at, words.len);
    c->offers.mechanisms.len = words.len;
}

static void read_implementation(struct pop3_client *c, struct text parameters)
{
    struct text words = text_first(text_trim(parameters), sizeof c->implementation);
    if (words.len)
        memcpy(c->implementation, words.at, words.len);
    c->offers.implementation.len = words.len;
}

/* Seconds or days; a word behind them says only whether they are the same for all (RFC 2449 6.5 and
 * 6.7). */
static void read_number(struct text parameters, uint32_t *value_out)
{
    uint64_t value;
    if (pop3_client_number(&parameters, &value))
        *value_out = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void read_login_delay(struct pop3_client *c, struct text parameters)
{
    read_number(parameters, &c->offers.login_delay_s);
}

/* NEVER is no number. */
static void read_expire(struct pop3_client *c, struct text parameters)
{
    read_number(parameters, &c->offers.expire_days);
}

static const struct {
    struct text keyword;
    size_t offered;                                  /* a bool of the offers */
    void (*read)(struct pop3_client *, struct text); /* its parameters; NULL: none that matter */
} keywords[] = {
#define OFFER(field) offsetof(struct pop3_client_offers, field)
    { TEXT("STLS"), OFFER(stls), NULL },
    { TEXT("USER"), OFFER(user), NULL },
    { TEXT("SASL"), OFFER(capa), read_mechanisms },
    { TEXT("PIPELINING"), OFFER(pipelining), NULL },
    { TEXT("TOP"), OFFER(top), NULL },
    { TEXT("UIDL"), OFFER(uidl), NULL },
    { TEXT("RESP-CODES"), OFFER(resp_codes), NULL },
    { TEXT("AUTH-RESP-CODE"), OFFER(auth_resp_code), NULL },
    { TEXT("UTF8"), OFFER(utf8), NULL },
    { TEXT("LANG"), OFFER(lang), NULL },
    { TEXT("LOGIN-DELAY"), OFFER(capa), read_login_delay },
    { TEXT("EXPIRE"), OFFER(capa), read_expire },
    { TEXT("IMPLEMENTATION"), OFFER(capa), read_implementation },
#undef OFFER
};

void pop3_client_offers_line(struct pop3_client *c, struct text line)
{
    struct text keyword;
    if (!text_word(&line, &keyword))
        return;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (!text_equal_nocase(keyword, keywords[i].keyword))
            continue;
        *(bool *)((char *)&c->offers + keywords[i].offered) = true;
        if (keywords[i].read)
            keywords[i].read(c, line);
    }
}
