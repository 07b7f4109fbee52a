/* screen.c - the rules of abuse { } about one stranger who brings mail.
 *
 *   state            what happens                              left for
 *   SCREEN_ASKING    questions to DNS are open                 KNOWN: all answered, or time is up
 *   SCREEN_KNOWN     rules are judged when a recipient comes
 *
 * It knows what to ask; what the answers mean is serve/rules.c.
 */
#include "serve/screen.h"

#include "proto/reply.h"
#include "queue/office.h"
#include "run/dns.h"
#include "serve/greylist.h"
#include "serve/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 5000,
    NAMES_MAX = 4, /* of a PTR record that are confirmed */
    QUESTIONS_MAX =
        256, /* of all loops at once: mail on its way out has the rest of DNS_OPEN_MAX */
};

enum screen_state { SCREEN_ASKING, SCREEN_KNOWN };

struct question {
    struct dns_query query;
    struct screen *screen;
    size_t list; /* of a blocklist: which */
    bool open;
    void (*answered)(struct screen *, struct question *);
};

enum { QUESTIONS = 1 + NAMES_MAX + 2 * CONFIG_BLOCKLISTS_MAX };

struct screen {
    struct screen_host host;
    enum screen_state state;
    struct dns *dns;
    struct timer limit;
    unsigned open; /* questions */
    unsigned question_count;
    struct question questions[QUESTIONS];
    enum reverse reverse;
    struct rule_listing listings[CONFIG_BLOCKLISTS_MAX];
    size_t listing_count;
    bool warned; /* what is only a warning was logged */

    /* The recipient that waits; request 0: none. */
    struct address recipient;
    uint32_t request;
    struct greylist_ask *greylist;
    uint32_t passed; /* the request that greylisting has let pass */
};

static struct server_loop *home_of(const struct screen *s)
{
    return s->host.conn->home;
}

static const struct config *config_of(const struct screen *s)
{
    return s->host.conn->settings->config;
}

bool screen_is_wanted(const struct conn *c)
{
    const struct config *config = c->settings->config;
    return c->role == ROLE_SMTP && !c->exempt && !config_allows(config, &c->peer) &&
           (config->helo_name || config->helo_ours || config->reverse_dns ||
            config->blocklist_count || config->greylist_ms);
}

/* --- Asking DNS --- */

static void conclude(struct screen *);

static void heard(struct dns_query *query)
{
    struct question *q = OWNER_OF(query, struct question, query);
    struct screen *s = q->screen;
    q->open = false;
    s->open--;
    home_of(s)->screen_questions--;
    q->answered(s, q);
    dns_query_clear(query);
    if (s->open == 0 && s->state == SCREEN_ASKING)
        conclude(s);
}

/* What cannot be asked stays unknown. */
static void ask(struct screen *s, const char *name, enum dns_type type, size_t list,
                void (*answered)(struct screen *, struct question *))
{
    struct server_loop *home = home_of(s);
    if (s->question_count == QUESTIONS ||
        home->screen_questions >= QUESTIONS_MAX / home->server->loop_count)
        return;
    struct question *q = &s->questions[s->question_count++];
    q->screen = s;
    q->list = list;
    q->answered = answered;
    q->query.name = name;
    q->query.type = type;
    q->query.home = home->loop;
    q->query.done = heard;
    q->open = dns_ask(s->dns, &q->query);
    s->open += q->open;
    home->screen_questions += q->open;
}

static void cancel_all(struct screen *s)
{
    for (unsigned i = 0; i < s->question_count; i++) {
        struct question *q = &s->questions[i];
        if (!q->open)
            continue;
        dns_cancel(s->dns, &q->query);
        dns_query_clear(&q->query);
        q->open = false;
        s->open--;
        home_of(s)->screen_questions--;
    }
}

/* --- Reverse DNS: a name, and that it has this address --- */

static void address_found(struct screen *s, struct question *q)
{
    if (q->query.verdict == DNS_TROUBLE && s->reverse == REVERSE_UNCONFIRMED)
        s->reverse = REVERSE_UNKNOWN;
    for (size_t i = 0; i < q->query.record_count; i++)
        if (endpoint_equal_address(&q->query.records[i].address, &s->host.conn->peer))
            s->reverse = REVERSE_CONFIRMED;
}

static void name_found(struct screen *s, struct question *q)
{
    enum dns_type type = s->host.conn->peer.family == NET_IPV6 ? DNS_AAAA : DNS_A;
    if (q->query.verdict == DNS_TROUBLE)
        return;
    s->reverse = q->query.record_count == 0          ? REVERSE_MISSING
                 : q->query.record_count > NAMES_MAX ? REVERSE_UNKNOWN /* not all are asked about */
                                                     : REVERSE_UNCONFIRMED;
    for (size_t i = 0; i < q->query.record_count && i < NAMES_MAX; i++) {
        unsigned before = s->open;
        ask(s, q->query.records[i].name, type, 0, address_found);
        if (s->open == before)
            s->reverse = REVERSE_UNKNOWN; /* could not be asked */
    }
}

static void ask_reverse(struct screen *s)
{
    char name[RULE_ZONE_MAX];
    const struct endpoint *peer = &s->host.conn->peer;
    struct text zone = peer->family == NET_IPV6 ? T("ip6.arpa") : T("in-addr.arpa");
    if (config_of(s)->reverse_dns != RULE_OFF && rules_reverse_name(peer, zone, name))
        ask(s, name, DNS_PTR, 0, name_found);
}

/* --- Blocklists --- */

static void reason_found(struct screen *s, struct question *q)
{
    struct rule_listing *l = &s->listings[q->list];
    if (q->query.record_count)
        snprintf(l->words, sizeof l->words, "%.*s",
                 TEXT_ARGS(text_of_bytes(q->query.records[0].data)));
}

static void log_list_trouble(struct screen *s, const struct rule_listing *l,
                             const struct endpoint *answer)
{
    char words[ENDPOINT_TEXT_MAX];
    LOG_EVENT(conn_log(s->host.conn), LOG_WARNING, conn_session(s->host.conn), "blocklist",
              { "zone", text_of(l->zone) }, { "answer", endpoint_print_address(answer, words) },
              { "why", T("that answer means no listing; does the list serve this resolver?") });
}

static void listing_found(struct screen *s, struct question *q)
{
    struct rule_listing *l = &s->listings[q->list];
    char name[RULE_ZONE_MAX];
    for (size_t i = 0; i < q->query.record_count; i++)
        if (rules_is_listed(&q->query.records[i].address))
            l->listed = true;
        else
            log_list_trouble(s, l, &q->query.records[i].address);
    if (l->listed && rules_reverse_name(&s->host.conn->peer, text_of(l->zone), name))
        ask(s, name, DNS_TXT, q->list, reason_found);
}

/* The configuration may be another one when the answer comes. */
static void ask_lists(struct screen *s)
{
    const struct config *config = config_of(s);
    char name[RULE_ZONE_MAX];
    for (size_t i = 0; i < config->blocklist_count; i++) {
        const struct config_blocklist *b = &config->blocklists[i];
        struct rule_listing *l = &s->listings[s->listing_count];
        if (b->action == RULE_OFF || !rules_reverse_name(&s->host.conn->peer, b->zone, name))
            continue;
        snprintf(l->zone, sizeof l->zone, "%.*s", TEXT_ARGS(b->zone));
        l->action = b->action;
        ask(s, name, DNS_A, s->listing_count++, listing_found);
    }
}

/* --- Its life --- */

static void time_is_up(struct timer *timer)
{
    struct screen *s = OWNER_OF(timer, struct screen, limit);
    LOG_EVENT(conn_log(s->host.conn), LOG_NOTICE, conn_session(s->host.conn), "dns-slow",
              { "why", T("rules that DNS did not answer in time refuse nobody") });
    cancel_all(s);
    if (s->reverse == REVERSE_UNCONFIRMED)
        s->reverse = REVERSE_UNKNOWN;
    conclude(s);
}

struct screen *screen_new(const struct screen_host *host)
{
    struct screen *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->host = *host;
    s->limit.fire = time_is_up;
    s->dns = office_dns(home_of(s)->server->office);
    ask_reverse(s);
    ask_lists(s);
    struct loop *loop = home_of(s)->loop;
    if (s->open > 0 && !loop_timer_start(loop, &s->limit, loop_now_ms(loop) + PATIENCE_MS))
        cancel_all(s);
    s->state = s->open > 0 ? SCREEN_ASKING : SCREEN_KNOWN;
    return s;
}

void screen_free(struct screen **screen)
{
    struct screen *s = *screen;
    *screen = NULL;
    if (!s)
        return;
    cancel_all(s);
    loop_timer_stop(home_of(s)->loop, &s->limit);
    greylist_free(&s->greylist);
    free(s);
}

/* --- Judging --- */

/* Of all that is found, what is refused: a permanent refusal before a temporary one. */
struct verdict {
    struct screen *screen;
    enum rule_action action;
    struct smtp_answer answer;
    char words[REPLY_LINE_MAX];
};

static void log_warning(struct screen *s, const struct rule_finding *f)
{
    char peer[ENDPOINT_TEXT_MAX];
    struct conn *c = s->host.conn;
    if (s->warned)
        return;
    LOG_EVENT(conn_log(c), LOG_NOTICE, conn_session(c), "warned", { "rule", text_of(f->rule) },
              { "why", f->answer.words }, { "peer", endpoint_print(&c->peer, peer) });
}

static void weigh(void *owner, const struct rule_finding *f)
{
    struct verdict *v = owner;
    if (f->action == RULE_WARN)
        log_warning(v->screen, f);
    if (f->action == RULE_WARN || f->action <= v->action)
        return;
    v->action = f->action;
    v->answer = f->answer;
    v->answer.words = text_first(f->answer.words, sizeof v->words);
    memcpy(v->words, v->answer.words.at, v->answer.words.len);
    v->answer.words.at = v->words;
}

/* Whether the recipient may be reached; otherwise the host was told. */
static bool judge(struct screen *s, const struct address *recipient, uint32_t request)
{
    struct verdict v = { .screen = s };
    struct rule_facts facts = {
        .config = config_of(s),
        .hello = smtp_server_hello(s->host.machine),
        .peer = s->host.conn->peer,
        .local = stream_local(s->host.conn->stream),
        .reverse = s->reverse,
        .listings = s->listings,
        .listing_count = s->listing_count,
    };
    rules_judge(&facts, weigh, &v);
    s->warned = true;
    if (v.action == RULE_OFF)
        return true;
    s->host.refuse(s->host.conn, recipient, request, &v.answer);
    return false;
}

/* Nobody waits any more; the host may ask again at once. */
static uint32_t take_request(struct screen *s)
{
    uint32_t request = s->request;
    s->request = 0;
    return request;
}

/* All that will be known is known. */
static void conclude(struct screen *s)
{
    s->state = SCREEN_KNOWN;
    loop_timer_stop(home_of(s)->loop, &s->limit);
    uint32_t request = take_request(s);
    struct address recipient = s->recipient;
    if (request && judge(s, &recipient, request))
        s->host.go_on(s->host.conn, &recipient, request);
}

static bool await(struct screen *s, const struct address *recipient, uint32_t request)
{
    s->recipient = *recipient;
    s->request = request;
    return false;
}

/* --- Greylisting --- */

static void greylisted(void *owner, uint64_t wait_ms)
{
    struct screen *s = owner;
    char words[80];
    struct address recipient = s->recipient;
    uint32_t request = take_request(s);
    greylist_free(&s->greylist);
    if (wait_ms == 0) {
        s->passed = request;
        s->host.go_on(s->host.conn, &recipient, request);
        return;
    }
    int len = snprintf(words, sizeof words, "rule greylist: new here, come again in %llu s",
                       (unsigned long long)(wait_ms + 999) / 1000);
    struct smtp_answer a = { SMTP_DEFER, 450, "4.7.1", { words, (size_t)len } };
    s->host.refuse(s->host.conn, &recipient, request, &a);
}

static bool ask_greylist(struct screen *s, const struct address *recipient, uint32_t request)
{
    struct greylist_question q = {
        .peer = &s->host.conn->peer,
        .sender = smtp_server_sender(s->host.machine),
        .recipient = recipient,
        .delay_ms = config_of(s)->greylist_ms,
        .life_ms = config_of(s)->greylist_life_ms,
        .done = greylisted,
        .owner = s,
    };
    if (q.delay_ms == 0 || s->passed == request)
        return true;
    s->greylist = greylist_ask(home_of(s), &q);
    return !s->greylist || await(s, recipient, request);
}

/* --- Gates --- */

/* RFC 5321 4.5.1, RFC 2142 4: who is refused can ask why. */
static bool is_always_reached(const struct address *recipient)
{
    struct address_key key;
    address_key(recipient, &key);
    struct text local = address_key_local(&key);
    return text_equal(local, T("postmaster")) || text_equal(local, T("abuse"));
}

bool screen_admits(struct screen *s, enum screen_gate gate, const struct address *recipient,
                   uint32_t request)
{
    if (s->host.conn->exempt || is_always_reached(recipient)) /* logged in meanwhile */
        return true;
    if (gate == SCREEN_GREYLIST)
        return ask_greylist(s, recipient, request);
    return s->state == SCREEN_ASKING ? await(s, recipient, request) : judge(s, recipient, request);
}
