/* test_dot.c - the end of data, dot-stuffing, mending and the facts of content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/dot.h"

#include <string.h>

enum { RAW_MAX = 96, CONTENT_MAX = 2 * RAW_MAX };

/* What a decoder made of its input, or should make of it. */
struct outcome {
    uint8_t content[CONTENT_MAX];
    size_t len;
    size_t used; /* octets taken, the end included */
    bool ended;
    bool bare;
    uint32_t line_longest;
    bool dot_lines;
};

/*
 * The reference: slow, all at once, and written from the rules in dot.h, not from the decoder.
 */

static void out_octets(struct outcome *o, const char *octets, size_t len)
{
    assert_true(o->len + len <= sizeof o->content);
    memcpy(o->content + o->len, octets, len);
    o->len += len;
}

/* One line without its CRLF. Every CR and LF that is left in it is bare. */
static void reference_line(struct outcome *o, struct text line, enum dot_line_ends ends)
{
    for (size_t i = 0; i < line.len; i++) {
        bool bare = line.at[i] == '\r' || line.at[i] == '\n';
        o->bare |= bare;
        if (bare && ends == DOT_MEND)
            out_octets(o, "\r\n", 2);
        else
            out_octets(o, line.at + i, 1);
    }
}

static void reference_facts(struct outcome *o)
{
    size_t start = 0;
    for (size_t i = 0; i <= o->len; i++) {
        bool end = i + 1 < o->len && memcmp(o->content + i, "\r\n", 2) == 0;
        if (end || i == o->len) {
            if (i - start > o->line_longest)
                o->line_longest = (uint32_t)(i - start);
            start = i + 2;
            i += end;
        }
    }
    for (size_t i = 0; i < o->len; i++)
        o->dot_lines |= o->content[i] == '.' && (i == 0 || o->content[i - 1] == '\n');
}

static struct outcome reference(struct text raw, bool stuffed, enum dot_line_ends ends)
{
    struct outcome o = { 0 };
    size_t at = 0;
    while (at < raw.len && !o.ended) {
        const char *end = memmem(raw.at + at, raw.len - at, "\r\n", 2);
        struct text line = { raw.at + at, end ? (size_t)(end - raw.at) - at : raw.len - at };
        at += line.len + (end ? 2 : 0);
        if (stuffed && line.len && line.at[0] == '.') {
            line = text_skip(line, 1);
            o.ended = line.len == 0 && end;
        }
        if (o.ended)
            break;
        reference_line(&o, line, ends);
        bool crlf = o.len >= 2 && memcmp(o.content + o.len - 2, "\r\n", 2) == 0;
        bool mended = line.len && ends == DOT_MEND && crlf;
        if (end || !mended)
            out_octets(&o, "\r\n", 2); /* sent, or added by finish() */
    }
    o.used = at;
    reference_facts(&o);
    return o;
}

/*
 * The decoder, fed in pieces of which the first has `cut` octets and each other `piece`.
 */

static void take_slice(struct outcome *o, struct bytes slice)
{
    assert_true(slice.len > 0);
    out_octets(o, (const char *)slice.at, slice.len);
}

static struct outcome decode(struct dot_decoder *d, struct text raw, size_t cut, size_t piece)
{
    struct outcome o = { 0 };
    size_t given = 0;
    struct bytes slice;
    for (size_t next = cut; !o.ended && given < raw.len; next = piece) {
        struct bytes in = bytes_of_text(text_first(text_skip(raw, given), next));
        size_t before = in.len;
        enum dot_step step;
        while ((step = dot_decode(d, &in, &slice)) == DOT_SLICE)
            take_slice(&o, slice);
        o.ended = step == DOT_END;
        if (!o.ended)
            assert_int_equal(in.len, 0);
        given += before - in.len;
    }
    o.used = given;
    if (!d->stuffed) {
        slice = dot_decoder_finish(d);
        out_octets(&o, (const char *)slice.at, slice.len);
    }
    o.bare = d->counter.facts.bare_cr_or_lf;
    o.line_longest = d->counter.facts.line_longest;
    o.dot_lines = d->counter.facts.dot_lines;
    return o;
}

static void same_outcome(const struct outcome *got, const struct outcome *want)
{
    assert_int_equal(got->len, want->len);
    assert_memory_equal(got->content, want->content, want->len);
    assert_int_equal(got->used, want->used);
    assert_int_equal(got->ended, want->ended);
    assert_int_equal(got->bare, want->bare);
    assert_int_equal(got->line_longest, want->line_longest);
    assert_int_equal(got->dot_lines, want->dot_lines);
}

/* Every cut into two pieces, and octet by octet; both modes; as DATA (with an end behind it and
 * the beginning of the next command) and as BDAT. */
static void try_all(struct text words)
{
    char raw[RAW_MAX];
    assert_true(words.len + 9 <= sizeof raw);
    memcpy(raw, words.at, words.len);
    memcpy(raw + words.len, "\r\n.\r\nMAIL", 9);
    for (int stuffed = 0; stuffed < 2; stuffed++)
        for (int ends = DOT_KEEP; ends <= DOT_MEND; ends++) {
            struct text given = { raw, words.len + (stuffed ? 9 : 0) };
            struct outcome want = reference(given, stuffed, (enum dot_line_ends)ends);
            for (size_t cut = 0; cut <= given.len; cut++) {
                struct dot_decoder d;
                dot_decoder_init(&d, stuffed, (enum dot_line_ends)ends);
                struct outcome got = decode(&d, given, cut ? cut : 1, cut ? given.len : 1);
                same_outcome(&got, &want);
                assert_true(d.counter.facts.octets == want.len);
                assert_true(d.counter.facts.ends_with_crlf);
            }
        }
}

/* Any octets, as they are. */
static void try_binary(struct text words)
{
    for (size_t cut = 0; cut <= words.len; cut++) {
        struct dot_decoder d;
        dot_decoder_init(&d, false, DOT_BINARY);
        struct outcome got = decode(&d, words, cut ? cut : 1, words.len);
        assert_int_equal(got.len, words.len);
        assert_memory_equal(got.content, words.at, words.len);
        assert_true(d.counter.facts.octets == words.len);
        bool ends = words.len == 0 || text_ends_nocase(words, T("\r\n"));
        assert_int_equal(d.counter.facts.ends_with_crlf, ends);
        struct content_counter c;
        content_counter_init(&c);
        content_count(&c, bytes_of_text(words));
        assert_int_equal(d.counter.facts.bare_cr_or_lf, content_facts_end(&c).bare_cr_or_lf);
    }
}

static const char alphabet[] = { '.', '\r', '\n', 'a' };

static size_t nth_word(size_t n, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++, n /= sizeof alphabet)
        out[i] = alphabet[n % sizeof alphabet];
    return len;
}

static void test_every_short_word(void **state)
{
    (void)state;
    for (size_t len = 0, count = 1; len <= 6; len++, count *= sizeof alphabet)
        for (size_t n = 0; n < count; n++) {
            char word[8];
            try_all((struct text){ word, nth_word(n, len, word) });
            try_binary((struct text){ word, len });
        }
}

/* The same in the midst of text that is skipped in blocks: every place within a block. */
static void test_every_short_word_in_text(void **state)
{
    (void)state;
    for (size_t n = 0; n < 256; n++)
        for (size_t before = 14; before < 36; before++) {
            char raw[RAW_MAX];
            memset(raw, 'x', sizeof raw);
            nth_word(n, 4, raw + before);
            for (int ends = DOT_KEEP; ends <= DOT_MEND; ends++) {
                memcpy(raw + 70, "\r\n.\r\n", 5);
                struct text given = { raw, 75 };
                struct outcome want = reference(given, true, (enum dot_line_ends)ends);
                struct dot_decoder d;
                dot_decoder_init(&d, true, (enum dot_line_ends)ends);
                struct outcome got = decode(&d, given, before - n % 8, given.len);
                same_outcome(&got, &want);
            }
        }
}

/* CVE-2023-51764, 51765, 51766: none of these ends the data before the real end. */
static void test_smuggling(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        const char *mended;
    } cases[] = {
        { "a\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n" },
        { "a\n.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n" },
        { "a\r\n.\nMAIL\r\n.\r\n", "a\r\n\r\nMAIL\r\n" },
        { "a\r.\rMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n" },
        { "a\r.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n" },
        { "a\r\n.\rMAIL\r\n.\r\n", "a\r\n\r\nMAIL\r\n" },
        { "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n\r\n\r\nMAIL\r\n" },
        { "a\n..\r\n.\r\n", "a\r\n..\r\n" },
        { "\n.\r\n.\r\n", "\r\n.\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text sent = text_of(cases[i].sent);
        struct dot_decoder d;
        dot_decoder_init(&d, true, DOT_MEND);
        struct outcome got = decode(&d, sent, sent.len, sent.len);
        assert_true(got.ended && got.bare);
        assert_int_equal(got.used, sent.len);
        assert_true(text_equal(text_of(cases[i].mended),
                               (struct text){ (const char *)got.content, got.len }));
        dot_decoder_init(&d, true, DOT_KEEP);
        got = decode(&d, sent, sent.len, sent.len);
        assert_true(got.ended && got.bare);
        assert_int_equal(got.used, sent.len);
    }
    static const char with_nul[] = "a\r\n\0.\r\nMAIL\r\n.\r\n";
    struct text sent = { with_nul, sizeof with_nul - 1 };
    struct dot_decoder d;
    dot_decoder_init(&d, true, DOT_KEEP);
    struct outcome got = decode(&d, sent, sent.len, sent.len);
    assert_true(got.ended && !got.bare);
    assert_int_equal(got.used, sent.len);
    assert_true(d.counter.facts.has_nul);
}

static void test_plain_text_is_one_slice(void **state)
{
    (void)state;
    static uint8_t text[65536];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
    for (int ends = DOT_KEEP; ends <= DOT_MEND; ends++) {
        struct dot_decoder d;
        dot_decoder_init(&d, true, (enum dot_line_ends)ends);
        struct bytes in = { text, sizeof text }, slice;
        assert_int_equal(dot_decode(&d, &in, &slice), DOT_SLICE);
        assert_ptr_equal(slice.at, text);
        assert_int_equal(slice.len, sizeof text);
        assert_int_equal(dot_decode(&d, &in, &slice), DOT_NEED_INPUT);
    }
}

static void test_the_end_stays(void **state)
{
    (void)state;
    struct dot_decoder d;
    dot_decoder_init(&d, true, DOT_KEEP);
    struct bytes in = bytes_of_text(T(".\r\nQUIT\r\n")), slice;
    assert_int_equal(dot_decode(&d, &in, &slice), DOT_END);
    assert_int_equal(in.len, 6);
    assert_int_equal(dot_decode(&d, &in, &slice), DOT_END);
    assert_int_equal(in.len, 6);
    assert_true(d.counter.facts.octets == 0);
    assert_true(d.counter.facts.ends_with_crlf);
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        struct text content;
        struct content_facts facts;
    } cases[] = {
        { TEXT(""), { .ends_with_crlf = true } },
        { TEXT("a"), { .octets = 1, .line_longest = 1 } },
        { TEXT("a\r\n"), { .octets = 3, .line_longest = 1, .ends_with_crlf = true } },
        { TEXT("\r\n"), { .octets = 2, .ends_with_crlf = true } },
        { TEXT("\n"), { .octets = 1, .line_longest = 1, .bare_cr_or_lf = true } },
        { TEXT("a\r"), { .octets = 2, .line_longest = 2, .bare_cr_or_lf = true } },
        { TEXT("a\n\r"), { .octets = 3, .line_longest = 3, .bare_cr_or_lf = true } },
        { TEXT("a\r\r\nb\r\n"),
          { .octets = 7, .line_longest = 2, .ends_with_crlf = true, .bare_cr_or_lf = true } },
        { TEXT("."), { .octets = 1, .line_longest = 1, .dot_lines = true } },
        { TEXT("a\n.b"),
          { .octets = 4, .line_longest = 4, .dot_lines = true, .bare_cr_or_lf = true } },
        { TEXT("a.b\r\n.\r\n"),
          { .octets = 8, .line_longest = 3, .dot_lines = true, .ends_with_crlf = true } },
        { TEXT("0123456789abcdef\x80"), { .octets = 17, .line_longest = 17, .eight_bit = true } },
        { TEXT("\xff"
               "123456789abcdef"),
          { .octets = 16, .line_longest = 16, .eight_bit = true } },
        { TEXT("0123456\0"), { .octets = 8, .line_longest = 8, .has_nul = true } },
        { TEXT("0123456\00089abcdef"), { .octets = 16, .line_longest = 16, .has_nul = true } },
        { TEXT("Received: a\r\n\tby b\r\nreceived : c\r\nX: Received:\r\n\r\nReceived: d\r\n"),
          { .octets = 63, .line_longest = 12, .received = 2, .ends_with_crlf = true } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 0; cut <= cases[i].content.len; cut++) {
            struct content_counter c;
            content_counter_init(&c);
            content_count(&c, bytes_of_text(text_first(cases[i].content, cut)));
            content_count(&c, bytes_of_text(text_skip(cases[i].content, cut)));
            struct content_facts f = content_facts_end(&c), want = cases[i].facts;
            assert_true(f.octets == want.octets);
            assert_int_equal(f.received, want.received);
            assert_int_equal(f.line_longest, want.line_longest);
            assert_int_equal(f.dot_lines, want.dot_lines);
            assert_int_equal(f.ends_with_crlf, want.ends_with_crlf);
            assert_int_equal(f.eight_bit, want.eight_bit);
            assert_int_equal(f.has_nul, want.has_nul);
            assert_int_equal(f.bare_cr_or_lf, want.bare_cr_or_lf);
        }
}

/* More CRs than an octet can count, in and out of the blocks. */
static void test_facts_of_many_lines(void **state)
{
    (void)state;
    static uint8_t content[20001];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = i % 2 ? '\n' : '\r';
    for (size_t bare = 0; bare < 2; bare++) {
        struct content_counter c;
        content_counter_init(&c);
        content_count(&c, (struct bytes){ content + bare, sizeof content - 1 });
        struct content_facts f = content_facts_end(&c);
        assert_int_equal(f.bare_cr_or_lf, bare);
        assert_int_equal(f.ends_with_crlf, !bare);
        assert_int_equal(f.line_longest, bare);
    }
}

static void test_encode(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        const char *sent;
    } cases[] = {
        { "", "" },
        { "a\r\n", "a\r\n" },
        { ".", ".." },
        { "..a", "...a" },
        { ".\r\n.\r\na.\r\n", "..\r\n..\r\na.\r\n" },
        { "a\n.\n", "a\n..\n" },
        { "a\r.\r", "a\r.\r" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text content = text_of(cases[i].content);
        for (size_t cut = 0; cut <= content.len; cut++) {
            struct buffer b;
            buffer_init(&b, 100);
            bool at_start = true;
            assert_true(dot_encode(&b, bytes_of_text(text_first(content, cut)), &at_start));
            assert_true(dot_encode(&b, bytes_of_text(text_skip(content, cut)), &at_start));
            assert_true(text_equal(buffer_as_text(&b), text_of(cases[i].sent)));
            buffer_clear(&b);
        }
    }
    struct buffer full;
    buffer_init(&full, 3);
    bool at_start = true;
    assert_false(dot_encode(&full, bytes_of_text(T(".a\r\n")), &at_start));
    buffer_clear(&full);
}

/* What the encoder sends, the decoder gives back, and nothing in it is an end. */
static void test_round_trip(void **state)
{
    (void)state;
    static const char *const parts[] = { ".", "\r\n", "a", "..", "" };
    for (size_t n = 0; n < 3125; n++) {
        char content[32];
        size_t len = 0;
        for (size_t i = 0, rest = n; i < 5; i++, rest /= 5)
            for (const char *p = parts[rest % 5]; *p; p++)
                content[len++] = *p;
        memcpy(content + len, "\r\n", 2);
        len += 2;
        struct buffer b;
        buffer_init(&b, 100);
        bool at_start = true;
        assert_true(dot_encode(&b, (struct bytes){ (uint8_t *)content, len }, &at_start));
        assert_true(at_start);
        assert_true(buffer_text(&b, T(".\r\n")));
        struct dot_decoder d;
        dot_decoder_init(&d, true, DOT_KEEP);
        struct outcome got = decode(&d, buffer_as_text(&b), b.len, b.len);
        assert_true(got.ended && got.used == b.len && got.len == len);
        assert_memory_equal(got.content, content, len);
        assert_int_equal(got.dot_lines, b.len != len + 3);
        buffer_clear(&b);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_short_word),    cmocka_unit_test(test_every_short_word_in_text),
        cmocka_unit_test(test_smuggling),           cmocka_unit_test(test_plain_text_is_one_slice),
        cmocka_unit_test(test_the_end_stays),       cmocka_unit_test(test_facts),
        cmocka_unit_test(test_facts_of_many_lines), cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
