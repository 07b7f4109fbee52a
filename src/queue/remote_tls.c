/* remote_tls.c - STARTTLS with a next hop: what the configuration wants of it (RFC 3207).
 *
 *   relay.tls   a host without STARTTLS   a handshake that fails   whose certificate
 *   none        in the clear              -                        -
 *   may         in the clear              called again, in clear   anybody's
 *   encrypt     the next host             the next host            anybody's
 *   verify      the next host             the next host            the host's, by a known authority
 *
 * `may` keeps out who only listens; `verify` also who stands in between, as far as DNS is honest.
 * `dane` takes no certificate but one that a TLSA record names; until that is built, it takes none.
 */
#include "queue/remote_inner.h"

#include "base/check.h"

enum { HANDSHAKE_MS = 60 * 1000 };

enum smtp_client_tls remote_tls_wish(const struct remote *r)
{
    enum relay_tls tls = r->errand.route.tls;
    if (tls == RELAY_TLS_NONE || r->plain)
        return SMTP_CLIENT_TLS_NEVER;
    if (tls != RELAY_TLS_MAY)
        return SMTP_CLIENT_TLS_MUST;
    return r->office->tls ? SMTP_CLIENT_TLS_IF_OFFERED : SMTP_CLIENT_TLS_NEVER;
}

bool remote_tls_may_do_without(const struct remote *r)
{
    return r->tls_failed && r->errand.route.tls == RELAY_TLS_MAY && !r->plain;
}

static void fail(struct remote *r, const struct error *why)
{
    LOG_EVENT(r->office->log, LOG_NOTICE, text_of(r->session), "no-tls",
              { "host", text_of(r->host) }, { "why", error_text(why) });
    r->tls_failed = true;
    r->broken = true;
    smtp_client_input_ended(r->machine, error_text(why));
}

static void log_facts(struct remote *r)
{
    struct tls_facts facts;
    if (!tls_facts(r->stream, &facts))
        return;
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "tls", { "host", text_of(r->host) },
              { "version", text_of(facts.version) }, { "cipher", text_of(facts.cipher) },
              { "verified", facts.verified ? T("yes") : T("no") });
}

static void shaken(void *owner, const struct error *why)
{
    struct remote *r = owner;
    r->shaking = false;
    if (why) {
        fail(r, why);
    } else {
        log_facts(r);
        smtp_client_tls_started(r->machine, loop_now_ms(r->loop));
    }
    remote_talk_on(r);
}

/* The name that a certificate may have; an address has none. */
static struct text name_of(const struct remote *r)
{
    struct endpoint address;
    struct text name = text_of(r->call.name);
    return endpoint_parse_address(name, &address) ? T("") : name;
}

void remote_start_tls(struct remote *r)
{
    enum relay_tls tls = r->errand.route.tls;
    struct error error;
    struct tls_options options = {
        .name = name_of(r),
        .verify = tls == RELAY_TLS_VERIFY ? TLS_VERIFY_NAME : TLS_VERIFY_NONE,
        .timeout_ms = HANDSHAKE_MS,
        .shaken = shaken,
        .owner = r,
    };
    r->tls_wanted = false;
    buffer_clear(&r->pending); /* said in the clear: forgotten */
    if (tls == RELAY_TLS_DANE)
        error_set(&error, ERROR_TEMPORARY, "relay: tls = dane is not built yet: mail waits");
    else if (!r->office->tls)
        error_set(&error, ERROR_TEMPORARY, "TLS could not be set up here: see the log's beginning");
    else
        r->shaking = tls_connect(r->stream, r->office->tls, &options, &error);
    if (!r->shaking)
        fail(r, &error);
}
