/* test_aliases_file.c - the syntax of /etc/aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "cli/input.h"

#include <stdio.h>
#include <string.h>

/* What was told, a line each: "LINE NAME>TARGET" or "LINE!". */
struct told {
    size_t len;
    char words[2000];
};

static void tell(void *owner, const struct alias_line *line)
{
    struct told *told = owner;
    char *at = told->words + told->len;
    size_t room = sizeof told->words - told->len;
    int len = line->problem ? snprintf(at, room, "%u!\n", line->line)
                            : snprintf(at, room, "%u %.*s>%.*s\n", line->line,
                                       TEXT_ARGS(line->name), TEXT_ARGS(line->target));
    told->len += (size_t)len;
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *file, *told;
    } cases[] = {
        { "", "" },
        { "\n# nothing\n   \n\t# here\n", "" },
        { "postmaster: root\n", "1 postmaster>root\n" },
        { "a:b", "1 a>b\n" },
        { "a : b , c,d\r\n", "1 a>b\n1 a>c\n1 a>d\n" },
        { "a: b,\n  c\n\td # and\n", "1 a>b\n2 a>c\n3 a>d\n" },
        { "a:\n  b\n", "2 a>b\n" },
        { "a:\n", "" },
        { "a: b #c\nd: e#f\n", "1 a>b\n2 d>e#f\n" },
        { "a:\n# between\n  b\n", "3 a>b\n" },
        { "\"a b\": \"c,d\", e@f.example\n", "1 a b>c,d\n1 a b>e@f.example\n" },
        { "a: \"b c\"@d.example\n", "1 a>\"b c\"@d.example\n" },
        { "a: b@c.example\nd: e\n", "1 a>b@c.example\n2 d>e\n" },
        /* mistakes; what follows is read all the same */
        { "a b\nc: d\n", "1!\n2 c>d\n" },
        { ": d\n  e\n", "1!\n2!\n" },
        { "  a\n", "1!\n" },
        { "a: |\"/bin/sh -c x\", b\n", "1!\n1 a>b\n" },
        { "a: \"|/bin/sh, x\"\n", "1!\n" },
        { "a: /var/mail/a\n", "1!\n" },
        { "a: :include:/etc/list\n", "1!\n" },
        { "a: \\a, b\n", "1!\n1 a>b\n" },
        { "a: b,, c\n", "1 a>b\n1!\n1 a>c\n" },
        { "a: \"b\nc: d\n", "1!\n2 c>d\n" },
        { "\"a: b\nc: d\n", "1!\n2 c>d\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct told told = { 0 };
        input_aliases(text_of(cases[i].file), tell, &told);
        assert_string_equal(told.words, cases[i].told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
