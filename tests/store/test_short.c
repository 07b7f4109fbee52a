/* test_short.c - each allocation of a day's work fails once: what was promised is kept, nothing is
 * half done, and the store is whole afterwards.
 *
 * Linked with --wrap for the calls that take memory; SQLite's own are not among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "../short_memory.h"
#include "store_world.h"

#include <stdatomic.h>
#include <string.h>

enum { ALICE = 0x1111, BOB = 0x2222, ROUNDS_MAX = 2000 };

/* How many allocations still succeed before one fails; negative: all do.  Any thread. */
static atomic_int until_failure = -1;
static atomic_int failures;

static bool fails(void)
{
    if (atomic_load(&until_failure) < 0 || atomic_fetch_sub(&until_failure, 1) != 0)
        return false;
    atomic_fetch_add(&failures, 1);
    return true;
}

char *__wrap_strdup(const char *);
char *__real_strdup(const char *);

char *__wrap_strdup(const char *words)
{
    return fails() ? NULL : __real_strdup(words);
}

struct promise {
    unsigned stored; /* messages that were acknowledged for Alice */
};

static void list_quietly_done(struct maildrop_read *read)
{
    loop_stop(read->home);
}

static void read_quietly(struct world *w)
{
    struct maildrop_read read = {
        .mailbox = ALICE, .list = true, .home = w->loop, .done = list_quietly_done
    };
    if (!maildrop_read_start(w->store, &read))
        return;
    loop_run(w->loop);
    for (uint32_t i = 0; read.ok && i < read.count; i++) {
        struct content *content = content_open(w->store, w->loop, &read.entries[i]);
        content_close(&content);
    }
    maildrop_read_clear(&read);
}

static void work(struct world *w, struct promise *p)
{
    p->stored = 0;
    if (!world_open(w))
        return;
    p->stored += world_deliver(w, ALICE, 1, 3000) == STORE_STORED;
    p->stored += world_deliver(w, ALICE, 2, 100000) == STORE_STORED;
    p->stored += world_deliver(w, ALICE, 3, 1200000) == STORE_STORED;
    read_quietly(w);
    world_deliver(w, BOB, 4, 50);
    world_expunge(w, BOB, (uint32_t[]){ 1 }, 1);
    world_close(w);
}

static void test_each_allocation(void **state)
{
    struct world *w = *state;
    world_close(w);
    for (int n = 0;; n++) {
        struct promise p;
        assert_true(n < ROUNDS_MAX);
        scratch_remove(w->path);
        atomic_store(&failures, 0);
        atomic_store(&until_failure, n);
        work(w, &p);
        atomic_store(&until_failure, -1);
        if (!world_open(w))
            fail_msg("allocation %d: %s", n, w->error.words);
        struct maildrop_read alice = world_list(w, ALICE);
        if (alice.count < p.stored)
            fail_msg("allocation %d: %u of %u are there", n, alice.count, p.stored);
        maildrop_read_clear(&alice);
        world_is_whole(w);
        world_close(w);
        if (atomic_load(&failures) == 0) {
            assert_int_equal(p.stored, 3);
            break;
        }
    }
    assert_true(world_open(w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_allocation, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
