/* test_select.c - the words by which a person means recipients in the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "queue/select.h"

#include <string.h>

#define DAY 86400000LL
#define NOW 1795246887000LL

enum { WORDS_MAX = 6, ID = 12345 };

/* Message ID from Alice to Bob at example.net, two days and a second old. */
static const struct queue_item item = {
    .row = { .message = ID, .address = TEXT("Bob@example.net"), .domain = TEXT("example.net") },
    .sender = TEXT("alice@a.test"),
    .arrived_ms = NOW - 2 * DAY - 1000,
};
static const struct queue_item report = {
    .row = { .message = ID + 1,
             .address = TEXT("carol@[192.0.2.1]"),
             .domain = TEXT("[192.0.2.1] requiretls") },
    .arrived_ms = NOW,
};

static void add_words(struct selection *s, const char *const words[WORDS_MAX])
{
    struct error error = { 0 };
    selection_init(s);
    for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
        if (!selection_add(s, text_of(words[i]), &error))
            fail_msg("%s: %s", words[i], error.words);
}

static void test_matching(void **state)
{
    (void)state;
    char id[MESSAGE_ID_TEXT + 1], other[MESSAGE_ID_TEXT + 1];
    message_id_print(ID, id);
    message_id_print(ID + 7, other);
    const struct {
        const char *words[WORDS_MAX];
        bool item, report;
    } cases[] = {
        { { NULL }, false, false },
        { { "all" }, true, true },
        { { id }, true, false },
        { { other }, false, false },
        { { other, id }, true, false },
        { { "domain:example.net" }, true, false },
        { { "domain:EXAMPLE.net." }, true, false },
        { { "domain:net" }, false, false },
        { { "domain:[192.0.2.1]" }, false, true },
        { { "domain:example.net", "domain:[192.0.2.1]" }, true, true },
        { { "from:alice@a.test" }, true, false },
        { { "from:Alice@A.TEST" }, true, false },
        { { "from:<>" }, false, true },
        { { "from:<>", "from:alice@a.test" }, true, true },
        { { "to:bob@example.net" }, true, false },
        { { "to:\"bob\"@example.net" }, true, false },
        { { "to:alice@a.test" }, false, false },
        { { "to:carol@[192.0.2.1]" }, false, true },
        { { "older:2d" }, true, false },
        { { "older:2d1s" }, true, false },
        { { "older:2d2s" }, false, false },
        { { "older:0" }, true, true },
        /* Every kind must fit. */
        { { "domain:example.net", "older:1d" }, true, false },
        { { "domain:example.net", "older:3d" }, false, false },
        { { "all", "older:1d" }, true, false },
        { { id, "from:<>" }, false, false },
        { { id, other, "domain:x.test", "domain:example.net", "older:3d", "older:1d" },
          true,
          false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct selection s;
        add_words(&s, cases[i].words);
        if (selection_takes(&s, &item, NOW) != cases[i].item ||
            selection_takes(&s, &report, NOW) != cases[i].report)
            fail_msg("case %zu: %s", i, cases[i].words[0]);
        selection_clear(&s);
    }
}

static void test_bad_words(void **state)
{
    (void)state;
    static const char *const words[] = {
        "",           "everything",  "allx",        "all:",         "domain:",  "domain:a b",
        "domain:a@b", "from:",       "from:x",      "from:<a@b>",   "to:",      "to:<>",
        "to:a@b@c",   "older:",      "older:2",     "older:-1d",    "older:1x", "size:3",
        "ALL",        "domain:[1.2", "00000000000", "lll0000000000"
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct selection s;
        struct error error = { 0 };
        selection_init(&s);
        if (selection_add(&s, text_of(words[i]), &error))
            fail_msg("%s was taken", words[i]);
        assert_int_equal(error.kind, ERROR_USAGE);
        assert_int_equal(s.count, 0);
        selection_clear(&s);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct selection s;
    struct error error = { 0 };
    selection_init(&s);
    for (int i = 0; i < SELECTORS_MAX; i++)
        assert_true(selection_add(&s, T("domain:a-rather-long-name.example.net"), &error));
    assert_false(selection_add(&s, T("all"), &error));
    assert_int_equal(error.kind, ERROR_USAGE);
    assert_false(selection_takes(&s, &item, NOW));
    selection_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_bad_words),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
