/* settings.c - a configuration in the form that sessions use. */
#include "serve/settings.h"

#include "run/sasl.h"

#include <stdlib.h>

static uint32_t at_most(uint64_t value, uint64_t max)
{
    return (uint32_t)(value < max ? value : max);
}

static struct smtp_server_config smtp_of(const struct config *c, bool submission)
{
    return (struct smtp_server_config){
        .hostname = c->hostname,
        .message_octets_max = c->message_octets,
        .recipients_max = c->recipients,
        .transactions_max = c->transactions,
        .errors_max = c->errors,
        .logins_max = c->logins,
        .line_octets_max = at_most(c->line_octets, UINT32_MAX),
        .hops_max = c->hops,
        .command_ms = c->smtp_command_ms,
        .message_ms = c->smtp_message_ms,
        .greeting_ms = submission ? 0 : c->greeting_delay_ms,
        .submission = submission,
        .offer_tls = true,
    };
}

static struct pop3_server_config pop3_of(const struct config *config)
{
    return (struct pop3_server_config){
        .hostname = config->hostname,
        .implementation = T("godwit-" GODWIT_VERSION),
        .line_octets_max = at_most(config->line_octets, UINT32_MAX),
        .errors_max = config->errors,
        .logins_max = config->logins,
        .login_delay_s = at_most(config->login_delay_ms / 1000, UINT32_MAX),
        .idle_ms = config->pop3_idle_ms,
        .offer_tls = true,
    };
}

static struct text mechanisms_of(const struct config *config, enum offer offer)
{
    if (offer == OFFER_NOTHING)
        return T("");
    if (config->scram_sha1)
        return offer == OFFER_BOUND ? T(SASL_SHA1_BOUND_MECHANISMS) : T(SASL_SHA1_MECHANISMS);
    return offer == OFFER_BOUND ? T(SASL_BOUND_MECHANISMS) : T(SASL_MECHANISMS);
}

/* Borrows the config: on failure it stays the caller's. */
static bool make(struct config *config, const struct settings_source *source, struct settings **out,
                 struct error *error)
{
    struct settings *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    s->config = config;
    s->local = smtp_of(config, true);
    s->local.submission = s->local.offer_tls = false;
    for (enum offer offer = 0; offer < OFFERS; offer++) {
        s->smtp[offer] = smtp_of(config, false);
        s->submission[offer] = smtp_of(config, true);
        s->pop3[offer] = pop3_of(config);
        s->smtp[offer].mechanisms = s->submission[offer].mechanisms = s->pop3[offer].mechanisms =
            mechanisms_of(config, offer);
    }
    *out = s;
    if (credentials_read(config, &source->files, &s->credentials, error) &&
        credentials_context(s->credentials, config, source->service, &s->tls, error))
        return true;
    s->config = NULL;
    settings_free(out);
    return false;
}

bool settings_new(struct config *config, const struct settings_source *source,
                  struct settings **out, struct error *error)
{
    bool ok = make(config, source, out, error);
    if (!ok)
        config_free(&config);
    return ok;
}

bool settings_renew(const struct settings *old, const struct settings_source *source,
                    struct settings **out, struct error *error)
{
    return make(old->config, source, out, error);
}

void settings_free(struct settings **s)
{
    if (!*s)
        return;
    tls_context_free(&(*s)->tls);
    credentials_free(&(*s)->credentials);
    config_free(&(*s)->config);
    free(*s);
    *s = NULL;
}

bool settings_allow_cleartext(const struct settings *s, const struct endpoint *peer)
{
    switch (s->config->cleartext) {
    case CLEARTEXT_ALWAYS:
        return true;
    case CLEARTEXT_LOOPBACK:
        return endpoint_is_loopback(peer);
    case CLEARTEXT_NEVER:
        break;
    }
    return false;
}

enum wire_level settings_wire_level(const struct settings *s)
{
    static const enum wire_level levels[] = {
        [PROTOCOL_LOG_OFF] = WIRE_OFF,
        [PROTOCOL_LOG_COMMANDS] = WIRE_COMMANDS,
        [PROTOCOL_LOG_ALL] = WIRE_ALL,
    };
    return levels[s->config->log_protocol];
}

bool role_begins_with_tls(enum role role)
{
    return role == ROLE_SUBMISSIONS || role == ROLE_POP3S;
}

bool role_is_pop3(enum role role)
{
    return role == ROLE_POP3 || role == ROLE_POP3S;
}
