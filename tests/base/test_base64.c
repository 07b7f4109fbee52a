/* test_base64.c - base64 both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/base64.h"

#include <string.h>

/* RFC 4648 10, and what 8-bit octets give. */
static const struct {
    struct text plain;
    struct text encoded;
} pairs[] = {
    { TEXT(""), TEXT("") },
    { TEXT("f"), TEXT("Zg==") },
    { TEXT("fo"), TEXT("Zm8=") },
    { TEXT("foo"), TEXT("Zm9v") },
    { TEXT("foob"), TEXT("Zm9vYg==") },
    { TEXT("fooba"), TEXT("Zm9vYmE=") },
    { TEXT("foobar"), TEXT("Zm9vYmFy") },
    { TEXT("\0user\0secret"), TEXT("AHVzZXIAc2VjcmV0") },
    { TEXT("\xff\xfe\xfb\xef\xbe"), TEXT("//77774=") },
    { TEXT("Username:"), TEXT("VXNlcm5hbWU6") },
};

static void test_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct text plain = pairs[i].plain;
        struct buffer b;
        buffer_init(&b, 100);
        assert_true(base64_encode(&b, bytes_of_text(plain)));
        assert_true(text_equal(buffer_as_text(&b), pairs[i].encoded));
        buffer_clear(&b);
        uint8_t out[64];
        size_t len = 99;
        assert_true(base64_decode(pairs[i].encoded, out, &len));
        assert_int_equal(len, plain.len);
        assert_true(len == 0 || memcmp(out, plain.at, len) == 0);
    }
}

static void test_every_octet_comes_back(void **state)
{
    (void)state;
    uint8_t all[256], out[300];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(255 - i);
    for (size_t len = 0; len <= sizeof all; len++) {
        struct buffer b;
        size_t out_len;
        buffer_init(&b, BASE64_ENCODED(sizeof all));
        assert_true(base64_encode(&b, (struct bytes){ all, len }));
        assert_true(base64_decode(buffer_as_text(&b), out, &out_len));
        assert_int_equal(out_len, len);
        assert_memory_equal(out, all, len);
        buffer_clear(&b);
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "Z",     "Zg",     "Zg=",   "Zg===",    "====", "=",     "Z===",    "Zg==Zg==",
        "Zm 9v", "Zm9v\n", " Zm9v", "Zm9v\t  ", "Zm9-", "Zm9_",  "Zm9\x80", "Zh==",
        "Zm9=",  "*",      "*===",  "Z=9v",     "=m9v", "Zm9v=", "Zg=v\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[16];
        size_t len;
        if (base64_decode(text_of(cases[i]), out, &len))
            fail_msg("accepted: %s", cases[i]);
    }
}

static void test_in_place(void **state)
{
    (void)state;
    char words[] = "Zm9vYmFy";
    size_t len;
    assert_true(base64_decode(text_of(words), (uint8_t *)words, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(words, "foobar", 6);
}

static void test_no_room(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 7);
    assert_false(base64_encode(&b, bytes_of_text(T("foob"))));
    assert_int_equal(b.len, 0);
    buffer_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),     cmocka_unit_test(test_every_octet_comes_back),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
