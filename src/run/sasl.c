/* sasl.c - one SASL exchange: what PLAIN and LOGIN say, and SCRAM by GNU SASL.
 *
 * PLAIN and LOGIN are read here.  The library prompts for LOGIN with words that clients do not
 * know, and refuses in PLAIN what SASLprep forbids, which PASS and the command line have always
 * taken.
 *
 * SCRAM needs the verifier in the middle of a step of the library, but finding it takes time.  So
 * the first message is tried without one, only to learn the name; when the verifier is there, a new
 * session of the library gets the same message again.  Nothing of the first one was sent.
 */
#include "run/sasl.h"

#include "base/base64.h"
#include "base/check.h"

#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_OCTETS = 1024, MESSAGE_MAX = 16 * 1024 };

struct sasl_service {
    Gsasl *library;
};

enum mechanism { PLAIN, LOGIN, SCRAM, SCRAM_PLUS, SCRAM_SHA1, SCRAM_SHA1_PLUS, MECHANISMS };

static const struct text names[MECHANISMS] = {
    [PLAIN] = TEXT("PLAIN"),
    [LOGIN] = TEXT("LOGIN"),
    [SCRAM] = TEXT("SCRAM-SHA-256"),
    [SCRAM_PLUS] = TEXT("SCRAM-SHA-256-PLUS"),
    [SCRAM_SHA1] = TEXT("SCRAM-SHA-1"),
    [SCRAM_SHA1_PLUS] = TEXT("SCRAM-SHA-1-PLUS"),
};

/* What the next message of the client is. */
enum expects {
    BEGINNING,   /* the first, or nothing yet */
    FIRST,       /* the whole of PLAIN, the name of LOGIN, client-first of SCRAM */
    SECOND,      /* the password of LOGIN */
    GIVEN,       /* SCRAM: none, the verifier */
    LAST,        /* SCRAM: client-final */
    NOTHING,     /* SCRAM: the empty answer to our proof */
    NEVER_AGAIN, /* it is over */
};

struct sasl {
    struct sasl_service *service;
    const struct stream *stream;
    enum mechanism mechanism;
    enum expects expects;
    Gsasl_session *session; /* SCRAM */
    struct buffer first;    /* SCRAM: what the client said first */
    const struct verifier *given;
    struct buffer challenge, name, password, acting_for;
};

/* --- The library's questions --- */

static int give_text(Gsasl_session *session, Gsasl_property what, struct bytes octets)
{
    struct buffer text;
    buffer_init(&text, 4 * TLS_BINDING_MAX);
    int status = base64_encode(&text, octets) && buffer_byte(&text, 0) &&
                         gsasl_property_set(session, what, (const char *)text.at) == GSASL_OK
                     ? GSASL_OK
                     : GSASL_MALLOC_ERROR;
    buffer_wipe(&text);
    return status;
}

static int give_binding(struct sasl *s, Gsasl_session *session, Gsasl_property what)
{
    uint8_t octets[TLS_BINDING_MAX];
    enum tls_binding kind =
        what == GSASL_CB_TLS_EXPORTER ? TLS_BINDING_EXPORTER : TLS_BINDING_UNIQUE;
    size_t len = s->stream ? tls_binding(s->stream, kind, octets) : 0;
    return len ? give_text(session, what, (struct bytes){ octets, len }) : GSASL_NO_CALLBACK;
}

static int give_iterations(uint32_t iterations, Gsasl_session *session)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%u", iterations);
    return gsasl_property_set(session, GSASL_SCRAM_ITER, digits);
}

static bool by_sha1(const struct sasl *s)
{
    return s->mechanism == SCRAM_SHA1 || s->mechanism == SCRAM_SHA1_PLUS;
}

/* Whose password was set when SHA-1 was not wanted has keys for it that nothing fits. */
static uint32_t iterations_of(const struct sasl *s)
{
    const struct verifier *v = s->given;
    return by_sha1(s) && v->sha1_iterations ? v->sha1_iterations : v->iterations;
}

static struct bytes key_of(const struct sasl *s, bool stored)
{
    const struct verifier *v = s->given;
    if (by_sha1(s))
        return (struct bytes){ stored ? v->sha1_stored_key : v->sha1_server_key, SECRET_SHA1_KEY };
    return (struct bytes){ stored ? v->stored_key : v->server_key, SECRET_KEY };
}

static int give_of_verifier(struct sasl *s, Gsasl_session *session, Gsasl_property what)
{
    const struct verifier *v = s->given;
    if (!v)
        return GSASL_NO_CALLBACK;
    if (what == GSASL_SCRAM_ITER)
        return give_iterations(iterations_of(s), session);
    if (what == GSASL_SCRAM_SALT)
        return give_text(session, what, (struct bytes){ v->salt, sizeof v->salt });
    return give_text(session, what, key_of(s, what == GSASL_SCRAM_STOREDKEY));
}

static int on_question(Gsasl *library, Gsasl_session *session, Gsasl_property what)
{
    struct sasl *s = gsasl_callback_hook_get(library);
    switch ((int)what) {
    case GSASL_CB_TLS_EXPORTER:
    case GSASL_CB_TLS_UNIQUE:
        return give_binding(s, session, what);
    case GSASL_SCRAM_ITER:
    case GSASL_SCRAM_SALT:
    case GSASL_SCRAM_STOREDKEY:
    case GSASL_SCRAM_SERVERKEY:
        return give_of_verifier(s, session, what);
    default:
        return GSASL_NO_CALLBACK;
    }
}

bool sasl_service_new(struct sasl_service **out, struct error *e)
{
    struct sasl_service *s = calloc(1, sizeof *s);
    int status = s ? gsasl_init(&s->library) : GSASL_MALLOC_ERROR;
    if (status != GSASL_OK) {
        free(s);
        return error_set(e, ERROR_TEMPORARY, "SASL cannot be set up: %s", gsasl_strerror(status));
    }
    gsasl_callback_set(s->library, on_question);
    *out = s;
    return true;
}

void sasl_service_free(struct sasl_service **service)
{
    if (!*service)
        return;
    gsasl_done((*service)->library);
    free(*service);
    *service = NULL;
}

/* --- An exchange --- */

struct sasl *sasl_new(struct sasl_service *service, struct text mechanism,
                      const struct stream *stream)
{
    struct sasl *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    while (s->mechanism < MECHANISMS && !text_equal(names[s->mechanism], mechanism))
        s->mechanism++;
    CHECK(s->mechanism < MECHANISMS);
    s->service = service;
    s->stream = stream;
    buffer_init(&s->first, MESSAGE_MAX);
    buffer_init(&s->challenge, MESSAGE_MAX);
    buffer_init(&s->name, NAME_MAX_OCTETS);
    buffer_init(&s->password, MESSAGE_MAX);
    buffer_init(&s->acting_for, NAME_MAX_OCTETS);
    return s;
}

static void end_session(struct sasl *s)
{
    if (s->session)
        gsasl_finish(s->session);
    s->session = NULL;
}

void sasl_free(struct sasl **sasl)
{
    struct sasl *s = *sasl;
    if (!s)
        return;
    end_session(s);
    buffer_wipe(&s->first);
    buffer_wipe(&s->challenge);
    buffer_wipe(&s->name);
    buffer_wipe(&s->password);
    buffer_wipe(&s->acting_for);
    free(s);
    *sasl = NULL;
}

static enum sasl_verdict end(struct sasl *s, enum sasl_verdict verdict)
{
    s->expects = NEVER_AGAIN;
    return verdict;
}

/* A copy in memory of its own size: growing would leave a part of a secret behind. */
static bool keep(struct buffer *to, struct text words)
{
    buffer_wipe(to);
    return words.len <= to->max && buffer_reserve(to, words.len ? words.len : 1) &&
           buffer_text(to, words);
}

static enum sasl_verdict challenge(struct sasl *s, struct text words, enum expects next)
{
    s->expects = next;
    return keep(&s->challenge, words) ? SASL_CHALLENGE : end(s, SASL_TEMPORARY);
}

/* A name that is too long is nobody's. */
static enum sasl_verdict keep_names(struct sasl *s, struct text name, struct text acting_for,
                                    enum sasl_verdict then)
{
    if (name.len > NAME_MAX_OCTETS || acting_for.len > NAME_MAX_OCTETS)
        return end(s, SASL_WRONG);
    return keep(&s->name, name) && keep(&s->acting_for, acting_for) ? then : end(s, SASL_TEMPORARY);
}

/* --- PLAIN and LOGIN --- */

/* RFC 4616 2: [authzid] NUL authcid NUL passwd. */
static enum sasl_verdict plain(struct sasl *s, struct text words)
{
    struct text acting_for, name, password = words;
    if (!text_cut(&password, '\0', &acting_for) || !text_cut(&password, '\0', &name) ||
        name.len == 0 || password.len == 0 || text_find(password, '\0') < password.len)
        return end(s, SASL_MALFORMED);
    s->expects = NEVER_AGAIN;
    if (!keep(&s->password, password))
        return SASL_TEMPORARY;
    return keep_names(s, name, acting_for, SASL_PASSWORD);
}

/* Never standardized; what clients expect is draft-murchison-sasl-login. */
static enum sasl_verdict login_name(struct sasl *s, struct text words)
{
    enum sasl_verdict verdict = keep_names(s, words, T(""), SASL_CHALLENGE);
    return verdict == SASL_CHALLENGE ? challenge(s, T("Password:"), SECOND) : verdict;
}

static enum sasl_verdict login_password(struct sasl *s, struct text words)
{
    return end(s, keep(&s->password, words) ? SASL_PASSWORD : SASL_TEMPORARY);
}

/* --- SCRAM --- */

static bool begin_session(struct sasl *s)
{
    end_session(s);
    gsasl_callback_hook_set(s->service->library, s);
    return gsasl_server_start(s->service->library, names[s->mechanism].at, &s->session) == GSASL_OK;
}

static enum sasl_verdict verdict_of(int status)
{
    switch (status) {
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return SASL_TEMPORARY;
    case GSASL_MECHANISM_PARSE_ERROR:
    case GSASL_MECHANISM_CALLED_TOO_MANY_TIMES:
        return SASL_MALFORMED;
    default:
        return SASL_WRONG;
    }
}

/* One step of the library, after which it must be done, or not be done; its words become the
 * challenge. */
static enum sasl_verdict scram_step(struct sasl *s, struct text words, int wanted,
                                    enum expects next)
{
    char *output = NULL;
    size_t len = 0;
    gsasl_callback_hook_set(s->service->library, s);
    int status = gsasl_step(s->session, words.len ? words.at : "", words.len, &output, &len);
    enum sasl_verdict verdict;
    if (status == wanted)
        verdict = challenge(s, (struct text){ output, len }, next);
    else if (status == GSASL_OK || status == GSASL_NEEDS_MORE)
        verdict = end(s, SASL_MALFORMED);
    else
        verdict = end(s, verdict_of(status));
    if (output) {
        secret_wipe(output, len);
        gsasl_free(output);
    }
    return verdict;
}

static struct text property(struct sasl *s, Gsasl_property what)
{
    return text_of(gsasl_property_fast(s->session, what));
}

/* Learns who it is. */
static enum sasl_verdict scram_first(struct sasl *s, struct text words)
{
    if (words.len == 0)
        return end(s, SASL_MALFORMED);
    if (!begin_session(s) || !keep(&s->first, words))
        return end(s, SASL_TEMPORARY);
    enum sasl_verdict verdict = scram_step(s, words, GSASL_NEEDS_MORE, GIVEN);
    if (verdict != SASL_CHALLENGE)
        return verdict;
    verdict = keep_names(s, property(s, GSASL_AUTHID), property(s, GSASL_AUTHZID), SASL_VERIFIER);
    end_session(s);
    return verdict;
}

enum sasl_verdict sasl_give(struct sasl *s, const struct verifier *verifier)
{
    static const Gsasl_property needed[] = { GSASL_SCRAM_ITER, GSASL_SCRAM_SALT,
                                             GSASL_SCRAM_STOREDKEY, GSASL_SCRAM_SERVERKEY };
    CHECK(s->expects == GIVEN);
    if (!begin_session(s))
        return end(s, SASL_TEMPORARY);
    s->given = verifier;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (give_of_verifier(s, s->session, needed[i]) != GSASL_OK)
            return end(s, SASL_TEMPORARY);
    enum sasl_verdict verdict = scram_step(s, buffer_as_text(&s->first), GSASL_NEEDS_MORE, LAST);
    s->given = NULL;
    buffer_wipe(&s->first);
    return verdict;
}

/* RFC 4954 4: a reply of success carries nothing, so our proof is one more challenge. */
static enum sasl_verdict scram_proved(struct sasl *s, struct text words)
{
    return end(s, words.len == 0 ? SASL_RIGHT : SASL_MALFORMED);
}

/* --- Steps --- */

static enum sasl_verdict take_first(struct sasl *s, struct text words)
{
    switch (s->mechanism) {
    case PLAIN:
        return plain(s, words);
    case LOGIN:
        return login_name(s, words);
    default:
        return scram_first(s, words);
    }
}

enum sasl_verdict sasl_step(struct sasl *s, struct text words, bool initial)
{
    CHECK(s->expects != GIVEN && s->expects != NEVER_AGAIN);
    switch (s->expects) {
    case BEGINNING:
        if (!initial)
            return challenge(s, s->mechanism == LOGIN ? T("Username:") : T(""), FIRST);
        return take_first(s, words);
    case FIRST:
        return take_first(s, words);
    case SECOND:
        return login_password(s, words);
    case LAST:
        return scram_step(s, words, GSASL_OK, NOTHING);
    default:
        return scram_proved(s, words);
    }
}

struct text sasl_challenge(const struct sasl *s)
{
    return buffer_as_text(&s->challenge);
}

struct text sasl_name(const struct sasl *s)
{
    return buffer_as_text(&s->name);
}

struct text sasl_password(const struct sasl *s)
{
    return buffer_as_text(&s->password);
}

struct text sasl_acting_for(const struct sasl *s)
{
    return buffer_as_text(&s->acting_for);
}
