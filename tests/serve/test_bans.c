/* test_bans.c - what peers have done within an hour, bans, logins; and who is one peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/bans.h"

#include <stdio.h>
#include <string.h>

#define NOW    1800000000000LL
#define MINUTE 60000LL
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct endpoint peer(const char *words)
{
    struct endpoint e;
    assert_true(endpoint_parse_address(text_of(words), &e));
    return e;
}

static int set_up(void **state)
{
    return bans_new(42, (struct bans **)state, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
    bans_free((struct bans **)state);
    return 0;
}

static struct bans_limits limits_at(int64_t now_ms)
{
    return (struct bans_limits){
        .most = { [OFFENCE_ERROR] = 10, [OFFENCE_LOGIN] = 5, [OFFENCE_UNKNOWN] = 0 },
        .network = 3,
        .now_ms = now_ms,
    };
}

static enum bans_verdict count(struct bans *b, const char *who, enum offence offence, uint32_t n,
                               int64_t now_ms)
{
    struct endpoint e = peer(who);
    struct ban over;
    struct bans_limits limits = limits_at(now_ms);
    return bans_count(b, &e, (struct deed){ offence, n }, &limits, &over);
}

static enum bans_verdict meet(struct bans *b, const char *who, int64_t now_ms)
{
    struct endpoint e = peer(who);
    struct ban over;
    struct bans_limits limits = limits_at(now_ms);
    return bans_meet(b, &e, &limits, &over);
}

static bool put(struct bans *b, const char *who, int64_t until_ms, int64_t now_ms)
{
    struct endpoint e = peer(who);
    struct ban ban = { .since_ms = now_ms, .until_ms = until_ms, .rule = "logins", .count = 6 };
    return bans_put(b, &e, &ban, now_ms);
}

static void log_in(struct bans *b, const char *who, int64_t now_ms, bool news)
{
    struct endpoint e = peer(who);
    bool told;
    bans_logged_in(b, &e, now_ms, &told);
    assert_int_equal(told, news);
}

/* --- Who is one peer --- */

static void test_peers(void **state)
{
    static const struct {
        const char *address, *peer, *network;
    } rows[] = {
        { "192.0.2.1", "192.0.2.1", "192.0.2.0/24" },
        { "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.0/24" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48" },
        { "2001:db8::1", "2001:db8::/64", "2001:db8::/48" },
    };
    static const char *const bad[] = { "", "x", "192.0.2.0/24", "2001:db8::/48", "192.0.2.1:25" };
    char words[PEER_TEXT_MAX];
    struct endpoint again;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct endpoint e = peer(rows[i].address);
        struct peer_key key = peer_key(&e), network = peer_network(&e);
        assert_string_equal(peer_print(&network, words).at, rows[i].network);
        struct text name = peer_print(&key, words);
        assert_string_equal(name.at, rows[i].peer);
        assert_true(peer_parse(name, &again)); /* a name leads back to its peer */
        struct peer_key back = peer_key(&again);
        assert_true(peer_equal(&key, &back));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(peer_parse(text_of(bad[i]), &again));
}

/* --- Counts --- */

static void test_over_the_limit(void **state)
{
    struct bans *b = *state;
    assert_int_equal(meet(b, "192.0.2.1", NOW), BANS_WELCOME);
    assert_int_equal(count(b, "192.0.2.1", OFFENCE_LOGIN, 5, NOW), BANS_WELCOME);
    assert_int_equal(count(b, "192.0.2.1", OFFENCE_ERROR, 10, NOW), BANS_WELCOME);
    assert_int_equal(count(b, "192.0.2.1", OFFENCE_LOGIN, 1, NOW + 1), BANS_PEER_OVER);
    assert_int_equal(meet(b, "192.0.2.1", NOW + 2), BANS_PEER_OVER);
    assert_int_equal(meet(b, "192.0.2.2", NOW + 2), BANS_WELCOME);
    assert_int_equal(meet(b, "192.0.2.1", NOW + HOUR), BANS_WELCOME); /* another hour */
    assert_int_equal(count(b, "192.0.2.9", OFFENCE_UNKNOWN, UINT32_MAX, NOW), BANS_WELCOME);
    struct endpoint e = peer("192.0.2.1");
    assert_int_equal(bans_mistakes(b, &e, NOW + 2), 10 + 6 * BANS_LOGIN_WEIGHT);
    assert_int_equal(bans_mistakes(b, &e, NOW + HOUR), 0);
    assert_int_equal(meet(b, "192.0.2.1", NOW - HOUR), BANS_WELCOME); /* the clock was set back */
}

static void test_rule_of_the_limit(void **state)
{
    struct bans *b = *state;
    struct endpoint e = peer("192.0.2.1");
    struct ban over;
    struct bans_limits limits = limits_at(NOW);
    bans_count(b, &e, (struct deed){ OFFENCE_LOGIN, 6 }, &limits, &over);
    assert_string_equal(over.rule, "hourly_logins");
    assert_int_equal(over.count, 6);
    assert_int_equal(over.until_ms, NOW + HOUR);
}

/* Neighbours who share the work: each stays below the limit. */
static void test_network(void **state)
{
    struct bans *b = *state;
    char who[32];
    for (int i = 1; i <= 3; i++) {
        snprintf(who, sizeof who, "192.0.2.%d", i);
        assert_int_equal(count(b, who, OFFENCE_LOGIN, 5, NOW), BANS_WELCOME);
    }
    assert_int_equal(count(b, "192.0.2.4", OFFENCE_LOGIN, 1, NOW), BANS_NETWORK_OVER);
    assert_int_equal(meet(b, "192.0.2.200", NOW), BANS_NETWORK_OVER);
    assert_int_equal(meet(b, "192.0.3.1", NOW), BANS_WELCOME);
    assert_int_equal(count(b, "2001:db8:1:1::1", OFFENCE_LOGIN, 6, NOW), BANS_PEER_OVER);
    assert_int_equal(meet(b, "2001:db8:1:1::2", NOW), BANS_PEER_OVER); /* the same /64 */
    assert_int_equal(meet(b, "2001:db8:1:2::1", NOW), BANS_WELCOME);
}

/* Many others do not make the table forget who counts, and it does not grow. */
static void test_many_peers(void **state)
{
    struct bans *b = *state;
    char who[40];
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(who, sizeof who, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        count(b, who, OFFENCE_ERROR, 1, NOW + i);
    }
    assert_int_equal(count(b, "192.0.2.1", OFFENCE_LOGIN, 6, NOW + 200000), BANS_PEER_OVER);
    assert_int_equal(meet(b, "192.0.2.1", NOW + 200001), BANS_PEER_OVER);
}

/* --- Bans --- */

static void test_ban(void **state)
{
    struct bans *b = *state;
    struct endpoint e = peer("192.0.2.1");
    struct ban ban;
    assert_true(put(b, "192.0.2.1", NOW + HOUR, NOW));
    struct bans_limits limits = limits_at(NOW);
    assert_int_equal(bans_meet(b, &e, &limits, &ban), BANS_BANNED);
    assert_string_equal(ban.rule, "logins");
    assert_int_equal(meet(b, "192.0.2.2", NOW), BANS_WELCOME);
    assert_int_equal(meet(b, "192.0.2.1", NOW + HOUR - 1), BANS_BANNED);
    assert_int_equal(meet(b, "192.0.2.1", NOW + HOUR), BANS_WELCOME); /* ended by itself */
    assert_false(put(b, "192.0.2.1", NOW + MINUTE, NOW)); /* no shorter one in its place */
    assert_true(put(b, "192.0.2.1", NOW + DAY, NOW));
    assert_int_equal(meet(b, "192.0.2.1", NOW + 2 * HOUR), BANS_BANNED);
    assert_false(put(b, "192.0.2.3", NOW - 1, NOW)); /* over already */
}

static void test_lift(void **state)
{
    struct bans *b = *state;
    struct endpoint e = peer("192.0.2.1");
    assert_false(bans_lift(b, &e, NOW));
    count(b, "192.0.2.1", OFFENCE_LOGIN, 6, NOW);
    put(b, "192.0.2.1", NOW + DAY, NOW);
    assert_true(bans_lift(b, &e, NOW + 1));
    assert_int_equal(meet(b, "192.0.2.1", NOW + 1), BANS_WELCOME); /* what it did is forgotten */
}

/* User pain 11: the server bans its own admin. */
static void test_login(void **state)
{
    struct bans *b = *state;
    struct endpoint e = peer("192.0.2.1");
    put(b, "192.0.2.1", NOW + DAY, NOW);
    log_in(b, "192.0.2.1", NOW, true); /* ends a ban */
    assert_int_equal(meet(b, "192.0.2.1", NOW), BANS_WELCOME);
    assert_int_equal(count(b, "192.0.2.1", OFFENCE_LOGIN, 1000, NOW), BANS_WELCOME);
    assert_false(put(b, "192.0.2.1", NOW + DAY, NOW + DAY - 1));
    log_in(b, "192.0.2.1", NOW + HOUR - 1, false); /* is not worth writing down each time */
    log_in(b, "192.0.2.1", NOW + HOUR, true);
    assert_true(bans_has_login(b, &e, NOW + DAY + HOUR - 1));
    assert_false(bans_has_login(b, &e, NOW + DAY + HOUR));
    assert_true(put(b, "192.0.2.1", NOW + 9 * DAY, NOW + DAY + HOUR));
}

static void test_report(void **state)
{
    struct bans *b = *state;
    struct endpoint e = peer("192.0.2.1");
    struct bans_report r;
    bans_report(b, &e, NOW, &r);
    assert_false(r.banned || r.logged_in || r.hour_ms);
    count(b, "192.0.2.1", OFFENCE_UNKNOWN, 3, NOW);
    put(b, "192.0.2.1", NOW + HOUR, NOW);
    bans_report(b, &e, NOW, &r);
    assert_true(r.banned);
    assert_int_equal(r.counts[OFFENCE_UNKNOWN], 3);
    assert_int_equal(r.hour_ms, NOW);
}

static void test_on_disk(void **state)
{
    static const char *const bad[] = { "",
                                       "1",
                                       "1 2",
                                       "x 2 rule",
                                       "1 x rule",
                                       "-1 2 rule",
                                       "1 2 a-rule-with-a-name-too-long-to-be-one" };
    char words[64];
    struct ban ban = { .since_ms = NOW, .rule = "hourly_unknown", .count = 501 }, again;
    (void)state;
    assert_true(ban_parse(ban_print(&ban, words, sizeof words), &again));
    assert_memory_equal(&ban, &again, sizeof ban);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ban_parse(text_of(bad[i]), &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peers),
        cmocka_unit_test_setup_teardown(test_over_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_of_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_network, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_peers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ban, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lift, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_login, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_report, set_up, tear_down),
        cmocka_unit_test(test_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
