/* check_dns.c - the DNS records that each domain needs, beside those that are found.
 *
 * All questions are asked at once and answered, or given up, within ASK_MS; what one answer leads
 * to (the addresses of MX hosts, the names of our addresses) is asked as it comes.  Trouble with
 * DNS is a warning, never an error: a server starts without it.
 */
#include "cli/check.h"
#include "cli/check_records.h"
#include "run/dns.h"
#include "run/interfaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 4000,     /* of the 5 s that the command may take for DNS */
    SECURITY_MS = 500, /* for the answer whether answers are validated */
    QUESTIONS_MAX = 400,
    DOMAINS_MAX = 100,
    MX_MAX = 8, /* of a domain; looked at closely */
    OWN_MAX = 8,
    INTERFACES_MAX = 64,
    WORDS_MAX = 600,
};

struct question {
    struct dns_query query;
    struct dns_check *in;
    bool answered;
    char name[DNS_NAME_MAX];
};

struct dns_check {
    struct check *check;
    const struct config *config;
    struct loop *loop;
    struct dns *dns;
    struct timer deadline;
    unsigned open;
    struct question *questions[QUESTIONS_MAX];
    size_t count;
    struct endpoint own[OWN_MAX]; /* addresses of our host name */
    size_t own_count;
};

/* --- Asking --- */

static void answered(struct dns_query *);

static struct question *find(const struct dns_check *d, const char *name, enum dns_type type)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->questions[i]->query.type == type && strcmp(d->questions[i]->name, name) == 0)
            return d->questions[i];
    return NULL;
}

/* Once for each name and type.  What cannot be asked stays without an answer. */
static void ask(struct dns_check *d, struct text name, enum dns_type type)
{
    struct question *q = d->count < QUESTIONS_MAX ? calloc(1, sizeof *q) : NULL;
    if (!q)
        return;
    snprintf(q->name, sizeof q->name, "%.*s", TEXT_ARGS(name));
    if (find(d, q->name, type)) {
        free(q);
        return;
    }
    q->in = d;
    q->query =
        (struct dns_query){ .name = q->name, .type = type, .home = d->loop, .done = answered };
    d->questions[d->count++] = q;
    if (dns_ask(d->dns, &q->query))
        d->open++;
}

static bool is_host(const struct dns_check *d, const char *name)
{
    return text_equal(text_of(name), d->config->hostname);
}

static void follow_address(struct dns_check *d, const struct question *q)
{
    char reverse[RECORDS_REVERSE_MAX];
    for (size_t i = 0; is_host(d, q->name) && i < q->query.record_count; i++) {
        if (d->own_count == OWN_MAX)
            return;
        d->own[d->own_count++] = q->query.records[i].address;
        ask(d, text_of(records_reverse(&q->query.records[i].address, reverse)), DNS_PTR);
    }
}

static void follow_mx(struct dns_check *d, const struct question *q)
{
    for (size_t i = 0; i < q->query.record_count && i < MX_MAX; i++) {
        struct text name = text_of(q->query.records[i].name);
        if (name.len == 0) /* RFC 7505: no mail at all */
            continue;
        ask(d, name, DNS_A);
        ask(d, name, DNS_AAAA);
    }
}

static void answered(struct dns_query *query)
{
    struct question *q = OWNER_OF(query, struct question, query);
    struct dns_check *d = q->in;
    q->answered = true;
    d->open--;
    if (query->verdict == DNS_FOUND && query->type == DNS_MX)
        follow_mx(d, q);
    else if (query->verdict == DNS_FOUND && (query->type == DNS_A || query->type == DNS_AAAA))
        follow_address(d, q);
    if (d->open == 0)
        loop_stop(d->loop);
}

static bool is_asked(const struct dns_check *d, struct text name)
{
    return d->config->resolver_count > 0 || !records_is_private(name);
}

static void ask_all(struct dns_check *d)
{
    const struct config *config = d->config;
    if (is_asked(d, config->hostname)) {
        ask(d, config->hostname, DNS_A);
        ask(d, config->hostname, DNS_AAAA);
    }
    for (size_t i = 0; i < config->domain_count && i < DOMAINS_MAX; i++) {
        if (!is_asked(d, config->domains[i].name))
            continue;
        ask(d, config->domains[i].name, DNS_MX);
        ask(d, config->domains[i].name, DNS_TXT);
    }
}

/* --- What was found, in words --- */

static void add_record(struct buffer *words, const struct dns_query *q,
                       const struct dns_record *record)
{
    char address[ENDPOINT_TEXT_MAX];
    if (words->len)
        buffer_printf(words, ", ");
    if (q->type == DNS_MX)
        buffer_printf(words, "MX %u %s.", record->preference, record->name);
    else if (q->type == DNS_PTR)
        buffer_printf(words, "PTR %s.", record->name);
    else if (q->type == DNS_TXT)
        buffer_printf(words, "TXT \"%.*s\"", TEXT_ARGS(text_of_bytes(record->data)));
    else
        buffer_printf(words, "%s %s", q->type == DNS_A ? "A" : "AAAA",
                      (endpoint_print_address(&record->address, address), address));
}

static bool was_found(const struct question *q)
{
    return q && q->answered && q->query.verdict == DNS_FOUND;
}

static bool had_trouble(const struct question *q)
{
    return !q || !q->answered || q->query.verdict == DNS_TROUBLE;
}

/* The records for people, cut to what a line may hold. */
static const char *found_words(const struct question *q, char out[WORDS_MAX])
{
    struct buffer words;
    buffer_init(&words, 64 * 1024);
    if (!q || !q->answered)
        buffer_printf(&words, "no answer within %d ms", ASK_MS);
    else if (q->query.verdict == DNS_TROUBLE)
        buffer_printf(&words, "no answer: %s", q->query.words);
    else if (q->query.verdict != DNS_FOUND)
        buffer_printf(&words, q->query.verdict == DNS_NO_NAME ? "no such name" : "none");
    else
        for (size_t i = 0; i < q->query.record_count && i < MX_MAX; i++)
            add_record(&words, &q->query, &q->query.records[i]);
    snprintf(out, WORDS_MAX, "%.*s", TEXT_ARGS(text_first(buffer_as_text(&words), 200)));
    buffer_clear(&words);
    return out;
}

static void say_found(const struct dns_check *d, const struct question *q)
{
    char words[WORDS_MAX];
    check_say(d->check, CHECK_FINE, "dns", "%s. %s", q->name, found_words(q, words));
}

/* --- Our host and its addresses --- */

static bool is_of_this_machine(const struct endpoint *e)
{
    struct endpoint all[INTERFACES_MAX];
    size_t count = interfaces_list(all, INTERFACES_MAX);
    for (size_t i = 0; i < count; i++)
        if (endpoint_equal_address(&all[i], e))
            return true;
    return endpoint_is_loopback(e);
}

static void report_address(struct dns_check *d, const struct endpoint *e)
{
    char address[ENDPOINT_TEXT_MAX], reverse[RECORDS_REVERSE_MAX], words[WORDS_MAX];
    const struct question *q = find(d, records_reverse(e, reverse), DNS_PTR);
    endpoint_print_address(e, address);
    check_say(d->check, CHECK_FINE, "dns", "%.*s. %s %s%s", TEXT_ARGS(d->config->hostname),
              e->family == NET_IPV4 ? "A" : "AAAA", address,
              is_of_this_machine(e) ? ""
                                    : " (not an address of this machine: right if its packets are "
                                      "handed on)");
    for (size_t i = 0; was_found(q) && i < q->query.record_count; i++)
        if (is_host(d, q->query.records[i].name)) {
            say_found(d, q);
            return;
        }
    if (d->config->smarthost.len == 0)
        check_say(d->check, CHECK_WARN, "dns",
                  "%s. needs PTR %.*s., found: %s (whoever gives out the address sets it; "
                  "many hosts refuse mail without it)",
                  reverse, TEXT_ARGS(d->config->hostname), found_words(q, words));
}

static void report_host(struct dns_check *d)
{
    char words[WORDS_MAX], more[WORDS_MAX];
    const struct config *config = d->config;
    if (!is_asked(d, config->hostname))
        return;
    for (size_t i = 0; i < d->own_count; i++)
        report_address(d, &d->own[i]);
    if (d->own_count > 0)
        return;
    const struct question *four = find(d, config->hostname.at, DNS_A);
    const struct question *six = find(d, config->hostname.at, DNS_AAAA);
    check_say(d->check, CHECK_WARN, "dns",
              "%.*s. needs A or AAAA with the public address of this machine, found: %s; %s",
              TEXT_ARGS(config->hostname), found_words(four, words), found_words(six, more));
}

/* --- Domains --- */

static bool has_our_address(const struct dns_check *d, const struct question *q)
{
    for (size_t i = 0; was_found(q) && i < q->query.record_count; i++)
        for (size_t k = 0; k < d->own_count; k++)
            if (endpoint_equal_address(&q->query.records[i].address, &d->own[k]))
                return true;
    return false;
}

/* An MX host is us by its name, or by its address. */
static bool leads_to_us(const struct dns_check *d, const struct question *mx)
{
    for (size_t i = 0; was_found(mx) && i < mx->query.record_count && i < MX_MAX; i++) {
        const char *name = mx->query.records[i].name;
        if (is_host(d, name) || has_our_address(d, find(d, name, DNS_A)) ||
            has_our_address(d, find(d, name, DNS_AAAA)))
            return true;
    }
    return false;
}

static void report_mx(struct dns_check *d, const struct question *mx, const char *domain)
{
    char words[WORDS_MAX];
    if (leads_to_us(d, mx))
        say_found(d, mx);
    else
        check_say(d->check, CHECK_WARN, "dns", "%s. needs MX 10 %.*s., found: %s", domain,
                  TEXT_ARGS(d->config->hostname), found_words(mx, words));
}

/* A domain has many TXT records; *count_out says how many of them are SPF. */
static struct text spf_of(const struct question *txt, size_t *count_out)
{
    struct text spf = T("");
    *count_out = 0;
    for (size_t i = 0; was_found(txt) && i < txt->query.record_count; i++) {
        struct text data = text_of_bytes(txt->query.records[i].data);
        if (!records_is_spf(data))
            continue;
        spf = data;
        ++*count_out;
    }
    return spf;
}

static void report_spf_found(struct dns_check *d, struct text spf, const struct spf_sender *sender)
{
    spf = text_first(spf, 200);
    switch (d->config->smarthost.len > 0 ? SPF_OPEN : records_spf(spf, sender)) {
    case SPF_COVERS:
        check_say(d->check, CHECK_FINE, "dns", "%.*s. TXT \"%.*s\"", TEXT_ARGS(sender->domain),
                  TEXT_ARGS(spf));
        break;
    case SPF_OPEN:
        check_say(d->check, CHECK_FINE, "dns",
                  "%.*s. TXT \"%.*s\" (whether it lets %s send stands elsewhere)",
                  TEXT_ARGS(sender->domain), TEXT_ARGS(spf),
                  d->config->smarthost.len > 0 ? "the smarthost" : "us");
        break;
    case SPF_MISSES:
        check_say(d->check, CHECK_WARN, "dns",
                  "%.*s. TXT \"%.*s\" does not let us send: it needs mx, or our address",
                  TEXT_ARGS(sender->domain), TEXT_ARGS(spf));
        break;
    }
}

static void report_spf(struct dns_check *d, const struct question *txt,
                       const struct spf_sender *sender)
{
    char words[WORDS_MAX];
    size_t count;
    struct text spf = spf_of(txt, &count);
    if (count == 1)
        report_spf_found(d, spf, sender);
    else if (count > 1) /* RFC 7208 4.5 */
        check_say(d->check, CHECK_WARN, "dns",
                  "%.*s. has %zu SPF records: all of them are void, only one may be",
                  TEXT_ARGS(sender->domain), count);
    else
        check_say(d->check, CHECK_WARN, "dns", "%.*s. needs TXT \"v=spf1 mx -all\", found: %s",
                  TEXT_ARGS(sender->domain),
                  had_trouble(txt) ? found_words(txt, words) : "no SPF record");
}

static void report_domain(struct dns_check *d, const struct config_domain *domain)
{
    const struct question *mx = find(d, domain->name.at, DNS_MX);
    struct spf_sender sender = { .domain = domain->name,
                                 .hostname = d->config->hostname,
                                 .is_mx = leads_to_us(d, mx),
                                 .addresses = d->own,
                                 .address_count = d->own_count };
    report_mx(d, mx, domain->name.at);
    report_spf(d, find(d, domain->name.at, DNS_TXT), &sender);
}

/* Whether DNS has said anything. */
static bool was_reached(const struct dns_check *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (!had_trouble(d->questions[i]))
            return true;
    return false;
}

static void report_security(const struct dns_check *d)
{
    const struct config *config = d->config;
    bool wanted = config->dnssec == DNSSEC_REQUIRE || config->relay_tls == RELAY_TLS_DANE;
    if (dns_validates(d->dns))
        check_say(d->check, CHECK_FINE, "dns", "answers are validated (DNSSEC)");
    else
        check_say(d->check, wanted ? CHECK_WARN : CHECK_FINE, "dns",
                  "answers are not validated (%s): DANE is off",
                  config->dnssec == DNSSEC_OFF ? "dnssec is off"
                                               : "the resolvers do not pass signatures on");
}

static void report(struct dns_check *d)
{
    const struct config *config = d->config;
    size_t private = !is_asked(d, config->hostname);
    report_host(d);
    for (size_t i = 0; i < config->domain_count && i < DOMAINS_MAX; i++)
        if (is_asked(d, config->domains[i].name))
            report_domain(d, &config->domains[i]);
        else
    private++;
    if (config->domain_count > DOMAINS_MAX)
        check_say(d->check, CHECK_WARN, "dns", "only the first %d domains were looked up",
                  DOMAINS_MAX);
    if (private > 0)
        check_say(d->check, CHECK_FINE, "dns",
                  "%zu names that are not for the public DNS (RFC 6761) were not looked up",
                  private);
    if (was_reached(d))
        report_security(d);
}

/* --- The whole --- */

static void too_late(struct timer *timer)
{
    loop_stop(OWNER_OF(timer, struct dns_check, deadline)->loop);
}

static void turn(struct dns_check *d, unsigned ms)
{
    d->deadline.fire = too_late;
    if (loop_timer_start(d->loop, &d->deadline, loop_now_ms(d->loop) + ms))
        loop_run(d->loop);
    loop_timer_stop(d->loop, &d->deadline);
}

static bool open_dns(struct dns_check *d, struct error *e)
{
    static const enum dns_security security[] = {
        [DNSSEC_AUTO] = DNS_SECURITY_AUTO,
        [DNSSEC_OFF] = DNS_SECURITY_OFF,
        [DNSSEC_REQUIRE] = DNS_SECURITY_REQUIRE,
    };
    struct dns_options options = { .resolvers = d->config->resolvers,
                                   .resolver_count = d->config->resolver_count,
                                   .security = security[d->config->dnssec],
                                   .anchors =
                                       d->config->anchors.len ? d->config->anchors.at : NULL };
    return loop_new(&d->loop, e) && dns_new(&options, &d->dns, e);
}

static void close_dns(struct dns_check *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (!d->questions[i]->answered)
            dns_cancel(d->dns, &d->questions[i]->query);
        dns_query_clear(&d->questions[i]->query);
        free(d->questions[i]);
    }
    if (d->dns)
        dns_free(&d->dns);
    if (d->loop)
        loop_free(&d->loop);
}

void check_dns(struct check *c)
{
    struct error e;
    const struct config *config = c->cli->config;
    if (config->file.len == 0) /* for trying things out, on loopback */
        return;
    struct dns_check *d = calloc(1, sizeof *d);
    if (!d) {
        check_say(c, CHECK_WARN, "dns", "memory is short");
        return;
    }
    d->check = c;
    d->config = config;
    if (open_dns(d, &e)) {
        ask_all(d);
        if (d->open > 0)
            turn(d, ASK_MS);
        if (was_reached(d) && config->dnssec != DNSSEC_OFF && !dns_validates(d->dns))
            turn(d, SECURITY_MS);
        report(d);
    } else
        check_say(c, CHECK_WARN, "dns", "%s", e.words);
    close_dns(d);
    free(d);
}
