/* test_author.c - whom the header may name as its author, with a real directory; and what becomes
 * of the question when memory or the lane is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/author.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    char folder[64];
    struct tls_service *tls;
    struct settings *settings;
    struct shared *shared;
    struct server server;
    struct server_loop home;
    struct policy_peer bob;
    enum author_verdict verdict;
    unsigned answers;
};

/* The allocation that fails; 0: none.  And the lane, which may be full. */
static _Atomic unsigned failing, allocations;
static bool full;

void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_calloc(size_t count, size_t size)
{
    return ++allocations == failing ? NULL : __real_calloc(count, size);
}

bool __real_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *, struct job *);
bool __wrap_lane_submit(struct lane *lane, struct job *job)
{
    return !full && __real_lane_submit(lane, job);
}

/* --- A world --- */

static void add_people(const char *folder)
{
    struct verifier verifier = { .iterations = 1 };
    struct directory *directory;
    struct error error;
    static const struct account bob = { TEXT("bob@a.test"), 1, 1000 };
    static const struct account eve = { TEXT("eve@a.test"), 2, 1000 };
    static const struct account boss = { TEXT("bob+boss@a.test"), 3, 1000 };
    struct text to_bob = bob.address, to_eve = eve.address;
    assert_true(directory_open(folder, true, &directory, &error));
    assert_true(account_add(directory, bob.address, &bob, &verifier, &error));
    assert_true(account_add(directory, eve.address, &eve, &verifier, &error));
    assert_true(account_add(directory, boss.address, &boss, &verifier, &error));
    assert_true(alias_add(directory, T("sales@a.test"), T("sales@a.test"), &to_bob, 1, &error));
    assert_true(alias_add(directory, T("bob+own@a.test"), T("bob+own@a.test"), &to_bob, 1, &error));
    assert_true(alias_add(directory, T("bob+all@a.test"), T("bob+all@a.test"), &to_eve, 1, &error));
    directory_close(&directory);
}

static int set_up(void **state)
{
    static const struct text words = TEXT("hostname = \"mx.a.test\"\ndomain \"a.test\" {}\n");
    struct world *w = calloc(1, sizeof *w);
    struct config *config;
    struct error error;
    full = false;
    failing = 0;
    snprintf(w->folder, sizeof w->folder, "/tmp/godwit-author-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    add_people(w->folder);
    assert_true(config_read("test.conf", words, &(struct config_notices){ 0 }, &config, &error));
    assert_true(tls_service_new(&w->tls, &error));
    struct settings_source source = { .service = w->tls };
    assert_true(settings_new(config, &source, &w->settings, &error));
    assert_true(shared_new(&w->shared, &error));
    assert_true(people_new(w->folder, w->shared, &w->server.people, &error));
    assert_true(loop_new(&w->home.loop, &error));
    w->home.cache = address_cache_new(w->shared);
    w->home.server = &w->server;
    w->home.settings = w->settings;
    w->bob = (struct policy_peer){ .authenticated = true, .mailbox = 1 };
    assert_int_equal(address_parse(T("bob@a.test"), ADDRESS_UTF8, &w->bob.login), ADDRESS_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[100];
    assert_int_equal(w->home.operations, 0);
    people_free(&w->server.people);
    address_cache_free(&w->home.cache);
    loop_free(&w->home.loop);
    shared_free(&w->shared);
    settings_free(&w->settings);
    tls_service_free(&w->tls);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    assert_int_equal(system(command), 0);
    free(w);
    return 0;
}

static void answered(void *owner, enum author_verdict verdict)
{
    struct world *w = owner;
    w->verdict = verdict;
    w->answers++;
    loop_stop(w->home.loop);
}

/* NULL: memory is short; else it is over. */
static struct author_check *check(struct world *w, struct amend_author author)
{
    struct author_ask ask = {
        .home = &w->home, .peer = &w->bob, .author = author, .done = answered, .owner = w
    };
    w->answers = 0;
    struct author_check *c = author_check_new(&ask, &w->verdict);
    if (c && w->verdict == AUTHOR_WAITS) {
        loop_run(w->home.loop);
        assert_int_equal(w->answers, 1);
    }
    return c;
}

static struct amend_author from(const char *value)
{
    return (struct amend_author){ .fields = 1, .value = text_of(value) };
}

/* --- Who may be named --- */

static void test_names(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *value;
        bool fine;
        const char *words;
    } cases[] = {
        { "bob@a.test", true, "" },
        { "Bob <BOB@a.test>", true, "" },
        { "bob+list@a.test", true, "" },
        { "bob+own@a.test", true, "" },
        { "bob+boss@a.test", false, "From names bob+boss@a.test" },
        { "Bob+All@a.test", false, "From names Bob+All@a.test" },
        { "Sales <sales@a.test>", true, "" },
        { "sales@a.test, bob@a.test", true, "" },
        { "eve@a.test", false, "From names eve@a.test" },
        { "sales@a.test, eve@a.test", false, "From names eve@a.test" },
        { "bob@elsewhere.test", false, "From names bob@elsewhere.test" },
        { "nobody@a.test", false, "From names nobody@a.test" },
        { "bob@a.test <eve@a.test>", false, "" },
        { "root", true, "" },
        { "<<>", false, "cannot be read" },
        { "", true, "" },
    };
    for (int known = 0; known < 2; known++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct author_check *c = check(w, from(cases[i].value));
            bool fine = w->verdict == AUTHOR_FINE;
            if (fine != cases[i].fine)
                fail_msg("%s: %s", cases[i].value, fine ? "fine" : "refused");
            if (!fine) {
                struct smtp_answer answer = author_answer(c);
                assert_int_equal(answer.code, 550);
                char said[600];
                snprintf(said, sizeof said, "%.*s", TEXT_ARGS(answer.words));
                assert_non_null(strstr(said, "submission.from: "));
                assert_non_null(strstr(said, cases[i].words));
                assert_non_null(strstr(said, "bob@a.test may write only"));
            }
            author_check_free(&c);
        }
}

static void test_fields(void **state)
{
    struct world *w = *state;
    static const struct {
        struct amend_author author;
        enum author_verdict verdict;
    } cases[] = {
        { { .fields = 0 }, AUTHOR_FINE },
        { { .fields = 2, .value = TEXT("bob@a.test") }, AUTHOR_REFUSED },
        { { .fields = 1, .value = TEXT("bob@a.test"), .too_long = true }, AUTHOR_REFUSED },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct author_check *c = check(w, cases[i].author);
        assert_int_equal(w->verdict, cases[i].verdict);
        author_check_free(&c);
    }
}

static void test_too_many(void **state)
{
    struct world *w = *state;
    char value[AMEND_FROM_MAX] = "";
    for (size_t i = 0; i <= AUTHORS_MAX; i++)
        strcat(value, i ? ", bob@a.test" : "bob@a.test");
    struct author_check *c = check(w, from(value));
    assert_int_equal(w->verdict, AUTHOR_REFUSED);
    author_check_free(&c);
}

/* --- When something is short --- */

/* Never fine without having asked: 451, or no check at all, which its caller answers so. */
static void test_short(void **state)
{
    struct world *w = *state;
    unsigned count = 2; /* the check and the question */
    for (unsigned n = 1; n <= count; n++) {
        allocations = 0;
        failing = n;
        struct author_check *c = check(w, from("sales@a.test"));
        failing = 0;
        assert_true(!c == (n == 1));
        if (c) {
            assert_int_equal(w->verdict, AUTHOR_REFUSED);
            assert_int_equal(author_answer(c).code, 451);
        }
        author_check_free(&c);
    }
    full = true;
    struct author_check *c = check(w, from("sales@a.test"));
    full = false;
    assert_int_equal(w->verdict, AUTHOR_REFUSED);
    assert_int_equal(author_answer(c).code, 451);
    author_check_free(&c);
}

/* Who asked has gone: nobody is told, and the question ends by itself. */
static void test_gone(void **state)
{
    struct world *w = *state;
    struct author_ask ask = { .home = &w->home,
                              .peer = &w->bob,
                              .author = from("sales@a.test"),
                              .done = answered,
                              .owner = w };
    struct author_check *gone = author_check_new(&ask, &w->verdict);
    assert_int_equal(w->verdict, AUTHOR_WAITS);
    author_check_free(&gone);
    struct author_check *c = check(w, from("eve@a.test"));
    assert_int_equal(w->verdict, AUTHOR_REFUSED);
    author_check_free(&c);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_names), WITH(test_fields), WITH(test_too_many), WITH(test_short), WITH(test_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
