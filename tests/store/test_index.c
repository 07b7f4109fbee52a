/* test_index.c - what the journal says, arranged for finding: versions, order, undoing, dumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "scratch.h"

#include "store/local/index_inner.h"

#include <sqlite3.h>
#include <string.h>

enum { ALICE = 0x1111, BOB = 0x2222, NOBODY = 0x3333, UNITS_MAX = 8 };

static const uint8_t uuid[INDEX_UUID] = "a store of tests";
static const uint8_t other_uuid[INDEX_UUID] = "another one here";

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

static struct change opened(mailbox_id mailbox, uint32_t validity)
{
    return (struct change){ .kind = CHANGE_MAILBOX,
                            .mailbox = mailbox,
                            .modseq = 1,
                            .uid_validity = validity,
                            .uid_next = 1,
                            .when_ms = 5,
                            .words = T("someone@a.test") };
}
static struct change message(message_id id, uint64_t octets)
{
    return (struct change){ .kind = CHANGE_MESSAGE,
                            .message = id,
                            .when_ms = 7,
                            .words = T("sender@b.test"),
                            .facts = { .octets = octets, .ends_with_crlf = true } };
}
static struct change placed(mailbox_id mailbox, uint32_t uid, uint64_t modseq, message_id id)
{
    return (struct change){ .kind = CHANGE_PLACED,
                            .mailbox = mailbox,
                            .uid = uid,
                            .modseq = modseq,
                            .message = id,
                            .when_ms = 7,
                            .words = T("To: x\r\n"),
                            .facts = { .octets = 7, .ends_with_crlf = true } };
}
static struct change expunged(mailbox_id mailbox, uint32_t uid, uint64_t modseq)
{
    return (
        struct change){ .kind = CHANGE_EXPUNGED, .mailbox = mailbox, .uid = uid, .modseq = modseq };
}

static bool apply(struct fixture *f, bool large, const struct change *changes, size_t count)
{
    f->changes.len = 0;
    struct unit unit = { .large = large, .place = f->place };
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == CHANGE_MESSAGE)
            unit.message = changes[i].message;
        assert_true(change_encode(&f->changes, &changes[i]));
    }
    unit.changes = buffer_bytes(&f->changes);
    if (large)
        unit.place.content_at = 0;
    f->place.offset += 4096;
    return index_apply(f->index, &unit, &f->error);
}
#define APPLY(f, ...)                                                                              \
    assert_true(apply((f), false, (const struct change[]){ __VA_ARGS__ },                          \
                      sizeof((const struct change[]){ __VA_ARGS__ }) / sizeof(struct change)))

static void begin(struct fixture *f)
{
    assert_true(index_begin(f->index, &f->error));
}
static void keep(struct fixture *f)
{
    struct journal_position position = { 1, f->place.offset, f->place.offset / 4096, 99 };
    assert_true(index_keep(f->index, &position, &f->error));
}

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

static struct index_mailbox mailbox_of(struct fixture *f, mailbox_id id)
{
    struct index_mailbox mailbox = { 0 };
    bool found;
    assert_true(index_find_mailbox(f->index, id, &mailbox, &found, &f->error));
    assert_int_equal(found, mailbox.id == id);
    return mailbox;
}

static bool is_known(struct fixture *f, message_id id)
{
    struct index_message found_message;
    bool found;
    assert_true(index_find_message(f->index, id, &found_message, &found, &f->error));
    return found;
}

/* --- Tests --- */

static void test_counting(void **state)
{
    struct fixture *f = *state;
    begin(f);
    APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101), opened(BOB, 11),
          placed(BOB, 1, 2, 101));
    APPLY(f, message(102, 300), placed(ALICE, 2, 3, 102));
    keep(f);
    struct index_mailbox alice = mailbox_of(f, ALICE), bob = mailbox_of(f, BOB);
    assert_int_equal(alice.count, 2);
    assert_int_equal(alice.octets, 500 + 300 + 2 * 7);
    assert_int_equal(alice.uid_next, 3);
    assert_int_equal(alice.modseq, 3);
    assert_int_equal(alice.uid_validity, 10);
    assert_int_equal(bob.count, 1);
    assert_int_equal(mailbox_of(f, NOBODY).id, 0);

    begin(f);
    APPLY(f, expunged(ALICE, 1, 4));
    keep(f);
    alice = mailbox_of(f, ALICE);
    assert_int_equal(alice.count, 1);
    assert_int_equal(alice.octets, 307);
    assert_int_equal(alice.modseq, 4);
    assert_true(is_known(f, 101)); /* Bob has it */
    begin(f);
    APPLY(f, expunged(BOB, 1, 3));
    keep(f);
    assert_false(is_known(f, 101));
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
}

struct seen {
    uint32_t uids[8];
    size_t count;
};
static bool see(void *owner, const struct index_placement *p, struct error *error)
{
    (void)error;
    struct seen *seen = owner;
    assert_true(text_equal(p->prefix, T("To: x\r\n")));
    assert_int_equal(p->place.offset, 8192);
    seen->uids[seen->count++] = p->uid;
    return true;
}

static void test_listing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101),
          placed(ALICE, 2, 3, 101), placed(ALICE, 7, 4, 101));
    keep(f);
    static const struct {
        uint32_t below;
        size_t count;
    } cases[] = { { 0, 3 }, { 7, 2 }, { 8, 3 }, { 1, 0 }, { UINT32_MAX, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen seen = { .count = 0 };
        struct index_visitor visitor = { .placement = see, .owner = &seen };
        assert_true(index_each_placement(f->index, ALICE, cases[i].below, &visitor, &f->error));
        assert_int_equal(seen.count, cases[i].count);
        for (size_t k = 1; k < seen.count; k++)
            assert_true(seen.uids[k - 1] < seen.uids[k]);
    }
}

/* Units in every order, and each of them twice, must end in the same facts (store rule 18). */
static void apply_numbered(struct fixture *f, int number)
{
    f->place.offset = 8192 + (uint64_t)number * 4096;
    switch (number) {
    case 0:
        APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101));
        break;
    case 1:
        APPLY(f, message(102, 300), placed(ALICE, 2, 3, 102), opened(BOB, 11),
              placed(BOB, 1, 2, 102));
        break;
    case 2:
        APPLY(f, expunged(ALICE, 1, 4));
        break;
    case 3: { /* as compaction writes it: content once more, all placements as they are now */
        struct change flagged = placed(ALICE, 2, 5, 102);
        flagged.flags = 1;
        APPLY(f, message(102, 300), flagged, placed(BOB, 1, 2, 102));
        break;
    }
    default:
        APPLY(f, message(103, 100), placed(ALICE, 3, 6, 103));
        break;
    }
}

static void apply_in_order(struct fixture *f, const int *order, int count, struct buffer *out)
{
    index_close(&f->index);
    assert_true(index_open(f->path, INDEX_SCRATCH, uuid, &f->index, &f->error));
    begin(f);
    for (int i = 0; i < count; i++) {
        apply_numbered(f, order[i]);
        if (i % 2) {
            keep(f);
            begin(f);
        }
    }
    apply_numbered(f, order[0]);
    keep(f);
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
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
    assert_non_null(strstr((const char *)expected.at, "flags 1"));
    assert_null(strstr((const char *)expected.at, "uid 0000000001 message 0000000000000065"));
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
        struct index_message moved;
        bool found;
        assert_true(index_find_message(f->index, 102, &moved, &found, &f->error));
        assert_int_equal(moved.place.offset, 8192 + 3 * 4096); /* the later place */
    }
    buffer_clear(&expected);
    buffer_clear(&got);
}

static void test_undoing(void **state)
{
    struct fixture *f = *state;
    struct buffer before, after;
    buffer_init(&before, 1 << 16);
    buffer_init(&after, 1 << 16);
    begin(f);
    APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101));
    keep(f);
    dump(f->index, &before);

    struct mailbox_row *alice = index_mailbox(f->index, ALICE, &f->error);
    alice->assign_uid = 9; /* given, and burnt */
    begin(f);
    APPLY(f, message(102, 300), placed(ALICE, 8, 3, 102), opened(BOB, 11), placed(BOB, 1, 2, 102));
    assert_int_equal(index_held(f->index), 2);
    index_undo(f->index);
    dump(f->index, &after);
    assert_string_equal((const char *)after.at, (const char *)before.at);
    alice = index_mailbox(f->index, ALICE, &f->error);
    assert_int_equal(alice->uid_next, 2);
    assert_int_equal(alice->count, 1);
    assert_int_equal(alice->assign_uid, 9);
    assert_false(index_mailbox(f->index, BOB, &f->error)->exists);

    begin(f);
    APPLY(f, message(102, 300), placed(ALICE, 9, 3, 102), opened(BOB, 11), placed(BOB, 1, 2, 102));
    keep(f);
    assert_int_equal(mailbox_of(f, ALICE).uid_next, 10);
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
    buffer_clear(&before);
    buffer_clear(&after);
}

static void test_purging(void **state)
{
    struct fixture *f = *state;
    begin(f);
    APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101), opened(BOB, 11),
          placed(BOB, 1, 2, 101));
    APPLY(f, message(102, 500), placed(ALICE, 2, 3, 102));
    APPLY(f, { .kind = CHANGE_PURGED, .mailbox = ALICE });
    keep(f);
    assert_int_equal(mailbox_of(f, ALICE).id, 0);
    /* What comes late stays out. */
    begin(f);
    APPLY(f, message(103, 500), placed(ALICE, 3, 4, 103));
    keep(f);
    assert_false(is_known(f, 103));

    struct buffer before, after;
    buffer_init(&before, 1 << 16);
    buffer_init(&after, 1 << 16);
    dump(f->index, &before);
    assert_null(strstr((const char *)before.at, "1111"));
    bool more;
    begin(f);
    assert_true(index_sweep(f->index, 1, &more, &f->error));
    assert_true(more);
    assert_true(index_sweep(f->index, 10, &more, &f->error));
    assert_false(more);
    keep(f);
    assert_false(index_wants_sweep(f->index));
    dump(f->index, &after);
    assert_string_equal((const char *)after.at, (const char *)before.at);
    assert_true(is_known(f, 101));
    assert_false(is_known(f, 102));
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
    buffer_clear(&before);
    buffer_clear(&after);
}

/* It once read all placements of mailboxes before it, for each of its own. */
static void test_purging_passes_over_nobody(void **state)
{
    enum { LIVE = 400, PURGED = 5, STEPS_MAX = 100 };
    struct fixture *f = *state;
    begin(f);
    for (uint32_t i = 1; i <= LIVE; i++)
        APPLY(f, message(1000 + i, 500), opened(ALICE, 10), placed(ALICE, i, i + 1, 1000 + i));
    for (uint32_t i = 1; i <= PURGED; i++)
        APPLY(f, message(2000 + i, 500), opened(BOB, 11), placed(BOB, i, i + 1, 2000 + i));
    APPLY(f, { .kind = CHANGE_PURGED, .mailbox = BOB });
    bool more;
    assert_true(index_sweep(f->index, LIVE, &more, &f->error));
    assert_false(more);
    keep(f);
    int steps =
        sqlite3_stmt_status(index_sql(f->index, NEXT_LEFTOVER), SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_true(steps < (PURGED + 2) * STEPS_MAX);
    assert_true(index_verify(f->index, find_nothing, NULL, &f->error));
}

static void test_dead_files(void **state)
{
    struct fixture *f = *state;
    message_id dead[4];
    size_t count;
    const struct change changes[] = { message(101, 5000000), opened(ALICE, 10),
                                      placed(ALICE, 1, 2, 101) };
    begin(f);
    assert_true(apply(f, true, changes, 3));
    keep(f);
    assert_true(index_list_dead(f->index, dead, 4, &count, &f->error));
    assert_int_equal(count, 0);
    begin(f);
    APPLY(f, expunged(ALICE, 1, 3));
    keep(f);
    assert_true(index_dead_octets(f->index) == 5000000);
    assert_true(index_list_dead(f->index, dead, 4, &count, &f->error));
    assert_int_equal(count, 1);
    assert_int_equal(dead[0], 101);
    begin(f);
    assert_true(index_forget_dead(f->index, dead, count, &f->error));
    keep(f);
    assert_true(index_list_dead(f->index, dead, 4, &count, &f->error));
    assert_int_equal(count, 0);
}

static void test_small_things(void **state)
{
    struct fixture *f = *state;
    bool known;
    message_id id = (message_id)0xabcd << 31 | 5;
    begin(f);
    APPLY(f, message(id, 5), opened(ALICE, 77), placed(ALICE, 1, 2, id));
    APPLY(f, expunged(ALICE, 1, 3));
    keep(f);
    assert_true(index_knows_prefix(f->index, 0xabcd, &known, &f->error));
    assert_true(known); /* although the message is gone */
    assert_true(index_knows_prefix(f->index, 0xabce, &known, &f->error));
    assert_false(known);

    uint32_t first = index_new_uid_validity(f->index, 1000), second;
    second = index_new_uid_validity(f->index, 1000);
    assert_int_equal(first, 1000);
    assert_int_equal(second, 1001);
    assert_true(index_new_uid_validity(f->index, -1) > second);
}

static bool open_file(struct fixture *f, enum index_kind kind, const uint8_t *expected)
{
    index_close(&f->index);
    return index_open(f->path, kind, expected, &f->index, &f->error);
}

static void fresh_becomes_index(struct fixture *f)
{
    char from[SCRATCH_PATH + 16], to[SCRATCH_PATH + 16];
    snprintf(from, sizeof from, "%s/index.new", f->path);
    snprintf(to, sizeof to, "%s/index.db", f->path);
    assert_true(open_file(f, INDEX_FRESH, uuid));
    begin(f);
    APPLY(f, message(101, 500), opened(ALICE, 10), placed(ALICE, 1, 2, 101));
    keep(f);
    index_close(&f->index);
    assert_int_equal(rename(from, to), 0);
}

static void test_files(void **state)
{
    struct fixture *f = *state;
    struct index *reader = NULL;
    struct journal_position position;
    bool complete;
    fresh_becomes_index(f);
    assert_false(open_file(f, INDEX_WRITER, other_uuid));
    assert_int_equal(f->error.kind, ERROR_DAMAGED);
    assert_true(open_file(f, INDEX_WRITER, uuid));
    assert_true(index_position(f->index, &position, &f->error));
    assert_int_equal(position.offset, 8192 + 4096);
    assert_int_equal(position.checksum, 99);

    /* A reader sees one state while a writer goes on. */
    assert_true(index_open(f->path, INDEX_READER, NULL, &reader, &f->error));
    assert_memory_equal(index_uuid(reader), uuid, INDEX_UUID);
    struct index_mailbox mailbox;
    bool found;
    assert_true(index_read_begin(reader, &f->error));
    assert_true(index_find_mailbox(reader, ALICE, &mailbox, &found, &f->error));
    begin(f);
    APPLY(f, message(102, 500), placed(ALICE, 2, 3, 102));
    keep(f);
    assert_true(index_wal_octets(f->index) > 0);
    assert_true(index_checkpoint(f->index, INDEX_TRUNCATE, &complete, &f->error));
    assert_false(complete); /* the reader is in the way */
    assert_true(index_find_mailbox(reader, ALICE, &mailbox, &found, &f->error));
    assert_int_equal(mailbox.count, 1);
    index_read_end(reader);
    assert_true(index_find_mailbox(reader, ALICE, &mailbox, &found, &f->error));
    assert_int_equal(mailbox.count, 2);
    assert_true(index_checkpoint(f->index, INDEX_TRUNCATE, &complete, &f->error));
    assert_true(complete);
    assert_true(index_wal_octets(f->index) == 0);
    index_close(&reader);
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH + 16];
    snprintf(path, sizeof path, "%s/index.db", f->path);
    fresh_becomes_index(f);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fputs("this is no database at all", file);
    fclose(file);
    assert_false(open_file(f, INDEX_WRITER, uuid));
    assert_int_equal(f->error.kind, ERROR_DAMAGED);
    /* An empty file is none either. */
    file = fopen(path, "w");
    fclose(file);
    assert_false(open_file(f, INDEX_WRITER, uuid));
    assert_int_equal(f->error.kind, ERROR_DAMAGED);
}

static void test_contradictions(void **state)
{
    static const char *const damages[] = {
        "UPDATE mailbox SET count = 5",
        "UPDATE mailbox SET octets = 5",
        "UPDATE mailbox SET uid_next = 1",
        "UPDATE mailbox SET uid_validity = 0",
        "UPDATE message SET placements = 9",
        "UPDATE message SET offset = 1",
        "DELETE FROM message",
        "INSERT INTO tombstone VALUES(4369, 1, 9, 0, 1)",
    };
    struct fixture *f = *state;
    char path[SCRATCH_PATH + 16];
    snprintf(path, sizeof path, "%s/index.db", f->path);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        sqlite3 *handle;
        int findings = 0;
        fresh_becomes_index(f);
        assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
        assert_int_equal(sqlite3_exec(handle, damages[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(handle);
        assert_true(open_file(f, INDEX_READER, uuid));
        assert_true(index_verify(f->index, count_finding, &findings, &f->error));
        assert_int_equal(findings, 1);
        index_close(&f->index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_listing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undoing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_purging, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_purging_passes_over_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_things, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contradictions, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
