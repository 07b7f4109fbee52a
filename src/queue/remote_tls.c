/* remote_tls.c - TLS with a next hop, by STARTTLS (RFC 3207) or from the first octet (RFC 8314):
 * who has a say in it, and the handshake.
 *
 * What is decided is in tls_rule.c; this file gathers what is weighed there and carries it out.
 */
#include "queue/remote_inner.h"

#include "base/check.h"

enum { HANDSHAKE_MS = 60 * 1000 };

/* RFC 8461 5: what a policy that is only tested would have refused is said and done. */
static void note_test(const struct remote *r)
{
    LOG_EVENT(r->office->log, LOG_NOTICE, text_of(r->session), "policy-test",
              { "host", text_of(r->host) },
              { "why", T("the domain's MTA-STS policy does not name the host") });
}

static void ask_policy(const struct remote *r, struct tls_voices *voices)
{
    const struct sts_policy *policy = r->sts ? sts_lookup_policy(r->sts) : NULL;
    if (!policy)
        return;
    voices->sts = policy->mode;
    voices->sts_names_host = sts_names_host(policy, text_of(r->call.name));
    if (policy->mode == STS_MODE_TESTING && !voices->sts_names_host)
        note_test(r);
}

void remote_tls_decide(struct remote *r)
{
    struct tls_voices voices = {
        .setting = r->errand.route.tls,
        .dane = r->call.dane ? r->call.dane->finding : DANE_NOTHING,
        .validated = dns_validates(office_dns(r->office)),
        .tls_first = r->errand.route.tls_first,
        .need = r->errand.route.need,
        .is_vouched_for = r->call.is_vouched_for,
    };
    ask_policy(r, &voices);
    r->rule = tls_rule_for(&voices);
    r->plain = false;
}

enum smtp_client_tls remote_tls_wish(const struct remote *r)
{
    bool may = r->rule.wish == SMTP_CLIENT_TLS_IF_OFFERED;
    return r->plain || (may && !atomic_load(&r->office->tls)) ? SMTP_CLIENT_TLS_NEVER
                                                              : r->rule.wish;
}

bool remote_tls_may_do_without(const struct remote *r)
{
    return r->tls_failed && r->rule.or_clear && !r->plain;
}

bool remote_tls_is_first(const struct remote *r)
{
    return r->errand.route.tls_first && r->rule.wish != SMTP_CLIENT_TLS_NEVER;
}

/* The version: as far as the handshake came. */
static void note_failure(struct remote *r, struct text why)
{
    struct tls_facts facts;
    bool begun = tls_facts(r->stream, &facts);
    LOG_EVENT(r->office->log, LOG_NOTICE, text_of(r->session), "no-tls",
              { "host", text_of(r->host) }, { "version", text_of(begun ? facts.version : "none") },
              { "why", why });
    r->tls_failed = true;
}

void remote_tls_refused(struct remote *r, const struct smtp_client_result *failure)
{
    if (!r->tls_failed)
        note_failure(r, failure->reply);
}

static void fail(struct remote *r, const struct error *why)
{
    note_failure(r, error_text(why));
    r->broken = true;
    smtp_client_input_ended(r->machine, error_text(why));
}

static void log_facts(struct remote *r)
{
    struct tls_facts facts;
    if (!tls_facts(r->stream, &facts))
        return;
    const char *verified = !facts.verified                     ? "no"
                           : r->rule.verify == TLS_VERIFY_DANE ? "dane"
                                                               : "yes";
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "tls", { "host", text_of(r->host) },
              { "version", text_of(facts.version) }, { "cipher", text_of(facts.cipher) },
              { "by", text_of(r->rule.by) }, { "verified", text_of(verified) },
              { "resumed", facts.resumed ? T("yes") : T("no") });
}

static void shaken(void *owner, const struct error *why)
{
    struct remote *r = owner;
    r->shaking = false;
    if (why) {
        fail(r, why);
    } else {
        log_facts(r);
        if (!r->config.secured)
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

static struct tls_options options_of(struct remote *r)
{
    struct tls_options options = { .name = name_of(r),
                                   .verify = r->rule.verify,
                                   .timeout_ms = HANDSHAKE_MS,
                                   .shaken = shaken,
                                   .owner = r };
    const struct dane *dane = r->call.dane;
    if (r->rule.verify != TLS_VERIFY_DANE)
        return options;
    CHECK(dane && dane->used_count > 0);
    options.name = dane->base; /* RFC 7672 8.1: the server name too */
    options.associations = dane->used;
    options.association_count = dane->used_count;
    options.names = dane->names;
    options.name_count = dane->name_count;
    return options;
}

void remote_start_tls(struct remote *r)
{
    struct error error;
    struct tls_options options = options_of(r);
    r->tls_wanted = false;
    buffer_clear(&r->pending); /* said in the clear: forgotten */
    const struct tls_context *context = atomic_load(&r->office->tls);
    if (context)
        r->shaking = tls_connect(r->stream, context, &options, &error);
    else
        error_set(&error, ERROR_TEMPORARY, "TLS could not be set up here: see the log's beginning");
    if (!r->shaking)
        fail(r, &error);
}
