/* hosts.c - which hosts to call for a route, one after the other.
 *
 *   state       what holds                                       who moves it
 *   BEGIN       nothing was asked                                hosts_next()
 *   ASKING_MX   the MX query is open, or waits for its turn      its answer
 *   ASKING      the addresses of list.at[asked] are asked for    both answers
 *   ASKING_DANE its TLSA records are                             the answers; then ASKING the next
 *               host of this preference
 *   GIVING      calls[given..count] may be handed out            hosts_next(); then ASKING the next
 *               preference
 *   OVER        nothing more                                     nobody
 *
 * A whole preference is resolved before any host in it is called: an address that is ours drops it
 * and everything of equal or worse preference (docs/border.md, "Who may send"), and that must be
 * known first.
 */
#include "queue/hosts.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 50 }; /* while the resolver has no room for a question */

enum hosts_state { BEGIN, ASKING_MX, ASKING, ASKING_DANE, GIVING, OVER };

/* One question and, when the resolver was full, the wait to ask it again. */
struct question {
    struct hosts *hosts;
    struct dns_query query;
    struct timer again;
    bool open; /* asked and not answered */
    bool waits;
};

enum { ASK_MX, ASK_DANE = 0, ASK_AAAA = 0, ASK_A, QUESTIONS };

struct hosts {
    const struct office *office;
    unsigned loop;
    struct route route;
    uint64_t seed;
    void (*ready)(void *owner);
    void *owner;

    enum hosts_state state;
    struct dns *dns; /* the resolver of all its questions */
    struct question questions[QUESTIONS];
    struct dns_query mx; /* the answer that the list's names point into */
    struct route_mx implicit;
    struct route_hosts list;
    bool is_implicit;                   /* no MX: the domain itself is the host */
    char asking[DANE_QUESTION_MAX];     /* for as long as a question may have to be repeated */
    size_t asked;                       /* the host that is being asked about; behind it: not yet */
    struct dane danes[ROUTE_HOSTS_MAX]; /* of the hosts in the list */
    struct hosts_call calls[HOSTS_CALLS_MAX];
    size_t given, count;
    bool gave_any;
    bool had_trouble; /* some host could not be looked up now, and is not among the calls */
    bool was_ours;    /* some host was dropped since it is this server */
    struct hosts_failure failure;
};

struct hosts *hosts_new(const struct hosts_options *o)
{
    struct hosts *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->office = o->office;
    h->loop = o->loop;
    h->route = *o->route;
    h->seed = o->seed;
    h->ready = o->ready;
    h->owner = o->owner;
    return h;
}

static struct loop *loop_of(const struct hosts *h)
{
    return h->office->loops[h->loop];
}

void hosts_free(struct hosts **hosts)
{
    struct hosts *h = *hosts;
    *hosts = NULL;
    if (!h)
        return;
    for (size_t i = 0; i < QUESTIONS; i++) {
        struct question *q = &h->questions[i];
        if (q->open)
            dns_cancel(h->dns, &q->query);
        loop_timer_stop(loop_of(h), &q->again);
        dns_query_clear(&q->query);
    }
    for (size_t i = 0; i < ROUTE_HOSTS_MAX; i++)
        dane_clear(&h->danes[i]);
    dns_query_clear(&h->mx);
    free(h);
}

const struct hosts_failure *hosts_failure(const struct hosts *h)
{
    return h->failure.status ? &h->failure : NULL;
}

/* --- Ends --- */

__attribute__((format(printf, 4, 5))) static void fail(struct hosts *h, bool permanent,
                                                       const char *status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(h->failure.words, sizeof h->failure.words, format, values);
    va_end(values);
    h->failure.permanent = permanent;
    h->failure.status = status;
    h->state = OVER;
}

static void fail_as_ours(struct hosts *h)
{
    fail(h, true, "5.4.6", "mail for %s loops back to this server", h->route.host);
}

/* --- Questions --- */

static void answered(struct dns_query *);
static void next_host(struct hosts *);

static void go_on(struct hosts *h)
{
    h->ready(h->owner);
}

static void ask(struct question *q)
{
    q->waits = false;
    q->open = dns_ask(q->hosts->dns, &q->query);
    if (q->open)
        return;
    q->waits = loop_timer_start(q->query.home, &q->again, loop_now_ms(q->query.home) + AGAIN_MS);
    if (!q->waits) /* as if the resolver had said so */
        q->query.verdict = DNS_TROUBLE;
}

static void ask_again(struct timer *timer)
{
    struct question *q = OWNER_OF(timer, struct question, again);
    ask(q);
    if (!q->open && !q->waits)
        answered(&q->query);
}

static void begin_question(struct hosts *h, size_t which, enum dns_type type, const char *name)
{
    struct question *q = &h->questions[which];
    dns_query_clear(&q->query);
    q->hosts = h;
    q->again.fire = ask_again;
    q->query = (struct dns_query){
        .name = name, .type = type, .home = loop_of(h), .done = answered, .verdict = DNS_TROUBLE
    };
    ask(q);
}

static bool is_asking(const struct hosts *h)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (h->questions[i].open || h->questions[i].waits)
            return true;
    return false;
}

/* --- MX --- */

static void order(struct hosts *h, const struct dns_query *mx)
{
    struct route_mx at[DNS_RECORDS_MAX];
    struct route_answer answer = { .domain = text_of(h->route.host), .mx = at };
    for (size_t i = 0; i < mx->record_count && i < DNS_RECORDS_MAX; i++)
        at[answer.count++] =
            (struct route_mx){ mx->records[i].preference, text_of(mx->records[i].name) };
    switch (
        route_order(h->office->config(h->office->server, h->loop), &answer, h->seed, &h->list)) {
    case ROUTE_IMPLICIT:
        h->is_implicit = true;
        next_host(h);
        return;
    case ROUTE_HOSTS:
        next_host(h);
        return;
    case ROUTE_NULL_MX:
        fail(h, true, "5.1.10", "the domain %s takes no mail (null MX)", h->route.host);
        return;
    case ROUTE_LOOP:
        fail_as_ours(h);
        return;
    }
}

static void take_mx(struct hosts *h)
{
    struct dns_query *query = &h->questions[ASK_MX].query;
    h->mx = *query; /* keeps the names */
    *query = (struct dns_query){ 0 };
    switch (h->mx.verdict) {
    case DNS_FOUND:
    case DNS_NO_DATA:
        order(h, &h->mx);
        return;
    case DNS_NO_NAME:
        fail(h, true, "5.1.2", "the domain %s does not exist", h->route.host);
        return;
    case DNS_TROUBLE:
        fail(h, false, "4.4.3", "cannot look up the mail hosts of %s: %s", h->route.host,
             h->mx.words);
        return;
    }
}

/* --- TLSA --- */

/* RFC 7672 2.2.1: hosts that DNSSEC does not vouch for may be anybody's. */
static bool wants_dane(const struct hosts *h)
{
    return h->route.tls != RELAY_TLS_NONE && (h->route.kind == ROUTE_HOST || h->mx.secure);
}

static void begin_dane(struct hosts *h, const struct dns_query *six, const struct dns_query *four)
{
    struct dane *dane = &h->danes[h->asked];
    struct dane_host host = {
        .name = h->asking,
        .port = h->route.port,
        .addresses = { six, four },
        .names = { text_of(h->route.host), text_of(h->mx.canonical) },
    };
    if (wants_dane(h))
        dane_begin(dane, &host);
    else
        dane->step = DANE_OVER;
}

static void take_dane(struct hosts *h)
{
    dane_take(&h->danes[h->asked], &h->questions[ASK_DANE].query);
}

/* Asks what there is to ask about this host, and then turns to the next. */
static void ask_dane(struct hosts *h)
{
    enum dns_type type;
    while (dane_asks(&h->danes[h->asked], h->asking, &type)) {
        h->state = ASKING_DANE;
        begin_question(h, ASK_DANE, type, h->asking);
        if (is_asking(h))
            return;
        take_dane(h);
    }
    h->asked++;
    next_host(h);
}

/* --- Addresses --- */

static const struct dns_query *address_answer(const struct hosts *h, size_t which)
{
    return &h->questions[which].query;
}

static bool is_ours(const struct hosts *h, const struct endpoint *endpoint)
{
    struct route_self self = {
        .config = h->office->config(h->office->server, h->loop),
        .addresses = h->office->addresses,
        .address_count = h->office->address_count,
    };
    return route_is_our_address(&self, endpoint);
}

static struct endpoint with_port(const struct hosts *h, const struct dns_record *record)
{
    struct endpoint e = record->address;
    e.port = h->route.port;
    return e;
}

static bool answer_is_ours(const struct hosts *h, const struct dns_query *answer)
{
    for (size_t i = 0; i < answer->record_count; i++) {
        struct endpoint e = with_port(h, &answer->records[i]);
        if (is_ours(h, &e))
            return true;
    }
    return false;
}

static void add_call(struct hosts *h, const struct dns_query *answer, size_t index)
{
    const struct text *name = &h->list.at[h->asked].name;
    if (index >= answer->record_count || h->count == HOSTS_CALLS_MAX)
        return;
    struct hosts_call *call = &h->calls[h->count++];
    call->endpoint = with_port(h, &answer->records[index]);
    call->dane = &h->danes[h->asked];
    call->is_vouched_for = h->route.kind == ROUTE_HOST || h->mx.secure;
    snprintf(call->name, sizeof call->name, "%.*s", TEXT_ARGS(*name));
}

/* Both families in turn, so that one that does not work here costs one attempt. */
static void add_calls(struct hosts *h)
{
    for (size_t i = 0; i < HOSTS_ADDRESSES_MAX / 2; i++) {
        add_call(h, address_answer(h, ASK_AAAA), i);
        add_call(h, address_answer(h, ASK_A), i);
    }
}

/* Calls of this preference that were gathered before one of its hosts turned out to be us. */
static void drop_ours(struct hosts *h)
{
    h->was_ours = true;
    route_drop(&h->list, h->asked);
    h->given = h->count = 0;
    h->asked = h->list.count;
}

static void take_addresses(struct hosts *h)
{
    const struct dns_query *six = address_answer(h, ASK_AAAA), *four = address_answer(h, ASK_A);
    bool trouble = six->verdict == DNS_TROUBLE || four->verdict == DNS_TROUBLE;
    size_t before = h->count;
    if (answer_is_ours(h, six) || answer_is_ours(h, four)) {
        h->had_trouble |= trouble;
        drop_ours(h);
        next_host(h);
        return;
    }
    add_calls(h);
    h->had_trouble |= trouble && h->count == before;
    begin_dane(h, six, four);
    ask_dane(h);
}

/* --- From host to host --- */

static bool preference_is_over(const struct hosts *h)
{
    return h->asked == h->list.count ||
           (h->asked > 0 && h->list.at[h->asked].preference != h->list.at[h->asked - 1].preference);
}

static void nobody_is_left(struct hosts *h)
{
    const char *host = h->route.host;
    if (h->had_trouble)
        fail(h, false, "4.4.3", "cannot look up the addresses of %s for %s",
             h->gave_any ? "some hosts" : "the hosts", host);
    else if (h->gave_any)
        h->state = OVER;
    else if (h->was_ours)
        fail_as_ours(h);
    else if (h->route.kind == ROUTE_HOST)
        fail(h, false, "4.4.4", "the host %s, which the configuration names, has no address", host);
    else if (h->is_implicit)
        fail(h, true, "5.1.2", "the domain %s has neither mail hosts nor an address", host);
    else
        fail(h, true, "5.4.4", "no mail host of %s has an address", host);
}

static void ask_addresses(struct hosts *h)
{
    const struct text *host = &h->list.at[h->asked].name;
    snprintf(h->asking, sizeof h->asking, "%.*s", TEXT_ARGS(*host));
    h->state = ASKING;
    begin_question(h, ASK_AAAA, DNS_AAAA, h->asking);
    begin_question(h, ASK_A, DNS_A, h->asking);
    if (!is_asking(h))
        take_addresses(h);
}

/* Asks about the next host of this preference, or gives what was found, or turns to the next. */
static void next_host(struct hosts *h)
{
    if (h->count > h->given && preference_is_over(h)) {
        h->state = GIVING;
        return;
    }
    if (h->asked == h->list.count) {
        nobody_is_left(h);
        return;
    }
    ask_addresses(h);
}

static void take_answer(struct hosts *h)
{
    if (h->state == ASKING_MX) {
        take_mx(h);
    } else if (h->state == ASKING) {
        take_addresses(h);
    } else {
        take_dane(h);
        ask_dane(h);
    }
}

static void answered(struct dns_query *query)
{
    struct question *q = OWNER_OF(query, struct question, query);
    struct hosts *h = q->hosts;
    q->open = false;
    if (is_asking(h))
        return;
    take_answer(h);
    if (!is_asking(h))
        go_on(h);
}

/* --- What the owner sees --- */

static void begin_fixed(struct hosts *h)
{
    h->list.at[h->list.count++] = (struct route_mx){ 0, text_of(h->route.host) };
    if (!h->route.has_endpoint) {
        next_host(h);
        return;
    }
    if (is_ours(h, &h->route.endpoint)) {
        fail_as_ours(h);
        return;
    }
    struct hosts_call *call = &h->calls[h->count++];
    call->endpoint = h->route.endpoint;
    call->is_vouched_for = h->route.kind == ROUTE_HOST;
    snprintf(call->name, sizeof call->name, "%.*s", DNS_NAME_MAX - 1, h->route.host);
    h->asked = h->list.count;
    h->state = GIVING;
}

/* A domain that has become ours since its mail was queued is handed in at our own door. */
static void begin_local(struct hosts *h)
{
    const struct config *c = h->office->config(h->office->server, h->loop);
    static const uint8_t loopback[2][16] = { { 127, 0, 0, 1 }, { [15] = 1 } };
    static const uint8_t any[16];
    for (size_t i = 0; i < c->listener_count; i++) {
        struct hosts_call *call = &h->calls[0];
        if (c->listeners[i].role != ROLE_SMTP)
            continue;
        call->endpoint = c->listeners[i].endpoint;
        if (memcmp(call->endpoint.octets, any, sizeof any) == 0)
            memcpy(call->endpoint.octets, loopback[call->endpoint.family == NET_IPV6], sizeof any);
        snprintf(call->name, sizeof call->name, "%.*s", TEXT_ARGS(c->hostname));
        h->count = 1;
        h->state = GIVING;
        return;
    }
    fail(h, false, "4.3.5", "%s is a domain of ours now, but no smtp service is configured",
         h->route.host);
}

static void begin(struct hosts *h)
{
    h->dns = office_dns(h->office);
    switch (h->route.kind) {
    case ROUTE_MX:
        h->state = ASKING_MX;
        begin_question(h, ASK_MX, DNS_MX, h->route.host);
        if (!is_asking(h))
            take_mx(h);
        return;
    case ROUTE_HOST:
    case ROUTE_LITERAL:
        begin_fixed(h);
        return;
    case ROUTE_LOCAL:
        begin_local(h);
        return;
    case ROUTE_TROUBLE:
        fail(h, false, "4.3.0", "memory is short");
        return;
    }
}

enum hosts_verdict hosts_next(struct hosts *h, struct hosts_call *out)
{
    if (h->state == BEGIN)
        begin(h);
    else if (h->state == GIVING && h->given == h->count)
        next_host(h);
    if (h->state == GIVING && h->given < h->count) {
        *out = h->calls[h->given++];
        h->gave_any = true;
        return HOSTS_CALL;
    }
    if (h->state == ASKING_MX || h->state == ASKING || h->state == ASKING_DANE)
        return HOSTS_WAIT;
    return h->gave_any ? HOSTS_END : HOSTS_NONE;
}
