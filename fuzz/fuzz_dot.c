/* fuzz_dot.c - decoding at any cut gives the same; what is encoded decodes to itself. */
#include "base/check.h"
#include "proto/dot.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct buffer content;
    struct content_facts facts;
    size_t used;
    bool ended;
};

static struct outcome decode(struct bytes raw, bool stuffed, enum dot_line_ends ends, size_t piece)
{
    struct outcome o = { .ended = false };
    buffer_init(&o.content, 4 * raw.len + 2);
    struct dot_decoder d;
    dot_decoder_init(&d, stuffed, ends);
    while (o.used < raw.len && !o.ended) {
        size_t len = raw.len - o.used < piece ? raw.len - o.used : piece;
        struct bytes in = { raw.at + o.used, len }, slice;
        enum dot_step step;
        while ((step = dot_decode(&d, &in, &slice)) == DOT_SLICE) {
            CHECK(slice.len > 0);
            CHECK(buffer_append(&o.content, slice.at, slice.len));
        }
        o.ended = step == DOT_END;
        CHECK(o.ended || in.len == 0);
        o.used += len - in.len;
    }
    if (!stuffed) {
        struct bytes owed = dot_decoder_finish(&d);
        CHECK(buffer_append(&o.content, owed.at, owed.len));
    }
    o.facts = content_facts_end(&d.counter);
    return o;
}

static bool same_facts(const struct content_facts *a, const struct content_facts *b)
{
    return a->octets == b->octets && a->received == b->received &&
           a->line_longest == b->line_longest && a->dot_lines == b->dot_lines &&
           a->ends_with_crlf == b->ends_with_crlf && a->eight_bit == b->eight_bit &&
           a->has_nul == b->has_nul && a->bare_cr_or_lf == b->bare_cr_or_lf;
}

static bool has_bare(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.at[i] == '\n' && (i == 0 || b.at[i - 1] != '\r'))
            return true;
        if (b.at[i] == '\r' && (i + 1 == b.len || b.at[i + 1] != '\n'))
            return true;
    }
    return false;
}

/* Sent on, complete content is one message again. */
static void check_encoding(struct bytes content, const struct content_facts *facts)
{
    struct buffer b;
    buffer_init(&b, 2 * content.len + 3);
    bool at_start = true;
    CHECK(dot_encode(&b, content, &at_start));
    CHECK((b.len != content.len) == facts->dot_lines);
    CHECK(buffer_text(&b, T(".\r\n")));
    if (facts->ends_with_crlf && !has_bare(content)) {
        struct outcome again = decode(buffer_bytes(&b), true, DOT_KEEP, SIZE_MAX);
        CHECK(again.ended && again.used == b.len);
        CHECK(again.content.len == content.len);
        CHECK(content.len == 0 || memcmp(again.content.at, content.at, content.len) == 0);
        CHECK(same_facts(&again.facts, facts) || facts->bare_cr_or_lf);
        buffer_clear(&again.content);
    }
    buffer_clear(&b);
}

static void check(struct bytes raw, bool stuffed, enum dot_line_ends ends, size_t piece)
{
    struct outcome whole = decode(raw, stuffed, ends, SIZE_MAX);
    struct outcome cut = decode(raw, stuffed, ends, piece);
    CHECK(whole.ended == cut.ended);
    CHECK(whole.used == cut.used);
    CHECK(same_facts(&whole.facts, &cut.facts));
    CHECK(text_equal(buffer_as_text(&whole.content), buffer_as_text(&cut.content)));
    CHECK(whole.facts.octets == whole.content.len);

    struct bytes content = buffer_bytes(&whole.content);
    if (whole.ended) {
        CHECK(whole.used >= 3 && memcmp(raw.at + whole.used - 3, ".\r\n", 3) == 0);
        CHECK(whole.used == 3 || memcmp(raw.at + whole.used - 5, "\r\n", 2) == 0);
    }
    if (whole.ended || !stuffed) {
        CHECK(whole.facts.ends_with_crlf);
        if (ends == DOT_MEND)
            CHECK(!has_bare(content));
        else
            CHECK(has_bare(content) == whole.facts.bare_cr_or_lf);
    }
    check_encoding(content, &whole.facts);
    buffer_clear(&whole.content);
    buffer_clear(&cut.content);
}

/* What is said to be binary stays as it is. */
static void check_binary(struct bytes raw, size_t piece)
{
    struct outcome got = decode(raw, false, DOT_BINARY, piece);
    struct bytes content = buffer_bytes(&got.content);
    bool ends = raw.len == 0 || (raw.len > 1 && memcmp(raw.at + raw.len - 2, "\r\n", 2) == 0);
    CHECK(content.len == raw.len && got.facts.octets == raw.len);
    CHECK(raw.len == 0 || memcmp(content.at, raw.at, raw.len) == 0);
    CHECK(got.facts.bare_cr_or_lf == has_bare(content));
    CHECK(got.facts.ends_with_crlf == ends);
    buffer_clear(&got.content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes raw = { data + 1, size - 1 };
    size_t piece = 1 + data[0] % 32;
    check_binary(raw, piece);
    for (int stuffed = 0; stuffed < 2; stuffed++) {
        check(raw, stuffed, DOT_KEEP, piece);
        check(raw, stuffed, DOT_MEND, piece);
    }
    return 0;
}
