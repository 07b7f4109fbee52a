/* test_disk.c - files in a directory of the system's temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/disk.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/godwit-disk-XXXXXX";
static char data[64];
static struct disk *disk;

static int set_up(void **state)
{
    (void)state;
    struct error e;
    if (!mkdtemp(root))
        return -1;
    snprintf(data, sizeof data, "%s/data", root);
    return disk_open(data, true, &disk, &e) ? 0 : -1;
}

static void remove_name(void *owner, const char *name)
{
    (void)owner;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", data, name);
    remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    disk_list(disk, ".", remove_name, NULL, NULL);
    disk_close(&disk);
    return rmdir(data) || rmdir(root);
}

static void test_directory(void **state)
{
    (void)state;
    struct error e;
    struct disk *other = NULL;
    struct stat status;
    assert_int_equal(stat(data, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(disk_open(data, true, &other, &e));
    disk_close(&other);
    assert_null(other);
    char missing[128];
    snprintf(missing, sizeof missing, "%s/missing", root);
    assert_false(disk_open(missing, false, &other, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    assert_non_null(strstr(e.words, missing));
    snprintf(missing, sizeof missing, "%s/missing/deeper", root);
    assert_false(disk_open(missing, true, &other, &e));
    assert_null(other);
    uint64_t octets = 0;
    assert_true(disk_free_space(disk, &octets, &e));
    assert_true(octets > 0);
}

struct names {
    unsigned count;
    char all[256];
};

static void add_name(void *owner, const char *name)
{
    struct names *n = owner;
    n->count++;
    snprintf(n->all + strlen(n->all), sizeof n->all - strlen(n->all), "%s ", name);
}

static void make_file(const char *name)
{
    struct error e;
    struct disk_file *file;
    assert_true(disk_file_open(disk, name, DISK_CREATE, &file, &e));
    disk_file_close(&file);
    assert_null(file);
}

static void test_names(void **state)
{
    (void)state;
    struct error e;
    assert_true(disk_make_folder(disk, "folder", &e));
    assert_true(disk_make_folder(disk, "folder", &e));
    make_file("folder/one");
    make_file("folder/two");
    assert_true(disk_exists(disk, "folder/one"));
    assert_true(disk_rename(disk, "folder/one", "folder/three", &e));
    assert_false(disk_exists(disk, "folder/one"));
    assert_true(disk_sync_directory(disk, "folder", &e));
    assert_true(disk_sync_directory(disk, ".", &e));
    struct names n = { 0 };
    assert_true(disk_list(disk, "folder", add_name, &n, &e));
    assert_int_equal(n.count, 2);
    assert_non_null(strstr(n.all, "two "));
    assert_non_null(strstr(n.all, "three "));
    assert_true(disk_unlink(disk, "folder/two", &e));
    assert_false(disk_unlink(disk, "folder/two", &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    assert_true(disk_unlink(disk, "folder/three", &e));
    assert_false(disk_list(disk, "none", add_name, &n, &e));
    assert_false(disk_sync_directory(disk, "none", &e));
    assert_false(disk_rename(disk, "none", "folder/x", &e));
}

static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum disk_mode mode;
        bool ok;
    } cases[] = {
        { "modes", DISK_READ, false },  { "modes", DISK_WRITE, false },
        { "modes", DISK_CREATE, true }, { "modes", DISK_CREATE, false },
        { "modes", DISK_READ, true },   { "modes", DISK_WRITE, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = { 0 };
        struct disk_file *file;
        assert_int_equal(disk_file_open(disk, cases[i].name, cases[i].mode, &file, &e),
                         cases[i].ok);
        assert_int_equal(e.kind, cases[i].ok ? ERROR_NONE : ERROR_REFUSED);
        disk_file_close(&file);
    }
    struct stat status;
    char path[128];
    snprintf(path, sizeof path, "%s/modes", data);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_write_and_read(void **state)
{
    (void)state;
    struct error e;
    struct disk_file *file;
    assert_true(disk_file_open(disk, "content", DISK_CREATE, &file, &e));
    const struct iovec parts[] = { { "Hello", 5 }, { ", ", 2 }, { "", 0 }, { "world", 5 } };
    assert_true(disk_file_write(file, 4096, parts, 4, &e));
    disk_file_writeback(file, 4096, 12);
    assert_true(disk_file_sync(file, &e));
    static const struct {
        uint64_t offset;
        size_t len, got;
        const char *words;
    } cases[] = {
        { 4096, 12, 12, "Hello, world" },
        { 4103, 5, 5, "world" },
        { 4103, 100, 5, "world" },
        { 4108, 1, 0, "" },
        { 1 << 20, 9, 0, "" },
        { 4090, 8, 8, "\0\0\0\0\0\0He" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char to[128];
        size_t got = 99;
        assert_true(disk_file_read(file, cases[i].offset, to, cases[i].len, &got, &e));
        assert_int_equal(got, cases[i].got);
        assert_memory_equal(to, cases[i].words, got);
        if (got < cases[i].len)
            assert_false(disk_read_now(file, cases[i].offset, to, cases[i].len));
    }
    uint64_t octets;
    assert_true(disk_file_size(file, &octets, &e));
    assert_int_equal(octets, 4108);
    assert_true(disk_file_truncate(file, 4101, &e));
    assert_true(disk_file_size(file, &octets, &e));
    assert_int_equal(octets, 4101);
    disk_file_close(&file);
}

/* Whether the file system can is its own affair: what was written is there either way, and after
 * that anything may be written again. */
static void test_direct(void **state)
{
    (void)state;
    static const _Alignas(4096) char page[4096] = "past the kernel's memory";
    struct error e;
    struct disk_file *file;
    char to[4098];
    size_t got;
    assert_true(disk_file_open(disk, "direct", DISK_CREATE, &file, &e));
    bool can = disk_file_set_direct(file, true);
    const struct iovec whole = { (void *)(uintptr_t)page, sizeof page }, odd = { "odd", 3 };
    bool written = disk_file_write(file, 0, &whole, 1, &e);
    if (can)
        assert_true(disk_file_set_direct(file, false));
    assert_true(written || (can && disk_file_write(file, 0, &whole, 1, &e)));
    assert_true(disk_file_write(file, 4095, &odd, 1, &e));
    assert_true(disk_file_read(file, 0, to, sizeof to, &got, &e));
    assert_int_equal(got, sizeof to);
    assert_memory_equal(to, page, 4095);
    assert_memory_equal(to + 4095, "odd", 3);
    disk_file_close(&file);
}

/* Whether the file system can answer at once is its own affair; if it does, with the right octets.
 */
static void test_read_now(void **state)
{
    (void)state;
    struct error e;
    struct disk_file *file;
    assert_true(disk_file_open(disk, "warm", DISK_CREATE, &file, &e));
    const struct iovec part = { "0123456789", 10 };
    assert_true(disk_file_write(file, 0, &part, 1, &e));
    char to[10];
    size_t got;
    assert_true(disk_file_read(file, 0, to, 10, &got, &e));
    for (int i = 0; i < 3; i++) {
        memset(to, 0, sizeof to);
        if (disk_read_now(file, 3, to, 4))
            assert_memory_equal(to, "3456", 4);
    }
    disk_file_close(&file);
}

/* The limit on a file's size stands for a full disk: what fits is written, the rest is not. */
static void test_a_short_write_is_a_failure(void **state)
{
    (void)state;
    struct error e;
    struct disk_file *file;
    struct rlimit before, small;
    static char block[8192];
    assert_true(disk_file_open(disk, "short", DISK_CREATE, &file, &e));
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const struct iovec part = { block, sizeof block };
    bool cut = disk_file_write(file, 0, &part, 1, &e);
    struct error e2;
    bool none = disk_file_write(file, 4096, &part, 1, &e2);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_false(cut);
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_non_null(strstr(e.words, "4096 of 8192"));
    assert_false(none);
    disk_file_close(&file);
}

static void test_lock(void **state)
{
    (void)state;
    struct error e;
    struct disk_file *first, *second;
    assert_true(disk_lock(disk, "lock", &first, &e));
    assert_false(disk_lock(disk, "lock", &second, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    char pid[32];
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(e.words, pid));
    assert_null(second);
    disk_unlock(&first);
    assert_null(first);
    assert_true(disk_lock(disk, "lock", &second, &e));
    disk_unlock(&second);
    assert_true(disk_exists(disk, "lock"));
}

static void test_lock_without_a_name_in_it(void **state)
{
    (void)state;
    struct error e;
    struct disk_file *first, *second;
    assert_true(disk_lock(disk, "lock", &first, &e));
    const struct iovec part = { "garbage", 7 };
    assert_true(disk_file_write(first, 0, &part, 1, &e));
    assert_false(disk_lock(disk, "lock", &second, &e));
    assert_non_null(strstr(e.words, "another process"));
    disk_unlock(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_read_now),
        cmocka_unit_test(test_a_short_write_is_a_failure),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_lock_without_a_name_in_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
