/* test_queue.c - mail on its way out as the store keeps it: through commits, restarts and crashes
 * of the index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "faults.h"
#include "store_world.h"

#include "store/queue.h"

#include <sqlite3.h>
#include <string.h>

enum { ALICE = 0x1111, ROWS_MAX = 8 };

static int set_up(void **state)
{
    faults_clear();
    return world_set_up(state);
}

static int tear_down(void **state)
{
    faults_clear();
    return world_tear_down(state);
}

/* --- Committing --- */

static struct queue_row new_row(message_id message, uint32_t number, const char *domain,
                                int64_t due_ms)
{
    return (struct queue_row){ .message = message,
                               .number = number,
                               .generation = 1,
                               .due_ms = due_ms,
                               .address = T("someone@else"),
                               .domain = text_of(domain),
                               .last = T(""),
                               .notify = 3,
                               .orcpt = T("rfc822;x@else") };
}

static struct queue_row next_row(const struct queue_row *row, enum queue_state state,
                                 int64_t due_ms)
{
    struct queue_row next = *row;
    next.generation++;
    next.state = state;
    next.attempts++;
    next.due_ms = due_ms;
    next.last = T("450 4.2.0 later");
    return next;
}

static enum store_verdict results(struct world *w, const struct queue_row *rows, size_t count)
{
    struct delivery d = { .world = w };
    d.commit = (struct commit){ .rows = rows, .row_count = count, .home = w->loop };
    delivery_submit(&d);
    world_wait(w);
    w->error = d.commit.error;
    return d.commit.verdict;
}

/* A message to one recipient in each of these domains; its id. */
static message_id queue_mail(struct world *w, struct queue_row *rows, const char *const *domains,
                             size_t count)
{
    static const struct queue_envelope envelope = { TEXT("FULL"), TEXT("QQ1"), true,
                                                    .requires_tls = true };
    struct delivery d;
    assert_true(delivery_begin(w, &d, 1, 3000, 0));
    for (size_t i = 0; i < count; i++)
        rows[i] = new_row(d.commit.message, (uint32_t)i, domains[i], 100 + (int64_t)i);
    d.commit.rows = rows;
    d.commit.row_count = count;
    d.commit.envelope = &envelope;
    delivery_submit(&d);
    world_wait(w);
    w->error = d.commit.error;
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    return rows[0].message;
}

/* --- Reading --- */

struct asking {
    struct queue_look look;
    struct queue_take take;
    struct world *world;
};

static void answered(struct world *w)
{
    if (--w->waiting == 0)
        loop_stop(w->loop);
}
static void looked(struct queue_look *look)
{
    answered(OWNER_OF(look, struct asking, look)->world);
}
static void taken(struct queue_take *take)
{
    answered(OWNER_OF(take, struct asking, take)->world);
}

/* At most so many domains, behind this one if it has a name. */
static struct queue_look look_behind(struct world *w, int64_t now_ms, uint32_t max,
                                     const struct queue_domain *last)
{
    struct asking a = { .world = w };
    a.look = (struct queue_look){ .now_ms = now_ms,
                                  .domains_max = max,
                                  .after_due_ms = last->due_ms,
                                  .after_name = last->name,
                                  .home = w->loop,
                                  .done = looked };
    w->waiting++;
    assert_true(queue_look_start(w->store, &a.look));
    world_wait(w);
    assert_true(a.look.ok);
    return a.look;
}

static struct queue_look look(struct world *w, int64_t now_ms)
{
    return look_behind(w, now_ms, UINT32_MAX, &(struct queue_domain){ .due_ms = 0 });
}

static struct queue_take take(struct world *w, const char *domain, int64_t now_ms)
{
    struct asking a = { .world = w };
    a.take = (struct queue_take){ .domain = text_of(domain),
                                  .now_ms = now_ms,
                                  .rows_max = UINT32_MAX,
                                  .home = w->loop,
                                  .done = taken };
    w->waiting++;
    assert_true(queue_take_start(w->store, &a.take));
    world_wait(w);
    assert_true(a.take.ok);
    return a.take;
}

static uint32_t count_due(struct world *w, const char *domain)
{
    struct queue_take t = take(w, domain, INT64_MAX);
    uint32_t count = t.item_count;
    queue_take_clear(&t);
    return count;
}

static bool count_each(void *owner, const struct queue_item *item)
{
    (void)item;
    ++*(unsigned *)owner;
    return true;
}
static bool stop_at_once(void *owner, const struct queue_item *item)
{
    count_each(owner, item);
    return false;
}

static unsigned count_queued(struct world *w)
{
    unsigned count = 0, one = 0;
    assert_true(store_each_queued(w->path, count_each, &count, &w->error));
    assert_true(store_each_queued(w->path, stop_at_once, &one, &w->error));
    assert_int_equal(one, count > 0);
    return count;
}

/* Everything that waits, `at_once` rows at a time. */
static unsigned count_in_pages(struct world *w, uint32_t at_once)
{
    unsigned count = 0;
    struct queue_place after = { 0 };
    for (;;) {
        struct asking a = { .world = w };
        a.take = (struct queue_take){
            .all = true, .rows_max = at_once, .after = after, .home = w->loop, .done = taken
        };
        w->waiting++;
        assert_true(queue_take_start(w->store, &a.take));
        world_wait(w);
        assert_true(a.take.ok);
        uint32_t got = a.take.item_count;
        for (uint32_t i = 0; i < got; i++) {
            const struct queue_row *row = &a.take.items[i].row;
            assert_true(
                row->message > after.message ||
                (row->message == after.message && (row->number > after.number || count == 0)));
            after = (struct queue_place){ .message = row->message, .number = row->number };
            count++;
        }
        queue_take_clear(&a.take);
        if (got < at_once)
            return count;
    }
}

static unsigned count_in(struct world *w, mailbox_id mailbox)
{
    struct maildrop_read read = world_list(w, mailbox);
    unsigned count = read.count;
    maildrop_read_clear(&read);
    return count;
}

/* --- Tests --- */

/* More domains than are given at a time. */
static void test_looks_go_on(void **state)
{
    static const char *const to[] = { "a.test", "b.test", "c.test", "d.test", "e.test" };
    struct world *w = *state;
    struct queue_row rows[5];
    struct queue_look before, l = { .domain_count = 0 };
    struct queue_domain last = { .due_ms = 0 };
    queue_mail(w, rows, to, 5);
    unsigned seen = 0;
    do {
        before = l;
        l = look_behind(w, 1000, 2, &last);
        queue_look_clear(&before);
        for (uint32_t i = 0; i < l.domain_count; i++)
            assert_true(text_equal(l.domains[i].name, text_of(to[seen++])));
        if (l.domain_count > 0)
            last = l.domains[l.domain_count - 1];
    } while (l.domain_count == 2);
    queue_look_clear(&l);
    assert_int_equal(seen, 5);
}

static void test_life(void **state)
{
    static const char *const to[] = { "b.test", "c.test", "b.test" };
    struct world *w = *state;
    struct queue_row rows[3];
    message_id id = queue_mail(w, rows, to, 3);
    for (int round = 0; round < 2; round++) {
        struct queue_look l = look(w, 100);
        assert_int_equal(l.domain_count, 1);
        assert_true(text_equal(l.domains[0].name, T("b.test")));
        assert_int_equal(l.domains[0].rows, 2);
        assert_true(l.next_due_ms == 101);
        queue_look_clear(&l);

        struct queue_take t = take(w, "b.test", 1000);
        assert_int_equal(t.item_count, 2);
        const struct queue_item *item = &t.items[1];
        assert_true(item->row.message == id);
        assert_int_equal(item->row.number, 2);
        assert_int_equal(item->row.generation, 1);
        assert_int_equal(item->row.notify, 3);
        assert_true(text_equal(item->row.address, T("someone@else")));
        assert_true(text_equal(item->row.orcpt, T("rfc822;x@else")));
        assert_true(text_equal(item->sender, T("sender@b.test")));
        assert_true(text_equal(item->envelope.ret, T("FULL")));
        assert_true(text_equal(item->envelope.envid, T("QQ1")));
        assert_true(item->envelope.utf8 && item->envelope.requires_tls);
        assert_false(item->envelope.waives_tls);
        assert_true(item->arrived_ms == 1792568487123);
        assert_true(item->facts.octets == 3000 && item->facts.line_longest > 0);
        assert_true(world_reads_back(w, &item->content, 1));
        queue_take_clear(&t);
        assert_int_equal(count_queued(w), 3);
        world_is_whole(w);
        world_reopen(w);
    }
    struct queue_row after[] = { next_row(&rows[0], QUEUE_DELIVERED, 0),
                                 next_row(&rows[2], QUEUE_WAITING, 500) };
    assert_int_equal(results(w, after, 2), STORE_STORED);
    struct queue_look l = look(w, 499);
    assert_int_equal(l.domain_count, 1);
    assert_true(text_equal(l.domains[0].name, T("c.test")));
    assert_true(l.next_due_ms == 500);
    queue_look_clear(&l);
    world_is_whole(w);
    world_reopen(w);
    struct queue_row last[] = { next_row(&rows[1], QUEUE_BOUNCED, 0),
                                next_row(&after[1], QUEUE_DROPPED, 0) };
    assert_int_equal(results(w, last, 2), STORE_STORED);
    l = look(w, INT64_MAX);
    assert_int_equal(l.domain_count, 0);
    assert_true(l.next_due_ms == INT64_MAX);
    queue_look_clear(&l);
    assert_int_equal(count_queued(w), 0);
    world_is_whole(w);
}

static void test_stale_results(void **state)
{
    static const char *const to[] = { "b.test", "b.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    queue_mail(w, rows, to, 2);
    struct queue_row good = next_row(&rows[1], QUEUE_WAITING, 300);
    const struct queue_row bad[] = {
        rows[0],                                    /* the same generation */
        new_row(rows[0].message, 7, "b.test", 1),   /* no such number */
        new_row(0, 0, "b", 1),                      /* no message */
        new_row(rows[0].message + 99, 0, "b", 1),   /* no such message */
        next_row(&good, QUEUE_WAITING, 400),        /* two ahead */
        next_row(&good, (enum queue_state)77, 400), /* no such state */
        good,                                       /* twice in the unit */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct queue_row unit[] = { good, bad[i] };
        assert_int_equal(results(w, unit, 2), STORE_REFUSED);
        assert_int_equal(w->error.kind, ERROR_REFUSED);
    }
    struct queue_row odd = next_row(&rows[0], QUEUE_WAITING, 300);
    odd.domain = T("");
    assert_int_equal(results(w, &odd, 1), STORE_REFUSED);
    struct queue_row settled = next_row(&rows[0], QUEUE_DELIVERED, 0);
    struct queue_row again = next_row(&settled, QUEUE_WAITING, 0);
    assert_int_equal(results(w, &settled, 1), STORE_STORED);
    assert_int_equal(results(w, &again, 1), STORE_REFUSED);
    assert_non_null(strstr(w->error.words, "does not wait"));
    assert_int_equal(results(w, &good, 1), STORE_STORED);
    assert_int_equal(results(w, &good, 1), STORE_REFUSED);
    assert_non_null(strstr(w->error.words, "stale"));
    world_is_whole(w);
}

/* Of two results for one row that are ready together only one counts, and a refused unit is in
 * nobody's way. */
static void test_results_meet(void **state)
{
    static const char *const to[] = { "b.test", "b.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    queue_mail(w, rows, to, 2);
    struct queue_row first = next_row(&rows[0], QUEUE_WAITING, 300);
    struct queue_row second = next_row(&rows[0], QUEUE_DROPPED, 0);
    struct queue_row refused[] = { next_row(&rows[1], QUEUE_WAITING, 5), rows[0] };
    struct queue_row other = next_row(&rows[1], QUEUE_DELIVERED, 0);
    struct delivery d[4] = { 0 };
    const struct queue_row *units[] = { &first, &second, refused, &other };
    for (size_t i = 0; i < 4; i++) {
        d[i].world = w;
        d[i].commit = (struct commit){ .rows = units[i],
                                       .row_count = units[i] == refused ? 2 : 1,
                                       .home = w->loop };
        delivery_submit(&d[i]);
    }
    world_wait(w);
    assert_int_equal(d[0].commit.verdict, STORE_STORED);
    assert_int_equal(d[1].commit.verdict, STORE_REFUSED);
    assert_int_equal(d[2].commit.verdict, STORE_REFUSED);
    assert_int_equal(d[3].commit.verdict, STORE_STORED);
    assert_int_equal(count_due(w, "b.test"), 1);
    world_is_whole(w);
}

static enum store_verdict deliver_rows(struct world *w, const struct queue_row *rows, size_t count,
                                       mailbox_id mailbox, message_id *id_out)
{
    struct delivery d;
    struct queue_row own[ROWS_MAX];
    assert_true(delivery_begin(w, &d, 2, 1000, 0));
    for (size_t i = 0; i < count; i++) {
        own[i] = rows[i];
        own[i].message = own[i].message ? own[i].message : d.commit.message;
    }
    if (mailbox)
        delivery_to(&d, mailbox);
    *id_out = d.commit.message;
    d.commit.rows = own;
    d.commit.row_count = count;
    delivery_submit(&d);
    world_wait(w);
    delivery_end(&d);
    w->error = d.commit.error;
    return d.commit.verdict;
}

static void test_new_rows(void **state)
{
    struct world *w = *state;
    message_id id;
    struct queue_row good[] = { new_row(0, 0, "b.test", 1), new_row(0, 1, "b.test", 2) };
    struct queue_row gap[] = { good[0], new_row(0, 2, "b.test", 2) };
    struct queue_row late[] = { next_row(&good[0], QUEUE_WAITING, 1) };
    struct queue_row settled[] = { good[0] };
    settled[0].state = QUEUE_DELIVERED;
    assert_int_equal(deliver_rows(w, good, 0, 0, &id), STORE_REFUSED); /* to nobody */
    assert_int_equal(deliver_rows(w, gap, 2, 0, &id), STORE_REFUSED);
    assert_int_equal(deliver_rows(w, late, 1, ALICE, &id), STORE_REFUSED);
    assert_int_equal(deliver_rows(w, settled, 1, ALICE, &id), STORE_REFUSED);
    assert_int_equal(deliver_rows(w, good, 2, ALICE, &id), STORE_STORED);
    assert_int_equal(count_in(w, ALICE), 1);
    assert_int_equal(count_due(w, "b.test"), 2);

    /* The mailbox lets go, and the queue still has it. */
    const uint32_t uid = 1;
    assert_int_equal(world_expunge(w, ALICE, &uid, 1), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    struct queue_take t = take(w, "b.test", 10);
    assert_int_equal(t.item_count, 2);
    assert_true(world_reads_back(w, &t.items[0].content, 2));
    queue_take_clear(&t);
}

/* A bounce and what it settles count together: when the batch cannot be written, and in an
 * index that is made anew. */
static void test_bounce(void **state)
{
    static const char *const to[] = { "b.test", "c.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    message_id id;
    queue_mail(w, rows, to, 2);
    struct queue_row bounced = next_row(&rows[0], QUEUE_BOUNCED, 0);
    FAULT(write, (struct fault){ "journal/0", 0, 1 });
    assert_int_equal(deliver_rows(w, &bounced, 1, ALICE, &id), STORE_REFUSED);
    assert_int_equal(count_in(w, ALICE), 0);
    assert_int_equal(count_due(w, "b.test"), 1);
    assert_int_equal(deliver_rows(w, &bounced, 1, ALICE, &id), STORE_STORED);
    /* Its sender has nothing to do with it any more; a stale one stores no message either. */
    assert_int_equal(deliver_rows(w, &bounced, 1, ALICE, &id), STORE_REFUSED);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(count_in(w, ALICE), 1);
        assert_int_equal(count_due(w, "b.test"), 0);
        assert_int_equal(count_due(w, "c.test"), 1);
        world_is_whole(w);
        world_close(w);
        if (round > 0)
            assert_true(store_rebuild(w->path, NULL, NULL, &w->error));
        assert_true(world_open(w));
    }
}

/* What the index cannot take now is stored all the same; meanwhile nobody can change anything. */
static void test_index_lags(void **state)
{
    static const char *const to[] = { "b.test", "c.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    char path[SCRATCH_PATH + 16];
    sqlite3 *other = NULL;
    message_id id;
    queue_mail(w, rows, to, 2);
    struct queue_row bounced = next_row(&rows[0], QUEUE_BOUNCED, 0);
    struct queue_row sent = next_row(&rows[1], QUEUE_DELIVERED, 0);
    snprintf(path, sizeof path, "%s/index.db", w->path);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(deliver_rows(w, &bounced, 1, ALICE, &id), STORE_STORED);
    assert_int_equal(results(w, &sent, 1), STORE_REFUSED);
    assert_int_equal(w->error.kind, ERROR_TEMPORARY);
    assert_int_equal(count_due(w, "b.test"), 1);
    world_close(w);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_true(world_open(w));
    assert_int_equal(count_in(w, ALICE), 1);
    assert_int_equal(count_due(w, "b.test"), 0);
    assert_int_equal(results(w, &sent, 1), STORE_STORED);
    world_is_whole(w);
}

/* As a result whose writer has not seen the row since. */
static struct queue_row open_row(const struct queue_row *row, enum queue_state state,
                                 int64_t due_ms)
{
    struct queue_row open = next_row(row, state, due_ms);
    open.generation = 0;
    return open;
}

struct sought {
    message_id message;
    uint32_t number;
    bool found, held;
    uint32_t generation;
    int64_t due_ms;
};

static bool seek(void *owner, const struct queue_item *item)
{
    struct sought *sought = owner;
    if (item->row.message != sought->message || item->row.number != sought->number)
        return true;
    sought->found = true;
    sought->held = item->row.held;
    sought->generation = item->row.generation;
    sought->due_ms = item->row.due_ms;
    return false;
}

static struct sought find(struct world *w, const struct queue_row *row)
{
    struct sought sought = { .message = row->message, .number = row->number };
    assert_true(store_each_queued(w->path, seek, &sought, &w->error));
    return sought;
}

/* A person holds one row, drops another; the attempt that was under way ends for both. */
static void test_open_generation(void **state)
{
    static const char *const to[] = { "b.test", "b.test", "c.test" };
    struct world *w = *state;
    struct queue_row rows[3];
    queue_mail(w, rows, to, 3);
    struct queue_row held = next_row(&rows[0], QUEUE_WAITING, 100);
    struct queue_row dropped = next_row(&rows[1], QUEUE_DROPPED, 0);
    held.held = true;
    struct queue_row person[] = { held, dropped };
    assert_int_equal(results(w, person, 2), STORE_STORED);
    struct queue_row attempt[] = { open_row(&rows[0], QUEUE_WAITING, 700),
                                   open_row(&rows[1], QUEUE_WAITING, 700),
                                   open_row(&rows[2], QUEUE_WAITING, 700) };
    assert_int_equal(results(w, attempt, 3), STORE_STORED);
    for (int round = 0; round < 2; round++) {
        struct sought first = find(w, &rows[0]);
        assert_true(first.found && first.held && first.generation == 3 && first.due_ms == 700);
        assert_int_equal(count_in_pages(w, 1), 2);
        assert_false(find(w, &rows[1]).found);
        struct sought third = find(w, &rows[2]);
        assert_true(third.found && !third.held && third.generation == 2 && third.due_ms == 700);
        world_is_whole(w);
        world_reopen(w);
    }
    struct queue_row done = open_row(&rows[0], QUEUE_DELIVERED, 0);
    assert_int_equal(results(w, &done, 1), STORE_STORED);
    assert_false(find(w, &rows[0]).found);
    world_is_whole(w);
}

/* What is settled, or never was, takes nothing else along; alone it is nothing to write. */
static void test_nothing_left(void **state)
{
    static const char *const to[] = { "b.test", "b.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    message_id id;
    queue_mail(w, rows, to, 2);
    struct queue_row dropped = next_row(&rows[0], QUEUE_DROPPED, 0);
    assert_int_equal(results(w, &dropped, 1), STORE_STORED);
    struct queue_row bounced = open_row(&rows[0], QUEUE_BOUNCED, 0);
    struct queue_row nobody = new_row(rows[0].message + 99, 0, "b.test", 1);
    nobody.generation = 0;
    struct queue_row both[] = { bounced, nobody };
    uint64_t units = store_figures(w->store).units;
    assert_int_equal(results(w, both, 2), STORE_STORED);
    assert_true(store_figures(w->store).units == units);
    assert_int_equal(deliver_rows(w, both, 2, ALICE, &id), STORE_STORED);
    assert_int_equal(count_in(w, ALICE), 1);
    struct queue_row twice[] = { open_row(&rows[1], QUEUE_WAITING, 5),
                                 open_row(&rows[1], QUEUE_DELIVERED, 0) };
    assert_int_equal(results(w, twice, 2), STORE_REFUSED);
    assert_int_equal(w->error.kind, ERROR_REFUSED);
    assert_int_equal(find(w, &rows[1]).generation, 1);
    world_is_whole(w);
}

/* Ready together with the change of somebody else, the open one goes behind it. */
static void test_open_meets_exact(void **state)
{
    static const char *const to[] = { "b.test", "b.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    queue_mail(w, rows, to, 2);
    struct queue_row held = next_row(&rows[0], QUEUE_WAITING, 100);
    struct queue_row dropped = next_row(&rows[1], QUEUE_DROPPED, 0);
    held.held = true;
    struct queue_row first = open_row(&rows[0], QUEUE_WAITING, 700);
    struct queue_row second[] = { open_row(&rows[1], QUEUE_WAITING, 700),
                                  open_row(&rows[0], QUEUE_WAITING, 800) };
    const struct queue_row *units[] = { &held, &dropped, &first, second };
    struct delivery d[4] = { 0 };
    for (size_t i = 0; i < 4; i++) {
        d[i].world = w;
        d[i].commit = (struct commit){ .rows = units[i],
                                       .row_count = units[i] == second ? 2 : 1,
                                       .home = w->loop };
        delivery_submit(&d[i]);
    }
    world_wait(w);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(d[i].commit.verdict, STORE_STORED);
    struct sought now = find(w, &rows[0]);
    assert_true(now.held && now.generation == 4 && now.due_ms == 800);
    assert_false(find(w, &rows[1]).found);
    world_is_whole(w);
}

/* A bounce that goes out itself, in the unit that settles what it tells of. */
static void test_bounce_goes_out(void **state)
{
    static const char *const to[] = { "b.test", "c.test" };
    struct world *w = *state;
    struct queue_row rows[2];
    message_id id;
    queue_mail(w, rows, to, 2);
    struct queue_row unit[] = { next_row(&rows[0], QUEUE_EXPIRED, 0), new_row(0, 0, "d.test", 1),
                                next_row(&rows[1], QUEUE_BOUNCED, 0) };
    assert_int_equal(deliver_rows(w, unit, 3, 0, &id), STORE_STORED);
    assert_int_equal(count_queued(w), 1);
    struct queue_take t = take(w, "d.test", 10);
    assert_int_equal(t.item_count, 1);
    assert_true(t.items[0].row.message == id);
    assert_true(world_reads_back(w, &t.items[0].content, 2));
    queue_take_clear(&t);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

static void test_large_message(void **state)
{
    struct world *w = *state;
    struct delivery d;
    assert_true(delivery_begin(w, &d, 5, 3000000, 100000));
    struct queue_row row = new_row(d.commit.message, 0, "b.test", 1);
    d.commit.rows = &row;
    d.commit.row_count = 1;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    world_reopen(w); /* and its file is not swept away */
    struct queue_take t = take(w, "b.test", 10);
    assert_int_equal(t.item_count, 1);
    assert_true(t.items[0].content.place.large);
    assert_true(world_reads_back(w, &t.items[0].content, 5));
    queue_take_clear(&t);
    struct queue_row done = next_row(&row, QUEUE_DELIVERED, 0);
    assert_int_equal(results(w, &done, 1), STORE_STORED);
    world_is_whole(w);
    world_reopen(w);
    world_is_whole(w);
}

/* As many rows as a unit may have, then the results of all of them. */
static void test_many_rows(void **state)
{
    struct world *w = *state;
    struct delivery d;
    struct queue_row *rows = calloc(STORE_PLACEMENTS_MAX + 1, sizeof *rows);
    char names[7][16];
    assert_non_null(rows);
    assert_true(delivery_begin(w, &d, 1, 100, 0));
    for (unsigned i = 0; i < 7; i++)
        snprintf(names[i], sizeof names[i], "d%u.test", i);
    for (unsigned i = 0; i < STORE_PLACEMENTS_MAX; i++)
        rows[i] = new_row(d.commit.message, i, names[i % 7], 100);
    d.commit.rows = rows;
    d.commit.row_count = STORE_PLACEMENTS_MAX;
    delivery_submit(&d);
    world_wait(w);
    assert_int_equal(d.commit.verdict, STORE_STORED);
    delivery_end(&d);
    struct queue_look l = look(w, 100);
    assert_int_equal(l.domain_count, 7);
    queue_look_clear(&l);
    for (unsigned i = 0; i < STORE_PLACEMENTS_MAX; i++)
        rows[i] = next_row(&rows[i], i % 2 ? QUEUE_DELIVERED : QUEUE_WAITING, 900);
    rows[STORE_PLACEMENTS_MAX] = rows[0];
    assert_int_equal(results(w, rows, STORE_PLACEMENTS_MAX + 1), STORE_REFUSED);
    assert_int_equal(results(w, rows, STORE_PLACEMENTS_MAX), STORE_STORED);
    assert_int_equal(count_queued(w), STORE_PLACEMENTS_MAX / 2);
    assert_int_equal(count_in_pages(w, 300), STORE_PLACEMENTS_MAX / 2);
    world_is_whole(w);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_looks_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounce, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_index_lags, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_meets_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounce_goes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_rows, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
