/* test_deposit.c - many messages into one mailbox: in order, with dates and flags, shared syncs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "mail/flags.h"
#include "store/deposit.h"
#include "store_world.h"

#include <stdio.h>
#include <string.h>

enum { ALICE = 0x1111, DATED = 1500000000 };

static void ready(void *owner)
{
    struct world *w = owner;
    loop_stop(w->loop);
}

static struct deposit *begin(struct world *w)
{
    struct deposit_options options = { .store = w->store,
                                       .home = w->loop,
                                       .mailbox = ALICE,
                                       .address = T("alice@a.test"),
                                       .ready = ready,
                                       .owner = w };
    struct deposit *d = deposit_open(&options);
    assert_non_null(d);
    assert_true(deposit_is_idle(d));
    return d;
}

static enum deposit_state settle(struct world *w, struct deposit *d)
{
    while (deposit_look(d) == DEPOSIT_WAIT)
        loop_run(w->loop);
    return deposit_look(d);
}

static enum deposit_state finish(struct world *w, struct deposit *d)
{
    while (!deposit_is_idle(d))
        loop_run(w->loop);
    return deposit_look(d);
}

static void put(struct world *w, struct deposit *d, struct text words)
{
    deposit_append(d, bytes_of_text(words));
    assert_int_equal(settle(w, d), DEPOSIT_OPEN);
}

static void test_in_order(void **state)
{
    enum { COUNT = 1000 };
    struct world *w = *state;
    struct deposit *d = begin(w);
    char words[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(words, sizeof words, "Subject: %04d\r\n\r\n%d\r\n", i, i);
        put(w, d, text_of(words));
        deposit_keep(d, (int64_t)(DATED + i) * 1000, i % 2 ? MAIL_SEEN : MAIL_FLAGGED);
        assert_int_equal(settle(w, d), DEPOSIT_OPEN);
    }
    assert_int_equal(finish(w, d), DEPOSIT_OPEN);
    assert_int_equal(deposit_stored(d), COUNT);
    deposit_close(&d);
    assert_in_range(store_figures(w->store).syncs, 1, COUNT / 4);

    for (int round = 0; round < 2; round++) {
        struct maildrop_read alice = world_list(w, ALICE);
        assert_int_equal(alice.count, COUNT);
        for (int i = 0; i < COUNT; i++) {
            const struct maildrop_entry *entry = &alice.entries[i];
            assert_int_equal(entry->uid, i + 1);
            assert_true(entry->arrived_ms == (int64_t)(DATED + i) * 1000);
            assert_int_equal(entry->flags, i % 2 ? MAIL_SEEN : MAIL_FLAGGED);
            assert_int_equal(entry->prefix.len, 0);
        }
        /* of today, whatever the dates of the mail */
        assert_true(alice.uid_validity > DATED + 100 * 1000 * 1000);
        maildrop_read_clear(&alice);
        world_is_whole(w);
        world_reopen(w);
    }
}

static void test_drop(void **state)
{
    struct world *w = *state;
    struct deposit *d = begin(w);
    put(w, d, T("Subject: one\r\n\r\n"));
    deposit_drop(d);
    deposit_drop(d);
    put(w, d, T("Subject: two\r\n\r\n"));
    deposit_keep(d, 0, 0);
    put(w, d, T("Subject: cut"));
    finish(w, d);
    deposit_close(&d); /* and with it what is not complete */
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, 1);
    assert_int_equal(alice.octets, strlen("Subject: two\r\n\r\n"));
    assert_true(alice.entries[0].arrived_ms > (int64_t)DATED * 1000);
    maildrop_read_clear(&alice);
}

/* Beyond what memory holds: kept, dropped, kept. */
static void test_large(void **state)
{
    static char body[64 * 1024];
    struct world *w = *state;
    struct deposit *d = begin(w);
    memset(body, 'x', sizeof body);
    for (int i = 0; i < 3; i++) {
        for (int piece = 0; piece < 80; piece++)
            put(w, d, (struct text){ body, sizeof body });
        if (i == 1)
            deposit_drop(d);
        else
            deposit_keep(d, 0, 0);
        assert_int_equal(settle(w, d), DEPOSIT_OPEN);
    }
    assert_int_equal(finish(w, d), DEPOSIT_OPEN);
    deposit_close(&d);
    struct maildrop_read alice = world_list(w, ALICE);
    assert_int_equal(alice.count, 2);
    assert_int_equal(alice.octets, 2 * 80 * sizeof body);
    maildrop_read_clear(&alice);
    world_is_whole(w);
}

struct seen {
    struct maildrop_entry entry;
    char content[64];
    size_t octets;
};

static bool see_entry(void *owner, const struct maildrop_entry *entry)
{
    ((struct seen *)owner)->entry = *entry;
    return true;
}

static bool see_piece(void *owner, struct bytes piece)
{
    struct seen *s = owner;
    assert_in_range(s->octets + piece.len, 0, sizeof s->content);
    memcpy(s->content + s->octets, piece.at, piece.len);
    s->octets += piece.len;
    return true;
}

/* A view finds a message that lies elsewhere by now, and says of one that is gone that it is. */
static void test_view(void **state)
{
    struct world *w = *state;
    struct deposit *d = begin(w);
    struct store_view *view;
    struct seen seen = { 0 };
    struct error e;
    put(w, d, T("Subject: one\r\n\r\n"));
    deposit_keep(d, 0, MAIL_SEEN);
    assert_int_equal(finish(w, d), DEPOSIT_OPEN);
    deposit_close(&d);
    assert_true(store_view_open(w->path, &view, &e));
    assert_true(store_view_each(view, ALICE, see_entry, &seen, &e));
    assert_int_equal(seen.entry.flags, MAIL_SEEN);
    for (int i = 0; i < 2; i++) {
        seen.octets = 0;
        seen.entry.place.offset += i ? 4096u : 0u;
        if (!store_view_show(view, &seen.entry, see_piece, &seen, &e))
            fail_msg("%s", e.words);
        assert_int_equal(seen.octets, strlen("Subject: one\r\n\r\n"));
        assert_memory_equal(seen.content, "Subject: one\r\n\r\n", seen.octets);
    }
    seen.entry.message ^= 1; /* which was never there */
    assert_false(store_view_show(view, &seen.entry, see_piece, &seen, &e));
    assert_int_equal(e.kind, ERROR_REFUSED);
    store_view_close(&view);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    struct deposit *d = begin(w);
    assert_int_equal(world_purge(w, ALICE), STORE_STORED);
    put(w, d, T("Subject: one\r\n\r\n"));
    deposit_keep(d, 0, 0);
    assert_int_equal(finish(w, d), DEPOSIT_FAILED);
    assert_non_null(strstr(deposit_error(d)->words, "is gone"));
    assert_int_equal(deposit_append(d, bytes_of_text(T("x"))), DEPOSIT_FAILED);
    assert_int_equal(deposit_keep(d, 0, 0), DEPOSIT_FAILED);
    assert_int_equal(deposit_stored(d), 0);
    deposit_close(&d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_drop, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_large, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_view, world_set_up, world_tear_down),
        cmocka_unit_test_setup_teardown(test_refused, world_set_up, world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
