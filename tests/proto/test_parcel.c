/* test_parcel.c - messages between two processes of ours, at any cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/parcel.h"

#include <string.h>

static const struct parcel sent[] = {
    { .kind = PARCEL_MARK, .done = 1, .all = UINT64_MAX },
    { .kind = PARCEL_OPEN, .date_ms = 1795246887123, .flags = 63, .words = TEXT("a b@c.test") },
    { .kind = PARCEL_OPEN, .date_ms = -1 },
    { .kind = PARCEL_DATA, .data = { (const uint8_t *)"end\n\0keep", 9 } },
    { .kind = PARCEL_DATA },
    { .kind = PARCEL_DROP },
    { .kind = PARCEL_KEEP, .date_ms = INT64_MAX, .flags = UINT32_MAX },
    { .kind = PARCEL_END },
};
static const char written[] = "mark 1 18446744073709551615\n"
                              "open 1795246887123 63 a b@c.test\n"
                              "open 0 0 \n"
                              "data 9\nend\n\0keep"
                              "drop\n"
                              "keep 9223372036854775807 4294967295\n"
                              "end\n";

static void test_write(void **state)
{
    (void)state;
    char room[512], small[4];
    struct buffer out = buffer_over(room, sizeof room), full = buffer_over(small, sizeof small);
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        assert_true(parcel_write(&out, &sent[i]));
    assert_int_equal(out.len, sizeof written - 1);
    assert_memory_equal(out.at, written, out.len);
    assert_false(parcel_write(&full, &sent[0]));
    assert_false(parcel_write(&out, &(struct parcel){ .kind = PARCEL_BROKEN }));
}

/* Writes down again what is read; data, which may come in pieces, as one. */
static void test_read(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof written; cut++) {
        char room[512], data[16];
        struct buffer again = buffer_over(room, sizeof room), held = buffer_over(data, 16);
        struct parcel_reader r;
        struct parcel p;
        struct bytes in = { (const uint8_t *)written, cut };
        bool second = false;
        parcel_reader_init(&r);
        for (;;) {
            enum parcel_kind kind = parcel_read(&r, &in, &p);
            if (kind == PARCEL_NEED_INPUT && second)
                break;
            if (kind == PARCEL_NEED_INPUT) {
                in = (struct bytes){ (const uint8_t *)written + cut, sizeof written - 1 - cut };
                second = true;
            } else if (kind == PARCEL_DATA) {
                assert_true(buffer_append(&held, p.data.at, p.data.len));
            } else {
                struct parcel whole = { .kind = PARCEL_DATA, .data = buffer_bytes(&held) };
                assert_true(held.len == 0 || parcel_write(&again, &whole));
                held.len = 0;
                assert_true(parcel_write(&again, &p));
            }
        }
        assert_int_equal(again.len, sizeof written - 1);
        assert_memory_equal(again.at, written, again.len);
    }
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\n",
        "keep\n",
        "keep 1\n",
        "keep -1 0\n",
        "keep 1 4294967296\n",
        "keep 9223372036854775808 0\n",
        "data\n",
        "data x\n",
        "data 65537\n",
        "mark 1\n",
        "open 1\n",
        "ends\n",
        "END\n",
    };
    struct parcel_reader r;
    struct parcel p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = bytes_of_text(text_of(cases[i]));
        parcel_reader_init(&r);
        if (parcel_read(&r, &in, &p) != PARCEL_BROKEN)
            fail_msg("taken: %s", cases[i]);
    }
    char line[PARCEL_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    struct bytes in = { (const uint8_t *)line, sizeof line };
    parcel_reader_init(&r);
    assert_int_equal(parcel_read(&r, &in, &p), PARCEL_BROKEN);
}

/* More than one line may announce. */
static void test_large(void **state)
{
    (void)state;
    static uint8_t data[3 * PARCEL_DATA_MAX + 1];
    struct buffer out;
    struct parcel_reader r;
    struct parcel p;
    size_t got = 0;
    buffer_init(&out, 2 * sizeof data);
    assert_true(
        parcel_write(&out, &(struct parcel){ .kind = PARCEL_DATA, .data = { data, sizeof data } }));
    struct bytes in = buffer_bytes(&out);
    parcel_reader_init(&r);
    while (parcel_read(&r, &in, &p) == PARCEL_DATA)
        got += p.data.len;
    assert_int_equal(p.kind, PARCEL_NEED_INPUT);
    assert_int_equal(got, sizeof data);
    buffer_clear(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
