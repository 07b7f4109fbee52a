/* test_field_reader.c - the fields of one name, whole and cut at every octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "mail/field_reader.h"

/* "[" in front of each value. */
static const struct {
    const char *message, *found;
} cases[] = {
    { "", "" },
    { "To: a\r\n\r\n", "[ a\r\n" },
    { "TO:a\nto \t:b\n\n", "[a\n[b\n" },
    { "To:", "[" },
    { "To: a", "[ a" },
    { "To", "" },
    { "To\r\n: a\r\n", "" },
    { "Too: a\r\nT: a\r\nX-To: a\r\nTTo: a\r\nTo-X: a\r\nT o: a\r\n", "" },
    { "Subject: x\r\nTo: a\r\nCc: b\r\nTo: c\r\nDate: d\r\n", "[ a\r\n[ c\r\n" },
    /* folds */
    { "To: a,\r\n b\r\n\tc\r\nCc: d\r\n", "[ a,\r\n b\r\n\tc\r\n" },
    { "To:\r\n a\r\n \r\n\r\n", "[\r\n a\r\n \r\n" },
    { "Cc: a\r\n To: b\r\n\tTo: c\r\nTo: d\r\n", "[ d\r\n" },
    { " To: a\r\n", "" },
    { "To: a\r\nTo: b\r\n", "[ a\r\n[ b\r\n" },
    { "To: a\n b\nTo:\n c", "[ a\n b\n[\n c" },
    /* behind the header it is content */
    { "To: a\r\n\r\nTo: b\r\n", "[ a\r\n" },
    { "To: a\n\nTo: b\n", "[ a\n" },
    { "To: a\n\n To: b\n", "[ a\n" },
    { "\r\nTo: a\r\n", "" },
    { "\nTo: a\r\n", "" },
    /* lines that are no field */
    { "no field\r\nTo: a\r\n", "[ a\r\n" },
    { "\rTo: a\r\nTo: b\r\n", "[ b\r\n" },
    { "\r\rTo: a\r\nTo: b\r\n", "[ b\r\n" },
    { "To: a\rTo: b\r\n", "[ a\rTo: b\r\n" },
};

static void read_piece(struct field_reader *r, struct text piece, struct buffer *found)
{
    struct bytes in = bytes_of_text(piece);
    struct text value;
    enum field_event event;
    while ((event = field_read(r, T("to"), &in, &value)) != FIELD_MORE) {
        assert_true((event == FIELD_VALUE) == (value.len > 0));
        buffer_text(found, event == FIELD_BEGINS ? T("[") : value);
    }
    assert_int_equal(in.len, 0);
}

static void check(size_t i, const char *how, struct buffer *found)
{
    if (!text_equal(buffer_as_text(found), text_of(cases[i].found)))
        fail_msg("case %zu, %s: %.*s", i, how, TEXT_ARGS(buffer_as_text(found)));
    buffer_clear(found);
}

static void test_fields(void **state)
{
    (void)state;
    struct buffer found;
    buffer_init(&found, 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text all = text_of(cases[i].message);
        for (size_t cut = 0; cut <= all.len; cut++) {
            struct field_reader r = { 0 };
            read_piece(&r, text_first(all, cut), &found);
            read_piece(&r, text_skip(all, cut), &found);
            check(i, "in two", &found);
        }
        struct field_reader r = { 0 };
        for (size_t at = 0; at < all.len; at++)
            read_piece(&r, text_first(text_skip(all, at), 1), &found);
        check(i, "octet by octet", &found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fields) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
