/* sasl_client.c - one SASL exchange, the client's side: PLAIN and LOGIN here, SCRAM by GNU SASL.
 *
 * PLAIN and LOGIN are said as they are, since the library would change a password by SASLprep that
 * the other side may have taken as it was typed.  With SCRAM it has to (RFC 5802 2.2).  What takes
 * long in SCRAM is done here, since OpenSSL does it in a tenth of the library's time.
 *
 * Each exchange has the library for itself, so that a step may run on any thread.
 */
#include "run/sasl_client.h"

#include "base/base64.h"
#include "run/secret.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 16 * 1024, SALT_MAX = 1024 };

enum way { SCRAM_256_PLUS, SCRAM_256, SCRAM_1, PLAIN, LOGIN, WAYS };

/* The strongest first. */
static const struct {
    struct text name;
    bool is_scram, is_bound;
} ways[WAYS] = {
    [SCRAM_256_PLUS] = { TEXT("SCRAM-SHA-256-PLUS"), true, true },
    [SCRAM_256] = { TEXT("SCRAM-SHA-256"), true, false },
    [SCRAM_1] = { TEXT("SCRAM-SHA-1"), true, false },
    [PLAIN] = { TEXT("PLAIN"), false, false },
    [LOGIN] = { TEXT("LOGIN"), false, false },
};

struct sasl_client {
    enum way way;
    unsigned steps; /* that were taken */
    bool may_end;
    Gsasl *library; /* SCRAM */
    Gsasl_session *session;
    struct buffer user, password; /* SCRAM: the password as it is hashed */
    struct buffer words;
};

/* --- Which mechanism --- */

static bool is_offered(struct text offered, enum way way)
{
    struct text name;
    while (text_word(&offered, &name))
        if (text_equal_nocase(name, ways[way].name))
            return true;
    return false;
}

static size_t bind_to(const struct stream *stream, enum tls_binding kind,
                      uint8_t out[TLS_BINDING_MAX])
{
    return stream ? tls_binding(stream, kind, out) : 0;
}

static bool can_bind(const struct stream *stream)
{
    uint8_t octets[TLS_BINDING_MAX];
    return bind_to(stream, TLS_BINDING_EXPORTER, octets) ||
           bind_to(stream, TLS_BINDING_UNIQUE, octets);
}

static bool choose(const struct sasl_client_options *o, enum way *out)
{
    bool binds = can_bind(o->stream);
    for (enum way way = 0; way < WAYS; way++) {
        bool wanted = o->mechanism.len == 0 || text_equal_nocase(o->mechanism, ways[way].name);
        if (wanted && is_offered(o->offered, way) && (binds || !ways[way].is_bound)) {
            *out = way;
            return true;
        }
    }
    return false;
}

static bool nothing_fits(const struct sasl_client_options *o, struct error *e)
{
    if (o->offered.len == 0)
        return error_set(e, ERROR_REFUSED, "the server offers no way to log in%s",
                         o->stream ? "" : " without TLS");
    return error_set(e, ERROR_REFUSED, "the server offers %.*s, and %.*s is wanted",
                     TEXT_ARGS(text_first(o->offered, 100)),
                     TEXT_ARGS(o->mechanism.len ? o->mechanism : T("SCRAM-SHA-256 or PLAIN")));
}

/* --- Making one --- */

/* A copy in memory of its own size, with a zero behind it that does not count. */
static bool keep(struct buffer *to, struct text words)
{
    buffer_wipe(to);
    if (!buffer_reserve(to, words.len + 1) || !buffer_text(to, words) || !buffer_byte(to, 0))
        return false;
    to->len--;
    return true;
}

static bool give(struct sasl_client *c, Gsasl_property what, const struct buffer *value)
{
    return gsasl_property_set(c->session, what, (const char *)value->at) == GSASL_OK;
}

/* RFC 5802 6 wants that who could bind, and is not offered it, says so.  The library cannot: what
 * guards against somebody in between who hides the offer is the certificate. */
static bool give_binding(struct sasl_client *c, const struct sasl_client_options *o)
{
    static const struct {
        enum tls_binding kind;
        Gsasl_property what;
    } kinds[] = { { TLS_BINDING_EXPORTER, GSASL_CB_TLS_EXPORTER },
                  { TLS_BINDING_UNIQUE, GSASL_CB_TLS_UNIQUE } };
    uint8_t octets[TLS_BINDING_MAX];
    struct buffer text;
    bool ok = true;
    for (size_t i = 0; ways[c->way].is_bound && ok && i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = bind_to(o->stream, kinds[i].kind, octets);
        buffer_init(&text, 4 * TLS_BINDING_MAX);
        if (len > 0)
            ok = base64_encode(&text, (struct bytes){ octets, len }) && buffer_byte(&text, 0) &&
                 give(c, kinds[i].what, &text);
        buffer_wipe(&text);
    }
    return ok;
}

static bool begin_scram(struct sasl_client *c, const struct sasl_client_options *o)
{
    if (gsasl_init(&c->library) != GSASL_OK) {
        c->library = NULL;
        return false;
    }
    if (gsasl_client_start(c->library, ways[c->way].name.at, &c->session) != GSASL_OK) {
        c->session = NULL;
        return false;
    }
    return give(c, GSASL_AUTHID, &c->user) && give_binding(c, o);
}

/* The password in the form that is hashed. */
static bool prepare(struct sasl_client *c, struct error *e)
{
    char *prepared = NULL;
    int status =
        gsasl_saslprep((const char *)c->password.at, GSASL_ALLOW_UNASSIGNED, &prepared, NULL);
    bool kept = status == GSASL_OK && keep(&c->password, text_of(prepared));
    if (prepared) {
        secret_wipe(prepared, strlen(prepared));
        gsasl_free(prepared);
    }
    if (status != GSASL_OK && status != GSASL_MALLOC_ERROR)
        return error_set(e, ERROR_REFUSED,
                         "the password has a character that SCRAM does not allow");
    return kept || error_set(e, ERROR_TEMPORARY, "memory is short");
}

bool sasl_client_new(const struct sasl_client_options *o, struct sasl_client **out, struct error *e)
{
    enum way way;
    *out = NULL;
    if (!choose(o, &way))
        return nothing_fits(o, e);
    struct sasl_client *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    c->way = way;
    buffer_init(&c->user, SASL_CLIENT_TEXT_MAX + 1);
    buffer_init(&c->password, SASL_CLIENT_TEXT_MAX + 1);
    buffer_init(&c->words, WORDS_MAX);
    error_set(e, ERROR_TEMPORARY, "memory is short");
    if (keep(&c->user, o->user) && keep(&c->password, o->password) &&
        (!ways[way].is_scram || (begin_scram(c, o) && prepare(c, e)))) {
        *out = c;
        return true;
    }
    sasl_client_free(&c);
    return false;
}

static void end_session(struct sasl_client *c)
{
    const char *held = gsasl_property_fast(c->session, GSASL_SCRAM_SALTED_PASSWORD);
    if (held)
        secret_wipe((char *)(uintptr_t)held, strlen(held));
    gsasl_finish(c->session);
}

void sasl_client_free(struct sasl_client **client)
{
    struct sasl_client *c = *client;
    *client = NULL;
    if (!c)
        return;
    if (c->session)
        end_session(c);
    if (c->library)
        gsasl_done(c->library);
    buffer_wipe(&c->user);
    buffer_wipe(&c->password);
    buffer_wipe(&c->words);
    free(c);
}

/* --- PLAIN and LOGIN --- */

static enum sasl_client_verdict doubt(struct error *e, const char *why)
{
    error_set(e, ERROR_REFUSED, "%s", why);
    return SASL_CLIENT_DOUBTS;
}

/* RFC 4616 2: nobody to act for, the name, the password. */
static enum sasl_client_verdict plain(struct sasl_client *c)
{
    size_t octets = c->user.len + c->password.len + 2;
    if (!buffer_reserve(&c->words, octets))
        return SASL_CLIENT_DOUBTS;
    buffer_byte(&c->words, 0);
    buffer_text(&c->words, buffer_as_text(&c->user));
    buffer_byte(&c->words, 0);
    buffer_text(&c->words, buffer_as_text(&c->password));
    c->may_end = true;
    return SASL_CLIENT_SAYS;
}

/* Never standardized: the name, then the password, whatever the questions are. */
static enum sasl_client_verdict login(struct sasl_client *c)
{
    if (c->steps == 1)
        return SASL_CLIENT_SILENT;
    c->may_end = c->steps == 3;
    return keep(&c->words, buffer_as_text(c->may_end ? &c->password : &c->user))
               ? SASL_CLIENT_SAYS
               : SASL_CLIENT_DOUBTS;
}

/* --- SCRAM --- */

/* What stands behind "s=" or "i=" in the server's first message (RFC 5802 5); "": nothing. */
static struct text attribute(struct text challenge, struct text name)
{
    struct text part;
    for (bool more = true; more;) {
        more = text_cut(&challenge, ',', &part);
        if (text_starts(part, name))
            return text_skip(part, name.len);
    }
    return T("");
}

static bool asks_too_much(struct text challenge)
{
    uint64_t count;
    struct text digits = attribute(challenge, T("i="));
    return digits.len && (!text_to_u64(digits, &count) || count > SASL_CLIENT_ITERATIONS_MAX);
}

static bool give_salted(struct sasl_client *c, const uint8_t salted[SECRET_KEY], size_t len)
{
    char hex[2 * SECRET_KEY + 1] = "";
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", salted[i]);
    bool given = gsasl_property_set(c->session, GSASL_SCRAM_SALTED_PASSWORD, hex) == GSASL_OK;
    secret_wipe(hex, sizeof hex);
    return given;
}

/* Takes long.  Of a message that makes no sense nothing is computed: the library says why. */
static bool salt_password(struct sasl_client *c, struct text challenge)
{
    uint8_t salt[SALT_MAX], salted[SECRET_KEY];
    size_t salt_len;
    uint64_t count = 0;
    struct text words = attribute(challenge, T("s="));
    if (!text_to_u64(attribute(challenge, T("i=")), &count) || count == 0 || words.len == 0 ||
        BASE64_DECODED_MAX(words.len) > sizeof salt || !base64_decode(words, salt, &salt_len))
        return true;
    enum secret_hash hash = c->way == SCRAM_1 ? SECRET_SHA_1 : SECRET_SHA_256;
    bool done = secret_salted(hash, buffer_as_text(&c->password), (struct bytes){ salt, salt_len },
                              (uint32_t)count, salted) &&
                give_salted(c, salted, hash == SECRET_SHA_1 ? SECRET_SHA1_KEY : SECRET_KEY);
    secret_wipe(salted, sizeof salted);
    return done;
}

static enum sasl_client_verdict scram_failed(int status, struct text challenge, struct error *e)
{
    if (status == GSASL_MALLOC_ERROR || status == GSASL_CRYPTO_ERROR)
        error_set(e, ERROR_TEMPORARY, "memory is short");
    else if (text_starts(challenge, T("e=")))
        error_set(e, ERROR_REFUSED, "the server refuses the proof of the password: %.*s",
                  TEXT_ARGS(text_first(text_skip(challenge, 2), 60)));
    else if (status == GSASL_SASLPREP_ERROR)
        error_set(e, ERROR_REFUSED, "the user's name has a character that SCRAM does not allow");
    else
        error_set(e, ERROR_REFUSED, "the server has not shown that it knows the password (%s)",
                  gsasl_strerror(status));
    return SASL_CLIENT_DOUBTS;
}

/* The client's first, its proof, and nothing once the server's proof was right. */
static enum sasl_client_verdict scram(struct sasl_client *c, struct text challenge, struct error *e)
{
    char *said = NULL;
    size_t len = 0;
    if (asks_too_much(challenge))
        return doubt(e, "the server wants more computed for a login than is sensible");
    if (c->steps == 2 && !salt_password(c, challenge))
        return SASL_CLIENT_DOUBTS;
    int status =
        gsasl_step(c->session, challenge.len ? challenge.at : "", challenge.len, &said, &len);
    bool goes_on = status == (c->steps == 3 ? GSASL_OK : GSASL_NEEDS_MORE);
    bool kept = goes_on && keep(&c->words, (struct text){ said, len });
    if (said) {
        secret_wipe(said, len);
        gsasl_free(said);
    }
    if (!goes_on)
        return scram_failed(status, challenge, e);
    c->may_end = c->steps == 3;
    return kept ? SASL_CLIENT_SAYS : SASL_CLIENT_DOUBTS;
}

/* --- Steps --- */

enum sasl_client_verdict sasl_client_step(struct sasl_client *c, struct text challenge,
                                          struct error *e)
{
    static const unsigned steps_max[WAYS] = { 3, 3, 3, 1, 3 };
    error_set(e, ERROR_TEMPORARY, "memory is short"); /* what is not said otherwise */
    buffer_wipe(&c->words);
    c->may_end = false;
    if (++c->steps > steps_max[c->way])
        return doubt(e, "the server asks for more than there is to say");
    if (c->way == PLAIN)
        return plain(c);
    return c->way == LOGIN ? login(c) : scram(c, challenge, e);
}

bool sasl_client_is_slow(const struct sasl_client *c)
{
    return ways[c->way].is_scram && c->steps == 1;
}

struct text sasl_client_words(const struct sasl_client *c)
{
    return buffer_as_text(&c->words);
}

bool sasl_client_may_end(const struct sasl_client *c)
{
    return c->may_end;
}

struct text sasl_client_mechanism(const struct sasl_client *c)
{
    return ways[c->way].name;
}
