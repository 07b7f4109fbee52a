/* test_accounts.c - who there is: accounts, aliases and verifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "scratch.h"

#include "base/buffer.h"
#include "store/local/directory.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char path[SCRATCH_PATH];
    char data[SCRATCH_PATH + 8];
    struct directory *directory;
    struct arena arena;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || !scratch_make(f->path))
        return -1;
    snprintf(f->data, sizeof f->data, "%s/data", f->path);
    arena_init(&f->arena, 64 * 1024);
    *state = f;
    return directory_open(f->data, true, &f->directory, &f->error) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    directory_close(&f->directory);
    arena_reset(&f->arena);
    scratch_remove(f->path);
    free(f);
    return 0;
}

static struct verifier verifier_of(uint8_t fill)
{
    struct verifier v = { .iterations = 4096u + fill };
    memset(v.salt, fill, sizeof v.salt);
    memset(v.stored_key, fill + 1, sizeof v.stored_key);
    memset(v.server_key, fill + 2, sizeof v.server_key);
    return v;
}

static bool add(struct fixture *f, const char *address, mailbox_id mailbox)
{
    struct verifier v = verifier_of((uint8_t)mailbox);
    struct account account = { text_of(address), mailbox, (int64_t)mailbox * 1000 };
    return account_add(f->directory, account.address, &account, &v, &f->error);
}

/* Everything that a listing calls back, on one line. */
static void list_account(void *owner, const struct account *account)
{
    buffer_printf(owner, "%.*s ", TEXT_ARGS(account->address));
}
static void list_alias(void *owner, const struct alias *alias)
{
    buffer_printf(owner, "%.*s>%.*s ", TEXT_ARGS(alias->address), TEXT_ARGS(alias->target));
}

static void assert_listing(struct fixture *f, bool aliases, const char *domain, const char *words)
{
    struct buffer b;
    buffer_init(&b, 4096);
    assert_true(aliases ? alias_each(f->directory, text_of(domain), list_alias, &b, &f->error)
                        : account_each(f->directory, text_of(domain), list_account, &b, &f->error));
    buffer_byte(&b, 0);
    assert_string_equal((const char *)b.at, words);
    buffer_clear(&b);
}

static void test_users(void **state)
{
    struct fixture *f = *state;
    assert_true(add(f, "zoe@a.test", 3));
    assert_true(add(f, "adam@a.test", 1));
    assert_true(add(f, "bob@b.test", 2));
    assert_listing(f, false, "", "adam@a.test bob@b.test zoe@a.test ");
    assert_listing(f, false, "a.test", "adam@a.test zoe@a.test ");
    assert_listing(f, false, "c.test", "");

    assert_false(add(f, "bob@b.test", 9));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
    assert_false(add(f, "new@b.test", 2)); /* another's mailbox */
    assert_int_equal(f->error.kind, ERROR_REFUSED);

    struct account first;
    bool found;
    assert_true(account_first(f->directory, T("a.test"), &f->arena, &first, &found, &f->error));
    assert_true(found);
    assert_true(text_equal(first.address, T("zoe@a.test"))); /* added first, not first by name */
    assert_true(account_first(f->directory, T("c.test"), &f->arena, &first, &found, &f->error));
    assert_false(found);
}

static void test_removing(void **state)
{
    struct fixture *f = *state;
    mailbox_id mailbox = 0;
    struct directory_entry entry;
    assert_true(add(f, "adam@a.test", 1));
    assert_true(account_remove(f->directory, T("adam@a.test"), &mailbox, &f->error));
    assert_int_equal(mailbox, 1);
    assert_true(directory_find(f->directory, T("adam@a.test"), &f->arena, &entry, &f->error));
    assert_false(entry.is_user);
    assert_false(account_remove(f->directory, T("adam@a.test"), &mailbox, &f->error));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
    /* Who is added again is added last. */
    assert_true(add(f, "bob@a.test", 2));
    assert_true(add(f, "adam@a.test", 3));
    struct account first;
    bool found;
    assert_true(account_first(f->directory, T("a.test"), &f->arena, &first, &found, &f->error));
    assert_true(text_equal(first.address, T("bob@a.test")));
}

static void test_verifiers(void **state)
{
    struct fixture *f = *state;
    struct verifier got, other = verifier_of(77);
    mailbox_id mailbox = 0;
    bool found;
    assert_true(add(f, "adam@a.test", 5));
    assert_true(
        account_verifier(f->directory, T("adam@a.test"), &got, &mailbox, &found, &f->error));
    assert_true(found);
    assert_int_equal(mailbox, 5);
    struct verifier expected = verifier_of(5);
    assert_memory_equal(&got, &expected, sizeof got);

    assert_true(account_set_verifier(f->directory, T("adam@a.test"), &other, &f->error));
    assert_true(
        account_verifier(f->directory, T("adam@a.test"), &got, &mailbox, &found, &f->error));
    assert_memory_equal(&got, &other, sizeof got);

    assert_true(account_verifier(f->directory, T("eve@a.test"), &got, &mailbox, &found, &f->error));
    assert_false(found);
    assert_false(account_set_verifier(f->directory, T("eve@a.test"), &other, &f->error));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
}

/* Whoever has another verifier by now, or is not there, keeps what he has. */
static void test_renewed_verifiers(void **state)
{
    struct fixture *f = *state;
    struct verifier_change change = { verifier_of(5), verifier_of(6) };
    struct verifier got;
    uint64_t before, behind;
    mailbox_id mailbox;
    bool found, done;
    assert_true(add(f, "adam@a.test", 5));
    assert_true(directory_generation(f->directory, &before, &f->error));
    for (int i = 0; i < 2; i++) {
        assert_true(
            account_renew_verifier(f->directory, T("adam@a.test"), &change, &done, &f->error));
        assert_int_equal(done, i == 0);
        assert_true(
            account_verifier(f->directory, T("adam@a.test"), &got, &mailbox, &found, &f->error));
        assert_memory_equal(&got, &change.now, sizeof got);
    }
    assert_int_equal(mailbox, 5);
    assert_true(directory_generation(f->directory, &behind, &f->error));
    assert_int_equal(before, behind);
    change.before = change.now;
    change.before.salt[0]++;
    assert_true(account_renew_verifier(f->directory, T("adam@a.test"), &change, &done, &f->error));
    assert_false(done);
    assert_true(account_renew_verifier(f->directory, T("eve@a.test"), &change, &done, &f->error));
    assert_false(done);
}

/* SCRAM-SHA-1 is kept beside it, or not; a new password never leaves the old one's. */
static void test_sha1(void **state)
{
    struct fixture *f = *state;
    struct verifier got, both = verifier_of(9), one = verifier_of(7);
    mailbox_id mailbox;
    bool found;
    both.sha1_iterations = 5000;
    memset(both.sha1_stored_key, 3, sizeof both.sha1_stored_key);
    memset(both.sha1_server_key, 4, sizeof both.sha1_server_key);
    assert_true(add(f, "adam@a.test", 5));
    for (int i = 0; i < 4; i++) {
        const struct verifier *wanted = i % 2 ? &one : &both;
        assert_true(account_set_verifier(f->directory, T("adam@a.test"), wanted, &f->error));
        assert_true(
            account_verifier(f->directory, T("adam@a.test"), &got, &mailbox, &found, &f->error));
        assert_memory_equal(&got, wanted, sizeof got);
    }
}

/* The format as version 1 had it: opened, its users there, and from then on version 2. */
static void test_an_old_directory(void **state)
{
    struct fixture *f = *state;
    static const char old[] =
        "DROP TABLE account;"
        "CREATE TABLE account(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,"
        " domain TEXT NOT NULL, address TEXT NOT NULL, mailbox INTEGER NOT NULL UNIQUE,"
        " created_ms INTEGER NOT NULL, iterations INTEGER NOT NULL, salt BLOB NOT NULL,"
        " stored_key BLOB NOT NULL, server_key BLOB NOT NULL) STRICT;"
        "CREATE INDEX account_domain ON account(domain, id);"
        "INSERT INTO account VALUES(1, 'adam@a.test', 'a.test', 'Adam@a.test', 5, 1000, 4096,"
        " x'0102030405060708090a0b0c0d0e0f10', zeroblob(32), zeroblob(32));"
        "PRAGMA user_version=1;";
    char path[SCRATCH_PATH + 32];
    sqlite3 *db;
    directory_close(&f->directory);
    snprintf(path, sizeof path, "%s/directory.db", f->data);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, old, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2; i++) {
        struct verifier got, other = verifier_of(9);
        mailbox_id mailbox;
        bool found;
        assert_true(directory_open(f->data, false, &f->directory, &f->error));
        assert_true(
            account_verifier(f->directory, T("adam@a.test"), &got, &mailbox, &found, &f->error));
        assert_true(found);
        assert_int_equal(mailbox, 5);
        assert_int_equal(got.iterations, i == 0 ? 4096 : other.iterations);
        assert_int_equal(got.salt[0], i == 0 ? 1 : 9);
        assert_int_equal(got.sha1_iterations, i == 0 ? 0 : 5000);
        other.sha1_iterations = 5000;
        assert_true(account_set_verifier(f->directory, T("adam@a.test"), &other, &f->error));
        if (i == 0)
            directory_close(&f->directory);
    }
}

static void test_aliases(void **state)
{
    struct fixture *f = *state;
    const struct text first[] = { TEXT("z@a.test"), TEXT("b@a.test") };
    const struct text again[] = { TEXT("Z@A.test"), TEXT("a@a.test") };
    const struct text missing[] = { TEXT("b@a.test"), TEXT("nobody@a.test") };
    struct text key = T("sales@a.test");
    assert_true(alias_add(f->directory, key, key, first, 2, &f->error));
    assert_true(alias_add(f->directory, key, key, again, 2, &f->error));
    assert_listing(f, true, "",
                   "sales@a.test>z@a.test sales@a.test>b@a.test sales@a.test>a@a.test ");
    assert_listing(f, true, "b.test", "");

    /* All or nothing. */
    assert_false(alias_remove(f->directory, key, missing, 2, &f->error));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
    assert_true(alias_remove(f->directory, key, first, 2, &f->error));
    assert_listing(f, true, "", "sales@a.test>a@a.test ");
    assert_true(alias_remove(f->directory, key, NULL, 0, &f->error));
    assert_listing(f, true, "", "");
    assert_false(alias_remove(f->directory, key, NULL, 0, &f->error));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
}

static void test_a_name_may_be_both(void **state)
{
    struct fixture *f = *state;
    struct directory_entry entry;
    struct text targets[40];
    char names[40][16];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "u%d@a.test", i);
        targets[i] = text_of(names[i]);
    }
    assert_true(add(f, "all@a.test", 1));
    assert_true(alias_add(f->directory, T("all@a.test"), T("All@a.test"), targets, 40, &f->error));
    assert_true(directory_find(f->directory, T("all@a.test"), &f->arena, &entry, &f->error));
    assert_true(entry.is_user);
    assert_int_equal(entry.user.mailbox, 1);
    assert_int_equal(entry.user.created_ms, 1000);
    assert_int_equal(entry.target_count, 40);
    for (int i = 0; i < 40; i++)
        assert_true(text_equal(entry.targets[i], targets[i]));
    /* No room for the answer is a failure, not a shorter answer. */
    struct arena small;
    arena_init(&small, 128);
    assert_false(directory_find(f->directory, T("all@a.test"), &small, &entry, &f->error));
    assert_int_equal(f->error.kind, ERROR_TEMPORARY);
    arena_reset(&small);
}

static void test_generation(void **state)
{
    struct fixture *f = *state;
    struct directory *other;
    uint64_t before, now;
    assert_true(directory_open(f->data, false, &other, &f->error));
    assert_true(directory_generation(f->directory, &before, &f->error));
    assert_true(directory_generation(f->directory, &now, &f->error));
    assert_true(now == before);
    assert_true(add(f, "adam@a.test", 1));
    assert_true(directory_generation(f->directory, &now, &f->error));
    assert_true(now != before);
    before = now;
    mailbox_id mailbox;
    assert_true(account_remove(other, T("adam@a.test"), &mailbox, &f->error));
    assert_true(directory_generation(f->directory, &now, &f->error));
    assert_true(now != before);
    directory_close(&other);
}

static void test_opening(void **state)
{
    struct fixture *f = *state;
    struct directory *other;
    char missing[SCRATCH_PATH + 16];
    snprintf(missing, sizeof missing, "%s/missing", f->path);
    assert_false(directory_open(missing, false, &other, &f->error));
    assert_int_equal(f->error.kind, ERROR_REFUSED);
    assert_null(other);

    static const uint8_t one[16] = { 1 }, two[16] = { 2 };
    uint8_t held[16];
    assert_true(directory_claim(f->directory, one, held, &f->error));
    assert_memory_equal(held, one, sizeof held);
    assert_true(directory_claim(f->directory, two, held, &f->error));
    assert_memory_equal(held, one, sizeof held);
}

static void test_another_version(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH + 32];
    sqlite3 *handle;
    directory_close(&f->directory);
    snprintf(path, sizeof path, "%s/directory.db", f->data);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=9", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
    assert_false(directory_open(f->data, true, &f->directory, &f->error));
    assert_int_equal(f->error.kind, ERROR_DAMAGED);
    assert_non_null(strstr(f->error.words, "version 9"));
}

/* "disk I/O error" alone helps nobody on a full disk. */
static void test_the_reason_of_the_system_is_told(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH + 32];
    directory_close(&f->directory);
    snprintf(path, sizeof path, "%s/directory.db", f->data);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(directory_open(f->data, true, &f->directory, &f->error));
    assert_int_equal(f->error.kind, ERROR_TEMPORARY);
    assert_non_null(strstr(f->error.words, "Is a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_removing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verifiers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renewed_verifiers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sha1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_old_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_aliases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_name_may_be_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_opening, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_reason_of_the_system_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
