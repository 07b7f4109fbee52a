/* fake_dns.c - a resolver that knows what the test tells it.
 *
 * Answers come in a later turn of the asker's loop, as from the real one.
 */
#include "fake_dns.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TLSA_OCTETS = 3 + 32 };

struct question {
    struct post post;
    struct dns *dns;
    struct dns_query *asker; /* NULL: cancelled */
    char name[DNS_NAME_MAX];
};

static const char *type_name(enum dns_type type)
{
    static const struct {
        enum dns_type type;
        const char *name;
    } names[] = { { DNS_MX, "MX" },     { DNS_A, "A" },         { DNS_AAAA, "AAAA" },
                  { DNS_TLSA, "TLSA" }, { DNS_CNAME, "CNAME" }, { DNS_TXT, "TXT" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].name;
    return "?";
}

/* Its numbers, and a digest of 32 octets that are all the same. */
static void add_tlsa(struct dns_record *r, uint8_t *room, struct text words)
{
    memset(room, 0xab, TLSA_OCTETS);
    for (size_t i = 0; i < 3; i++) {
        struct text word = T("0");
        uint64_t number = 0;
        text_word(&words, &word);
        CHECK(text_to_u64(word, &number));
        room[i] = (uint8_t)number;
    }
    r->data = (struct bytes){ room, TLSA_OCTETS };
}

static void add_record(struct dns_query *q, struct text words)
{
    struct text preference = T("0");
    uint64_t number = 0;
    struct dns_record *r = &q->records[q->record_count++];
    q->verdict = DNS_FOUND;
    if (q->type == DNS_TLSA) {
        uint8_t *room = (uint8_t *)&q->records[DNS_RECORDS_MAX];
        add_tlsa(r, room + (q->record_count - 1) * TLSA_OCTETS, words);
        return;
    }
    if (q->type == DNS_TXT) {
        r->data = (struct bytes){ (const uint8_t *)words.at, words.len };
        return;
    }
    if (q->type == DNS_CNAME) {
        snprintf(r->name, sizeof r->name, "%.*s", TEXT_ARGS(words));
        return;
    }
    if (q->type != DNS_MX) {
        CHECK(endpoint_parse_address(words, &r->address));
        return;
    }
    text_cut(&words, ' ', &preference);
    CHECK(text_to_u64(preference, &number));
    r->preference = (uint16_t)number;
    snprintf(r->name, sizeof r->name, "%.*s", TEXT_ARGS(words));
}

static void take_line(struct dns_query *q, const char *asked, struct text line)
{
    struct text name, type;
    CHECK(text_cut(&line, ' ', &name));
    if (!text_equal_nocase(name, text_of(asked)))
        return;
    if (q->verdict == DNS_NO_NAME)
        q->verdict = DNS_NO_DATA;
    text_cut(&line, ' ', &type);
    if (text_equal(type, T("TROUBLE")) &&
        (line.len == 0 || text_equal(line, text_of(type_name(q->type)))))
        q->verdict = DNS_TROUBLE;
    else if (text_equal(type, T("INSECURE")))
        q->secure = false;
    else if (text_equal(type, T("CNAME")) && q->type != DNS_CNAME)
        snprintf(q->canonical, sizeof q->canonical, "%.*s", TEXT_ARGS(line));
    else if (text_equal(type, text_of(type_name(q->type))) && q->record_count < DNS_RECORDS_MAX)
        add_record(q, line);
}

static void take_zone(struct question *question, const char *name)
{
    struct dns_query *q = question->asker;
    for (const char *const *line = question->dns->zone; q->records && *line; line++)
        take_line(q, name, text_of(*line));
}

static void answer(struct question *question)
{
    struct dns_query *q = question->asker;
    q->verdict = DNS_NO_NAME;
    q->record_count = 0;
    q->records = calloc(DNS_RECORDS_MAX, sizeof *q->records + TLSA_OCTETS);
    q->secure = question->dns->secure;
    take_zone(question, question->name);
    if (q->canonical[0] && q->verdict != DNS_FOUND)
        take_zone(question, q->canonical);
    if (!q->records || q->verdict == DNS_TROUBLE) {
        q->verdict = DNS_TROUBLE;
        q->record_count = 0;
        snprintf(q->words, sizeof q->words, "no server answers");
    }
}

static void run(struct post *post)
{
    struct question *question = OWNER_OF(post, struct question, post);
    struct dns_query *asker = question->asker;
    question->dns->open--;
    if (asker) {
        answer(question);
        asker->inner = NULL;
    }
    free(question);
    if (asker)
        asker->done(asker);
}

bool dns_ask(struct dns *dns, struct dns_query *q)
{
    struct question *question = dns->refusals == 0 ? calloc(1, sizeof *question) : NULL;
    q->verdict = DNS_TROUBLE;
    q->secure = false;
    q->canonical[0] = 0;
    q->records = NULL;
    q->record_count = 0;
    if (!question) {
        dns->refusals -= dns->refusals > 0;
        snprintf(q->words, sizeof q->words, "too many questions");
        return false;
    }
    dns->asked++;
    dns->open++;
    question->dns = dns;
    question->asker = q;
    question->post.run = run;
    snprintf(question->name, sizeof question->name, "%s", q->name);
    q->inner = question;
    if (!dns->holds)
        loop_post(q->home, &question->post);
    return true;
}

void dns_cancel(struct dns *dns, struct dns_query *q)
{
    struct question *question = q->inner;
    q->inner = NULL;
    if (!question)
        return;
    question->asker = NULL;
    if (dns->holds) {
        dns->open--;
        free(question);
    }
}

void dns_query_clear(struct dns_query *q)
{
    free(q->records);
    q->records = NULL;
    q->record_count = 0;
}

bool dns_validates(const struct dns *dns)
{
    return dns->secure;
}
