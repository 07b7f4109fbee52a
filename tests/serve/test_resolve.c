/* test_resolve.c - from an address to its mailboxes, on a real directory in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "serve/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    char folder[64];
    char config_file[96];
    struct directory *directory;
    struct config *config;
};

static void add_user(struct world *w, const char *name, mailbox_id mailbox)
{
    struct verifier verifier = { .iterations = 1 };
    struct address address;
    struct address_key key;
    struct error error;
    assert_int_equal(address_parse(text_of(name), ADDRESS_UTF8, &address), ADDRESS_OK);
    address_key(&address, &key);
    struct account account = { address_text(&address), mailbox, 1000 };
    assert_true(account_add(w->directory, address_key_text(&key), &account, &verifier, &error));
}

static void add_alias(struct world *w, const char *name, const char *target)
{
    struct address address;
    struct address_key key;
    struct error error;
    struct text targets = text_of(target);
    assert_int_equal(address_parse(text_of(name), ADDRESS_UTF8, &address), ADDRESS_OK);
    address_key(&address, &key);
    assert_true(alias_add(w->directory, address_key_text(&key), address_text(&address), &targets, 1,
                          &error));
}

static int make_world(void **state)
{
    static const char words[] = "hostname = \"mx.a.test\"\n"
                                "listen smtp { address = {\"198.51.100.7:25\","
                                " \"[2001:db8::7]:2525\"} }\n"
                                "domain \"a.test\" { catch_all = \"carol@a.test\" }\n"
                                "domain \"b.test\" { plus_addressing = false }\n"
                                "domain \"empty.test\" {}\n";
    struct world *w = calloc(1, sizeof *w);
    struct error error;
    strcpy(w->folder, "/tmp/godwit-resolve-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->config_file, sizeof w->config_file, "%s/godwit.conf", w->folder);
    FILE *file = fopen(w->config_file, "w");
    fputs(words, file);
    fclose(file);
    struct config_notices notices = { 0 };
    if (!config_load(w->config_file, &notices, &w->config, &error))
        fail_msg("%s", error.words);
    if (!directory_open(w->folder, true, &w->directory, &error))
        fail_msg("%s", error.words);
    add_user(w, "Alice@a.test", 1);
    add_user(w, "bob@a.test", 2);
    add_user(w, "carol@a.test", 3);
    add_user(w, "dave@b.test", 4);
    add_alias(w, "team@a.test", "alice@a.test");
    add_alias(w, "team@a.test", "bob@a.test");
    add_alias(w, "team@a.test", "everybody@a.test");
    add_alias(w, "everybody@a.test", "team@a.test");
    add_alias(w, "everybody@a.test", "dave@b.test");
    add_alias(w, "bob@a.test", "alice@a.test");
    add_alias(w, "loop1@b.test", "loop2@b.test");
    add_alias(w, "loop2@b.test", "loop1@b.test");
    add_alias(w, "dave@b.test", "dave@b.test");
    add_alias(w, "dave@b.test", "alice@a.test");
    add_alias(w, "away@a.test", "x@c.test");
    add_alias(w, "both@a.test", "away@a.test");
    add_alias(w, "both@a.test", "X@c.test");
    add_alias(w, "both@a.test", "y@c.test");
    add_alias(w, "both@a.test", "alice@a.test");
    *state = w;
    return 0;
}

static int end_world(void **state)
{
    struct world *w = *state;
    char command[128];
    directory_close(&w->directory);
    config_free(&w->config);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    int gone = system(command);
    free(w);
    return gone;
}

static void test_recipients(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *address;
        enum resolve_verdict verdict;
        bool exists;
        mailbox_id mailboxes[4];  /* in the order found */
        const char *delivered_to; /* of the first */
        const char *remotes[3];
    } cases[] = {
        { "alice@a.test", RESOLVED, true, { 1 }, "alice@a.test" },
        { "ALICE@A.TEST", RESOLVED, true, { 1 }, "ALICE@a.test" },
        { "alice+x@a.test", RESOLVED, true, { 1 }, "alice+x@a.test" },
        { "nobody@a.test", RESOLVED, false, { 3 }, "carol@a.test" },
        { "nobody@b.test", RESOLVE_UNKNOWN, false, { 0 }, NULL },
        { "dave+x@b.test", RESOLVE_UNKNOWN, false, { 0 }, NULL },
        { "alice@c.test", RESOLVE_FOREIGN, false, { 0 }, NULL },
        /* a user who is an alias receives only if he names himself */
        { "bob@a.test", RESOLVED, true, { 1 }, "Alice@a.test" },
        { "dave@b.test", RESOLVED, true, { 4, 1 }, "dave@b.test" },
        /* nested aliases that name each other; every mailbox once */
        { "team@a.test", RESOLVED, true, { 1, 4 }, "Alice@a.test" },
        { "loop1@b.test", RESOLVE_UNKNOWN, true, { 0 }, NULL },
        /* postmaster and abuse: the domain's first user */
        { "postmaster@a.test", RESOLVED, true, { 1 }, "Alice@a.test" },
        { "Abuse@b.test", RESOLVED, true, { 4 }, "dave@b.test" },
        { "postmaster@empty.test", RESOLVE_NOBODY, true, { 0 }, NULL },
        /* elsewhere, each address once */
        { "away@a.test", RESOLVED, true, { 0 }, NULL, { "x@c.test" } },
        { "away+x@a.test", RESOLVED, true, { 0 }, NULL, { "x@c.test" } },
        { "both@a.test", RESOLVED, true, { 1 }, "Alice@a.test", { "x@c.test", "y@c.test" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address;
        struct arena arena;
        arena_init(&arena, 4 * 1024 * 1024);
        assert_int_equal(address_parse(text_of(cases[i].address), 0, &address), ADDRESS_OK);
        struct resolved r = resolve_recipient(w->directory, w->config, &address, &arena);
        if (r.verdict != cases[i].verdict || r.exists != cases[i].exists)
            fail_msg("%s: verdict %d, exists %d", cases[i].address, r.verdict, r.exists);
        for (size_t n = 0; n < 4; n++) {
            mailbox_id found = n < r.count ? r.targets[n].mailbox : 0;
            if (found != cases[i].mailboxes[n])
                fail_msg("%s: mailbox %zu is %llu", cases[i].address, n, (unsigned long long)found);
        }
        for (size_t n = 0; n < 3; n++) {
            struct text found = n < r.remote_count ? r.remotes[n] : T("");
            if (!text_equal(found, text_of(cases[i].remotes[n])))
                fail_msg("%s: remote %zu is %.*s", cases[i].address, n, TEXT_ARGS(found));
        }
        if (cases[i].delivered_to &&
            !text_equal(r.targets[0].delivered_to, text_of(cases[i].delivered_to)))
            fail_msg("%s: delivered to %.*s", cases[i].address,
                     TEXT_ARGS(r.targets[0].delivered_to));
        arena_reset(&arena);
    }
}

static void test_expansion(void **state)
{
    struct world *w = *state;
    struct arena arena;
    struct address address;
    arena_init(&arena, 1024 * 1024);
    address_parse(T("everybody@a.test"), 0, &address);
    struct expansion e = resolve_expand(w->directory, w->config, &address, &arena);
    assert_int_equal(e.verdict, RESOLVED);
    assert_int_equal(e.count, 2);
    assert_true(text_equal(e.lines[0], T("team@a.test")));
    assert_true(text_equal(e.lines[1], T("dave@b.test")));
    address_parse(T("carol+x@a.test"), 0, &address);
    e = resolve_expand(w->directory, w->config, &address, &arena);
    assert_int_equal(e.count, 1);
    assert_true(text_equal(e.lines[0], T("carol@a.test")));
    address_parse(T("nobody@a.test"), 0, &address);
    assert_int_equal(resolve_expand(w->directory, w->config, &address, &arena).verdict,
                     RESOLVE_UNKNOWN);
    arena_reset(&arena);
}

static void test_who_may_send(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *path;
        bool trusted, asks;
    } cases[] = {
        { "<>", true, false },
        { "<alice@a.test>", true, true },
        { "<alice@a.test>", false, false },
        { "<x@elsewhere.test>", true, false },
        { "<x@elsewhere.test>", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text path = text_of(cases[i].path);
        struct policy_peer peer = { .trusted = cases[i].trusted };
        struct address sender;
        assert_int_equal(address_take_path(&path, ADDRESS_NULL, &sender), ADDRESS_OK);
        assert_int_equal(policy_asks_for_sender(w->config, &peer, &sender), cases[i].asks);
    }
    static const struct {
        const char *recipient;
        struct policy_peer peer;
        enum policy_route route;
    } routes[] = {
        { "x@a.test", { false, false }, POLICY_LOCAL },
        { "x@a.test", { true, false }, POLICY_LOCAL },
        { "x@elsewhere.test", { false, false }, POLICY_DENIED },
        { "x@elsewhere.test", { true, false }, POLICY_REMOTE },
        { "x@elsewhere.test", { false, true }, POLICY_REMOTE },
        { "x%a.test@elsewhere.test", { false, false }, POLICY_DENIED },
        { "x@sub.a.test", { false, false }, POLICY_DENIED },
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct smtp_answer refusal = { SMTP_ACCEPT };
        struct address recipient;
        assert_int_equal(address_parse(text_of(routes[i].recipient), 0, &recipient), ADDRESS_OK);
        assert_int_equal(policy_route(w->config, &routes[i].peer, &recipient, &refusal),
                         routes[i].route);
        assert_int_equal(refusal.code, routes[i].route == POLICY_DENIED ? 550 : 0);
    }
    struct resolved by_catch_all = { .verdict = RESOLVED, .exists = false };
    assert_int_equal(policy_sender(&by_catch_all).code, 553);
    struct resolved trouble = { .verdict = RESOLVE_TROUBLE };
    assert_int_equal(policy_sender(&trouble).code, 451);
    assert_int_equal(policy_recipient(RESOLVE_NOBODY).code, 451);
    assert_int_equal(policy_recipient(RESOLVE_UNKNOWN).code, 550);
}

/* The inbox for tests: nobody's mail leaves, and what is ours is as before. */
static void test_everybody_elsewhere(void **state)
{
    struct world *w = *state;
    struct config config = *w->config;
    config.catch_all = T("carol@a.test");
    static const struct {
        const char *recipient;
        enum resolve_verdict verdict;
        mailbox_id mailbox;
    } cases[] = {
        { "x@elsewhere.test", RESOLVED, 3 },     { "x@[192.0.2.99]", RESOLVED, 3 },
        { "alice@a.test", RESOLVED, 1 },         { "nobody@a.test", RESOLVED, 3 },
        { "nobody@b.test", RESOLVE_UNKNOWN, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address recipient;
        struct arena arena;
        struct smtp_answer refusal;
        struct policy_peer stranger = { 0 };
        arena_init(&arena, 1 << 20);
        assert_int_equal(address_parse(text_of(cases[i].recipient), 0, &recipient), ADDRESS_OK);
        assert_int_equal(policy_route(&config, &stranger, &recipient, &refusal), POLICY_LOCAL);
        struct resolved r = resolve_recipient(w->directory, &config, &recipient, &arena);
        assert_int_equal(r.verdict, cases[i].verdict);
        assert_int_equal(r.count, cases[i].mailbox != 0);
        if (r.count > 0)
            assert_int_equal(r.targets[0].mailbox, cases[i].mailbox);
        arena_reset(&arena);
    }
}

static void test_names_of_this_host(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *path, *completed;
    } cases[] = {
        { "<Postmaster>", "Postmaster@a.test" },
        { "<alice@[192.0.2.1]>", "alice@a.test" },
        { "<\"a b\"@[192.0.2.1]>", "\"a b\"@a.test" },
        { "<alice@[192.0.2.2]>", "alice@[192.0.2.2]" },
        { "<alice@[198.51.100.7]>", "alice@a.test" },
        { "<alice@[IPv6:2001:DB8:0::7]>", "alice@a.test" },
        { "<alice@[0.0.0.0]>", "alice@[0.0.0.0]" },
        { "<alice@b.test>", "alice@b.test" },
        { "<alice@192.0.2.1>", "alice@192.0.2.1" },
    };
    struct endpoint here;
    assert_true(endpoint_parse_address(T("192.0.2.1"), &here));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text path = text_of(cases[i].path);
        struct address a;
        assert_int_equal(address_take_path(&path, ADDRESS_POSTMASTER, &a), ADDRESS_OK);
        resolve_complete(w->config, &here, &a);
        if (!text_equal(address_text(&a), text_of(cases[i].completed)))
            fail_msg("%s: %.*s", cases[i].path, TEXT_ARGS(address_text(&a)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipients),         cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_who_may_send),       cmocka_unit_test(test_everybody_elsewhere),
        cmocka_unit_test(test_names_of_this_host),
    };
    return cmocka_run_group_tests(tests, make_world, end_world);
}
