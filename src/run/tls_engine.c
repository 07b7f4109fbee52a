/* tls_engine.c - one TLS connection: sealed octets in and out, plain ones out and in.
 *
 * It knows no stream, no loop and no time.  OpenSSL reads what the owner lends it and writes to a
 * buffer, so that nothing ever blocks and an idle connection has no buffer at all.
 */
#include "run/tls_inner.h"

#include <limits.h>
#include <openssl/err.h>
#include <string.h>

enum {
    /* Sealed octets that wait for the peer to read: one write of the owner's. */
    OUT_MAX = INT_MAX,
    /* ... and those that a peer may provoke without reading any: handshakes, key updates. */
    PROVOKED_MAX = 64 * 1024,
    RECORD_PLAIN = 16 * 1024,
    RECORD_EXTRA = 64, /* header, nonce, type and tag */
};

/* --- What OpenSSL reads and writes --- */

static int give_sealed(BIO *bio, char *to, int room)
{
    struct tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t count = engine->in.len < (size_t)room ? engine->in.len : (size_t)room;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, engine->in.at, count);
    engine->in.at += count;
    engine->in.len -= count;
    return (int)count;
}

static int take_sealed(BIO *bio, const char *from, int len)
{
    struct tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!engine->writing && engine->out.len + (size_t)len > PROVOKED_MAX)
        return -1;
    return buffer_append(&engine->out, from, (size_t)len) ? len : -1;
}

static long control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return what == BIO_CTRL_FLUSH; /* the owner does */
}

/* For this engine alone: there is no place for what all of them could share. */
static BIO *new_bio(struct tls_engine *engine)
{
    engine->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "engine");
    if (!engine->method || !BIO_meth_set_read(engine->method, give_sealed) ||
        !BIO_meth_set_write(engine->method, take_sealed) ||
        !BIO_meth_set_ctrl(engine->method, control))
        return NULL;
    BIO *bio = BIO_new(engine->method);
    if (!bio)
        return NULL;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    return bio;
}

/* OpenSSL tells many things; fatal alerts are kept. */
static void on_news(const SSL *ssl, int what, int value)
{
    struct tls_engine *engine = SSL_get_app_data(ssl);
    if (!(what & SSL_CB_ALERT) || value >> 8 != SSL3_AL_FATAL)
        return;
    engine->alert = SSL_alert_desc_string_long(value);
    engine->alert_is_ours = what & SSL_CB_WRITE;
}

bool tls_engine_init(struct tls_engine *engine, const struct tls_context *context)
{
    *engine = (struct tls_engine){ 0 };
    buffer_init(&engine->out, OUT_MAX);
    BIO *bio = new_bio(engine);
    engine->ssl = bio ? SSL_new(context->ssl) : NULL;
    if (engine->ssl) {
        SSL_set_bio(engine->ssl, bio, bio);
        SSL_set_info_callback(engine->ssl, on_news);
        if (SSL_set_app_data(engine->ssl, engine) == 1)
            return true;
        bio = NULL; /* goes with it */
    }
    BIO_free(bio);
    tls_engine_clear(engine);
    ERR_clear_error();
    return false;
}

void tls_engine_clear(struct tls_engine *engine)
{
    SSL_free(engine->ssl);
    BIO_meth_free(engine->method);
    buffer_clear(&engine->out);
    *engine = (struct tls_engine){ 0 };
}

/* --- Octets --- */

static enum tls_verdict verdict_of(struct tls_engine *engine, int returned, const char *what,
                                   struct error *e)
{
    if (returned == 1)
        return TLS_DONE;
    switch (SSL_get_error(engine->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WAITS;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        tls_explain(engine->ssl, ERROR_TEMPORARY, what, e);
        return TLS_FAILED;
    }
}

enum tls_verdict tls_engine_shake(struct tls_engine *engine, struct error *e)
{
    ERR_clear_error();
    return verdict_of(engine, SSL_do_handshake(engine->ssl), "the TLS handshake failed", e);
}

enum tls_verdict tls_engine_open(struct tls_engine *engine, uint8_t *to, size_t room,
                                 size_t *len_out, struct error *e)
{
    ERR_clear_error();
    return verdict_of(engine, SSL_read_ex(engine->ssl, to, room, len_out), "TLS broke", e);
}

bool tls_engine_seal(struct tls_engine *engine, struct bytes plain, struct error *e)
{
    size_t written;
    size_t sealed = plain.len + (plain.len / RECORD_PLAIN + 1) * RECORD_EXTRA;
    if (!buffer_reserve(&engine->out, sealed))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    ERR_clear_error();
    engine->writing = true;
    int returned = SSL_write_ex(engine->ssl, plain.at, plain.len, &written);
    engine->writing = false;
    return verdict_of(engine, returned, "TLS broke", e) == TLS_DONE;
}

void tls_engine_farewell(struct tls_engine *engine)
{
    ERR_clear_error();
    if (SSL_is_init_finished(engine->ssl))
        SSL_shutdown(engine->ssl);
    ERR_clear_error();
}

/* --- Facts --- */

static void certificate_facts(const struct tls_engine *engine, struct tls_facts *out)
{
    X509 *certificate = SSL_get1_peer_certificate(engine->ssl);
    unsigned len = sizeof out->print;
    if (!certificate)
        return;
    out->has_certificate = X509_digest(certificate, EVP_sha256(), out->print, &len) == 1;
    out->verified = SSL_get_verify_mode(engine->ssl) != SSL_VERIFY_NONE &&
                    SSL_get_verify_result(engine->ssl) == X509_V_OK;
    out->expires_s = tls_unix_time(X509_get0_notAfter(certificate));
    tls_subject(certificate, out->subject);
    X509_free(certificate);
}

/* When a client is too old, OpenSSL keeps the version that it offered. */
static const char *version_of(const SSL *ssl)
{
    return SSL_get_state(ssl) == TLS_ST_BEFORE ? "none" : SSL_get_version(ssl);
}

void tls_engine_facts(const struct tls_engine *engine, struct tls_facts *out)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(engine->ssl);
    const char *name = SSL_get_servername(engine->ssl, TLSEXT_NAMETYPE_host_name);
    *out = (struct tls_facts){
        .version = version_of(engine->ssl),
        .cipher = cipher ? SSL_CIPHER_standard_name(cipher) : "none",
        .resumed = SSL_session_reused(engine->ssl) == 1,
        .alert = engine->alert,
        .alert_is_ours = engine->alert_is_ours,
    };
    if (name && SSL_is_server(engine->ssl))
        memcpy(out->name, name, strnlen(name, TLS_NAME_MAX));
    certificate_facts(engine, out);
    ERR_clear_error();
}

/* RFC 5929 3.1: the Finished message that was sent first, which is the client's, or the server's
 * when a session was resumed. */
static size_t first_finished(const SSL *ssl, uint8_t *out)
{
    bool clients = !SSL_session_reused(ssl);
    bool ours = clients != (SSL_is_server(ssl) == 1);
    return ours ? SSL_get_finished(ssl, out, TLS_BINDING_MAX)
                : SSL_get_peer_finished(ssl, out, TLS_BINDING_MAX);
}

size_t tls_engine_binding(const struct tls_engine *engine, enum tls_binding kind,
                          uint8_t out[TLS_BINDING_MAX])
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266 2 */
    enum { EXPORTED = 32 };
    SSL *ssl = engine->ssl;
    bool is_1_3 = SSL_version(ssl) >= TLS1_3_VERSION;
    /* RFC 9266 3, RFC 7627: without an extended master secret either can be forged. */
    if (!is_1_3 && SSL_get_extms_support(ssl) != 1)
        return 0;
    if (kind == TLS_BINDING_UNIQUE)
        return is_1_3 ? 0 : first_finished(ssl, out);
    bool exported = SSL_export_keying_material(ssl, out, EXPORTED, label, strlen(label),
                                               (const unsigned char *)"", 0, 1) == 1;
    ERR_clear_error();
    return exported ? EXPORTED : 0;
}
