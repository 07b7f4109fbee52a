#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct item {
    char name;
    struct list link;
};

/* Takes all out. */
static void assert_names(struct list *list, const char *names)
{
    for (; *names; names++) {
        struct list *link = list_take_first(list);
        assert_non_null(link);
        assert_int_equal(OWNER_OF(link, struct item, link)->name, *names);
    }
    assert_true(list_empty(list));
    assert_null(list_take_first(list));
}

static void test_order(void **state)
{
    (void)state;
    struct list list;
    struct item a = { 'a', { 0 } }, b = { 'b', { 0 } }, c = { 'c', { 0 } }, d = { 'd', { 0 } };
    list_init(&list);
    list_prepend(&list, &b.link);
    list_append(&list, &c.link);
    list_prepend(&list, &a.link);
    list_append(&list, &d.link);
    assert_names(&list, "abcd");
}

static void test_removing_twice_is_harmless(void **state)
{
    (void)state;
    struct list list;
    struct item a = { 'a', { 0 } }, b = { 'b', { 0 } };
    list_init(&list);
    list_append(&list, &a.link);
    list_append(&list, &b.link);
    list_remove(&a.link);
    list_remove(&a.link);
    assert_names(&list, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_removing_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
