/* tls.c - run/tls.h in the simulated world: a handshake takes time and may fail; octets stay as
 * they are.
 *
 * Both ends have to begin it, and what one of them said in the clear behind the last reply makes it
 * fail, as it would.  A certificate is a line of text, and in a handshake a name and a key; the
 * servers make their own, for which nobody vouches.
 */
#include "run/tls.h"

#include "base/check.h"
#include "run/clock.h"
#include "sim/stream_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDSHAKE_US_MAX = 40 * 1000, LIFE_S = 825 * 86400 };

struct tls_service {
    char nothing;
};

struct tls_context {
    struct certificate certificate; /* a server's */
};

bool tls_service_new(struct tls_service **out, struct error *e)
{
    *out = calloc(1, sizeof **out);
    return *out || error_set(e, ERROR_TEMPORARY, "memory is short");
}

void tls_service_free(struct tls_service **service)
{
    free(*service);
    *service = NULL;
}

static bool context_new(struct tls_context **out, struct error *e)
{
    *out = calloc(1, sizeof **out);
    return *out || error_set(e, ERROR_TEMPORARY, "memory is short");
}

bool tls_server_context_new(struct tls_service *service, const struct tls_pair *pairs, size_t count,
                            struct tls_context **out, struct error *e)
{
    (void)service;
    (void)pairs;
    (void)count;
    if (!context_new(out, e))
        return false;
    snprintf((*out)->certificate.name, sizeof(*out)->certificate.name, "%s", world_current()->name);
    return true;
}

bool tls_client_context_new(const char *authorities, struct tls_context **out, struct error *e)
{
    (void)authorities;
    return context_new(out, e);
}

void tls_context_free(struct tls_context **context)
{
    free(*context);
    *context = NULL;
}

/* Digests of keys. */
bool tls_association_is_usable(const struct tls_association *a)
{
    return a->usage == TLS_USAGE_EE && a->selector == 1 && a->matching == 1 &&
           a->data.len == CERTIFICATE_KEY;
}

/* --- Handshakes --- */

static void shake(struct event *e)
{
    struct stream *s = OWNER_OF(e, struct stream, tls.event);
    struct shaking *t = &s->tls;
    bool ok = t->why.kind == ERROR_NONE;
    t->phase = ok ? TLS_IS_ON : TLS_HAS_FAILED;
    if (ok)
        stream_stir(s);
    t->shaken(t->owner, ok ? NULL : &t->why);
}

/* `why` NULL: it succeeds. */
static void end_shaking(struct stream *s, const char *why)
{
    s->tls.why = (struct error){ 0 };
    if (why)
        error_set(&s->tls.why, ERROR_TEMPORARY, "%s", why);
    event_in(&s->tls.event, chance_below(HANDSHAKE_US_MAX));
}

void stream_tls_forget(struct stream *s)
{
    event_cancel(&s->tls.event);
    if (s->tls.phase == TLS_SHAKES && s->other && s->other->tls.phase == TLS_SHAKES)
        end_shaking(s->other, "the other end went away");
}

void stream_tls_ended(struct stream *s)
{
    end_shaking(s, "the connection ended");
}

static bool is_named(const struct shaking *client, const struct certificate *c)
{
    for (size_t i = 0; i < client->key_count; i++)
        if (memcmp(client->keys[i], c->key, CERTIFICATE_KEY) == 0)
            return true;
    return false;
}

static bool is_verified(const struct shaking *client, const struct certificate *c)
{
    return client->verify == TLS_VERIFY_DANE ? is_named(client, c)
                                             : c->trusted && strcmp(client->name, c->name) == 0;
}

/* Why the two ends cannot agree; NULL: they can. */
static const char *trouble_between(const struct stream *client, const struct stream *callee)
{
    if (client->in.len || callee->in.len)
        return "octets that are no TLS";
    if (client->tls.verify != TLS_VERIFY_NONE &&
        !is_verified(&client->tls, &callee->tls.certificate))
        return "the certificate is another one than it should be";
    return NULL;
}

static void copy_keys(struct shaking *t, const struct tls_options *o)
{
    for (size_t i = 0; i < o->association_count && t->key_count < SHAKING_KEYS_MAX; i++)
        memcpy(t->keys[t->key_count++], o->associations[i].data.at, CERTIFICATE_KEY);
}

static bool begin(struct stream *s, const struct tls_options *o, const struct certificate *own)
{
    struct stream *other = s->other;
    s->tls = (struct shaking){ .phase = TLS_SHAKES,
                               .server = own != NULL,
                               .verify = o->verify,
                               .event = { .fire = shake, .host = s->host, .loop = s->loop },
                               .shaken = o->shaken,
                               .owner = o->owner };
    if (own)
        s->tls.certificate = *own;
    else
        snprintf(s->tls.name, sizeof s->tls.name, "%.*s", TEXT_ARGS(o->name));
    copy_keys(&s->tls, o);
    if (!other || s->host->dead) {
        end_shaking(s, "the other end has gone");
    } else if (other->tls.phase == TLS_SHAKES) {
        const char *why = own ? trouble_between(other, s) : trouble_between(s, other);
        end_shaking(s, why);
        end_shaking(other, why);
    } else {
        error_set(&s->tls.why, ERROR_TEMPORARY, "nobody shakes hands");
        event_in(&s->tls.event, o->timeout_ms * 1000);
    }
    return true;
}

bool tls_accept(struct stream *s, const struct tls_context *context, const struct tls_options *o,
                struct error *e)
{
    (void)e;
    return begin(s, o, &context->certificate);
}

bool tls_accept_as(struct stream *s, const struct certificate *c, const struct tls_options *o)
{
    struct tls_context context = { .certificate = *c };
    return tls_accept(s, &context, o, NULL);
}

bool tls_connect(struct stream *s, const struct tls_context *context, const struct tls_options *o,
                 struct error *e)
{
    (void)context;
    (void)e;
    return begin(s, o, NULL);
}

bool tls_facts(const struct stream *s, struct tls_facts *out)
{
    *out = (struct tls_facts){ .version = "TLSv1.3", .cipher = "TLS_OF_THE_WORLD" };
    if (s->tls.phase == NO_TLS)
        return false;
    out->has_certificate = !s->tls.server;
    out->verified = s->other && s->tls.verify != TLS_VERIFY_NONE &&
                    is_verified(&s->tls, &s->other->tls.certificate);
    return true;
}

size_t tls_binding(const struct stream *s, enum tls_binding binding, uint8_t out[TLS_BINDING_MAX])
{
    (void)s;
    (void)binding;
    (void)out;
    return 0;
}

/* --- Certificates --- */

bool tls_make_certificate(struct text host, struct bytes known_key, struct buffer *certificate,
                          struct buffer *key, struct error *e)
{
    (void)known_key;
    return (buffer_printf(key, "key\n") &&
            buffer_printf(certificate, "certificate %.*s %lld\n", TEXT_ARGS(host),
                          (long long)(clock_wall_ms() / 1000 + LIFE_S))) ||
           error_set(e, ERROR_TEMPORARY, "memory is short");
}

bool tls_read_certificate(const struct tls_pair *pair, struct text name,
                          struct tls_certificate *out, struct error *e)
{
    struct text rest = text_of_bytes(pair->certificate), line, word;
    uint64_t until;
    *out = (struct tls_certificate){ 0 };
    while (text_cut(&rest, '\n', &line)) {
        if (!text_word(&line, &word) || !text_equal(word, T("certificate")) ||
            !text_word(&line, &word) || !text_to_u64(text_trim(line), &until))
            continue;
        snprintf(out->subject, sizeof out->subject, "CN = " TLS_MAKER);
        out->until_s = (int64_t)until;
        out->for_name = text_equal_nocase(word, name);
        return true;
    }
    return error_set(e, ERROR_CONFIG, "%s holds no certificate", pair->certificate_name);
}
