/* test_sts_lookup.c - which MTA-STS policy counts for a domain, as time goes by.  Resolver, cache,
 * web server, clock and memory are the test's; loop and lane are real.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "fake_dns.h"

#include "queue/sts_lookup.h"
#include "run/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 4096, BEGIN_S = 1763740000 };

/* The one world of a test; what is wrapped has no other way to it. */
static struct world {
    struct loop *loop;
    struct config *config;
    struct log *log;
    struct office office;
    struct dns dns;
    const char *zone[8];
    char record[100];

    /* The clock, and what the cache holds. */
    int64_t now_s;
    bool cache_is_full, is_kept;
    char kept[VALUE_MAX];
    size_t kept_len;
    int64_t kept_until_ms;
    struct cache_op *cache_op;
    struct post cache_post;

    /* The web server: what it says, NULL for an error. */
    const char *web;
    const char *rival; /* what somebody else has noted in the cache meanwhile, or NULL */
    _Atomic unsigned fetches;
    size_t addresses;

    int holds;
    unsigned readies;
} w;

/* --- What is wrapped --- */

int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void)
{
    return w.now_s * 1000;
}

/* The allocation that fails; 0: none. */
static _Atomic unsigned failing, allocations;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_calloc(size_t count, size_t size)
{
    return ++allocations == failing ? NULL : __real_calloc(count, size);
}

static void answer_from_cache(struct post *post)
{
    struct cache_op *op = w.cache_op;
    (void)post;
    op->ok = true;
    op->found = w.is_kept && w.kept_until_ms > op->now_ms;
    op->entry.value = (struct text){ w.kept, w.kept_len };
    op->entry.expires_ms = w.kept_until_ms;
    op->done(op);
}

bool __wrap_cache_ask(struct cache_lane *, struct cache_op *);
bool __wrap_cache_ask(struct cache_lane *lane, struct cache_op *op)
{
    (void)lane;
    assert_int_equal(op->what, CACHE_FIND);
    assert_int_equal(op->entry.kind, CACHE_POLICY);
    assert_true(text_equal(op->entry.key, T("b.test")));
    if (w.cache_is_full)
        return false;
    w.cache_op = op;
    w.cache_post.run = answer_from_cache;
    loop_post(w.loop, &w.cache_post);
    return true;
}

void __wrap_cache_note(struct cache_lane *, const struct cache_entry *, int64_t);
void __wrap_cache_note(struct cache_lane *lane, const struct cache_entry *entry, int64_t now_ms)
{
    (void)lane;
    assert_true(entry->value.len <= sizeof w.kept);
    assert_true(now_ms == w.now_s * 1000);
    memcpy(w.kept, entry->value.at, entry->value.len);
    w.kept_len = entry->value.len;
    w.kept_until_ms = entry->expires_ms;
    w.is_kept = true;
}

static void keep(const char *entry, int64_t until_ms)
{
    w.is_kept = true;
    w.kept_until_ms = until_ms;
    w.kept_len = strlen(entry);
    memcpy(w.kept, entry, w.kept_len);
}

bool __wrap_fetch_text(const struct fetch *, struct buffer *, struct error *);
bool __wrap_fetch_text(const struct fetch *f, struct buffer *out, struct error *error)
{
    w.fetches++;
    w.addresses = f->address_count;
    if (w.rival)
        keep(w.rival, INT64_MAX);
    if (!text_equal(f->host, T("mta-sts.b.test")) || f->port != 443 ||
        strcmp(f->path, "/.well-known/mta-sts.txt") != 0)
        return error_set(error, ERROR_TEMPORARY, "who is asked for what?");
    return w.web ? buffer_text(out, text_of(w.web))
                 : error_set(error, ERROR_TEMPORARY, "no answer");
}

/* --- A world --- */

static const struct config *config_of(void *server, unsigned index)
{
    (void)server;
    (void)index;
    return w.config;
}

static void hold(void *server, unsigned index)
{
    (void)server;
    (void)index;
    w.holds++;
}

static void release(void *server, unsigned index)
{
    (void)server;
    (void)index;
    w.holds--;
}

static void set_record(const char *id)
{
    snprintf(w.record, sizeof w.record, "_mta-sts.b.test TXT v=STSv1;id=%s;", id);
    w.zone[0] = id[0] ? w.record : "other.test A 192.0.2.1";
}

static int set_up(void **state)
{
    struct config_notices notices = { 0 };
    struct error error;
    (void)state;
    memset(&w, 0, sizeof w);
    failing = 0;
    w.now_s = BEGIN_S;
    w.dns.zone = w.zone;
    w.zone[1] = "mta-sts.b.test A 192.0.2.2";
    w.zone[2] = "mta-sts.b.test AAAA 2001:db8::2";
    set_record("1");
    assert_true(loop_new(&w.loop, &error));
    assert_true(config_read("test.conf", T("hostname = mx.a.test\ndomain a.test {}\n"), &notices,
                            &w.config, &error));
    assert_true(log_new(&(struct log_options){ .file = "/dev/null", .rings = 1 }, &w.log, &error));
    assert_true(lane_new("fetchers", 1, 4, &w.office.fetchers, &error));
    w.office.log = w.log;
    w.office.loops[0] = w.loop;
    w.office.loop_count = 1;
    w.office.cache = (struct cache_lane *)&w; /* only ever handed on */
    w.office.config = config_of;
    w.office.hold = hold;
    w.office.release = release;
    atomic_store(&w.office.dns, &w.dns);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (w.office.fetchers)
        lane_free(&w.office.fetchers);
    loop_free(&w.loop);
    log_free(&w.log);
    config_free(&w.config);
    assert_int_equal(w.holds, 0);
    assert_int_equal(w.dns.open, 0);
    return 0;
}

static void ready(void *owner)
{
    (void)owner;
    w.readies++;
    loop_stop(w.loop);
}

static struct sts_lookup *begin(void)
{
    struct sts_lookup_options options = {
        .office = &w.office, .domain = "b.test", .session = T("s"), .ready = ready
    };
    return sts_lookup_new(&options);
}

/* The policy that counts now, in a word. */
static const char *look_up(void)
{
    struct sts_lookup *l = begin();
    unsigned before = w.readies;
    assert_non_null(l);
    if (!sts_lookup_is_over(l)) {
        loop_run(w.loop);
        before++;
    }
    assert_true(sts_lookup_is_over(l));
    assert_int_equal(w.readies, before);
    const struct sts_policy *policy = sts_lookup_policy(l);
    const char *mode = policy ? sts_mode_name(policy->mode) : "";
    sts_lookup_free(&l);
    assert_int_equal(w.holds, 0);
    return mode;
}

#define POLICY(mode) "version: STSv1\nmode: " mode "\nmx: mx.b.test\nmax_age: 1000\n"
static const char enforce[] = POLICY("enforce"), testing[] = POLICY("testing");
static const char none[] = "version: STSv1\nmode: none\nmax_age: 1000\n";
static const char rubbish[] = "<html>";

/* --- As time goes by --- */

struct moment {
    int64_t at_s;
    const char *id; /* that DNS tells of */
    const char *web;
    bool is_asked; /* the web server */
    const char *counts;
};

static void live(const struct moment *moments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct moment *m = &moments[i];
        unsigned before = w.fetches;
        w.now_s = BEGIN_S + m->at_s;
        w.web = m->web;
        set_record(m->id);
        const char *counts = look_up();
        if (strcmp(counts, m->counts) != 0 || w.fetches - before != m->is_asked)
            fail_msg("moment %zu: \"%s\", asked %u times", i, counts, w.fetches - before);
    }
}

static void test_the_life_of_a_policy(void **state)
{
    (void)state;
    static const struct moment moments[] = {
        { 0, "", enforce, false, "" },
        { 1, "1", enforce, true, "enforce" },
        { 400, "1", testing, false, "enforce" },
        /* The record is gone: who can take it away could otherwise take the policy away. */
        { 450, "", NULL, false, "enforce" },
        /* Half its time is over. */
        { 502, "1", NULL, true, "enforce" },
        { 700, "1", testing, false, "enforce" }, /* five minutes are not over */
        { 803, "1", testing, true, "testing" },
        { 804, "2", none, true, "none" },
        { 805, "2", enforce, false, "none" },
        /* Its time is over. */
        { 1805, "", enforce, false, "" },
        { 1806, "2", enforce, true, "enforce" },
    };
    live(moments, sizeof moments / sizeof *moments);
    assert_int_equal(w.addresses, 2);
}

static void test_a_policy_that_cannot_be_had(void **state)
{
    (void)state;
    static const struct moment moments[] = {
        { 0, "1", NULL, true, "" },
        { 1, "1", enforce, false, "" },
        { 299, "2", enforce, false, "" },
        { 300, "1", rubbish, true, "" },
        { 599, "1", enforce, false, "" },
        { 600, "1", enforce, true, "enforce" },
        { 601, "2", rubbish, true, "enforce" }, /* what is no policy replaces none */
        { 602, "2", enforce, false, "enforce" },
    };
    live(moments, sizeof moments / sizeof *moments);
}

/* The clock was set back: what failed in the future says nothing. */
static void test_a_clock_that_was_set_back(void **state)
{
    (void)state;
    static const struct moment moments[] = {
        { 1000, "1", NULL, true, "" },
        { 0, "1", enforce, true, "enforce" },
    };
    live(moments, sizeof moments / sizeof *moments);
}

/* Two look at the same time, and only the other one is lucky. */
static void test_a_failure_takes_no_policy_away(void **state)
{
    (void)state;
    w.rival = "0 1\n" POLICY("enforce");
    assert_string_equal(look_up(), "enforce");
    assert_int_equal(w.fetches, 1);
    w.rival = NULL;
    assert_string_equal(look_up(), "enforce");
    assert_int_equal(w.fetches, 1);
}

/* --- What can be missing --- */

static void test_without_a_cache(void **state)
{
    (void)state;
    w.web = enforce;
    w.cache_is_full = true;
    assert_string_equal(look_up(), "enforce");
    w.office.cache = NULL;
    assert_string_equal(look_up(), "enforce");
    assert_int_equal(w.fetches, 2);
}

static void test_a_damaged_entry_is_none(void **state)
{
    (void)state;
    static const char *const entries[] = { "", "x", "0 1\nversion: STSv1\nmode: what\n" };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        keep(entries[i], INT64_MAX);
        w.web = enforce;
        assert_string_equal(look_up(), "enforce");
        assert_int_equal(w.fetches, i + 1);
    }
}

static void test_without_answers_of_dns(void **state)
{
    (void)state;
    w.web = enforce;
    w.office.cache = NULL;
    w.dns.refusals = 1;
    assert_string_equal(look_up(), ""); /* over at once: nobody is told */
    assert_int_equal(w.readies, 0);
    w.zone[1] = "mta-sts.b.test TROUBLE";
    w.zone[2] = "mta-sts.b.test TROUBLE";
    assert_string_equal(look_up(), "");
    w.zone[0] = "_mta-sts.b.test TROUBLE";
    assert_string_equal(look_up(), "");
    assert_int_equal(w.fetches, 0);
}

static void test_without_a_lane(void **state)
{
    (void)state;
    lane_free(&w.office.fetchers);
    assert_string_equal(look_up(), "");
}

static void test_without_memory(void **state)
{
    (void)state;
    w.web = enforce;
    unsigned count;
    allocations = 0;
    assert_string_equal(look_up(), "enforce");
    count = allocations;
    assert_true(count > 4);
    for (unsigned n = 1; n <= count; n++) {
        struct sts_lookup *l;
        w.is_kept = false;
        allocations = 0;
        failing = n;
        l = begin();
        if (l && !sts_lookup_is_over(l))
            loop_run(w.loop);
        failing = 0;
        assert_true(!l || sts_lookup_is_over(l));
        assert_true(l || n == 1);
        sts_lookup_free(&l);
        assert_int_equal(w.holds, 0);
    }
}

/* --- Freed while something is under way --- */

struct turn {
    struct post post;
    bool is_over;
};

static void end_of_turn(struct post *post)
{
    OWNER_OF(post, struct turn, post)->is_over = true;
    loop_stop(w.loop);
}

static void turn_once(void)
{
    struct turn turn = { .post.run = end_of_turn };
    loop_post(w.loop, &turn.post);
    while (!turn.is_over)
        loop_run(w.loop);
}

static void test_freed_at_any_moment(void **state)
{
    (void)state;
    w.web = enforce;
    for (unsigned turns = 0; turns < 6; turns++) {
        struct sts_lookup *l = begin();
        w.is_kept = false;
        for (unsigned i = 0; i < turns; i++)
            if (!sts_lookup_is_over(l))
                turn_once();
        unsigned readies = w.readies;
        sts_lookup_free(&l);
        assert_null(l);
        while (w.holds > 0) /* what the lanes work on comes back to nobody */
            turn_once();
        assert_int_equal(w.readies, readies);
    }
}

int main(void)
{
#define LIVES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LIVES(test_the_life_of_a_policy),
        LIVES(test_a_policy_that_cannot_be_had),
        LIVES(test_a_clock_that_was_set_back),
        LIVES(test_a_failure_takes_no_policy_away),
        LIVES(test_without_a_cache),
        LIVES(test_a_damaged_entry_is_none),
        LIVES(test_without_answers_of_dns),
        LIVES(test_without_a_lane),
        LIVES(test_without_memory),
        LIVES(test_freed_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
