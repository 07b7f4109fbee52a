/* test_cache.c - what may be lost: kept, expired, bounded, mended, and asked from a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "scratch.h"

#include "store/cache.h"
#include "store/local/database.h"

#include <string.h>
#include <sys/stat.h>

enum { NOW = 1000000, SOON = NOW + 1000, LATER = NOW + 5000 };

struct fixture {
    char path[SCRATCH_PATH];
    char file[SCRATCH_PATH + 16];
    struct cache *cache;
    unsigned notices;
    struct error error;
};

static void noticed(void *owner, const char *words)
{
    (void)words;
    ((struct fixture *)owner)->notices++;
}

static bool open_with(struct fixture *f, bool create, uint32_t entries_max)
{
    struct cache_options options = {
        .path = f->path, .create = create, .entries_max = entries_max, .notice = noticed, .owner = f
    };
    return cache_open(&options, &f->cache, &f->error);
}

static void open_again(struct fixture *f)
{
    cache_close(&f->cache);
    assert_true(open_with(f, true, 0));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || !scratch_make(f->path))
        return -1;
    snprintf(f->file, sizeof f->file, "%s/cache.db", f->path);
    *state = f;
    return open_with(f, true, 0) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    cache_close(&f->cache);
    scratch_remove(f->path);
    free(f);
    return 0;
}

static bool keep(struct fixture *f, enum cache_kind kind, const char *key, const char *value,
                 int64_t expires_ms)
{
    struct cache_entry e = { kind, text_of(key), text_of(value), expires_ms };
    return cache_keep(f->cache, &e, NOW, &f->error);
}

/* The value that is found, or "-". */
static void assert_finds(struct fixture *f, enum cache_kind kind, const char *key, int64_t now_ms,
                         const char *wanted)
{
    struct cache_entry e = { .kind = kind, .key = text_of(key) };
    struct buffer value;
    bool found;
    buffer_init(&value, CACHE_VALUE_MAX);
    assert_true(cache_find(f->cache, &e, now_ms, &value, &found, &f->error));
    if (!found)
        buffer_text(&value, T("-"));
    assert_true(text_equal(buffer_as_text(&value), text_of(wanted)));
    buffer_clear(&value);
}

static void list_one(void *owner, const struct cache_entry *e)
{
    buffer_printf(owner, "%.*s=%.*s@%lld ", TEXT_ARGS(e->key), TEXT_ARGS(e->value),
                  (long long)e->expires_ms - NOW);
}

static void assert_lists(struct fixture *f, enum cache_kind kind, int64_t now_ms,
                         const char *wanted)
{
    struct buffer b;
    buffer_init(&b, 64 * 1024);
    assert_true(cache_each(f->cache, kind, now_ms, list_one, &b, &f->error));
    buffer_byte(&b, 0);
    assert_string_equal((const char *)b.at, wanted);
    buffer_clear(&b);
}

static void count_one(void *owner, const struct cache_entry *e)
{
    (void)e;
    ++*(unsigned *)owner;
}

static unsigned count(struct fixture *f, enum cache_kind kind)
{
    unsigned entries = 0;
    assert_true(cache_each(f->cache, kind, 0, count_one, &entries, &f->error));
    return entries;
}

static void test_entries(void **state)
{
    struct fixture *f = *state;
    bool found;
    assert_true(keep(f, CACHE_BAN, "192.0.2.1", "logins", SOON));
    assert_true(keep(f, CACHE_BAN, "192.0.2.2", "errors", LATER));
    assert_true(keep(f, CACHE_LOGIN, "192.0.2.1", "", LATER));
    assert_finds(f, CACHE_BAN, "192.0.2.1", NOW, "logins");
    assert_finds(f, CACHE_BAN, "192.0.2.1", SOON - 1, "logins");
    assert_finds(f, CACHE_BAN, "192.0.2.1", SOON, "-"); /* expired */
    assert_finds(f, CACHE_LOGIN, "192.0.2.1", NOW, ""); /* kinds have keys of their own */
    assert_finds(f, CACHE_GREYLIST, "192.0.2.1", NOW, "-");
    assert_lists(f, CACHE_BAN, NOW, "192.0.2.1=logins@1000 192.0.2.2=errors@5000 ");
    assert_lists(f, CACHE_BAN, SOON, "192.0.2.2=errors@5000 ");
    assert_true(keep(f, CACHE_BAN, "192.0.2.1", "again", LATER)); /* in its place */
    assert_lists(f, CACHE_BAN, NOW, "192.0.2.1=again@5000 192.0.2.2=errors@5000 ");
    assert_true(cache_drop(f->cache, CACHE_BAN, T("192.0.2.1"), &found, &f->error));
    assert_true(found);
    assert_true(cache_drop(f->cache, CACHE_BAN, T("192.0.2.1"), &found, &f->error));
    assert_false(found);
    open_again(f);
    assert_lists(f, CACHE_BAN, NOW, "192.0.2.2=errors@5000 "); /* over a restart */
    assert_int_equal(f->notices, 0);
}

static void test_large_and_odd(void **state)
{
    struct fixture *f = *state;
    static char value[CACHE_VALUE_MAX + 1];
    memset(value, 'x', CACHE_VALUE_MAX);
    assert_true(keep(f, CACHE_POLICY, "example.org", value, LATER));
    assert_finds(f, CACHE_POLICY, "example.org", NOW, value);
    struct cache_entry e = { CACHE_GREYLIST, { "\0\xff'\"\n", 5 }, { "\0\1", 2 }, LATER };
    assert_true(cache_keep(f->cache, &e, NOW, &f->error));
    struct buffer found_value;
    bool found;
    buffer_init(&found_value, 16);
    assert_true(cache_find(f->cache, &e, NOW, &found_value, &found, &f->error));
    assert_true(found);
    assert_int_equal(e.expires_ms, LATER);
    assert_int_equal(found_value.len, 2);
    assert_memory_equal(found_value.at, "\0\1", 2);
    buffer_clear(&found_value);
}

/* What expires first makes room, and other kinds are left alone. */
static void test_bound(void **state)
{
    struct fixture *f = *state;
    enum { MAX = 100, MANY = 1025 };
    char key[16];
    cache_close(&f->cache);
    assert_true(open_with(f, true, MAX));
    assert_true(keep(f, CACHE_BAN, "stays", "", SOON));
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(keep(f, CACHE_GREYLIST, key, "", LATER + i));
    }
    assert_int_equal(count(f, CACHE_GREYLIST), MAX);
    assert_finds(f, CACHE_GREYLIST, "1024", NOW, "");
    assert_finds(f, CACHE_GREYLIST, "0", NOW, "-");
    assert_int_equal(count(f, CACHE_BAN), 1);
}

static void test_sweep(void **state)
{
    struct fixture *f = *state;
    assert_true(keep(f, CACHE_GREYLIST, "old", "", NOW - 1));
    open_again(f);
    assert_true(keep(f, CACHE_GREYLIST, "new", "", LATER));
    assert_int_equal(count(f, CACHE_GREYLIST), 1); /* even of the expired */
}

/* --- Trouble --- */

static void write_file(const char *path, const void *octets, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(octets, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void script(struct fixture *f, const char *sql)
{
    struct database_options options = { .name = "test",
                                        .path = f->file,
                                        .flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE };
    struct database d;
    assert_true(database_open(&d, &options, &f->error));
    assert_true(database_script(&d, sql, &f->error));
    database_close(&d);
}

/* Each is what stands in the place of cache.db at the start. */
static void test_made_anew(void **state)
{
    struct fixture *f = *state;
    static const char *const scripts[] = {
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 1",
        "DROP TABLE entry",
        "DROP TABLE entry; CREATE TABLE entry(other INTEGER)",
    };
    static char garbage[8192];
    memset(garbage, 'g', sizeof garbage);
    for (size_t i = 0; i <= sizeof scripts / sizeof *scripts; i++) {
        assert_true(keep(f, CACHE_BAN, "a", "b", LATER));
        cache_close(&f->cache);
        if (i < sizeof scripts / sizeof *scripts)
            script(f, scripts[i]);
        else
            write_file(f->file, garbage, sizeof garbage);
        f->notices = 0;
        assert_true(open_with(f, true, 0));
        assert_int_equal(f->notices, 1);
        assert_lists(f, CACHE_BAN, NOW, "");
        assert_true(keep(f, CACHE_BAN, "a", "c", LATER));
        open_again(f);
        assert_lists(f, CACHE_BAN, NOW, "a=c@5000 ");
        assert_int_equal(f->notices, 1);
    }
}

/* While it is in use: the pages that hold the table are not what they were. */
static void test_damaged_in_use(void **state)
{
    struct fixture *f = *state;
    static char garbage[16384];
    char key[16];
    memset(garbage, 'g', sizeof garbage);
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(keep(f, CACHE_BAN, key, "value", LATER));
    }
    open_again(f); /* all of it is in the file now, and nothing in memory */
    FILE *file = fopen(f->file, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(garbage, 1, sizeof garbage, file), sizeof garbage);
    assert_int_equal(fclose(file), 0);
    for (int i = 0; i < 2000; i += 100) {
        snprintf(key, sizeof key, "%d", i);
        assert_true(keep(f, CACHE_BAN, key, "other", LATER));
    }
    assert_true(f->notices >= 1);
    assert_finds(f, CACHE_BAN, "1900", NOW, "other");
}

/* A folder stands in its place: nothing can be kept there, and mail goes on. */
static void test_in_memory(void **state)
{
    struct fixture *f = *state;
    cache_close(&f->cache);
    assert_int_equal(remove(f->file), 0);
    assert_int_equal(mkdir(f->file, 0700), 0);
    assert_true(open_with(f, true, 0));
    assert_int_equal(f->notices, 1);
    assert_true(keep(f, CACHE_BAN, "a", "b", LATER));
    assert_lists(f, CACHE_BAN, NOW, "a=b@5000 ");
}

/* The command line reads and mends nothing. */
static void test_without_create(void **state)
{
    struct fixture *f = *state;
    assert_true(keep(f, CACHE_BAN, "a", "b", LATER));
    cache_close(&f->cache);
    assert_true(open_with(f, false, 0));
    assert_lists(f, CACHE_BAN, NOW, "a=b@5000 ");
    cache_close(&f->cache);
    script(f, "PRAGMA user_version = 99");
    assert_false(open_with(f, false, 0));
    assert_int_equal(f->error.kind, ERROR_DAMAGED);
    assert_int_equal(remove(f->file), 0);
    assert_false(open_with(f, false, 0));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
    assert_int_equal(f->notices, 0);
}

/* --- From a loop --- */

struct talk {
    struct cache_op op;
    struct cache_lane *lane;
    unsigned step;
};

static const struct talk_step {
    enum cache_do what;
    const char *key, *value;
    const char *wanted; /* FIND: what is found, or "-" */
} talk_steps[] = {
    { CACHE_FIND, "noted", NULL, "words" }, { CACHE_FIND, "gone", NULL, "-" },
    { CACHE_KEEP, "a", "b", "" },           { CACHE_FIND, "a", NULL, "b" },
    { CACHE_DROP, "a", NULL, "" },          { CACHE_FIND, "a", NULL, "-" },
};

static void ask_next(struct talk *t)
{
    const struct talk_step *s = &talk_steps[t->step];
    t->op.what = s->what;
    t->op.entry = (struct cache_entry){ CACHE_BAN, text_of(s->key), text_of(s->value), LATER };
    assert_true(cache_ask(t->lane, &t->op));
}

static void answered(struct cache_op *op)
{
    struct talk *t = OWNER_OF(op, struct talk, op);
    const struct talk_step *s = &talk_steps[t->step++];
    assert_true(op->ok);
    if (s->what == CACHE_FIND) {
        assert_int_equal(op->found, strcmp(s->wanted, "-") != 0);
        assert_true(!op->found || text_equal(op->entry.value, text_of(s->wanted)));
    }
    cache_op_clear(op);
    if (t->step < sizeof talk_steps / sizeof *talk_steps)
        ask_next(t);
    else
        loop_stop(op->home);
}

static void test_lane(void **state)
{
    struct fixture *f = *state;
    struct talk t = { .op = { .now_ms = NOW, .done = answered } };
    assert_true(loop_new(&t.op.home, &f->error));
    assert_true(keep(f, CACHE_BAN, "gone", "b", LATER));
    assert_true(cache_lane_new(&f->cache, &t.lane, &f->error));
    assert_null(f->cache);
    cache_note(t.lane, &(struct cache_entry){ CACHE_BAN, T("noted"), T("words"), LATER }, NOW);
    cache_note_gone(t.lane, CACHE_BAN, T("gone"));
    ask_next(&t);
    loop_run(t.op.home);
    cache_note(t.lane, &(struct cache_entry){ CACHE_BAN, T("last"), T(""), LATER }, NOW);
    cache_lane_free(&t.lane); /* carries it out first */
    loop_free(&t.op.home);
    assert_true(open_with(f, true, 0));
    assert_lists(f, CACHE_BAN, NOW, "last=@5000 noted=words@5000 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_and_odd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sweep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_create, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lane, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
