/* test_outcome.c - what an attempt means for a recipient: states, times and what is told, in
 * tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/outcome.h"

#include "mail/notify.h"

#include <string.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, MIDDLE = SCHEDULE_SPREAD / 2, NO = -1 };

static const int64_t day_ms = INT64_C(24) * HOUR;
static const uint64_t steps[] = { MINUTE, 5 * MINUTE };

/* Arrived at 0, warned about at 4 h, given up after a day. */
static struct outcome_attempt attempt(const struct queue_item *item, int64_t now_ms)
{
    return (struct outcome_attempt){
        .item = item,
        .schedule = { steps, 2, 4 * HOUR, (uint64_t)day_ms },
        .now_ms = now_ms,
        .tried_ms = now_ms,
        .spread = MIDDLE,
    };
}

enum ended { TAKEN, TAKEN_NO_DSN, REFUSED, LATER };

static struct outcome outcome_of(enum ended ended)
{
    static const struct outcome outcomes[] = {
        [TAKEN] = { .delivered = true, .status = TEXT("2.0.0"), .reply = TEXT("250 ok") },
        [TAKEN_NO_DSN] = { .delivered = true,
                           .relayed_without_dsn = true,
                           .status = TEXT("2.0.0"),
                           .reply = TEXT("250 ok") },
        [REFUSED] = { .permanent = true,
                      .status = TEXT("5.1.1"),
                      .reply = TEXT("550 5.1.1 nobody") },
        [LATER] = { .status = TEXT("4.2.0"), .reply = TEXT("450 4.2.0 later") },
    };
    struct outcome o = outcomes[ended];
    o.host = T("mx.b.test[192.0.2.1]");
    o.host_name = T("mx.b.test");
    o.reply_to = T("RCPT TO");
    return o;
}

struct row_case {
    const char *what;
    enum ended ended;
    int64_t now_ms;
    const char *sender;
    unsigned notify;
    uint32_t attempts; /* before */
    bool warned;

    enum queue_state state;
    int64_t due_ms;
    int action; /* told, or NO */
    const char *name;
};

#define ALICE "alice@a.test"

static const struct row_case cases[] = {
    { "taken", TAKEN, 0, ALICE, 0, 0, false, QUEUE_DELIVERED, 0, NO, "sent" },
    { "taken, NOTIFY=SUCCESS: the next host tells", TAKEN, 0, ALICE, NOTIFY_SUCCESS, 0, false,
      QUEUE_DELIVERED, 0, NO, "sent" },
    { "taken by a host without DSN", TAKEN_NO_DSN, 0, ALICE, NOTIFY_SUCCESS, 0, false,
      QUEUE_DELIVERED, 0, DSN_RELAYED, "sent" },
    { "the same, nobody asked", TAKEN_NO_DSN, 0, ALICE, 0, 0, false, QUEUE_DELIVERED, 0, NO,
      "sent" },
    { "the same, NOTIFY=FAILURE", TAKEN_NO_DSN, 0, ALICE, NOTIFY_FAILURE, 0, false, QUEUE_DELIVERED,
      0, NO, "sent" },
    { "refused", REFUSED, 0, ALICE, 0, 0, false, QUEUE_BOUNCED, 0, DSN_FAILED, "bounced" },
    { "refused, NOTIFY=NEVER", REFUSED, 0, ALICE, NOTIFY_NEVER, 0, false, QUEUE_BOUNCED, 0, NO,
      "bounced" },
    { "refused, NOTIFY=SUCCESS", REFUSED, 0, ALICE, NOTIFY_SUCCESS, 0, false, QUEUE_BOUNCED, 0, NO,
      "bounced" },
    { "refused past the time", REFUSED, 2 * day_ms, ALICE, 0, 9, true, QUEUE_BOUNCED, 0, DSN_FAILED,
      "bounced" },
    { "first attempt", LATER, 1000, ALICE, 0, 0, false, QUEUE_WAITING, 1000 + MINUTE, NO,
      "deferred" },
    { "second attempt", LATER, 2 * MINUTE, ALICE, 0, 1, false, QUEUE_WAITING, 7 * MINUTE, NO,
      "deferred" },
    { "the last step again", LATER, HOUR, ALICE, 0, 7, false, QUEUE_WAITING, HOUR + 5 * MINUTE, NO,
      "deferred" },
    { "the next is at the warning", LATER, 4 * HOUR - 1000, ALICE, 0, 7, false, QUEUE_WAITING,
      4 * HOUR, NO, "deferred" },
    { "the warning", LATER, 4 * HOUR, ALICE, 0, 7, false, QUEUE_WAITING, 4 * HOUR + 5 * MINUTE,
      DSN_DELAYED, "deferred" },
    { "warned before", LATER, 4 * HOUR, ALICE, 0, 7, true, QUEUE_WAITING, 4 * HOUR + 5 * MINUTE, NO,
      "deferred" },
    { "nobody to warn", LATER, 4 * HOUR, "", 0, 7, false, QUEUE_WAITING, 4 * HOUR + 5 * MINUTE, NO,
      "deferred" },
    { "no wish for warnings", LATER, 4 * HOUR, ALICE, NOTIFY_FAILURE, 7, false, QUEUE_WAITING,
      4 * HOUR + 5 * MINUTE, NO, "deferred" },
    { "the next is at the end", LATER, day_ms - 1000, ALICE, 0, 7, true, QUEUE_WAITING, day_ms, NO,
      "deferred" },
    { "the end", LATER, day_ms, ALICE, 0, 7, true, QUEUE_EXPIRED, NO, DSN_FAILED, "expired" },
    { "the end, never warned", LATER, day_ms, ALICE, 0, 0, false, QUEUE_EXPIRED, NO, DSN_FAILED,
      "expired" },
    { "the end, NOTIFY=NEVER", LATER, day_ms, ALICE, NOTIFY_NEVER, 7, true, QUEUE_EXPIRED, NO, NO,
      "expired" },
};

/* settle_is_wanted() knows of NOTIFY only; that nobody is told of a null sender's mail is told.h's.
 */
static void check_row(const struct row_case *c)
{
    struct arena memory;
    struct settled s;
    struct queue_item item = { .sender = text_of(c->sender) };
    struct queue_row row = { .message = 5,
                             .number = 2,
                             .generation = 4,
                             .attempts = c->attempts,
                             .warned = c->warned,
                             .notify = c->notify,
                             .address = T("x@b.test"),
                             .orcpt = T("rfc822;y@b.test") };
    struct outcome_attempt a = attempt(&item, c->now_ms);
    struct outcome o = outcome_of(c->ended);
    arena_init(&memory, 1 << 20);
    outcome_settle(&a, &row, &o, &memory, &s);
    if (s.row.state != c->state || s.tell != (c->action != NO) ||
        strcmp(outcome_name(&s), c->name) != 0)
        fail_msg("%s: %s, told %d", c->what, outcome_name(&s), s.tell);
    assert_int_equal(s.row.generation, 0);
    assert_true(s.has_row);
    if (c->action != NO)
        assert_int_equal(s.told.action, c->action);
    if (c->state == QUEUE_WAITING && s.row.due_ms != c->due_ms)
        fail_msg("%s: due %lld", c->what, (long long)s.row.due_ms);
    if (c->state == QUEUE_WAITING)
        assert_int_equal(s.row.attempts, c->attempts + 1);
    assert_int_equal(s.row.warned, c->warned || c->action == DSN_DELAYED);
    arena_reset(&memory);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_row(&cases[i]);
}

static void assert_text(struct text t, const char *words)
{
    assert_int_equal(t.len, strlen(words));
    assert_memory_equal(t.at, words, t.len);
}

static void test_words(void **state)
{
    struct arena memory;
    struct settled s;
    struct queue_item item = { .sender = T(ALICE) };
    struct queue_row row = { .address = T("x@b.test"), .orcpt = T("rfc822;y@b.test") };
    struct outcome_attempt a = attempt(&item, day_ms);
    struct outcome o = outcome_of(REFUSED);
    (void)state;
    arena_init(&memory, 1 << 20);
    outcome_settle(&a, &row, &o, &memory, &s);
    assert_text(s.row.last, "mx.b.test[192.0.2.1] said: 550 5.1.1 nobody (in reply to RCPT TO)");
    assert_text(s.told.final_recipient, "x@b.test");
    assert_text(s.told.original_recipient, "rfc822;y@b.test");
    assert_text(s.told.status, "5.1.1");
    assert_text(s.told.remote_mta, "mx.b.test");
    assert_text(s.told.diagnostic, "550 5.1.1 nobody");
    assert_text(s.told.reason, "");
    assert_int_equal(s.told.last_attempt_ms, day_ms);
    o = (struct outcome){ .status = T("4.4.1"), .reason = T("cannot connect") };
    outcome_settle(&a, &row, &o, &memory, &s);
    assert_text(s.row.last, "cannot connect");
    assert_text(s.told.status, "4.4.7"); /* its time is over, whatever the last reason */
    assert_text(s.told.diagnostic, "");
    assert_text(s.told.reason, "cannot connect");
    arena_reset(&memory);
}

/* A peer may say much, and there may be no memory at all: the state counts. */
static void test_bounds(void **state)
{
    static char much[8000];
    struct arena memory;
    struct settled s;
    struct queue_item item = { .sender = T(ALICE) };
    struct queue_row row = { .address = T("x@b.test"), .last = T("before") };
    struct outcome_attempt a = attempt(&item, 0);
    struct outcome o = outcome_of(REFUSED);
    (void)state;
    memset(much, 'x', sizeof much);
    o.reply = (struct text){ much, sizeof much };
    arena_init(&memory, 1 << 20);
    outcome_settle(&a, &row, &o, &memory, &s);
    assert_int_equal(s.row.last.len, OUTCOME_LAST_MAX);
    assert_int_equal(s.told.diagnostic.len, DSN_DIAGNOSTIC_MAX);
    arena_reset(&memory);
    arena_init(&memory, 0);
    outcome_settle(&a, &row, &o, &memory, &s);
    assert_int_equal(s.row.state, QUEUE_BOUNCED);
    assert_true(s.tell);
    assert_text(s.row.last, "");
    assert_text(s.row.address, "x@b.test");
    arena_reset(&memory);
}

struct behind_case {
    const char *what;
    int64_t probed_ms, now_ms;
    const char *sender;
    bool warned;
    bool written;
    enum queue_state state;
    bool tell;
};

static const struct behind_case behind[] = {
    { "too early", HOUR, HOUR, ALICE, false, false, QUEUE_WAITING, false },
    { "to be warned about", 4 * HOUR, 4 * HOUR, ALICE, false, true, QUEUE_WAITING, true },
    { "warned about", 4 * HOUR, 4 * HOUR, ALICE, true, false, QUEUE_WAITING, false },
    { "nobody to warn", 4 * HOUR, 4 * HOUR, "", false, false, QUEUE_WAITING, false },
    { "over, but no probe since", day_ms - 1, day_ms, ALICE, true, false, QUEUE_WAITING, false },
    { "over", day_ms, day_ms, ALICE, true, true, QUEUE_EXPIRED, true },
};

static void test_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        const struct behind_case *c = &behind[i];
        struct arena memory;
        struct settled s = { 0 };
        struct queue_item item = { .sender = text_of(c->sender) };
        struct queue_row row = {
            .address = T("x@b.test"), .attempts = 3, .due_ms = 77, .warned = c->warned
        };
        struct outcome_attempt a = attempt(&item, c->now_ms);
        struct outcome o = outcome_of(LATER);
        a.tried_ms = c->probed_ms;
        arena_init(&memory, 1 << 20);
        bool written = outcome_behind(&a, &row, &o, &memory, &s);
        if (written != c->written || s.tell != c->tell)
            fail_msg("%s: written %d, told %d", c->what, written, s.tell);
        if (written) {
            assert_int_equal(s.row.state, c->state);
            assert_int_equal(s.row.attempts, 3); /* it had none of its own */
            assert_int_equal(s.row.due_ms, 77);
            assert_int_equal(s.told.last_attempt_ms, c->probed_ms);
        }
        arena_reset(&memory);
    }
}

static void test_of_result(void **state)
{
    struct smtp_client_result said = {
        .code = 450, .status = "4.2.0", .where = AT_MAIL, .reply = T("450 4.2.0 no")
    };
    struct smtp_client_result silent = { .status = "4.4.2", .where = AT_RCPT, .reply = T("cut") };
    (void)state;
    struct outcome o = outcome_of_result(&said);
    assert_text(o.reply, "450 4.2.0 no");
    assert_text(o.reply_to, "MAIL FROM");
    assert_text(o.reason, "");
    o = outcome_of_result(&silent);
    assert_text(o.reply, "");
    assert_text(o.reason, "cut");
    assert_text(o.status, "4.4.2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_words),
        cmocka_unit_test(test_bounds),    cmocka_unit_test(test_behind),
        cmocka_unit_test(test_of_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
