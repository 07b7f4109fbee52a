/* test_shelf.c - folders of people's files: nothing is taken for what it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "run/file.h"
#include "run/shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/godwit-shelf-XXXXXX";
static struct shelf *shelf;

static const char *in_root(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static int set_up(void **state)
{
    struct error e;
    (void)state;
    return mkdtemp(root) && shelf_open(root, &shelf, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    shelf_close(&shelf);
    return rmdir(root);
}

static void write_file(const char *name, const char *words, struct shelf_file *out)
{
    struct error e;
    if (!shelf_file_make(shelf, name, out, &e))
        fail_msg("%s", e.words);
    assert_true(file_write_all(out->descriptor, bytes_of_text(text_of(words))));
}

static void check_file(const char *name, const char *words)
{
    struct error e;
    struct shelf_file file;
    char room[64];
    size_t got;
    struct buffer held = buffer_over(room, sizeof room);
    if (!shelf_file_open(shelf, name, &file, &e))
        fail_msg("%s", e.words);
    assert_int_equal(file.octets, strlen(words));
    assert_true(shelf_file_read(&file, &held, sizeof room, &got, &e));
    assert_true(text_equal(buffer_as_text(&held), text_of(words)));
    held.len = 0;
    assert_true(shelf_file_look(&file, 1, &held, sizeof room, &e));
    assert_true(text_equal(buffer_as_text(&held), text_skip(text_of(words), 1)));
    shelf_file_close(&file);
}

static void test_files(void **state)
{
    (void)state;
    struct error e;
    struct shelf_file file, other;
    write_file("a", "hello", &file);
    assert_false(shelf_file_make(shelf, "a", &other, &e)); /* somebody is at it */
    assert_int_equal(e.kind, ERROR_REFUSED);
    const struct timespec date = { 1795246887, 123 * 1000000 };
    assert_int_equal(futimens(file.descriptor, (struct timespec[]){ date, date }), 0);
    shelf_file_close(&file);
    check_file("a", "hello");
    assert_true(shelf_file_open(shelf, "a", &file, &e));
    assert_true(file.dated_ms == 1795246887123);
    shelf_file_close(&file);

    write_file("a", "left behind, made anew", &file);
    shelf_file_close(&file);
    check_file("a", "left behind, made anew");

    write_file("b", "other", &file);
    shelf_file_close(&file);
    assert_false(shelf_rename_new(shelf, "a", "b", &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    check_file("b", "other");
    assert_true(shelf_rename_new(shelf, "a", "c", &e));
    check_file("c", "left behind, made anew");
    assert_true(shelf_sync(shelf, ".", &e));
    shelf_remove(shelf, "b");
    shelf_remove(shelf, "c");
    assert_false(shelf_file_open(shelf, "b", &file, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
}

static void test_no_files(void **state)
{
    (void)state;
    struct error e;
    struct shelf_file file;
    write_file("a", "x", &file);
    shelf_file_close(&file);
    assert_int_equal(symlink("a", in_root("link")), 0);
    assert_int_equal(mkfifo(in_root("pipe"), 0600), 0);
    assert_int_equal(mkdir(in_root("folder"), 0700), 0);
    static const char *const names[] = { "link", "pipe", "folder", "a/b", "missing" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_false(shelf_file_open(shelf, names[i], &file, &e));
        assert_int_equal(e.kind, ERROR_REFUSED);
    }
    for (size_t i = 0; i < 3; i++)
        assert_false(shelf_file_make(shelf, names[i], &file, &e));
    /* another name of somebody's file is not written over */
    char hard[256];
    strcpy(hard, in_root("hard"));
    assert_int_equal(link(in_root("a"), hard), 0);
    assert_false(shelf_file_make(shelf, "hard", &file, &e));
    shelf_remove(shelf, "hard");
    check_file("a", "x");
    for (size_t i = 0; i < 2; i++)
        shelf_remove(shelf, names[i]);
    shelf_remove(shelf, "a");
    assert_int_equal(rmdir(in_root("folder")), 0);
}

static void count(void *owner, const char *name)
{
    (void)name;
    ++*(int *)owner;
}

static void test_folders(void **state)
{
    (void)state;
    struct error e;
    struct shelf *other;
    struct shelf_file file;
    int seen = 0, hidden = 0;
    assert_int_equal(shelf_look(in_root("box")), SHELF_NOTHING);
    static const char *const folders[] = { "box", "box/cur", "box/new", "box/tmp", "box/.Sent" };
    enum { FOLDERS = sizeof folders / sizeof *folders };
    for (size_t i = 0; i < FOLDERS; i++) {
        assert_int_equal(mkdir(in_root(folders[i]), 0700), 0);
        assert_int_equal(shelf_look(in_root("box")), i < 3 ? SHELF_PLAIN : SHELF_MAILDIR);
    }
    assert_true(shelf_open(in_root("box"), &other, &e));
    assert_int_equal(shelf_look(in_root("box")), SHELF_MAILDIR);
    assert_true(shelf_list(other, ".", count, &seen, &e));
    assert_true(shelf_list_hidden(other, count, &hidden, &e));
    assert_int_equal(seen, 3);
    assert_int_equal(hidden, 1);
    assert_false(shelf_list(other, "missing", count, &seen, &e));
    shelf_close(&other);

    write_file("file", "x", &file);
    shelf_file_close(&file);
    assert_int_equal(shelf_look(in_root("file")), SHELF_FILE);
    assert_false(shelf_open(in_root("file"), &other, &e));
    assert_null(other);
    shelf_remove(shelf, "file");
    for (size_t i = FOLDERS; i-- > 0;)
        assert_int_equal(rmdir(in_root(folders[i])), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_files),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
