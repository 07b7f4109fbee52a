/* test_failure.c - what a server replied, as part of a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "agent/failure.h"

#include <string.h>

static void test_replies(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *words;
    } cases[] = {
        { "550 no", "550 no" },
        { "-ERR [AUTH] no", "-ERR [AUTH] no" },
        { "", "" },
        { "550", "550" },
        { "550 ", "550" },
        { "550-\n550 no", "550 no" },
        { "550-who\n550 is that", "550 who is that" },
        { "550-5.1.1 who\n550-5.1.1 is\n550 5.1.1 that", "550 5.1.1 who is that" },
        { "550-5.1.1 who\n550 5.1.2 is that", "550 5.1.1 who 5.1.2 is that" },
        { "550-5.1.1 who\n551 5.1.1 is that", "550 5.1.1 who 551 5.1.1 is that" },
        { "550-the 5\n550 apples", "550 the 5 apples" },
        { "550-a\n550\n550 b", "550 a b" },
        { "this is no reply\n550 of SMTP", "this is no reply 550 of SMTP" },
        { "5500 x\n5500 y", "5500 x 5500 y" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[FAILURE_REPLY_MAX];
        assert_ptr_equal(failure_reply(text_of(cases[i].reply), words), words);
        assert_string_equal(words, cases[i].words);
    }
}

/* A long reply ends with dots, behind a whole character, however it is cut. */
static void test_long_replies(void **state)
{
    (void)state;
    static const char character[] = "\xE2\x82\xAC";
    for (size_t front = 0; front < 8; front++)
        for (size_t count = 120; count < 140; count++) {
            char reply[600] = "550 ", words[FAILURE_REPLY_MAX];
            memset(reply + 4, 'x', front);
            for (size_t i = 0; i < count; i++)
                strcat(reply, i == 60 ? "\n550 " : character);
            failure_reply(text_of(reply), words);
            size_t len = strlen(words);
            bool cut = strcmp(words + len - 3, "...") == 0;
            assert_true(len < FAILURE_REPLY_MAX);
            assert_true(cut ? len > FAILURE_REPLY_MAX - 8 : len == strlen(reply) - 4);
            size_t end = len - (cut ? 3 : 0);
            assert_memory_equal(words + end - 3, character, 3);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_long_replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
