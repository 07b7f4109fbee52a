/* tls_words.c - why something failed, for people: OpenSSL's reasons and the peer's alerts. */
#include "run/tls_inner.h"

#include <openssl/err.h>

struct reason {
    int number;
    const char *words;
};

static const struct reason reasons[] = {
    { SSL_R_UNSUPPORTED_PROTOCOL, "no shared protocol version: TLS 1.2 is the oldest here" },
    { SSL_R_VERSION_TOO_LOW, "no shared protocol version: TLS 1.2 is the oldest here" },
    { SSL_R_UNKNOWN_PROTOCOL, "no shared protocol version" },
    { SSL_R_WRONG_VERSION_NUMBER, "what the peer sends is not TLS" },
    { SSL_R_HTTP_REQUEST, "the peer speaks HTTP" },
    { SSL_R_HTTPS_PROXY_REQUEST, "the peer speaks HTTP" },
    { SSL_R_NO_SHARED_CIPHER, "no shared cipher" },
    { SSL_R_NO_SUITABLE_KEY_SHARE, "no shared group for the key exchange" },
    { SSL_R_NO_SHARED_GROUPS, "no shared group for the key exchange" },
    { SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no shared signature algorithm" },
    { SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no shared signature algorithm" },
    { SSL_R_CALLBACK_FAILED, "there is no certificate for the name that the peer asks for" },
    { SSL_R_CLIENTHELLO_TLSEXT, "there is no certificate for the name that the peer asks for" },
    { SSL_R_EE_KEY_TOO_SMALL, "its key is too short to be taken for safe" },
    { SSL_R_CA_KEY_TOO_SMALL, "a key in its chain is too short to be taken for safe" },
    { SSL_R_CA_MD_TOO_WEAK, "it is signed with an algorithm that is no longer safe" },
    { SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record does not verify" },
    { SSL_R_NO_RENEGOTIATION, "the peer wants to renegotiate" },
};

/* The peer's words (RFC 8446 6). */
static const struct reason alerts[] = {
    { SSL_AD_HANDSHAKE_FAILURE, "the peer finds nothing in common" },
    { SSL_AD_PROTOCOL_VERSION, "the peer finds no shared protocol version" },
    { SSL_AD_UNKNOWN_CA, "the peer does not trust who signed our certificate" },
    { SSL_AD_BAD_CERTIFICATE, "the peer does not like our certificate" },
    { SSL_AD_CERTIFICATE_UNKNOWN, "the peer does not like our certificate" },
    { SSL_AD_UNSUPPORTED_CERTIFICATE, "the peer cannot use our certificate" },
    { SSL_AD_CERTIFICATE_EXPIRED, "the peer says that our certificate has expired" },
    { SSL_AD_CERTIFICATE_REVOKED, "the peer says that our certificate is revoked" },
    { SSL_AD_UNRECOGNIZED_NAME, "the peer does not know the name that it was called by" },
    { SSL_AD_USER_CANCELLED, "the peer gave up" },
};

static const char *find(const struct reason *table, size_t count, int number)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].number == number)
            return table[i].words;
    return NULL;
}

static bool explain_alert(int alert, enum error_kind kind, const char *what, struct error *e)
{
    const char *words = find(alerts, sizeof alerts / sizeof *alerts, alert);
    const char *name = SSL_alert_desc_string_long(alert);
    if (words)
        return error_set(e, kind, "%s: %s (alert: %s)", what, words, name);
    return error_set(e, kind, "%s: the peer's alert: %s", what, name);
}

bool tls_explain(const SSL *ssl, enum error_kind kind, const char *what, struct error *e)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    bool of_tls = ERR_GET_LIB(code) == ERR_LIB_SSL;
    ERR_clear_error();
    if (of_tls && reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return explain_alert(reason - SSL_AD_REASON_OFFSET, kind, what, e);
    if (of_tls && ssl && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return error_set(e, kind, "%s: the peer's certificate: %s", what,
                         X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    const char *words = of_tls ? find(reasons, sizeof reasons / sizeof *reasons, reason) : NULL;
    if (!words)
        words = ERR_reason_error_string(code);
    return error_set(e, kind, "%s: %s", what, words ? words : "nothing can be sent");
}
