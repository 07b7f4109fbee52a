/* tls_sessions.c - sessions that clients may resume: a bounded table for each context.
 *
 * A session is offered again only to the same address and port, under the same name, and where the
 * same was demanded of the peer, to the last octet of what DNS said of him: what was verified under
 * other demands counts for nothing.  It is offered more than once: servers need not give another
 * one (as ours does not), and who talks to whom is no secret between mail servers.
 */
#include "run/tls_inner.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SESSIONS_MAX = 256, SESSION_AGE_MAX_S = 3600 };

struct tls_sessions {
    pthread_mutex_t lock;
    size_t next; /* is replaced next */
    struct session {
        uint8_t key[TLS_SESSION_KEY];
        SSL_SESSION *session; /* or NULL */
    } at[SESSIONS_MAX];
};

/* --- The key --- */

/* With its length in front, so that no two lists of values look the same. */
static bool add(EVP_MD_CTX *digest, const void *value, size_t len)
{
    uint64_t count = len;
    return EVP_DigestUpdate(digest, &count, sizeof count) == 1 &&
           (len == 0 || EVP_DigestUpdate(digest, value, len) == 1);
}

static bool add_associations(EVP_MD_CTX *digest, const struct tls_options *o)
{
    for (size_t i = 0; i < o->association_count; i++) {
        const struct tls_association *a = &o->associations[i];
        uint8_t head[] = { a->usage, a->selector, a->matching };
        if (!add(digest, head, sizeof head) || !add(digest, a->data.at, a->data.len))
            return false;
    }
    for (size_t i = 0; i < o->name_count; i++)
        if (!add(digest, o->names[i].at, o->names[i].len))
            return false;
    return true;
}

static bool make_key(const struct tls_options *o, const struct endpoint *peer,
                     uint8_t out[TLS_SESSION_KEY])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned len = TLS_SESSION_KEY;
    uint8_t verify = (uint8_t)o->verify;
    bool good =
        digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
        add(digest, &verify, sizeof verify) && add(digest, peer->octets, sizeof peer->octets) &&
        add(digest, &peer->port, sizeof peer->port) && add(digest, o->name.at, o->name.len) &&
        add_associations(digest, o) && EVP_DigestFinal_ex(digest, out, &len) == 1;
    EVP_MD_CTX_free(digest);
    return good;
}

/* --- The table --- */

static struct session *find(struct tls_sessions *s, const uint8_t key[TLS_SESSION_KEY])
{
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        if (s->at[i].session && memcmp(s->at[i].key, key, TLS_SESSION_KEY) == 0)
            return &s->at[i];
    return NULL;
}

/* Takes the session over. */
static void keep(struct tls_sessions *s, const uint8_t key[TLS_SESSION_KEY], SSL_SESSION *session)
{
    pthread_mutex_lock(&s->lock);
    struct session *place = find(s, key);
    if (!place) {
        place = &s->at[s->next];
        s->next = (s->next + 1) % SESSIONS_MAX;
    }
    SSL_SESSION *before = place->session;
    memcpy(place->key, key, TLS_SESSION_KEY);
    place->session = session;
    pthread_mutex_unlock(&s->lock);
    SSL_SESSION_free(before);
}

/* A copy for the caller, or NULL. */
static SSL_SESSION *take(struct tls_sessions *s, const uint8_t key[TLS_SESSION_KEY])
{
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&s->lock);
    struct session *place = find(s, key);
    if (place)
        session = SSL_SESSION_dup(place->session);
    pthread_mutex_unlock(&s->lock);
    return session;
}

/* OpenSSL has a session, which stays its own.  Only copies are kept and given away: a connection
 * that breaks marks the one that it has. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_engine *engine = BIO_get_data(SSL_get_rbio(ssl));
    struct tls_sessions *sessions = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!engine->has_session_key || SSL_SESSION_is_resumable(session) != 1)
        return 0;
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (copy)
        keep(sessions, engine->session_key, copy);
    return 0;
}

static bool is_young(const SSL_SESSION *session)
{
    long age_s = (long)time(NULL) - SSL_SESSION_get_time(session);
    return age_s >= 0 && age_s <= SESSION_AGE_MAX_S;
}

void tls_sessions_offer(struct tls_sessions *s, struct tls_engine *engine,
                        const struct tls_options *options, const struct endpoint *peer)
{
    engine->has_session_key = make_key(options, peer, engine->session_key);
    SSL_SESSION *session = engine->has_session_key ? take(s, engine->session_key) : NULL;
    if (session && is_young(session))
        SSL_set_session(engine->ssl, session); /* failing means a whole handshake */
    SSL_SESSION_free(session);
    ERR_clear_error();
}

/* --- Beginning and end --- */

struct tls_sessions *tls_sessions_new(SSL_CTX *context)
{
    struct tls_sessions *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    SSL_CTX_set_app_data(context, s);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    return s;
}

void tls_sessions_free(struct tls_sessions **sessions)
{
    struct tls_sessions *s = *sessions;
    *sessions = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        SSL_SESSION_free(s->at[i].session);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
