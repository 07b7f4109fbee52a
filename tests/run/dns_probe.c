/* dns_probe - asks through run/dns.h and prints what comes, for tests/e2e/dns.py.
 *
 *   dns_probe auto|off|require ANCHORS|- [RESOLVER...] < lines
 *
 * Each line of the input is "NAME TYPE", asked at once beside all others; "cancel NAME TYPE" is
 * asked and cancelled; "wait" lets the lines before it be answered first.  A line of the output for
 * each answer, as it comes:
 *
 *   NAME TYPE VERDICT secure|insecure|bogus TTL CANONICAL|- [RECORD; ...] WORDS
 *
 * and at the end "validates yes|no".
 */
#include "base/check.h"
#include "run/dns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 2000, RESOLVERS_MAX = 8 };

struct line {
    struct dns_query query;
    char name[400];
    char type[16];
    bool cancelled;
};

struct probe {
    struct dns *dns;
    struct loop *loop;
    size_t waiting;
};

static struct probe probe;

static const struct {
    const char *name;
    enum dns_type type;
} types[] = {
    { "A", DNS_A },       { "PTR", DNS_PTR }, { "MX", DNS_MX },     { "TXT", DNS_TXT },
    { "AAAA", DNS_AAAA }, { "SRV", DNS_SRV }, { "TLSA", DNS_TLSA },
};

static void print_data(struct bytes data)
{
    for (size_t i = 0; i < data.len; i++)
        printf("%02x", data.at[i]);
}

static void print_record(enum dns_type type, const struct dns_record *r)
{
    char address[ENDPOINT_TEXT_MAX];
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        endpoint_print_address(&r->address, address);
        printf("%s", address);
        break;
    case DNS_MX:
        printf("%u %s", r->preference, r->name);
        break;
    case DNS_SRV:
        printf("%u %u %u %s", r->preference, r->weight, r->port, r->name);
        break;
    case DNS_CNAME:
    case DNS_PTR:
        printf("%s", r->name);
        break;
    case DNS_TXT:
    case DNS_TLSA:
        print_data(r->data);
        break;
    }
}

static void print_answer(const struct line *line)
{
    static const char *const verdicts[] = { "found", "no-data", "no-name", "trouble" };
    const struct dns_query *q = &line->query;
    printf("%s %s %s %s %" PRIu32 " %s [", line->name, line->type, verdicts[q->verdict],
           q->bogus    ? "bogus"
           : q->secure ? "secure"
                       : "insecure",
           q->ttl_s, q->canonical[0] ? q->canonical : "-");
    for (size_t i = 0; i < q->record_count; i++) {
        if (i > 0)
            printf("; ");
        print_record(q->type, &q->records[i]);
    }
    printf("] %s\n", q->words);
}

static void answered(void)
{
    if (--probe.waiting == 0)
        loop_stop(probe.loop);
}

static void on_done(struct dns_query *q)
{
    struct line *line = OWNER_OF(q, struct line, query);
    CHECK(!line->cancelled);
    print_answer(line);
    dns_query_clear(q);
    answered();
}

static bool find_type(const char *name, enum dns_type *out)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0) {
            *out = types[i].type;
            return true;
        }
    return false;
}

static void ask(struct line *line)
{
    struct dns_query *q = &line->query;
    CHECK(find_type(line->type, &q->type));
    q->name = line->name;
    q->home = probe.loop;
    q->done = on_done;
    if (!dns_ask(probe.dns, q)) {
        printf("%s %s refused %s\n", line->name, line->type, q->words);
        return;
    }
    if (line->cancelled)
        dns_cancel(probe.dns, q);
    else
        probe.waiting++;
}

static void wait_for_all(void)
{
    if (probe.waiting > 0)
        loop_run(probe.loop);
}

static void ask_all(struct line *lines)
{
    char text[512];
    for (size_t count = 0; count < LINES_MAX && fgets(text, sizeof text, stdin);) {
        struct line *line = &lines[count];
        if (strcmp(text, "wait\n") == 0) {
            wait_for_all();
        } else if (sscanf(text, "cancel %399s %15s", line->name, line->type) == 2) {
            line->cancelled = true;
            ask(line);
            count++;
        } else if (sscanf(text, "%399s %15s", line->name, line->type) == 2) {
            ask(line);
            count++;
        }
    }
    wait_for_all();
}

static bool read_options(int count, char **words, struct dns_options *options,
                         struct endpoint *resolvers)
{
    static const char *const securities[] = { "auto", "off", "require" };
    if (count < 3)
        return false;
    size_t security = 0;
    while (security < 3 && strcmp(words[1], securities[security]) != 0)
        security++;
    *options = (struct dns_options){ .resolvers = resolvers,
                                     .security = (enum dns_security)security,
                                     .anchors = strcmp(words[2], "-") == 0 ? NULL : words[2] };
    for (int i = 3; i < count && i - 3 < RESOLVERS_MAX; i++)
        if (!endpoint_parse(text_of(words[i]), &resolvers[options->resolver_count++]))
            return false;
    return security < 3;
}

int main(int count, char **words)
{
    struct endpoint resolvers[RESOLVERS_MAX];
    struct dns_options options;
    struct error e;
    if (!read_options(count, words, &options, resolvers)) {
        fprintf(stderr, "usage: dns_probe auto|off|require ANCHORS|- [RESOLVER...]\n");
        return 2;
    }
    struct line *lines = calloc(LINES_MAX, sizeof *lines);
    if (!lines || !loop_new(&probe.loop, &e) || !dns_new(&options, &probe.dns, &e)) {
        fprintf(stderr, "dns_probe: %s\n", e.words);
        return 1;
    }
    ask_all(lines);
    printf("validates %s\n", dns_validates(probe.dns) ? "yes" : "no");
    dns_free(&probe.dns);
    loop_free(&probe.loop);
    free(lines);
    return 0;
}
