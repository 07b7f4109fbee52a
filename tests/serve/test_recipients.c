/* test_recipients.c - where recipients lead, each place once, and what a loop takes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/recipients.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

enum { PLACES_MAX = 8 };

/* The allocation that fails; 0: none. */
static unsigned failing, allocations;

void *__real_malloc(size_t);
void *__wrap_malloc(size_t);

void *__wrap_malloc(size_t size)
{
    return ++allocations == failing ? NULL : __real_malloc(size);
}

/* What an address means in this world: places in words, a mailbox as its number. */
static const struct {
    const char *address;
    const char *places[4];
} names[] = {
    { "bob@a.test", { "1" } },
    { "ann@a.test", { "2" } },
    { "away@a.test", { "x@c.test" } },
    { "robert@a.test", { "1" } },
    { "list@a.test", { "1", "2", "x@c.test", "y@c.test" } },
    { "some@a.test", { "1", "y@c.test" } },
};

struct world {
    struct arena arena;
    struct recipients recipients;
};

static int make_world(void **state)
{
    static struct world w;
    arena_init(&w.arena, 1 << 24);
    recipients_init(&w.recipients, &w.arena);
    *state = &w;
    return 0;
}

static int end_world(void **state)
{
    struct world *w = *state;
    arena_reset(&w->arena);
    return 0;
}

static void read_place(const char *words, struct resolved *out)
{
    if (strchr(words, '@')) {
        out->remotes[out->remote_count++] = text_of(words);
        return;
    }
    struct resolved_target *target = &out->targets[out->count++];
    target->mailbox = (mailbox_id)(words[0] - '0');
    target->account = target->delivered_to =
        target->mailbox == 1 ? T("bob@a.test") : T("ann@a.test");
}

/* "bob@a.test SUCCESS,DELAY" is one RCPT. */
static enum recipients_add add(struct world *w, const char *name, unsigned notify)
{
    struct resolved_target targets[4];
    struct text remotes[4];
    struct resolved resolved = { .verdict = RESOLVED, .targets = targets, .remotes = remotes };
    struct smtp_rcpt rcpt = { .notify = notify, .orcpt = T("rfc822;o") };
    struct address address;
    bool ours = false;
    assert_int_equal(address_parse(text_of(name), 0, &address), ADDRESS_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].address, name) == 0) {
            ours = true;
            for (size_t n = 0; n < 4 && names[i].places[n]; n++)
                read_place(names[i].places[n], &resolved);
        }
    struct recipient_named named = { &address, ours ? &resolved : NULL, &rcpt };
    return recipients_add(&w->recipients, &named);
}

static void check_places(const struct recipients *r, const char *expected)
{
    char found[512] = "";
    for (size_t i = 0; i < r->place_count; i++)
        if (!r->places[i].lost)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s%.*s/%u",
                     found[0] ? " " : "", r->places[i].mailbox ? "=" : "",
                     TEXT_ARGS(r->places[i].address), r->places[i].notify);
    assert_string_equal(found, expected);
}

static void test_each_place_once(void **state)
{
    struct world *w = *state;
    const struct recipients *r = &w->recipients;
    assert_int_equal(add(w, "x@c.test", NOTIFY_SUCCESS), RECIPIENT_ADDED);
    assert_int_equal(add(w, "bob@a.test", NOTIFY_SUCCESS), RECIPIENT_ADDED);
    assert_int_equal(add(w, "list@a.test", NOTIFY_SUCCESS | NOTIFY_DELAY), RECIPIENT_ADDED);
    assert_int_equal(add(w, "X@c.test", NOTIFY_NEVER), RECIPIENT_ADDED);
    check_places(r, "x@c.test/2 =bob@a.test/0 =ann@a.test/0 y@c.test/8 X@c.test/1");
    assert_int_equal(r->count, 4);
    assert_int_equal(r->local_count, 2);
    assert_int_equal(r->remote_count, 3);
    assert_int_equal(r->list[2].places, 4);
    assert_int_equal(r->list[2].remote_count, 2);
    assert_int_equal(recipients_forwarder(r).len, 0);
}

static void test_what_several_are_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(add(w, "some@a.test", NOTIFY_SUCCESS), RECIPIENT_ADDED);
    check_places(&w->recipients, "=bob@a.test/0 y@c.test/1");
    assert_true(text_equal(recipients_forwarder(&w->recipients), T("some@a.test")));
}

static void test_one_is_asked_for_everything(void **state)
{
    struct world *w = *state;
    assert_int_equal(add(w, "away@a.test", NOTIFY_SUCCESS), RECIPIENT_ADDED);
    check_places(&w->recipients, "x@c.test/2");
    assert_true(text_equal(recipients_forwarder(&w->recipients), T("away@a.test")));
    assert_true(text_equal(w->recipients.places[0].orcpt, T("rfc822;o")));
}

static void test_too_many(void **state)
{
    struct world *w = *state;
    char name[32];
    for (unsigned i = 0; i < STORE_PLACEMENTS_MAX - 1; i++) {
        snprintf(name, sizeof name, "u%u@d.test", i);
        assert_int_equal(add(w, name, 0), RECIPIENT_ADDED);
    }
    assert_int_equal(add(w, "list@a.test", 0), RECIPIENT_TOO_MANY);
    assert_int_equal(w->recipients.place_count, STORE_PLACEMENTS_MAX - 1);
    assert_int_equal(w->recipients.local_count, 0);
    assert_int_equal(add(w, "some@a.test", 0), RECIPIENT_ADDED);
    assert_int_equal(add(w, "z@d.test", 0), RECIPIENT_TOO_MANY);
    assert_int_equal(add(w, "ann@a.test", 0), RECIPIENT_ADDED);
}

/* The message has the fields; the recipients' mail is left as said. */
static const struct {
    const char *fields, *to[3], *left;
    bool some;
} loops[] = {
    { "Subject: x\r\n", { "bob@a.test" }, "=bob@a.test/0", true },
    { "Delivered-To: other@a.test\r\n", { "bob@a.test" }, "=bob@a.test/0", true },
    { "Delivered-To: bob@a.test\r\n", { "bob@a.test" }, "", false },
    { "Delivered-To: BOB@a.test\r\n", { "bob@a.test", "ann@a.test" }, "=ann@a.test/0", true },
    /* an alias that has had it */
    { "Delivered-To: away@a.test\r\n", { "away@a.test" }, "", false },
    { "Delivered-To: list@a.test\r\n", { "list@a.test" }, "", false },
    /* ... does not take it from whom another reaches */
    { "Delivered-To: list@a.test\r\n",
      { "list@a.test", "some@a.test" },
      "=bob@a.test/0 y@c.test/0",
      true },
    { "Delivered-To: some@a.test\r\n",
      { "list@a.test", "some@a.test" },
      "=bob@a.test/0 =ann@a.test/0 x@c.test/0 y@c.test/0",
      true },
    /* a mailbox that has had it, reached through one that has not */
    { "Delivered-To: bob@a.test\r\n", { "some@a.test" }, "y@c.test/0", true },
    { "Delivered-To: bob@a.test\r\nDelivered-To: some@a.test\r\n",
      { "bob@a.test", "some@a.test" },
      "",
      false },
    /* what others have had is theirs to see */
    { "Delivered-To: x@c.test\r\n", { "x@c.test", "away@a.test" }, "x@c.test/0", true },
};

static void test_loops(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        struct delivered delivered;
        delivered_init(&delivered);
        delivered_read(&delivered, bytes_of_text(text_of(loops[i].fields)));
        for (size_t n = 0; n < 3 && loops[i].to[n]; n++)
            assert_int_equal(add(w, loops[i].to[n], 0), RECIPIENT_ADDED);
        assert_int_equal(recipients_drop_loops(&w->recipients, &delivered), loops[i].some);
        check_places(&w->recipients, loops[i].left);
        recipients_init(&w->recipients, &w->arena);
        delivered_clear(&delivered);
    }
}

/* What a sender is told: the action's letter (Delivered, Expanded, Failed) and whom it is about. */
static const struct {
    const char *fields, *to[2], *news;
    unsigned notify;
} told[] = {
    { "", { "bob@a.test" }, "", NOTIFY_DEFAULT },
    { "", { "bob@a.test" }, "", NOTIFY_FAILURE | NOTIFY_DELAY },
    { "", { "bob@a.test" }, "Dbob@a.test", NOTIFY_SUCCESS },
    { "", { "robert@a.test" }, "Drobert@a.test", NOTIFY_SUCCESS },
    { "", { "bob@a.test", "ann@a.test" }, "Dbob@a.test Dann@a.test", NOTIFY_SUCCESS },
    { "", { "x@c.test", "away@a.test" }, "", NOTIFY_SUCCESS },
    { "", { "some@a.test", "bob@a.test" }, "Esome@a.test Dbob@a.test", NOTIFY_SUCCESS },
    { "bob@a.test", { "bob@a.test", "ann@a.test" }, "Fbob@a.test", NOTIFY_DEFAULT },
    { "bob@a.test", { "bob@a.test", "ann@a.test" }, "Fbob@a.test Dann@a.test", NOTIFY_SUCCESS },
    { "bob@a.test", { "some@a.test" }, "Esome@a.test Fbob@a.test", NOTIFY_SUCCESS },
    { "bob@a.test", { "list@a.test", "bob@a.test" }, "Fbob@a.test", NOTIFY_NEVER },
    { "list@a.test", { "list@a.test", "ann@a.test" }, "Flist@a.test", NOTIFY_DEFAULT },
};

static void test_news(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct recipient_news news[PLACES_MAX];
        struct delivered delivered;
        char field[64], found[256] = "";
        delivered_init(&delivered);
        snprintf(field, sizeof field, "Delivered-To: %s\r\n", told[i].fields);
        delivered_read(&delivered, bytes_of_text(text_of(field)));
        for (size_t n = 0; n < 2 && told[i].to[n]; n++)
            assert_int_equal(add(w, told[i].to[n], told[i].notify), RECIPIENT_ADDED);
        recipients_drop_loops(&w->recipients, &delivered);
        assert_in_range(recipients_news_max(&w->recipients), 1, PLACES_MAX);
        size_t count = recipients_news(&w->recipients, news);
        for (size_t n = 0; n < count; n++) {
            char letter = news[n].action == DSN_DELIVERED  ? 'D'
                          : news[n].action == DSN_EXPANDED ? 'E'
                                                           : 'F';
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%c%.*s",
                     found[0] ? " " : "", letter, TEXT_ARGS(news[n].address));
            assert_int_equal(news[n].notify, told[i].notify);
        }
        assert_string_equal(found, told[i].news);
        recipients_init(&w->recipients, &w->arena);
        delivered_clear(&delivered);
    }
}

/* Whatever fails, the recipient is refused as a whole, and can be added afterwards. */
static void add_surely(struct world *w, const char *name, bool *failed)
{
    const struct recipients before = w->recipients;
    enum recipients_add added = add(w, name, 0);
    if (added == RECIPIENT_ADDED)
        return;
    assert_int_equal(added, RECIPIENT_NO_MEMORY);
    assert_int_equal(w->recipients.count, before.count);
    assert_int_equal(w->recipients.place_count, before.place_count);
    assert_int_equal(w->recipients.claim_count, before.claim_count);
    assert_int_equal(w->recipients.local_count, before.local_count);
    assert_int_equal(w->recipients.remote_count, before.remote_count);
    assert_int_equal(add(w, name, 0), RECIPIENT_ADDED);
    *failed = true;
}

static void test_memory(void **state)
{
    struct world *w = *state;
    unsigned tried = 0;
    for (bool failed = true; failed; tried++) {
        char name[32];
        arena_reset(&w->arena);
        recipients_init(&w->recipients, &w->arena);
        failing = tried + 1;
        allocations = 0;
        failed = false;
        for (unsigned i = 0; i < 100; i++) {
            snprintf(name, sizeof name, "u%u@d.test", i);
            add_surely(w, i % 10 == 5 ? "list@a.test" : name, &failed);
        }
        failing = 0;
        assert_int_equal(w->recipients.count, 100);
        assert_int_equal(w->recipients.place_count, 94);
        assert_int_equal(w->recipients.claim_count, 36);
    }
    assert_in_range(tried, 10, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_place_once, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_what_several_are_asked_for, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_one_is_asked_for_everything, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_too_many, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_loops, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_news, make_world, end_world),
        cmocka_unit_test_setup_teardown(test_memory, make_world, end_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
