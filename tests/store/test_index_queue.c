/* test_index_queue.c - rows of the queue in the index: orders, orphans, domains, and what looking
 * costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "scratch.h"

#include "store/local/index_inner.h"

#include <string.h>

enum { ALICE = 0x1111, SEEN_MAX = 16 };

static const uint8_t uuid[INDEX_UUID] = "a store of tests";

struct fixture {
    char path[SCRATCH_PATH];
    struct index *index;
    struct buffer changes;
    struct unit_place place; /* of the next unit */
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || !scratch_make(f->path))
        return -1;
    buffer_init(&f->changes, 1 << 20);
    f->place =
        (struct unit_place){ .segment = 1, .offset = 8192, .octets = 1000, .content_at = 200 };
    *state = f;
    return index_open(f->path, INDEX_SCRATCH, uuid, &f->index, &f->error) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    index_close(&f->index);
    buffer_clear(&f->changes);
    scratch_remove(f->path);
    free(f);
    return 0;
}

/* --- Units from changes --- */

static struct change message(message_id id)
{
    return (struct change){ .kind = CHANGE_MESSAGE,
                            .message = id,
                            .when_ms = 7,
                            .words = T("sender@a.test"),
                            .facts = { .octets = 500, .received = 3, .line_longest = 78 } };
}
static struct change envelope(message_id id)
{
    return (struct change){ .kind = CHANGE_ENVELOPE,
                            .message = id,
                            .envelope = { T("FULL"), T("QQ314159"), true } };
}
static struct change row(message_id id, uint32_t number, uint32_t generation, int64_t due_ms)
{
    return (struct change){ .kind = CHANGE_RECIPIENT,
                            .row = { .message = id,
                                     .number = number,
                                     .generation = generation,
                                     .attempts = generation - 1,
                                     .due_ms = due_ms,
                                     .notify = 3,
                                     .address = T("someone@b.test"),
                                     .domain = number % 2 ? T("c.test") : T("b.test"),
                                     .last = generation > 1 ? T("451 later") : T(""),
                                     .orcpt = T("rfc822;someone@b.test") } };
}
static struct change held(message_id id, uint32_t number, uint32_t generation)
{
    struct change c = row(id, number, generation, 50);
    c.row.held = true;
    return c;
}
static struct change settled(message_id id, uint32_t number, uint32_t generation)
{
    struct change c = row(id, number, generation, 50);
    c.row.state = QUEUE_DELIVERED;
    return c;
}
static struct change opened(mailbox_id mailbox)
{
    return (struct change){ .kind = CHANGE_MAILBOX,
                            .mailbox = mailbox,
                            .modseq = 1,
                            .uid_validity = 10,
                            .uid_next = 1,
                            .words = T("alice@a.test") };
}
static struct change placed(mailbox_id mailbox, uint32_t uid, message_id id)
{
    return (struct change){
        .kind = CHANGE_PLACED, .mailbox = mailbox, .uid = uid, .modseq = 1 + uid, .message = id
    };
}

static void apply(struct fixture *f, const struct change *changes, size_t count)
{
    f->changes.len = 0;
    struct unit unit = { .place = f->place };
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == CHANGE_MESSAGE)
            unit.message = changes[i].message;
        assert_true(change_encode(&f->changes, &changes[i]));
    }
    unit.changes = buffer_bytes(&f->changes);
    f->place.offset += 4096;
    if (!index_apply(f->index, &unit, &f->error))
        fail_msg("%s", f->error.words);
}
#define APPLY(f, ...)                                                                              \
    apply((f), (const struct change[]){ __VA_ARGS__ },                                             \
          sizeof((const struct change[]){ __VA_ARGS__ }) / sizeof(struct change))

static void begin(struct fixture *f)
{
    assert_true(index_begin(f->index, &f->error));
}
static void keep(struct fixture *f)
{
    struct journal_position position = { 1, f->place.offset, f->place.offset / 4096, 99 };
    assert_true(index_keep(f->index, &position, &f->error));
}

/* --- What the index says --- */

static void dump(struct index *index, struct buffer *out)
{
    struct index_lines *lines;
    struct text line;
    struct error error;
    out->len = 0;
    assert_true(index_lines_open(index, 0, &lines, &error));
    while (index_lines_next(lines, &line, &error) && line.at) {
        buffer_text(out, line);
        buffer_byte(out, '\n');
    }
    assert_true(buffer_byte(out, 0));
    index_lines_close(&lines);
}

static void find_nothing(void *owner, const char *words)
{
    (void)owner;
    fail_msg("%s", words);
}
static void count_finding(void *owner, const char *words)
{
    (void)words;
    ++*(int *)owner;
}
static void is_whole(struct fixture *f)
{
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
}

static bool is_known(struct fixture *f, message_id id)
{
    struct index_message found_message;
    bool found;
    assert_true(index_find_message(f->index, id, &found_message, &found, &f->error));
    return found;
}

struct seen {
    size_t count;
    char names[SEEN_MAX][32];
    int64_t due[SEEN_MAX];
    message_id messages[SEEN_MAX];
    uint32_t numbers[SEEN_MAX], rows[SEEN_MAX];
};

static bool see_domain(void *owner, const struct queue_domain *d, struct error *error)
{
    (void)error;
    struct seen *seen = owner;
    snprintf(seen->names[seen->count], sizeof *seen->names, "%.*s", TEXT_ARGS(d->name));
    seen->due[seen->count] = d->due_ms;
    seen->rows[seen->count++] = d->rows;
    return true;
}

static bool see_item(void *owner, const struct queue_item *item, struct error *error)
{
    (void)error;
    struct seen *seen = owner;
    seen->due[seen->count] = item->row.due_ms;
    seen->messages[seen->count] = item->row.message;
    seen->numbers[seen->count++] = item->row.number;
    assert_true(text_equal(item->sender, T("sender@a.test")));
    assert_true(item->facts.octets == 500 && item->facts.received == 3);
    assert_int_equal(item->facts.line_longest, 78);
    return true;
}

static struct seen domains(struct fixture *f, int64_t now_ms)
{
    struct seen seen = { 0 };
    struct index_visitor visitor = { .domain = see_domain, .owner = &seen };
    struct queue_look look = { .now_ms = now_ms, .domains_max = SEEN_MAX };
    assert_true(index_due_domains(f->index, &look, &visitor, &f->error));
    return seen;
}

static struct seen rows(struct fixture *f, const struct index_due *due)
{
    struct seen seen = { 0 };
    struct index_visitor visitor = { .queued = see_item, .owner = &seen };
    assert_true(index_due_rows(f->index, due, &visitor, &f->error));
    return seen;
}

static int64_t next_due(struct fixture *f, int64_t now_ms)
{
    int64_t due_ms;
    assert_true(index_next_due(f->index, now_ms, &due_ms, &f->error));
    return due_ms;
}

/* --- Tests --- */

static void test_due(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(domains(f, INT64_MAX).count, 0);
    assert_true(next_due(f, 0) == INT64_MAX);
    begin(f);
    APPLY(f, message(101), envelope(101), row(101, 0, 1, 30), row(101, 1, 1, 20),
          row(101, 2, 1, 10));
    APPLY(f, message(102), row(102, 0, 1, 10), held(102, 1, 1));
    keep(f);
    struct seen seen = domains(f, 15);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.names[0], "b.test");
    assert_int_equal(seen.rows[0], 3);
    assert_true(next_due(f, 15) == 20);
    seen = domains(f, 20);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.names[1], "c.test");
    assert_int_equal(seen.rows[1], 1); /* the held one does not count */

    struct index_due due = { .domain = T("b.test"), .now_ms = 30, .max = 10 };
    seen = rows(f, &due);
    assert_int_equal(seen.count, 3);
    assert_true(seen.messages[0] == 101 && seen.numbers[0] == 2);
    assert_true(seen.messages[1] == 102 && seen.numbers[1] == 0);
    assert_true(seen.messages[2] == 101 && seen.numbers[2] == 0);
    due.after = (struct queue_place){ 10, 101, 2 };
    due.max = 1;
    seen = rows(f, &due);
    assert_int_equal(seen.count, 1);
    assert_true(seen.messages[0] == 102);
    due = (struct index_due){ .domain = T("b.test"), .now_ms = 9, .max = 10 };
    assert_int_equal(rows(f, &due).count, 0);

    /* Put off, released, settled: the domain follows. */
    begin(f);
    APPLY(f, row(101, 2, 2, 90), row(102, 0, 2, 80), row(102, 1, 2, 5));
    keep(f);
    is_whole(f);
    seen = domains(f, 100);
    assert_true(seen.due[0] == 5 && seen.due[1] == 30);
    begin(f);
    APPLY(f, settled(101, 0, 2), settled(101, 1, 2), settled(102, 1, 3));
    keep(f);
    is_whole(f);
    seen = domains(f, 100);
    assert_int_equal(seen.count, 1);
    assert_true(seen.due[0] == 80 && seen.rows[0] == 2);
    assert_true(is_known(f, 101) && is_known(f, 102));
    begin(f);
    APPLY(f, settled(101, 2, 3), settled(102, 0, 3));
    keep(f);
    is_whole(f);
    assert_int_equal(domains(f, 100).count, 0);
    assert_false(is_known(f, 101) || is_known(f, 102));
}

/* Both kinds of reference keep a message. */
static void test_references(void **state)
{
    struct fixture *f = *state;
    struct change gone = { .kind = CHANGE_EXPUNGED, .mailbox = ALICE, .uid = 1, .modseq = 5 };
    begin(f);
    APPLY(f, message(101), row(101, 0, 1, 10), opened(ALICE), placed(ALICE, 1, 101));
    APPLY(f, message(102), row(102, 0, 1, 10), placed(ALICE, 2, 102));
    keep(f);
    begin(f);
    APPLY(f, gone);
    APPLY(f, settled(102, 0, 2));
    keep(f);
    is_whole(f);
    assert_true(is_known(f, 101) && is_known(f, 102));
    gone.uid = 2;
    begin(f);
    APPLY(f, settled(101, 0, 2));
    APPLY(f, gone);
    keep(f);
    is_whole(f);
    assert_false(is_known(f, 101) || is_known(f, 102));
}

/* Units in every order, and one of them twice, must end in the same facts (store rule 18). */
static void apply_numbered(struct fixture *f, int number)
{
    f->place.offset = 8192 + (uint64_t)number * 4096;
    switch (number) {
    case 0:
        APPLY(f, message(101), envelope(101), row(101, 0, 1, 10), row(101, 1, 1, 20),
              row(101, 2, 1, 30));
        break;
    case 1:
        APPLY(f, row(101, 0, 2, 40), settled(101, 1, 2));
        break;
    case 2:
        APPLY(f, held(101, 2, 2));
        break;
    case 3: /* as compaction writes it */
        APPLY(f, message(101), envelope(101), row(101, 0, 2, 40), settled(101, 1, 2),
              held(101, 2, 2));
        break;
    default: /* a bounce, with what it settles */
        APPLY(f, message(102), opened(ALICE), placed(ALICE, 1, 102), settled(101, 0, 3));
        break;
    }
}

static void apply_in_order(struct fixture *f, const int *order, int count, struct buffer *out)
{
    index_close(&f->index);
    assert_true(index_open(f->path, INDEX_SCRATCH, uuid, &f->index, &f->error));
    begin(f);
    for (int i = 0; i < count; i++)
        apply_numbered(f, order[i]);
    apply_numbered(f, order[0]);
    keep(f);
    is_whole(f);
    dump(f->index, out);
}

static void test_any_order(void **state)
{
    enum { COUNT = 5, ORDERS = 120 };
    struct fixture *f = *state;
    struct buffer expected, got;
    buffer_init(&expected, 1 << 16);
    buffer_init(&got, 1 << 16);
    apply_in_order(f, (const int[]){ 0, 1, 2, 3, 4 }, COUNT, &expected);
    assert_non_null(strstr((const char *)expected.at, "waiting 1"));
    assert_non_null(strstr((const char *)expected.at, "envid 8 QQ314159"));
    assert_non_null(strstr((const char *)expected.at, "number 0000000002 generation 2 state 0"));
    for (int n = 0; n < ORDERS; n++) {
        int order[COUNT], left[COUNT] = { 0, 1, 2, 3, 4 };
        for (int i = 0, rest = n, size = COUNT; i < COUNT; i++, size--) {
            int pick = rest % size;
            rest /= size;
            order[i] = left[pick];
            for (int k = pick; k < size - 1; k++)
                left[k] = left[k + 1];
        }
        apply_in_order(f, order, COUNT, &got);
        assert_string_equal((const char *)got.at, (const char *)expected.at);
    }
    buffer_clear(&expected);
    buffer_clear(&got);
}

/* After damage a result may be all that is left of a message: nobody waits for it. */
static void test_orphans(void **state)
{
    struct fixture *f = *state;
    begin(f);
    APPLY(f, row(101, 0, 2, 10), settled(101, 1, 2));
    keep(f);
    is_whole(f);
    assert_int_equal(domains(f, 100).count, 0);
    struct index_waiting now;
    assert_true(index_find_waiting(f->index, 101, 0, &now, &f->error));
    assert_int_equal(now.generation, 0);
    /* Later than settled, and yet not: settled is for ever. */
    begin(f);
    APPLY(f, message(101), row(101, 0, 1, 5), row(101, 1, 1, 5));
    APPLY(f, row(101, 1, 9, 5));
    keep(f);
    is_whole(f);
    assert_int_equal(domains(f, 100).count, 1);
    assert_true(index_find_waiting(f->index, 101, 0, &now, &f->error));
    assert_int_equal(now.generation, 2);
    assert_false(now.held);
    assert_true(index_find_waiting(f->index, 101, 1, &now, &f->error));
    assert_int_equal(now.generation, 0);
}

static void test_undoing(void **state)
{
    struct fixture *f = *state;
    struct buffer before, after;
    buffer_init(&before, 1 << 16);
    buffer_init(&after, 1 << 16);
    begin(f);
    APPLY(f, message(101), row(101, 0, 1, 10));
    keep(f);
    dump(f->index, &before);
    begin(f);
    APPLY(f, settled(101, 0, 2));
    APPLY(f, message(102), row(102, 0, 1, 5), row(102, 1, 1, 5));
    index_undo(f->index);
    dump(f->index, &after);
    assert_string_equal((const char *)after.at, (const char *)before.at);
    is_whole(f);
    buffer_clear(&before);
    buffer_clear(&after);
}

static void test_contradictions(void **state)
{
    static const char *const damages[] = {
        "UPDATE message SET waiting = 7",
        "DELETE FROM message",
        "UPDATE queue_domain SET waiting = 7 WHERE name = 'b.test'",
        "UPDATE queue_domain SET due = 7 WHERE name = 'b.test'",
        "DELETE FROM queue_domain WHERE name = 'b.test'",
    };
    struct fixture *f = *state;
    begin(f);
    APPLY(f, message(101), row(101, 0, 1, 10));
    keep(f);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        int findings = 0;
        begin(f);
        assert_true(database_script(&f->index->db, damages[i], &f->error));
        assert_true(index_verify(f->index, count_finding, &findings, &f->error));
        assert_int_equal(findings, 1);
        index_undo(f->index);
    }
}

/* --- What it costs (store rule 25) --- */

static int steps_of(struct fixture *f, enum index_statement which)
{
    return sqlite3_stmt_status(index_sql(f->index, which), SQLITE_STMTSTATUS_VM_STEP, 1);
}

static void fill(struct fixture *f, message_id first, unsigned messages)
{
    begin(f);
    for (unsigned i = 0; i < messages; i++)
        APPLY(f, message(first + i), row(first + i, 0, 1, 1000 + i), row(first + i, 2, 1, 1000));
    keep(f);
}

struct cost {
    int domains, next, rows, set, count;
};

/* Of a look, a take of 20 and the results of one transaction. */
static struct cost cost_of(struct fixture *f, message_id id, uint32_t generation)
{
    struct cost cost;
    struct index_due due = { .domain = T("b.test"), .now_ms = INT64_MAX, .max = 15 };
    steps_of(f, DUE_DOMAINS);
    steps_of(f, NEXT_DUE);
    steps_of(f, DUE_ROWS);
    steps_of(f, SET_DOMAIN);
    steps_of(f, COUNT_WAITING);
    assert_int_equal(domains(f, 1000).count, 2);
    next_due(f, 500);
    assert_int_equal(rows(f, &due).count, 15);
    begin(f);
    APPLY(f, row(id, 0, generation, 5), settled(id, 2, generation));
    APPLY(f, message(id + 1000000), row(id + 1000000, 0, 1, 7));
    keep(f);
    cost.domains = steps_of(f, DUE_DOMAINS);
    cost.next = steps_of(f, NEXT_DUE);
    cost.rows = steps_of(f, DUE_ROWS);
    cost.set = steps_of(f, SET_DOMAIN);
    cost.count = steps_of(f, COUNT_WAITING);
    return cost;
}

static void test_dead_domain_costs_nothing(void **state)
{
    enum { FEW = 20, MANY = 50000 };
    struct fixture *f = *state;
    begin(f);
    APPLY(f, message(7), row(7, 1, 1, 900));
    keep(f);
    fill(f, 1000, FEW);
    struct cost few = cost_of(f, 1001, 2);
    fill(f, 1000 + FEW, MANY);
    struct cost many = cost_of(f, 1002, 2);
    struct seen seen = domains(f, 1000);
    assert_int_equal(seen.rows[0], 2 * (FEW + MANY));
    assert_true(few.domains > 0 && few.rows > 0 && few.set > 0);
    assert_int_equal(many.domains, few.domains);
    assert_int_equal(many.next, few.next);
    assert_in_range(many.rows, 1, few.rows + 100);
    assert_in_range(many.set, 1, few.set + 10);
    assert_int_equal(many.count, few.count);
    is_whole(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_orphans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undoing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_domain_costs_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
