/* test_letter.c - a message on its way to a sender: what is written is read, small or large. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "agent/letter.h"
#include "agent/sender.h"

#include <stdlib.h>
#include <string.h>

static void check_octets(struct letter *l, const uint8_t *wanted, size_t len)
{
    uint64_t at = 0;
    struct bytes piece;
    assert_int_equal(l->octets, len);
    while (letter_read(l, at, &piece)) {
        assert_in_range(piece.len, 1, len - at);
        assert_memory_equal(piece.at, wanted + at, piece.len);
        at += piece.len;
    }
    assert_int_equal(at, len);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0,
                                    1,
                                    LETTER_PIECE,
                                    LETTER_MEMORY_MAX - 1,
                                    LETTER_MEMORY_MAX,
                                    LETTER_MEMORY_MAX + 1,
                                    3 * LETTER_MEMORY_MAX + 17 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *octets = malloc(sizes[i] + 1);
        struct letter l;
        struct error e;
        assert_non_null(octets);
        for (size_t j = 0; j < sizes[i]; j++)
            octets[j] = (uint8_t)(j * 7 + j / 251);
        letter_init(&l);
        struct sink sink = letter_sink(&l);
        for (size_t at = 0; at < sizes[i]; at += 70001) {
            size_t len = sizes[i] - at < 70001 ? sizes[i] - at : 70001;
            assert_true(sink.write(sink.context, (struct bytes){ octets + at, len }, &e));
        }
        check_octets(&l, octets, sizes[i]);
        assert_int_equal(l.file >= 0, sizes[i] > LETTER_MEMORY_MAX);
        letter_clear(&l);
        assert_int_equal(l.octets, 0);
        free(octets);
    }
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool eight_bit, dot_lines;
    } cases[] = {
        { "a\r\nb\r\n", false, false },
        { ".a\r\n", false, true },
        { "a\r\n.\r\n", false, true },
        { "a.b\r\n", false, false },
        { "Gr\xC3\xBC\xC3\x9F"
          "e\r\n",
          true, false },
        { "", false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 1; cut <= strlen(cases[i].words); cut++) {
            struct letter l;
            struct error e;
            letter_init(&l);
            struct sink sink = letter_sink(&l);
            for (struct text rest = text_of(cases[i].words); rest.len; rest = text_skip(rest, cut))
                assert_true(sink.write(sink.context, bytes_of_text(text_first(rest, cut)), &e));
            assert_int_equal(l.eight_bit, cases[i].eight_bit);
            assert_int_equal(l.dot_lines, cases[i].dot_lines);
            letter_clear(&l);
        }
}

/* A folder in which nothing can be made. */
static void test_no_room(void **state)
{
    (void)state;
    static uint8_t octets[LETTER_MEMORY_MAX + 1];
    struct letter l;
    struct error e = { 0 };
    setenv("TMPDIR", "/proc/nowhere", 1);
    letter_init(&l);
    struct sink sink = letter_sink(&l);
    assert_false(sink.write(sink.context, (struct bytes){ octets, sizeof octets }, &e));
    assert_int_equal(e.kind, ERROR_TEMPORARY);
    assert_non_null(strstr(e.words, "/proc/nowhere"));
    letter_clear(&l);
    unsetenv("TMPDIR");
}

static void test_queue_ids(void **state)
{
    (void)state;
    static const struct {
        const char *reply, *id;
    } cases[] = {
        { "250 2.0.0 accepted as 34zgkzp000001", "34zgkzp000001" },
        { "250 2.0.0 Ok: queued as 4F1BC3F0C2", "4F1BC3F0C2" },
        { "250 OK id=1tEA3x-000000001Yz-1A2b", "1tEA3x-000000001Yz-1A2b" },
        { "250-2.0.0 one\n250 2.0.0 Queued as ABC; thank you", "ABC" },
        { "250 ok", "" },
        { "250 queued as ", "" },
        { "", "" },
        { "250 queued as \x1b[31m", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text id = sender_queue_id(text_of(cases[i].reply));
        if (!text_equal(id, text_of(cases[i].id)))
            fail_msg("%s: %.*s", cases[i].reply, TEXT_ARGS(id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_queue_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
