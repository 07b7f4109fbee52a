/* smtp_envelope.c - who sends to whom in an SMTP session: MAIL, RCPT, VRFY and EXPN.
 *
 * The rules are those of serve/policy.c; here is only whom to ask for what they want to know, and
 * what is left to say.
 */
#include "serve/smtp_conn_inner.h"

#include "serve/guard.h"

#include <stdio.h>

/* --- Lookups --- */

typedef void found_function(struct smtp_conn *, const struct lookup *);
static found_function sender_found, owner_found, recipient_found, name_verified, name_expanded;

static void lookup_answered(struct lookup *l)
{
    struct smtp_conn *s = l->owner;
    struct server_loop *home = l->holds;
    if (s) {
        s->lookup = NULL;
        s->found(s, l);
    }
    lookup_free(&l);
    if (s)
        conn_resume(&s->conn);
    server_loop_release(home);
}

static void ask_people(struct smtp_conn *s, enum lookup_kind kind, const struct address *address,
                       uint32_t request, found_function *found)
{
    struct server_loop *home = s->conn.home;
    struct lookup *l = lookup_new(kind, address);
    if (!l) {
        smtp_conn_answer(s, request, smtp_conn_no_memory);
        return;
    }
    l->settings = s->conn.settings;
    l->home = home->loop;
    l->holds = home;
    l->done = lookup_answered;
    l->owner = s;
    l->request = request;
    if (!people_ask(home->server->people, l)) {
        lookup_free(&l);
        smtp_conn_answer(
            s, request,
            (struct smtp_answer){ SMTP_DEFER, 451, "4.3.2", T("too busy, try again later") });
        return;
    }
    server_loop_hold(home);
    s->lookup = l;
    s->found = found;
}

/* --- MAIL --- */

static void judge_sender(struct smtp_conn *s, const struct address *address,
                         const struct resolved *resolved, uint32_t request)
{
    struct smtp_answer a = policy_sender(resolved);
    if (a.verdict != SMTP_ACCEPT)
        smtp_conn_log_refused(s, address, "sender", &a);
    smtp_conn_answer(s, request, a);
}

static void sender_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    judge_sender(s, &l->address, &l->resolved, l->request);
}

/* Whoever has logged in or is a user of this machine sends one more; root as many as he likes. */
static bool may_take(struct smtp_conn *s, enum quota_of what, uint32_t max)
{
    struct server_loop *home = s->conn.home;
    bool root = s->account && s->account->uid == 0;
    return quota_take(home->server->quota, s->peer.mailbox, what, root ? 0 : max,
                      loop_now_ms(home->loop));
}

/* The sender is the login's own: what is left to ask is whether he has sent enough. */
static void accept_owner(struct smtp_conn *s, const struct address *address, uint32_t request)
{
    uint32_t max = s->conn.settings->config->messages_hourly;
    if (may_take(s, QUOTA_MESSAGES, max)) {
        smtp_conn_accept(s, request);
        return;
    }
    struct policy_words words;
    struct smtp_answer a = policy_sent_enough(&s->peer, "messages", max, &words);
    smtp_conn_log_refused(s, address, "sender", &a);
    smtp_conn_answer(s, request, a);
}

/* `resolved` is NULL for who is not ours. */
static void judge_owner(struct smtp_conn *s, const struct address *address,
                        const struct resolved *resolved, uint32_t request)
{
    struct policy_words words;
    if (resolved && policy_owns(s->conn.settings->config, &s->peer, address, resolved)) {
        accept_owner(s, address, request);
        return;
    }
    struct smtp_answer a = policy_not_owner(&s->peer, address, resolved, &words);
    smtp_conn_log_refused(s, address, "sender", &a);
    smtp_conn_answer(s, request, a);
}

static void owner_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    judge_owner(s, &l->address, &l->resolved, l->request);
}

static void check_owner(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct config *config = s->conn.settings->config;
    const struct resolved *known = address_cache_find(s->conn.home->cache, step->address);
    if (policy_is_self(config, &s->peer, step->address))
        accept_owner(s, step->address, step->request);
    else if (known || !config_domain(config, address_domain(step->address)))
        judge_owner(s, step->address, known, step->request);
    else
        ask_people(s, LOOKUP_ADDRESS, step->address, step->request, owner_found);
}

static void begin_screen(struct smtp_conn *);

void smtp_conn_check_sender(struct smtp_conn *s, const struct smtp_step *step)
{
    const struct resolved *known;
    struct smtp_answer refusal;
    begin_screen(s);
    if (!policy_store_takes_mail(store_health(s->conn.home->server->store), &refusal)) {
        smtp_conn_log_refused(s, step->address, "sender", &refusal);
        smtp_conn_answer(s, step->request, refusal);
    } else if (s->peer.authenticated) {
        check_owner(s, step);
    } else if (!policy_asks_for_sender(s->conn.settings->config, &s->peer, step->address)) {
        smtp_conn_accept(s, step->request);
    } else if ((known = address_cache_find(s->conn.home->cache, step->address))) {
        judge_sender(s, step->address, known, step->request);
    } else {
        ask_people(s, LOOKUP_ADDRESS, step->address, step->request, sender_found);
    }
}

/* --- RCPT --- */

static void complete(const struct smtp_conn *s, struct address *address)
{
    struct endpoint here = { 0 };
    if (address->literal)
        here = stream_local(s->conn.stream);
    resolve_complete(s->conn.settings->config, &here, address);
    if (s->account)
        resolve_machine(s->conn.settings->config, address);
}

/* Whether somebody who has logged in may send to one more; if not, it is answered. */
static bool may_send_on(struct smtp_conn *s, const struct address *address, uint32_t request)
{
    uint32_t max = s->conn.settings->config->recipients_hourly;
    struct policy_words words;
    if (!s->peer.authenticated || may_take(s, QUOTA_RECIPIENTS, max))
        return true;
    struct smtp_answer a = policy_sent_enough(&s->peer, "recipients", max, &words);
    smtp_conn_log_refused(s, address, "recipient", &a);
    smtp_conn_answer(s, request, a);
    return false;
}

/* `resolved` is NULL for who is not ours. */
static void add_recipient(struct smtp_conn *s, const struct address *address,
                          const struct resolved *resolved, uint32_t request)
{
    struct recipient_named named = { address, resolved, s->rcpt };
    if (s->screen && !screen_admits(s->screen, SCREEN_GREYLIST, address, request))
        return;
    if (!may_send_on(s, address, request))
        return;
    if (!s->delivery)
        s->delivery = delivery_new(s->conn.home, &smtp_conn_delivery_events, s);
    enum recipients_add added =
        s->delivery ? delivery_add(s->delivery, &named) : RECIPIENT_NO_MEMORY;
    if (added == RECIPIENT_TOO_MANY) {
        smtp_conn_answer(
            s, request, (struct smtp_answer){ SMTP_DEFER, 452, "4.5.3", T("too many recipients") });
    } else if (added == RECIPIENT_NO_MEMORY) {
        smtp_conn_answer(s, request, smtp_conn_no_memory);
    } else {
        if (smtp_server_recipient_count(s->machine) == 0)
            s->only = *address;
        smtp_conn_accept(s, request);
    }
}

static void find_recipient(struct smtp_conn *s, const struct address *address, uint32_t request)
{
    struct smtp_answer refusal;
    const struct resolved *known = address_cache_find(s->conn.home->cache, address);
    if (known) {
        add_recipient(s, address, known, request);
        return;
    }
    switch (policy_route(s->conn.settings->config, &s->peer, address, &refusal)) {
    case POLICY_LOCAL:
        ask_people(s, LOOKUP_ADDRESS, address, request, recipient_found);
        break;
    case POLICY_REMOTE:
        add_recipient(s, address, NULL, request);
        break;
    case POLICY_DENIED:
        smtp_conn_log_refused(s, address, "recipient", &refusal);
        smtp_conn_answer(s, request, refusal);
        break;
    }
}

void smtp_conn_check_recipient(struct smtp_conn *s, const struct smtp_step *step)
{
    struct address address = *step->address;
    s->rcpt = step->rcpt;
    complete(s, &address);
    if (!s->screen || screen_admits(s->screen, SCREEN_RULES, &address, step->request))
        find_recipient(s, &address, step->request);
}

static void passed_screen(struct conn *c, const struct address *address, uint32_t request)
{
    find_recipient(smtp_conn_of(c), address, request);
    conn_resume(c);
}

static void stopped_at_screen(struct conn *c, const struct address *address, uint32_t request,
                              const struct smtp_answer *refusal)
{
    smtp_conn_log_refused(smtp_conn_of(c), address, "recipient", refusal);
    smtp_conn_answer(smtp_conn_of(c), request, *refusal);
    conn_resume(c);
}

static void begin_screen(struct smtp_conn *s)
{
    struct screen_host host = { &s->conn, s->machine, passed_screen, stopped_at_screen };
    if (!s->screen && screen_is_wanted(&s->conn))
        s->screen = screen_new(&host);
}

/* What programs of this machine have to say to root is for whoever looks after it. */
static bool ask_postmaster(struct smtp_conn *s, const struct lookup *l)
{
    struct address postmaster;
    if (!s->account || l->resolved.verdict != RESOLVE_UNKNOWN ||
        !text_equal(address_local(&l->address), T("root")) ||
        !resolve_postmaster(address_domain(&l->address), &postmaster))
        return false;
    ask_people(s, LOOKUP_ADDRESS, &postmaster, l->request, recipient_found);
    return true;
}

static void recipient_found(struct smtp_conn *s, const struct lookup *l)
{
    address_cache_keep(s->conn.home->cache, l);
    if (l->resolved.verdict == RESOLVED) {
        add_recipient(s, &l->address, &l->resolved, l->request);
        return;
    }
    if (ask_postmaster(s, l))
        return;
    struct smtp_answer a = policy_recipient(l->resolved.verdict);
    if (l->resolved.verdict == RESOLVE_UNKNOWN)
        guard_count(&s->conn, OFFENCE_UNKNOWN, 1);
    if (l->resolved.verdict == RESOLVE_TROUBLE)
        server_note(s->conn.home->server, LOG_WARNING, "directory", l->resolved.error.words);
    smtp_conn_log_refused(s, &l->address, "recipient", &a);
    smtp_conn_answer(s, l->request, a);
}

/* --- VRFY and EXPN --- */

/* A name is an address, or a local part when there is one domain (RFC 5321 3.5.1). */
static bool read_name(struct smtp_conn *s, struct text words, struct address *out)
{
    const struct config *config = s->conn.settings->config;
    struct text rest = words;
    if (address_parse(words, ADDRESS_UTF8, out) == ADDRESS_OK)
        return true;
    if (address_take_path(&rest, ADDRESS_UTF8 | ADDRESS_POSTMASTER, out) == ADDRESS_OK &&
        rest.len == 0) {
        complete(s, out);
        return true;
    }
    char whole[ADDRESS_TEXT_MAX];
    if (words.len > ADDRESS_LOCAL_MAX || config->domain_count == 0)
        return false;
    int len = snprintf(whole, sizeof whole, "%.*s@%.*s", TEXT_ARGS(words),
                       TEXT_ARGS(config->domains[0].name));
    return address_parse((struct text){ whole, (size_t)len }, ADDRESS_UTF8, out) == ADDRESS_OK;
}

static void look_up_name(struct smtp_conn *s, const struct smtp_step *step, enum lookup_kind kind,
                         found_function *found)
{
    struct address address;
    if (!read_name(s, step->words, &address))
        smtp_conn_answer(s, step->request,
                         (struct smtp_answer){ SMTP_REJECT, 550, "5.1.1", T("no such user here") });
    else
        ask_people(s, kind, &address, step->request, found);
}

void smtp_conn_verify(struct smtp_conn *s, const struct smtp_step *step)
{
    look_up_name(s, step, LOOKUP_ADDRESS, name_verified);
}

static void name_verified(struct smtp_conn *s, const struct lookup *l)
{
    char words[ADDRESS_TEXT_MAX + 3];
    struct smtp_answer a = policy_verify(&l->resolved);
    if (a.verdict == SMTP_ACCEPT) {
        int len = snprintf(words, sizeof words, "<%.*s>", TEXT_ARGS(address_text(&l->address)));
        a.words = (struct text){ words, (size_t)len };
    }
    smtp_conn_answer(s, l->request, a);
}

void smtp_conn_expand(struct smtp_conn *s, const struct smtp_step *step)
{
    look_up_name(s, step, LOOKUP_EXPAND, name_expanded);
}

static void name_expanded(struct smtp_conn *s, const struct lookup *l)
{
    struct smtp_answer a = policy_expand(l->expansion.verdict);
    struct buffer lines;
    buffer_init(&lines, 200 * 1024);
    for (size_t i = 0; a.verdict == SMTP_ACCEPT && i < l->expansion.count; i++)
        buffer_printf(&lines, "%s<%.*s>", i ? "\n" : "", TEXT_ARGS(l->expansion.lines[i]));
    if (lines.failed)
        a = smtp_conn_no_memory;
    else if (a.verdict == SMTP_ACCEPT)
        a.words = buffer_as_text(&lines);
    smtp_conn_answer(s, l->request, a);
    buffer_clear(&lines);
}
