/* test_landing.c - folder/landing: a window is seen as a whole or not at all, and a stop between
 * any two of its steps is made good. */
#include "folder/landing.h"
#include "mail/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "world.h"

enum { MESSAGES = 3 };
static const char *const messages[MESSAGES] = {
    "Subject: one\r\n\r\nText\r\n",
    "Subject: two\r\n\r\nFrom here\r\n>From there\r\n",
    "Subject: three\r\n\r\nNo end",
};

struct names {
    char at[MESSAGES][LANDING_NAME_MAX];
};

static struct landing *open_at(struct world *w, const char *prefix, const char *name)
{
    char target[512];
    struct landing *l = NULL;
    struct error e;
    snprintf(target, sizeof target, "%s%s/%s", prefix, w->folder, name);
    if (!landing_open(target, &l, &e))
        fail_msg("%s", e.words);
    return l;
}

static void add(struct landing *l, const char *text)
{
    struct error e;
    for (; *text; text++) /* octet by octet */
        assert_true(landing_add(l, (struct bytes){ (const uint8_t *)text, 1 }, &e));
}

static void put_window(struct landing *l, struct names *out)
{
    struct error e;
    const struct landing_facts none = { 0 };
    for (size_t i = 0; i < MESSAGES; i++) {
        assert_true(landing_begin(l, &none, &e));
        add(l, "half of");
        landing_drop(l);
        assert_true(landing_begin(l, &none, &e));
        add(l, messages[i]);
        assert_true(landing_end(l, out->at[i], &e));
    }
    assert_int_equal(landing_messages(l), MESSAGES);
}

static void check_box(struct world *w, int copies)
{
    char all[WORLD_READ_MAX], *at = world_read(w, "box", all) ? all : NULL;
    static const char *const parts[] = {
        "\nSubject: one\n\nText\n\nFrom MAILER-DAEMON ",
        "\nSubject: two\n\n>From here\n>>From there\n\nFrom MAILER-DAEMON ",
        "\nSubject: three\n\nNo end\n\n",
    };
    for (int copy = 0; copy < copies; copy++)
        for (size_t i = 0; i < MESSAGES; i++) {
            at = strstr(at, parts[i]);
            if (!at)
                fail_msg("copy %d, message %zu: %s", copy, i, all);
            at += strlen(parts[i]) - 19 * (i < 2);
        }
    if (*at)
        fail_msg("behind its end: %s", at);
}

static void a_maildir_sees_whole_windows(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    world_open(&w);
    struct landing *l = open_at(&w, "maildir:", "M");
    assert_int_equal(world_count(&w, "M"), 3);
    put_window(l, &names);
    assert_int_equal(world_count(&w, "M/new"), 0);
    assert_true(landing_sync(l, &e));
    assert_int_equal(world_count(&w, "M/new"), 0);
    assert_true(landing_show(l, &e));
    assert_true(landing_done(l, &e));
    assert_int_equal(landing_messages(l), 0);
    assert_int_equal(world_count(&w, "M/new"), MESSAGES);
    assert_int_equal(world_count(&w, "M/tmp"), 0);
    char path[LANDING_NAME_MAX + 8], text[WORLD_READ_MAX];
    snprintf(path, sizeof path, "M/%s", names.at[2]);
    assert_string_equal(world_read(&w, path, text), "Subject: three\n\nNo end");
    put_window(l, &names);
    landing_close(&l); /* never synced */
    assert_int_equal(world_count(&w, "M/new"), MESSAGES);
    assert_int_equal(world_count(&w, "M/tmp"), 0);
    world_close(&w);
}

static void finish_all(struct landing *l, const struct names *names, enum landing_finished wanted)
{
    struct error e;
    for (size_t i = 0; i < MESSAGES; i++)
        assert_int_equal(landing_finish(l, names->at[i], &e), wanted);
    assert_true(landing_finish_end(l, &e));
    assert_true(landing_done(l, &e));
}

static void a_maildir_is_finished_after_a_stop(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    char from[512], to[512];
    world_open(&w);
    struct landing *l = open_at(&w, "maildir:", "M");
    put_window(l, &names);
    assert_true(landing_sync(l, &e));
    landing_close(&l);
    l = open_at(&w, "maildir:", "M");
    finish_all(l, &names, LANDING_SHOWN);
    assert_int_equal(world_count(&w, "M/new"), MESSAGES);
    finish_all(l, &names, LANDING_SHOWN); /* a stop behind the renames */
    snprintf(from, sizeof from, "%s/M/%s", w.folder, names.at[0]);
    snprintf(to, sizeof to, "%s/M/cur/%s:2,S", w.folder, names.at[0] + 4);
    assert_int_equal(rename(from, to), 0); /* somebody has read it meanwhile */
    assert_int_equal(landing_finish(l, names.at[0], &e), LANDING_SHOWN);
    assert_int_equal(unlink(to), 0);
    assert_int_equal(landing_finish(l, names.at[0], &e), LANDING_GONE);
    assert_int_equal(landing_finish(l, "../x", &e), LANDING_GONE);
    assert_int_equal(landing_finish(l, "new/../x", &e), LANDING_GONE);
    landing_close(&l);
    world_close(&w);
}

/* As godwit export writes: what is known of a message, and a name that stays. */
static bool put_named(struct landing *l, const char *base, const char *text, struct error *e)
{
    char name[LANDING_NAME_MAX];
    const struct landing_facts facts = { .base = text_of(base),
                                         .received_ms = 1795246887123,
                                         .flags = MAIL_SEEN };
    if (!landing_begin(l, &facts, e))
        return false;
    add(l, text);
    return landing_end(l, name, e) && landing_sync(l, e) && landing_show(l, e) &&
           landing_done(l, e);
}

static void a_maildir_takes_names(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct stat at;
    char text[WORLD_READ_MAX];
    world_open(&w);
    assert_int_equal(mkdir(world_path(&w, "M"), 0700), 0);
    assert_int_equal(mkdir(world_path(&w, "M/tmp"), 0700), 0); /* somebody died over making it */
    world_write(&w, "M/tmp/1.a", "w", "what a dead one has left");
    struct landing *l = open_at(&w, "maildir:", "M"), *other = open_at(&w, "maildir:", "M");
    assert_true(landing_lock(l, &e));
    assert_false(landing_lock(other, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    for (size_t i = 0; i < 2; i++)
        assert_true(put_named(l, "1.a", messages[i], &e));
    assert_int_equal(world_count(&w, "M/cur"), 1);
    assert_int_equal(world_count(&w, "M/new"), 0);
    assert_int_equal(world_count(&w, "M/tmp"), 0);
    assert_non_null(strstr(world_read(&w, "M/cur/1.a:2,S", text), "two"));
    assert_int_equal(stat(world_path(&w, "M/cur/1.a:2,S"), &at), 0);
    assert_int_equal(at.st_mtim.tv_sec, 1795246887);
    assert_false(put_named(l, "a/b", "", &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    landing_close(&l);
    assert_true(landing_lock(other, &e));
    landing_close(&other);
    world_close(&w);
}

static bool begin_long(struct landing *l, size_t octets, struct error *e)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    bool ok = landing_begin(l, &(struct landing_facts){ .received_ms = 1 }, e);
    assert_true(ok);
    add(l, "Subject: long\r\n\r\n");
    for (size_t i = 0; ok && i < octets; i += sizeof line)
        ok = landing_add(l, bytes_of_text((struct text){ line, sizeof line }), e);
    return ok;
}

static void put_long(struct landing *l, size_t octets)
{
    struct error e;
    assert_true(begin_long(l, octets, &e));
}

/* Whatever a message's length, one that is dropped leaves nothing. */
static void a_file_takes_whole_messages(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    char all[WORLD_READ_MAX], name[LANDING_NAME_MAX];
    enum { SHORT = 1024, LONG = 3 << 20 };
    static const char first[] = "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nSubject: long\n\n";
    world_open(&w);
    for (size_t octets = SHORT; octets <= LONG; octets += LONG - SHORT) {
        struct landing *l = NULL;
        int file = open(world_path(&w, "box"), O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(file >= 0 && landing_open_file(file, "box", &l, &e));
        for (int i = 0; i < 3; i++) {
            put_long(l, octets);
            if (i == 1)
                landing_drop(l);
            else
                assert_true(landing_end(l, name, &e));
        }
        assert_int_equal(landing_messages(l), 2);
        assert_true(landing_sync(l, &e) && landing_show(l, &e) && landing_done(l, &e));
        landing_close(&l);
        assert_int_equal(lseek(file, 0, SEEK_END) % 2, 0);
        assert_int_equal(lseek(file, 0, SEEK_CUR) / 2 / octets, 1);
        assert_int_equal(close(file), 0);
        assert_memory_equal(world_read(&w, "box", all), first, sizeof first - 1);
    }
    world_close(&w);
}

/* No room for it: what stands in the file is as it was before the window. */
static void a_file_takes_whole_windows(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct rlimit before, limit;
    char name[LANDING_NAME_MAX];
    world_open(&w);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t octets = 1024; octets <= 3 << 20; octets += (3 << 20) - 1024) {
        struct landing *l = NULL;
        world_write(&w, "box", "w", "From x\n\n");
        int file = open(world_path(&w, "box"), O_WRONLY | O_APPEND);
        assert_true(file >= 0 && landing_open_file(file, "box", &l, &e));
        put_long(l, 1024);
        assert_true(landing_end(l, name, &e) && landing_show(l, &e) && landing_done(l, &e));
        off_t size = lseek(file, 0, SEEK_END);
        put_long(l, 1024);
        assert_true(landing_end(l, name, &e));
        limit = before;
        limit.rlim_cur = (rlim_t)size + 1500;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        bool whole = begin_long(l, octets, &e) && landing_end(l, name, &e);
        if (!whole)
            landing_drop(l);
        assert_int_equal(whole, octets == 1024);
        assert_false(landing_show(l, &e));
        assert_int_equal(e.kind, ERROR_TEMPORARY);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_false(landing_show(l, &e)); /* what is lost does not become good */
        landing_close(&l);
        assert_int_equal(lseek(file, 0, SEEK_END), size);
        assert_int_equal(close(file), 0);
    }
    world_close(&w);
}

static void an_mbox_sees_whole_windows(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    world_open(&w);
    struct landing *l = open_at(&w, "mbox:", "box");
    for (int copy = 1; copy <= 2; copy++) {
        put_window(l, &names);
        assert_true(landing_sync(l, &e));
        assert_true(landing_show(l, &e));
        assert_true(landing_done(l, &e));
        check_box(&w, copy);
        assert_int_equal(world_count(&w, ""), 1);
    }
    put_window(l, &names);
    landing_close(&l);
    check_box(&w, 2);
    assert_int_equal(world_count(&w, ""), 1);
    world_close(&w);
}

/* The copy may have stopped at any octet of it. */
static void an_mbox_is_finished_after_a_stop(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    char all[WORLD_READ_MAX];
    world_open(&w);
    struct landing *l = open_at(&w, "mbox:", "box");
    put_window(l, &names);
    assert_true(landing_sync(l, &e));
    landing_close(&l);
    l = open_at(&w, "mbox:", "box");
    finish_all(l, &names, LANDING_GONE); /* nothing had begun */
    assert_int_equal(world_count(&w, ""), 0);
    put_window(l, &names);
    assert_true(landing_sync(l, &e) && landing_show(l, &e) && landing_done(l, &e));
    landing_close(&l);
    check_box(&w, 1);
    size_t one = strlen(world_read(&w, "box", all));
    for (size_t cut = 0; cut <= one; cut += 7) {
        l = open_at(&w, "mbox:", "box");
        put_window(l, &names);
        assert_true(landing_sync(l, &e));
        assert_true(landing_show(l, &e));
        landing_close(&l); /* as if it had been killed before `done` */
        assert_int_equal(truncate(world_path(&w, "box"), (off_t)(one + cut)), 0);
        l = open_at(&w, "mbox:", "box");
        finish_all(l, &names, LANDING_SHOWN);
        finish_all(l, &names, LANDING_GONE);
        landing_close(&l);
        check_box(&w, 2);
        assert_int_equal(world_count(&w, ""), 1);
        assert_int_equal(truncate(world_path(&w, "box"), (off_t)one), 0);
    }
    world_close(&w);
}

static void what_is_left_is_swept_up(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    char target[512];
    world_open(&w);
    struct landing *l = open_at(&w, "mbox:", "box");
    put_window(l, &names);
    assert_true(landing_sync(l, &e) && landing_show(l, &e));
    landing_close(&l); /* as if it had been killed before `done` */
    assert_int_equal(world_count(&w, ""), 2);
    snprintf(target, sizeof target, "mbox:%s/box", w.folder);
    landing_sweep(target, names.at[1]);
    landing_sweep(target, "x");
    landing_sweep("maildir:/x", "x");
    assert_int_equal(world_count(&w, ""), 1);
    check_box(&w, 1);
    world_close(&w);
}

static void an_mbox_that_somebody_has_changed(void **state)
{
    (void)state;
    struct world w;
    struct error e;
    struct names names;
    char all[WORLD_READ_MAX];
    world_open(&w);
    world_write(&w, "box", "w", "From x Thu Jan  1 00:00:00 1970\nSubject: old\n\nno line end");
    struct landing *l = open_at(&w, "mbox:", "box");
    put_window(l, &names);
    assert_true(landing_sync(l, &e));
    assert_true(landing_show(l, &e));
    landing_close(&l);
    assert_non_null(strstr(world_read(&w, "box", all), "no line end\n\nFrom MAILER-DAEMON"));
    world_write(&w, "box", "w", "");
    l = open_at(&w, "mbox:", "box");
    finish_all(l, &names, LANDING_SHOWN);
    landing_close(&l);
    check_box(&w, 1);
    world_close(&w);
}

static void what_is_no_place(void **state)
{
    (void)state;
    static const char *const targets[] = { "x",
                                           "maildir:",
                                           "mbox:",
                                           "-x",
                                           "",
                                           "Maildir:/x",
                                           "mbox:/tmp",
                                           "mbox:/nowhere/x",
                                           "maildir:/dev/null",
                                           "maildir:/nowhere/x",
                                           "maildir:/tmp/.." };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct landing *l;
        struct error e;
        if (landing_open(targets[i], &l, &e))
            fail_msg("%s was opened", targets[i]);
        assert_int_equal(e.kind, i < 6 ? ERROR_USAGE : ERROR_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_maildir_sees_whole_windows),
        cmocka_unit_test(a_maildir_is_finished_after_a_stop),
        cmocka_unit_test(a_maildir_takes_names),
        cmocka_unit_test(a_file_takes_whole_messages),
        cmocka_unit_test(a_file_takes_whole_windows),
        cmocka_unit_test(an_mbox_sees_whole_windows),
        cmocka_unit_test(an_mbox_is_finished_after_a_stop),
        cmocka_unit_test(what_is_left_is_swept_up),
        cmocka_unit_test(an_mbox_that_somebody_has_changed),
        cmocka_unit_test(what_is_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
