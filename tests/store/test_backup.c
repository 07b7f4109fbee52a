/* test_backup.c - what a backup holds, and what becomes of it when it is brought back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "faults.h"
#include "store_world.h"

#include "run/clock.h"
#include "store/maildrop.h"

enum { FOLDER_PATH = SCRATCH_PATH + 16, MAILBOXES = 20 };

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

/* A folder beside what the store itself consists of. */
static void folder(const struct world *w, const char *name, char out[FOLDER_PATH])
{
    snprintf(out, FOLDER_PATH, "%s/%s", w->path, name);
}

static void back_up(struct world *w, const char *to)
{
    struct store_copied copied;
    if (!store_backup(w->path, to, &copied, &w->error))
        fail_msg("%s", w->error.words);
}

static void restore(struct world *w, const char *from, const char *to)
{
    struct store_restored restored;
    if (!store_restore(from, to, &restored, &w->error))
        fail_msg("%s", w->error.words);
}

/* --- Uidvalidity --- */

struct validities {
    uint32_t of[MAILBOXES];
    size_t count;
};

static void note_validity(void *owner, const struct mailbox_summary *mailbox)
{
    struct validities *v = owner;
    assert_true(v->count < MAILBOXES);
    v->of[v->count++] = mailbox->uid_validity;
}

static struct validities validities(struct world *w, const char *path)
{
    struct validities v = { .count = 0 };
    assert_true(store_each_mailbox(path, note_validity, &v, &w->error));
    assert_int_equal(v.count, MAILBOXES);
    return v;
}

/* A mailbox is opened by its first message. */
static void deliver_at(struct world *w, mailbox_id mailbox, int64_t arrived_ms)
{
    struct delivery d;
    assert_true(delivery_begin(w, &d, 1, 1000, 0));
    delivery_to(&d, mailbox);
    d.commit.arrived_ms = arrived_ms;
    delivery_submit(&d);
    world_wait(w);
    delivery_end(&d);
    assert_int_equal(d.commit.verdict, STORE_STORED);
}

/* Those that were opened in one second are ahead of the clock afterwards. */
static void test_each_mailbox_gets_a_greater_uidvalidity(void **state)
{
    struct world *w = *state;
    char kept[FOLDER_PATH], again[FOLDER_PATH];
    folder(w, "kept", kept);
    folder(w, "again", again);
    int64_t soon_ms = clock_wall_ms() + 3600 * 1000;
    for (mailbox_id i = 1; i <= MAILBOXES; i++)
        deliver_at(w, i * 37 % 101, soon_ms);
    back_up(w, kept);
    restore(w, kept, again);
    struct validities before = validities(w, w->path), after = validities(w, again);
    for (size_t i = 0; i < MAILBOXES; i++)
        assert_true(after.of[i] > before.of[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_mailbox_gets_a_greater_uidvalidity, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
