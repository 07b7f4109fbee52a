/* sasl_client.c - run/sasl_client.h in the simulated world: PLAIN. */
#include "run/sasl_client.h"

#include <stdlib.h>

struct sasl_client {
    struct buffer words;
    bool said;
};

bool sasl_client_new(const struct sasl_client_options *o, struct sasl_client **out, struct error *e)
{
    *out = NULL;
    if (o->mechanism.len && !text_equal(o->mechanism, T("PLAIN")))
        return error_set(e, ERROR_REFUSED, "only PLAIN is spoken here");
    struct sasl_client *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    buffer_init(&c->words, 3 * SASL_CLIENT_TEXT_MAX);
    buffer_byte(&c->words, 0);
    buffer_text(&c->words, o->user);
    buffer_byte(&c->words, 0);
    buffer_text(&c->words, o->password);
    *out = c;
    return true;
}

void sasl_client_free(struct sasl_client **client)
{
    if (*client)
        buffer_wipe(&(*client)->words);
    free(*client);
    *client = NULL;
}

struct text sasl_client_mechanism(const struct sasl_client *c)
{
    (void)c;
    return T("PLAIN");
}

enum sasl_client_verdict sasl_client_step(struct sasl_client *c, struct text challenge,
                                          struct error *e)
{
    (void)challenge;
    if (c->said) {
        error_set(e, ERROR_REFUSED, "the server asks for more than PLAIN has");
        return SASL_CLIENT_DOUBTS;
    }
    c->said = true;
    return SASL_CLIENT_SAYS;
}

bool sasl_client_is_slow(const struct sasl_client *c)
{
    (void)c;
    return false;
}

struct text sasl_client_words(const struct sasl_client *c)
{
    return buffer_as_text(&c->words);
}

bool sasl_client_may_end(const struct sasl_client *c)
{
    return c->said;
}
