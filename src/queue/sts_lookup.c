/* sts_lookup.c - which MTA-STS policy counts for a domain now.
 *
 *   step      what is under way                                        left for
 *   READING   the cache is asked                                       RECORD
 *   RECORD    DNS is asked whether there is a policy, and which        SIX, OVER
 *   SIX, FOUR ... for the addresses of its web server                  FETCHING, OVER
 *   FETCHING  the web server is asked, on a lane                       AGAIN, OVER
 *   AGAIN     it failed: the cache is asked whether another lookup     OVER
 *             of the domain has had more luck meanwhile
 *   OVER      nothing: the policy, or that there is none, holds
 *
 * A policy that was fetched counts until its time is over, whatever DNS says meanwhile (RFC 8461
 * 5.1): who can falsify DNS could otherwise make it go away.  When half its time is over, or DNS
 * tells of another one, it is fetched anew, and counts on if that fails.  A web server that failed
 * is left alone for five minutes (RFC 8461 3.3).
 *
 * What the lanes work on outlives a lookup that is freed.
 */
#include "queue/sts_lookup.h"

#include "run/fetch.h"
#include "run/lane.h"
#include "store/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_S = 300, CONNECT_MS = 10 * 1000, WHOLE_MS = 30 * 1000 };

enum step { READING, RECORD, SIX, FOUR, FETCHING, AGAIN, OVER };

/* A question to the cache. */
struct reading {
    struct sts_lookup *asker; /* NULL: freed meanwhile */
    const struct office *office;
    unsigned loop;
    struct cache_op op;
    char domain[DNS_NAME_MAX];
};

/* A question to a web server. */
struct fetching {
    struct sts_lookup *asker; /* likewise */
    const struct office *office;
    unsigned loop;
    struct job job;
    struct fetch fetch;
    struct endpoint addresses[FETCH_ADDRESSES_MAX];
    char host[DNS_NAME_MAX + 16];
    char *authorities; /* or NULL */
    struct buffer text;
    bool ok;
    struct error error;
};

struct sts_lookup {
    const struct office *office;
    unsigned loop;
    struct text session;
    void (*ready)(void *owner);
    void *owner;
    char domain[DNS_NAME_MAX];

    enum step step;
    bool beginning; /* in sts_lookup_new() */
    char name[DNS_NAME_MAX + 16];
    struct dns *dns; /* of the query that is open, or NULL */
    struct dns_query query;
    struct reading *reading;
    struct fetching *fetching;
    char told[STS_ID_MAX + 1]; /* the id that DNS tells of, or "" */
    char why[ERROR_WORDS_MAX]; /* AGAIN: the failure */

    /* What counts. */
    bool has_policy;
    struct sts_policy policy; /* into `text` */
    struct buffer text;
    char id[STS_ID_MAX + 1];
    int64_t expires_ms, failed_s;
};

static struct loop *loop_of(const struct sts_lookup *l)
{
    return l->office->loops[l->loop];
}

static const struct config *config_of(const struct sts_lookup *l)
{
    return l->office->config(l->office->server, l->loop);
}

static void over(struct sts_lookup *l)
{
    l->step = OVER;
    if (!l->beginning)
        l->ready(l->owner);
}

/* --- What counts --- */

/* Makes this text the policy; NULL, or why it is none and nothing has changed. */
static const char *use_policy(struct sts_lookup *l, struct text words, struct text id)
{
    struct sts_policy policy;
    const char *why = sts_read_policy(words, &policy);
    if (why)
        return why;
    buffer_clear(&l->text);
    l->has_policy =
        buffer_text(&l->text, words) && !sts_read_policy(buffer_as_text(&l->text), &l->policy);
    snprintf(l->id, sizeof l->id, "%.*s", TEXT_ARGS(id));
    return l->has_policy ? NULL : "memory is short";
}

static void keep_entry(const struct sts_lookup *l, int64_t now_ms)
{
    struct buffer value;
    struct sts_entry entry = { l->failed_s, text_of(l->id),
                               l->has_policy ? buffer_as_text(&l->text) : T("") };
    if (!l->office->cache)
        return;
    buffer_init(&value, CACHE_VALUE_MAX);
    if (sts_entry_write(&entry, &value))
        cache_note(l->office->cache,
                   &(struct cache_entry){ CACHE_POLICY, text_of(l->domain), buffer_as_text(&value),
                                          l->expires_ms },
                   now_ms);
    buffer_clear(&value);
}

static void keep_fetched(struct sts_lookup *l)
{
    int64_t now_ms = clock_wall_ms();
    l->failed_s = 0;
    l->expires_ms = now_ms + (int64_t)l->policy.age_s * 1000;
    keep_entry(l, now_ms);
    LOG_EVENT(l->office->log, LOG_INFO, l->session, "policy", { "domain", text_of(l->domain) },
              { "mode", text_of(sts_mode_name(l->policy.mode)) }, { "policy", text_of(l->id) });
}

/* It is said once in five minutes. */
static void keep_failure(struct sts_lookup *l, struct text why)
{
    int64_t now_ms = clock_wall_ms();
    l->failed_s = now_ms / 1000;
    if (!l->has_policy)
        l->expires_ms = now_ms + AGAIN_S * 1000;
    keep_entry(l, now_ms);
    LOG_EVENT(l->office->log, LOG_NOTICE, l->session, "no-policy", { "domain", text_of(l->domain) },
              { "why", why }, { "instead", l->has_policy ? T("the one before") : T("none") });
}

static bool read_cache(struct sts_lookup *);

static void failed(struct sts_lookup *l)
{
    keep_failure(l, text_of(l->why));
    over(l);
}

/* A policy that somebody else has fetched since the cache was read must neither be overlooked nor
 * written over. */
static void give_up(struct sts_lookup *l, const char *why)
{
    l->step = AGAIN;
    snprintf(l->why, sizeof l->why, "%s", why);
    if (l->has_policy || !read_cache(l))
        failed(l);
}

/* --- The web server --- */

static void fetching_free(struct fetching *f)
{
    f->office->release(f->office->server, f->loop);
    buffer_clear(&f->text);
    free(f->authorities);
    free(f);
}

static void run_fetch(struct job *job)
{
    struct fetching *f = OWNER_OF(job, struct fetching, job);
    f->ok = fetch_text(&f->fetch, &f->text, &f->error);
}

static void fetched(struct job *job)
{
    struct fetching *f = OWNER_OF(job, struct fetching, job);
    struct sts_lookup *l = f->asker;
    if (l) {
        const char *why =
            f->ok ? use_policy(l, buffer_as_text(&f->text), text_of(l->told)) : f->error.words;
        l->fetching = NULL;
        if (why) {
            give_up(l, why);
        } else {
            keep_fetched(l);
            over(l);
        }
    }
    fetching_free(f);
}

static struct fetching *fetching_new(struct sts_lookup *l)
{
    const struct config *c = config_of(l);
    struct fetching *f = calloc(1, sizeof *f);
    char *authorities = c->relay_ca.len ? strndup(c->relay_ca.at, c->relay_ca.len) : NULL;
    if (!f || (c->relay_ca.len && !authorities)) {
        free(authorities);
        free(f);
        return NULL;
    }
    f->asker = l;
    f->office = l->office;
    f->loop = l->loop;
    f->authorities = authorities;
    f->job = (struct job){ .run = run_fetch, .done = fetched, .home = loop_of(l) };
    snprintf(f->host, sizeof f->host, "mta-sts.%s", l->domain);
    buffer_init(&f->text, STS_POLICY_MAX);
    f->fetch = (struct fetch){
        .host = text_of(f->host),
        .port = c->relay_mta_sts_port,
        .path = "/.well-known/mta-sts.txt",
        .addresses = f->addresses,
        .authorities = f->authorities,
        .connect_ms = CONNECT_MS,
        .whole_ms = WHOLE_MS,
        .stop = &l->office->fetches_stop,
    };
    l->office->hold(l->office->server, l->loop);
    return f;
}

static void fetch(struct sts_lookup *l)
{
    bool has_address = l->fetching->fetch.address_count > 0;
    l->step = FETCHING;
    if (has_address && lane_submit(l->office->fetchers, &l->fetching->job))
        return;
    fetching_free(l->fetching);
    l->fetching = NULL;
    if (has_address)
        over(l); /* too much is under way: as if there were none, for now */
    else
        give_up(l, "its web server has no address");
}

/* --- DNS --- */

static void answered(struct dns_query *);

static void ask(struct sts_lookup *l, enum step step, enum dns_type type)
{
    l->step = step;
    l->query =
        (struct dns_query){ .name = l->name, .type = type, .home = loop_of(l), .done = answered };
    l->dns = office_dns(l->office);
    if (dns_ask(l->dns, &l->query))
        return;
    l->query.verdict = DNS_TROUBLE;
    answered(&l->query);
}

static void ask_addresses(struct sts_lookup *l)
{
    l->fetching = fetching_new(l);
    if (!l->fetching) {
        over(l);
        return;
    }
    snprintf(l->name, sizeof l->name, "mta-sts.%s", l->domain);
    ask(l, SIX, DNS_AAAA);
}

static void take_addresses(struct sts_lookup *l)
{
    struct fetching *f = l->fetching;
    for (size_t i = 0; i < l->query.record_count && i < FETCH_ADDRESSES_MAX / 2; i++)
        f->addresses[f->fetch.address_count++] = l->query.records[i].address;
}

static void take_record(struct sts_lookup *l)
{
    struct text records[DNS_RECORDS_MAX], id;
    for (size_t i = 0; i < l->query.record_count; i++)
        records[i] = text_of_bytes(l->query.records[i].data);
    if (sts_choose_record(records, l->query.record_count, &id))
        snprintf(l->told, sizeof l->told, "%.*s", TEXT_ARGS(id));
}

static bool wants_fetch(const struct sts_lookup *l)
{
    int64_t now_ms = clock_wall_ms(), since_s = now_ms / 1000 - l->failed_s;
    if (!l->told[0] || !l->office->fetchers || (since_s >= 0 && since_s < AGAIN_S))
        return false;
    return !l->has_policy || strcmp(l->told, l->id) != 0 ||
           l->expires_ms - now_ms < (int64_t)l->policy.age_s * 1000 / 2;
}

static void answered(struct dns_query *query)
{
    struct sts_lookup *l = OWNER_OF(query, struct sts_lookup, query);
    enum step step = l->step;
    l->dns = NULL;
    if (step == RECORD)
        take_record(l);
    else
        take_addresses(l);
    dns_query_clear(&l->query);
    if (step == SIX)
        ask(l, FOUR, DNS_A);
    else if (step == FOUR)
        fetch(l);
    else if (wants_fetch(l))
        ask_addresses(l);
    else
        over(l);
}

static void ask_record(struct sts_lookup *l)
{
    snprintf(l->name, sizeof l->name, "_mta-sts.%s", l->domain);
    ask(l, RECORD, DNS_TXT);
}

/* --- The cache --- */

static void take_entry(struct sts_lookup *l, const struct cache_entry *kept)
{
    struct sts_entry entry;
    if (!sts_entry_read(kept->value, &entry))
        return;
    l->failed_s = entry.failed_s;
    l->expires_ms = kept->expires_ms;
    if (entry.policy.len)
        (void)use_policy(l, entry.policy, entry.id); /* a damaged one is none */
}

static void was_read(struct cache_op *op)
{
    struct reading *reading = OWNER_OF(op, struct reading, op);
    struct sts_lookup *l = reading->asker;
    if (l && op->ok && op->found)
        take_entry(l, &op->entry);
    if (l)
        l->reading = NULL;
    cache_op_clear(op);
    reading->office->release(reading->office->server, reading->loop);
    free(reading);
    if (l && l->step == READING)
        ask_record(l);
    else if (l)
        failed(l);
}

/* False: nobody is asked. */
static bool read_cache(struct sts_lookup *l)
{
    const struct office *office = l->office;
    struct reading *r = office->cache ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return false;
    *r = (struct reading){ .asker = l, .office = office, .loop = l->loop };
    memcpy(r->domain, l->domain, sizeof r->domain);
    r->op = (struct cache_op){ .what = CACHE_FIND,
                               .entry = { .kind = CACHE_POLICY, .key = text_of(r->domain) },
                               .now_ms = clock_wall_ms(),
                               .home = loop_of(l),
                               .done = was_read };
    if (!cache_ask(office->cache, &r->op)) {
        free(r);
        return false;
    }
    office->hold(office->server, l->loop);
    l->reading = r;
    return true;
}

/* --- Beginning and end --- */

struct sts_lookup *sts_lookup_new(const struct sts_lookup_options *o)
{
    struct sts_lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->office = o->office;
    l->loop = o->loop;
    l->session = o->session;
    l->ready = o->ready;
    l->owner = o->owner;
    snprintf(l->domain, sizeof l->domain, "%s", o->domain);
    buffer_init(&l->text, STS_POLICY_MAX);
    l->beginning = true;
    if (!read_cache(l))
        ask_record(l);
    l->beginning = false;
    return l;
}

void sts_lookup_free(struct sts_lookup **lookup)
{
    struct sts_lookup *l = *lookup;
    *lookup = NULL;
    if (!l)
        return;
    if (l->dns)
        dns_cancel(l->dns, &l->query);
    dns_query_clear(&l->query);
    if (l->reading)
        l->reading->asker = NULL;
    if (l->fetching && l->step == FETCHING)
        l->fetching->asker = NULL;
    else if (l->fetching)
        fetching_free(l->fetching);
    buffer_clear(&l->text);
    free(l);
}

bool sts_lookup_is_over(const struct sts_lookup *l)
{
    return l->step == OVER;
}

const struct sts_policy *sts_lookup_policy(const struct sts_lookup *l)
{
    return l->has_policy ? &l->policy : NULL;
}
