/* test_steer_short.c - each allocation that steering makes on its loop fails once: it says so, what
 * was changed before stays changed and is counted, and a second try does the rest.
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

#include "tests/store/store_world.h"

#include "../short_countdown.h"
#include "queue/steer.h"

#include <stdlib.h>

enum { ROUNDS_MAX = 500, ROWS = 6 };

/* --- A queue --- */

static void queue_mail(struct world *w)
{
    struct delivery d;
    struct queue_row rows[ROWS];
    assert_true(delivery_begin(w, &d, 1, 100, 0));
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = (struct queue_row){ .message = d.commit.message,
                                      .number = i,
                                      .generation = 1,
                                      .due_ms = 1,
                                      .address = T("someone@b.test"),
                                      .domain = T("b.test") };
    d.commit.rows = rows;
    d.commit.row_count = ROWS;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
}

static bool count_held(void *owner, const struct queue_item *item)
{
    unsigned *held = owner;
    *held += item->row.held;
    return true;
}

static unsigned held(struct world *w)
{
    unsigned count = 0;
    assert_true(store_each_queued(w->path, count_held, &count, &w->error));
    return count;
}

/* --- Steering --- */

struct steering {
    struct steer steer;
    struct selection selection;
    struct world *world;
};

static void done(struct steer *s)
{
    struct world *w = OWNER_OF(s, struct steering, steer)->world;
    if (--w->waiting == 0)
        loop_stop(w->loop);
}

/* One try, whose allocation number `failing` fails.  False: it was not even begun. */
static bool try_once(struct world *w, enum steer_op op, int failing, struct steer *out)
{
    struct steering s = { .world = w };
    selection_init(&s.selection);
    assert_true(selection_add(&s.selection, T("domain:b.test"), &w->error));
    s.steer = (struct steer){ .store = w->store,
                              .op = op,
                              .selection = &s.selection,
                              .now_ms = 1,
                              .home = w->loop,
                              .done = done };
    fail_after(failing);
    bool begun = steer_start(&s.steer, &w->error);
    if (begun) {
        w->waiting++;
        world_wait(w);
    }
    end_failing();
    *out = s.steer;
    selection_clear(&s.selection);
    return begun;
}

/* Returns how many recipients it counts as changed. */
static uint64_t changed(const struct steer *s, bool begun)
{
    if (!begun || !s->ok) {
        assert_true(has_failed);
        assert_true(!begun || s->error.kind == ERROR_TEMPORARY);
    }
    return begun ? s->count.changed : 0;
}

static void test_each_allocation(void **state)
{
    struct world *w = *state;
    struct steer s;
    queue_mail(w);
    for (int n = 0;; n++) {
        assert_true(n < ROUNDS_MAX);
        unsigned before = held(w);
        uint64_t count = changed(&s, try_once(w, STEER_HOLD, n, &s));
        bool failed = has_failed;
        assert_int_equal(held(w), before + count);
        if (!failed)
            assert_int_equal(held(w), ROWS);
        assert_true(try_once(w, STEER_RELEASE, -1, &s));
        assert_true(s.ok);
        assert_int_equal(held(w), 0);
        if (!failed)
            break;
    }
    world_is_whole(w);
}

/* Words that people type, one after the other. */
static void test_selection(void **state)
{
    static const char *const words[] = { "domain:b.test", "from:<>", "to:someone@b.test" };
    struct world *w = *state;
    for (int n = 0;; n++) {
        struct selection selection;
        size_t added = 0;
        assert_true(n < ROUNDS_MAX);
        selection_init(&selection);
        fail_after(n);
        while (added < 3 && selection_add(&selection, text_of(words[added]), &w->error))
            added++;
        assert_int_equal(added == 3, !end_failing());
        assert_int_equal(selection.count, added);
        assert_true(added == 3 || w->error.kind == ERROR_TEMPORARY);
        selection_clear(&selection);
        if (added == 3)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_allocation, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_selection, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
