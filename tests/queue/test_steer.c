/* test_steer.c - retry, hold, release and drop on a store, alone and against somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "tests/store/store_world.h"

#include "queue/steer.h"

#include <stdlib.h>
#include <string.h>

enum { NOW = 5000, LATER = 9000, BY_TWO = 2 };

static struct queue_row new_row(message_id message, uint32_t number, const char *domain)
{
    return (struct queue_row){ .message = message,
                               .number = number,
                               .generation = 1,
                               .due_ms = LATER,
                               .address = T("someone@else"),
                               .domain = text_of(domain) };
}

/* A message with so many recipients, in a.test and b.test by turns. */
static message_id queue_mail(struct world *w, uint32_t count)
{
    struct delivery d;
    struct queue_row *rows = calloc(count, sizeof *rows);
    assert_non_null(rows);
    assert_true(delivery_begin(w, &d, 1, 100, 0));
    for (uint32_t i = 0; i < count; i++)
        rows[i] = new_row(d.commit.message, i, i % BY_TWO ? "b.test" : "a.test");
    message_id id = d.commit.message;
    d.commit.rows = rows;
    d.commit.row_count = count;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    free(rows);
    return id;
}

/* --- Steering --- */

struct steering {
    struct steer steer;
    struct selection selection;
    struct world *world;
    uint64_t told;
};

static void note(struct steer *s, const struct queue_item *item)
{
    (void)item;
    OWNER_OF(s, struct steering, steer)->told++;
}

static void done(struct steer *s)
{
    struct world *w = OWNER_OF(s, struct steering, steer)->world;
    if (--w->waiting == 0)
        loop_stop(w->loop);
}

static struct steer_count steer(struct world *w, enum steer_op op, const char *word)
{
    struct steering s = { .world = w };
    selection_init(&s.selection);
    assert_true(selection_add(&s.selection, text_of(word), &w->error));
    s.steer = (struct steer){ .store = w->store,
                              .op = op,
                              .selection = &s.selection,
                              .now_ms = NOW,
                              .home = w->loop,
                              .done = done,
                              .changed = note };
    w->waiting++;
    assert_true(steer_start(&s.steer, &w->error));
    world_wait(w);
    if (!s.steer.ok)
        fail_msg("%s", s.steer.error.words);
    assert_true(s.told <= s.steer.count.changed);
    selection_clear(&s.selection);
    return s.steer.count;
}

static void counts(struct steer_count count, uint64_t matched, uint64_t changed)
{
    assert_int_equal(count.matched, matched);
    assert_int_equal(count.changed, changed);
    assert_int_equal(count.busy, 0);
}

/* --- Looking --- */

struct seen {
    unsigned waiting, held, due;
};

static bool see(void *owner, const struct queue_item *item)
{
    struct seen *seen = owner;
    seen->waiting++;
    seen->held += item->row.held;
    seen->due += item->row.due_ms <= NOW;
    return true;
}

static void sees(struct world *w, unsigned waiting, unsigned held, unsigned due)
{
    struct seen seen = { 0 };
    assert_true(store_each_queued(w->path, see, &seen, &w->error));
    assert_int_equal(seen.waiting, waiting);
    assert_int_equal(seen.held, held);
    assert_int_equal(seen.due, due);
    world_is_whole(w);
}

/* --- Tests --- */

static void test_ops(void **state)
{
    struct world *w = *state;
    counts(steer(w, STEER_HOLD, "all"), 0, 0);
    message_id id = queue_mail(w, 4);
    char word[MESSAGE_ID_TEXT + 1];
    queue_mail(w, 2);
    counts(steer(w, STEER_HOLD, "domain:a.test"), 3, 3);
    counts(steer(w, STEER_HOLD, "domain:a.test"), 3, 0);
    sees(w, 6, 3, 0);
    counts(steer(w, STEER_RETRY, "all"), 6, 3);
    counts(steer(w, STEER_RETRY, "domain:b.test"), 3, 3);
    sees(w, 6, 3, 3);
    message_id_print(id, word);
    counts(steer(w, STEER_RELEASE, word), 4, 2);
    sees(w, 6, 1, 3);
    counts(steer(w, STEER_DROP, word), 4, 4);
    sees(w, 2, 1, 1);
    counts(steer(w, STEER_DROP, word), 0, 0);
    world_reopen(w);
    sees(w, 2, 1, 1);
    counts(steer(w, STEER_DROP, "all"), 2, 2);
    sees(w, 0, 0, 0);
}

/* More than a page, and pages that do not end where messages do. */
static void test_many(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 3; i++)
        queue_mail(w, 700);
    counts(steer(w, STEER_HOLD, "domain:b.test"), 1050, 1050);
    sees(w, 2100, 1050, 0);
    counts(steer(w, STEER_DROP, "domain:a.test"), 1050, 1050);
    sees(w, 1050, 1050, 0);
    counts(steer(w, STEER_RELEASE, "all"), 1050, 1050);
    counts(steer(w, STEER_DROP, "all"), 1050, 1050);
    sees(w, 0, 0, 0);
}

/* Exactly as many as a page has. */
static void test_whole_page(void **state)
{
    struct world *w = *state;
    queue_mail(w, STORE_CHANGES_MAX);
    counts(steer(w, STEER_RETRY, "all"), STORE_CHANGES_MAX, STORE_CHANGES_MAX);
    sees(w, STORE_CHANGES_MAX, 0, STORE_CHANGES_MAX);
}

static bool goes_on_once(struct steer *s)
{
    return s->count.changed == 0;
}

static void test_broken_off(void **state)
{
    struct world *w = *state;
    struct steering s = { .world = w };
    queue_mail(w, 1200);
    selection_init(&s.selection);
    assert_true(selection_add(&s.selection, T("all"), &w->error));
    s.steer = (struct steer){ .store = w->store,
                              .op = STEER_DROP,
                              .selection = &s.selection,
                              .home = w->loop,
                              .done = done,
                              .goes_on = goes_on_once };
    w->waiting++;
    assert_true(steer_start(&s.steer, &w->error));
    world_wait(w);
    assert_false(s.steer.ok);
    assert_int_equal(s.steer.error.kind, ERROR_TEMPORARY);
    assert_int_equal(s.steer.count.changed, STORE_CHANGES_MAX);
    sees(w, 1200 - STORE_CHANGES_MAX, 0, 0);
    selection_clear(&s.selection);
}

/* --- Against somebody who changes rows all the time --- */

struct rival {
    struct commit commit;
    struct world *world;
    struct queue_row row;
    unsigned units;
    bool stops;
};

static void rival_goes_on(struct commit *commit)
{
    struct rival *r = OWNER_OF(commit, struct rival, commit);
    assert_int_equal(commit->verdict, STORE_STORED);
    r->units++;
    if (r->stops)
        return;
    r->commit = (struct commit){
        .rows = &r->row, .row_count = 1, .home = r->world->loop, .done = rival_goes_on
    };
    store_submit(r->world->store, &r->commit);
}

struct rivalry {
    struct steering steering;
    struct rival rival;
};

static void win(struct steer *s)
{
    struct rivalry *r = OWNER_OF(OWNER_OF(s, struct steering, steer), struct rivalry, steering);
    r->rival.stops = true;
    done(s);
}

/* The rival's row gets a new generation with every batch: the others are changed all the same. */
static void test_rival(void **state)
{
    struct world *w = *state;
    message_id id = queue_mail(w, 300);
    struct rivalry r = { .steering = { .world = w }, .rival = { .world = w } };
    r.rival.row = new_row(id, 77, "b.test");
    r.rival.row.generation = 0;
    r.rival.commit.verdict = STORE_STORED;
    selection_init(&r.steering.selection);
    assert_true(selection_add(&r.steering.selection, T("all"), &w->error));
    struct steer *s = &r.steering.steer;
    *s = (struct steer){ .store = w->store,
                         .op = STEER_HOLD,
                         .selection = &r.steering.selection,
                         .now_ms = NOW,
                         .home = w->loop,
                         .done = win };
    w->waiting++;
    rival_goes_on(&r.rival.commit);
    assert_true(steer_start(s, &w->error));
    world_wait(w);
    assert_true(s->ok);
    assert_int_equal(s->count.matched, 300);
    assert_int_equal(s->count.changed + s->count.busy, 300);
    assert_true(s->count.busy <= 1);
    selection_clear(&r.steering.selection);
    counts(steer(w, STEER_DROP, "all"), 300, 300); /* the rival's last unit ends meanwhile */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ops, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_many, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_whole_page, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_broken_off, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_rival, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
