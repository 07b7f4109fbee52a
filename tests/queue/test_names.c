/* test_names.c - a table of names: found in any case, grows, loses, and lives with little memory.
 *
 * Linked with --wrap for calloc.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/names.h"

#include "base/list.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 1000 };

static bool is_short;

void *__wrap_calloc(size_t, size_t);
void *__real_calloc(size_t, size_t);

void *__wrap_calloc(size_t count, size_t size)
{
    return is_short ? NULL : __real_calloc(count, size);
}

struct thing {
    struct name_node node;
    char name[20];
};

static struct thing things[MANY];

static void add_all(struct names *n)
{
    for (unsigned i = 0; i < MANY; i++) {
        int len = snprintf(things[i].name, sizeof things[i].name, "d%u.test", i);
        things[i].node.name = (struct text){ things[i].name, (size_t)len };
        assert_null(names_find(n, things[i].node.name));
        names_add(n, &things[i].node);
    }
}

static void find_all(const struct names *n, unsigned from)
{
    char upper[20];
    for (unsigned i = 0; i < MANY; i++) {
        int len = snprintf(upper, sizeof upper, "D%u.TEST", i);
        struct name_node *found = names_find(n, (struct text){ upper, (size_t)len });
        assert_ptr_equal(found, i < from ? NULL : &things[i].node);
    }
}

static void test_many(void **state)
{
    struct names n;
    (void)state;
    assert_true(names_init(&n, 7));
    assert_null(names_any(&n));
    add_all(&n);
    assert_true(n.bucket_count >= MANY / 2);
    find_all(&n, 0);
    for (unsigned i = 0; i < MANY / 2; i++)
        names_remove(&n, &things[i].node);
    find_all(&n, MANY / 2);
    assert_int_equal(n.count, MANY - MANY / 2);
    for (struct name_node *any; (any = names_any(&n));)
        names_remove(&n, any);
    assert_int_equal(n.count, 0);
    names_clear(&n);
}

static void test_short_of_memory(void **state)
{
    struct names n;
    (void)state;
    is_short = true;
    assert_false(names_init(&n, 7));
    is_short = false;
    assert_true(names_init(&n, 7));
    size_t buckets = n.bucket_count;
    is_short = true;
    add_all(&n);
    is_short = false;
    assert_int_equal(n.bucket_count, buckets);
    find_all(&n, 0);
    names_clear(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
