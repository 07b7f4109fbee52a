/* test_settle_short.c - each allocation that a settlement makes on its loop fails once: the rows
 * and the report come together or not at all, and a recipient who was served stays served.
 *
 * Linked with --wrap for the calls that take memory.  What the store's own threads take is
 * tests/store/test_short.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "settle_world.h"

#include "../short_countdown.h"
#include "mail/notify.h"

#include <string.h>

enum { ROUNDS_MAX = 500 };

/* What there is of one message afterwards. */
struct rest {
    message_id message;
    unsigned reports; /* rows of reports */
    bool failed_waits, served_waits;
};

static bool add_to_rest(void *owner, const struct queue_item *item)
{
    struct rest *rest = owner;
    rest->reports += item->sender.len == 0;
    rest->failed_waits |= item->row.message == rest->message && item->row.number == 0;
    rest->served_waits |= item->row.message == rest->message && item->row.number == 1;
    return true;
}

static struct rest look(struct branch *b)
{
    struct rest rest = { .message = b->item.row.message };
    assert_true(store_each_queued(b->store->path, add_to_rest, &rest, &b->store->error));
    rest.reports += branch_count(b, ALICE);
    return rest;
}

static void mail(struct branch *b, struct text content)
{
    static const char *const to[] = { "bob@b.test", "served@b.test", NULL };
    assert_true(branch_mail(b, "alice@a.test", content, to));
    b->item.envelope.ret = T("FULL");
    b->item.envelope.envid = T("Q+2B");
    b->recipients[1].row.state = QUEUE_DELIVERED;
    b->recipients[1].row.notify = NOTIFY_SUCCESS;
    b->recipients[1].told.action = DSN_RELAYED;
    b->recipients[0].row.state = QUEUE_EXPIRED;
}

static void each_allocation(struct branch *b, struct text content)
{
    unsigned reports = look(b).reports;
    for (int n = 0;; n++) {
        assert_true(n < ROUNDS_MAX);
        mail(b, content);
        fail_after(n);
        bool begun = branch_settle(b);
        bool failed = end_failing();
        struct rest rest = look(b);
        bool told = begun && b->verdict == STORE_STORED && b->error.kind == ERROR_NONE;
        assert_int_equal(rest.reports, reports + told);
        assert_int_equal(rest.failed_waits, !told);
        assert_int_equal(rest.served_waits, !begun || b->verdict != STORE_STORED);
        reports = rest.reports;
        if (!failed) {
            assert_true(told);
            break;
        }
    }
    world_is_whole(b->store);
}

static void make_letter(struct buffer *letter, size_t octets)
{
    buffer_init(letter, octets + 200);
    buffer_text(letter, T("Subject: tea\r\nMessage-ID: <17@a.test>\r\n\r\n"));
    while (letter->len < octets)
        buffer_printf(letter, "%062d\r\n", 7);
}

static void test_sender_here(void **state)
{
    static const struct office_mailbox alice = { ALICE, TEXT("Alice@a.test"),
                                                 TEXT("alice@a.test") };
    struct branch *b = *state;
    struct buffer letter;
    b->answer = (struct office_answer){ OFFICE_FOUND, &alice, 1, NULL, 0 };
    make_letter(&letter, 300000);
    each_allocation(b, buffer_as_text(&letter));
    buffer_clear(&letter);
}

static void test_sender_elsewhere(void **state)
{
    struct branch *b = *state;
    struct buffer letter;
    b->answer = (struct office_answer){ .verdict = OFFICE_FOREIGN };
    make_letter(&letter, 100);
    each_allocation(b, buffer_as_text(&letter));
    buffer_clear(&letter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sender_here, branch_set_up, branch_tear_down),
        cmocka_unit_test_setup_teardown(test_sender_elsewhere, branch_set_up, branch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
