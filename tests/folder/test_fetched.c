/* test_fetched.c - folder/fetched: what is here is known after a stop at any octet of the file. */
#include "folder/fetched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

static struct fetched *open_it(struct world *w)
{
    struct fetched *f = NULL;
    struct error e;
    if (!fetched_open(world_path(w, "state/of/one"), &f, &e))
        fail_msg("%s", e.words);
    return f;
}

static void window(struct fetched *f, const char *target, const char *const uids[], size_t count)
{
    struct error e;
    char name[32];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "new/%zu.%s", i, uids[i]);
        assert_true(fetched_plan(f, text_of(target), text_of(name), text_of(uids[i]), &e));
    }
    assert_true(fetched_write_plan(f, &e));
    assert_true(fetched_commit(f, &e));
}

static const char *const first[] = { "a1", "a2", "a3" };
static const char *const second[] = { "b1", "b2" };

static void what_is_committed_is_known(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    world_open(&w);
    struct fetched *f = open_it(&w);
    window(f, "maildir:/m", first, 3);
    window(f, "mbox:/b", second, 2);
    assert_true(fetched_add(f, T("alone"), &e));
    assert_true(fetched_commit(f, &e));
    assert_true(fetched_commit(f, &e));
    fetched_close(&f);
    f = open_it(&w);
    assert_int_equal(fetched_count(f), 6);
    assert_true(fetched_has(f, T("a2")));
    assert_true(fetched_has(f, T("b1")));
    assert_true(fetched_has(f, T("alone")));
    assert_false(fetched_has(f, T("a")));
    assert_false(fetched_has(f, T("")));
    assert_int_equal(fetched_open_count(f), 0);
    assert_int_equal(fetched_open_target(f).len, 0);
    assert_true(text_equal(fetched_last_target(f), T("mbox:/b")));
    assert_true(text_equal(fetched_last_name(f), T("new/0.b1")));
    fetched_close(&f);
    world_close(&w);
}

struct names {
    size_t count;
    char last[64];
};

static bool take_name(void *owner, const char *name)
{
    struct names *n = owner;
    n->count++;
    snprintf(n->last, sizeof n->last, "%s", name);
    return true;
}

static void a_plan_without_commit_comes_back(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names = { 0 };
    const bool here[] = { true, false };
    world_open(&w);
    struct fetched *f = open_it(&w);
    window(f, "maildir:/m", first, 3);
    assert_true(fetched_plan(f, T("mbox:/b c"), T("new/1"), T("b1"), &e));
    assert_true(fetched_plan(f, T("mbox:/b c"), T("new/2"), T("b2"), &e));
    assert_true(fetched_write_plan(f, &e));
    fetched_close(&f);
    f = open_it(&w);
    assert_true(text_equal(fetched_open_target(f), T("mbox:/b c")));
    assert_true(fetched_each_open(f, take_name, &names));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.last, "new/2");
    assert_true(fetched_settle(f, here, &e));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(fetched_open_count(f), 0);
        assert_int_equal(fetched_count(f), 4);
        assert_true(fetched_has(f, T("b1")));
        assert_false(fetched_has(f, T("b2")));
        fetched_close(&f);
        f = open_it(&w);
    }
    fetched_close(&f);
    world_close(&w);
}

/* However much of the file is left, it is read, and never says more than was written. */
static void every_cut_is_understood(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    char all[WORLD_READ_MAX];
    world_open(&w);
    struct fetched *f = open_it(&w);
    window(f, "maildir:/m", first, 3);
    window(f, "mbox:/b", second, 2);
    fetched_close(&f);
    world_read(&w, "state/of/one", all);
    for (size_t len = strlen(all); len-- > 0;) {
        all[len] = 0;
        world_write(&w, "state/of/one", "w", all);
        f = open_it(&w);
        size_t count = fetched_count(f);
        assert_true(count == 0 || count == 3);
        bool none[8] = { false };
        assert_true(fetched_settle(f, none, &e));
        window(f, "maildir:/n", second, 2);
        fetched_close(&f);
        f = open_it(&w);
        assert_int_equal(fetched_count(f), count + 2);
        fetched_close(&f);
    }
    world_close(&w);
}

static void what_the_server_has_no_more_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    char uid[32];
    world_open(&w);
    struct fetched *f = open_it(&w);
    for (int i = 0; i < 3000; i++) {
        snprintf(uid, sizeof uid, "uid-%d", i);
        assert_true(fetched_add(f, text_of(uid), &e));
    }
    assert_true(fetched_commit(f, &e));
    fetched_listing_begins(f);
    fetched_listed(f, T("uid-7"));
    fetched_listed(f, T("uid-2999"));
    fetched_listed(f, T("uid-5000"));
    assert_true(fetched_prune(f, &e));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(fetched_count(f), 2);
        assert_true(fetched_has(f, T("uid-7")));
        assert_false(fetched_has(f, T("uid-8")));
        assert_false(fetched_has(f, T("uid-5000")));
        fetched_close(&f);
        f = open_it(&w);
    }
    fetched_close(&f);
    world_close(&w);
}

/* However few they are: a server may use their ids again. */
static void what_is_forgotten_stays_so(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    world_open(&w);
    struct fetched *f = open_it(&w);
    window(f, "maildir:/m", first, 3);
    fetched_listing_begins(f);
    fetched_listed(f, T("a2"));
    assert_true(fetched_prune(f, &e));
    window(f, "maildir:/m", second, 2); /* what stands behind it is read as before */
    fetched_close(&f);
    f = open_it(&w);
    assert_int_equal(fetched_count(f), 3);
    assert_true(fetched_has(f, T("a2")) && fetched_has(f, T("b1")));
    assert_false(fetched_has(f, T("a1")) || fetched_has(f, T("a3")));
    assert_true(text_equal(fetched_last_target(f), T("maildir:/m")));
    fetched_close(&f);
    world_close(&w);
}

static void all_or_none_of_a_plan(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    world_open(&w);
    for (int all = 0; all < 2; all++) {
        const bool here[] = { all, all };
        struct fetched *f = open_it(&w);
        for (int i = 0; i < 2; i++)
            assert_true(fetched_plan(f, T("mbox:/b"), T("new/1"), text_of(second[i]), &e));
        assert_true(fetched_write_plan(f, &e));
        fetched_close(&f);
        f = open_it(&w);
        assert_int_equal(fetched_open_count(f), 2);
        assert_true(fetched_settle(f, here, &e));
        fetched_close(&f);
        f = open_it(&w);
        assert_int_equal(fetched_open_count(f), 0);
        assert_int_equal(fetched_count(f), all ? 2 : 0);
        assert_int_equal(fetched_last_name(f).len, all ? 5 : 0);
        fetched_close(&f);
    }
    world_close(&w);
}

static void only_one_has_it(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    world_open(&w);
    struct fetched *f = open_it(&w), *other = NULL;
    assert_false(fetched_open(world_path(&w, "state/of/one"), &other, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_true(fetched_add(f, T("a"), &e));
    assert_true(fetched_commit(f, &e));
    for (int i = 0; i < 400; i++) {
        char uid[16];
        snprintf(uid, sizeof uid, "%d", i);
        assert_true(fetched_add(f, text_of(uid), &e));
    }
    assert_true(fetched_commit(f, &e));
    fetched_listing_begins(f);
    assert_true(fetched_prune(f, &e)); /* another file of that name now */
    assert_false(fetched_open(world_path(&w, "state/of/one"), &other, &e));
    fetched_close(&f);
    f = open_it(&w);
    fetched_close(&f);
    world_close(&w);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "hello\n",
        "godwit fetched 2\n",
        "godwit fetched 1\nx\n",
        "godwit fetched 1\n+ a b\n",
        "godwit fetched 1\n+ \n",
        "godwit fetched 1\n? name\n",
        "godwit fetched 1\n?  uid\n",
    };
    struct world w;
    world_open(&w);
    struct fetched *f = open_it(&w);
    fetched_close(&f);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error e;
        world_write(&w, "state/of/one", "w", texts[i]);
        if (fetched_open(world_path(&w, "state/of/one"), &f, &e))
            fail_msg("%s was understood", texts[i]);
        assert_int_equal(e.kind, ERROR_DAMAGED);
    }
    world_close(&w);
}

static void which_uids_are_usable(void **state)
{
    (void)state;
    char longest[FETCHED_UID_MAX + 2];
    memset(longest, 'x', sizeof longest);
    assert_true(fetched_is_usable(T("a")));
    assert_true(fetched_is_usable(T("!~<>")));
    assert_false(fetched_is_usable(T("")));
    assert_false(fetched_is_usable(T("a b")));
    assert_false(fetched_is_usable(T("a\n")));
    assert_false(fetched_is_usable(T("\xC3\xA4")));
    assert_true(fetched_is_usable((struct text){ longest, FETCHED_UID_MAX }));
    assert_false(fetched_is_usable((struct text){ longest, FETCHED_UID_MAX + 1 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_known),
        cmocka_unit_test(a_plan_without_commit_comes_back),
        cmocka_unit_test(every_cut_is_understood),
        cmocka_unit_test(what_the_server_has_no_more_is_forgotten),
        cmocka_unit_test(what_is_forgotten_stays_so),
        cmocka_unit_test(all_or_none_of_a_plan),
        cmocka_unit_test(only_one_has_it),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(which_uids_are_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
