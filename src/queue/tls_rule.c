/* tls_rule.c - what TLS with a host has to be like.
 *
 * The setting of the route is the least that is done; what the host's domain publishes may only add
 * to it, and mail that came with REQUIRETLS adds to both.  Only what the domain publishes can be
 * waived by a message.
 */
#include "queue/tls_rule.h"

static struct tls_rule refused(const char *why)
{
    return (struct tls_rule){ .wish = SMTP_CLIENT_TLS_MUST, .by = "setting", .refusal = why };
}

static struct tls_rule must(enum tls_verify verify, const char *by)
{
    return (struct tls_rule){ .wish = SMTP_CLIENT_TLS_MUST, .verify = verify, .by = by };
}

/* RFC 7672 6: where DANE is wanted by whoever runs this server, nothing else will do. */
static struct tls_rule no_dane(const struct tls_voices *v)
{
    if (!v->validated)
        return refused("tls = dane, but no answer of DNS can be believed here: the resolvers do "
                       "not pass signatures on, or dnssec is off");
    if (v->dane == DANE_UNUSABLE)
        return refused("tls = dane, but none of the host's TLSA records can be used");
    return refused("tls = dane, but the host has no TLSA record that DNSSEC vouches for");
}

static struct tls_rule refused_for_good(const char *why)
{
    struct tls_rule rule = refused(why);
    rule.by = "requiretls";
    rule.is_for_good = true;
    return rule;
}

/* RFC 8689 4.2.1: a host whose certificate is verified and whose name is more than the word of
 * unsigned DNS.  What passes is refused for now only. */
static struct tls_rule required(const struct tls_voices *v)
{
    if (v->setting == RELAY_TLS_NONE)
        return refused_for_good("the message requires TLS (REQUIRETLS), and tls = none");
    if (v->dane == DANE_TROUBLE)
        return refused("the host's TLSA records cannot be looked up");
    if (v->dane == DANE_USABLE)
        return must(TLS_VERIFY_DANE, "dane");
    if (v->setting == RELAY_TLS_DANE)
        return no_dane(v);
    if (v->sts == STS_MODE_ENFORCE && v->sts_names_host)
        return must(TLS_VERIFY_NAME, "mta-sts");
    if (v->sts == STS_MODE_ENFORCE)
        return refused("the domain's MTA-STS policy does not name the host");
    if (v->is_vouched_for)
        return must(TLS_VERIFY_NAME, "requiretls");
    return refused_for_good("the message requires a verified host (REQUIRETLS), and neither DNSSEC "
                            "nor an MTA-STS policy vouches for the name of this one");
}

/* RFC 8689 4.2.2: as if the domain had published nothing.  Who runs this server and wants DANE has
 * not published that. */
static struct tls_voices without_published(const struct tls_voices *v)
{
    struct tls_voices own = {
        .setting = v->setting,
        .validated = v->validated,
        .tls_first = v->tls_first,
    };
    return own;
}

static struct tls_rule usual(const struct tls_voices *v)
{
    if (v->setting == RELAY_TLS_NONE)
        return (struct tls_rule){ .wish = SMTP_CLIENT_TLS_NEVER, .by = "setting" };
    if (v->dane == DANE_TROUBLE)
        return refused("the host's TLSA records cannot be looked up");
    if (v->dane == DANE_USABLE)
        return must(TLS_VERIFY_DANE, "dane");
    if (v->setting == RELAY_TLS_DANE)
        return no_dane(v);
    if (v->sts == STS_MODE_ENFORCE) /* RFC 8461 5.1 */
        return v->sts_names_host ? must(TLS_VERIFY_NAME, "mta-sts")
                                 : refused("the domain's MTA-STS policy does not name the host");
    if (v->setting == RELAY_TLS_VERIFY)
        return must(TLS_VERIFY_NAME, "setting");
    if (v->setting == RELAY_TLS_ENCRYPT || v->tls_first)
        return must(TLS_VERIFY_NONE, "setting");
    if (v->dane == DANE_UNUSABLE)
        return must(TLS_VERIFY_NONE, "dane");
    return (
        struct tls_rule){ .wish = SMTP_CLIENT_TLS_IF_OFFERED, .or_clear = true, .by = "setting" };
}

struct tls_rule tls_rule_for(const struct tls_voices *v)
{
    struct tls_voices own = without_published(v);
    if (v->need == TLS_NEED_REQUIRED)
        return required(v);
    if (v->need == TLS_NEED_WAIVED && v->setting != RELAY_TLS_DANE)
        return usual(&own);
    return usual(v);
}
