/* fuzz_convert.c - a converted message fits its target, decodes to the same octets part by part,
 * and comes out the same at any cut; converting it again changes nothing.
 *
 * The first octet of the input chooses the target, the second the cut.
 */
#include "base/check.h"
#include "mail/convert.h"
#include "mail/mime.h"
#include "mail/transfer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 64 * 1024, OUT_MAX = 2 * 1024 * 1024 };

static enum convert_verdict read_cut(struct convert *c, struct bytes message, size_t cut)
{
    for (size_t at = 0; at < message.len; at += cut) {
        size_t left = message.len - at;
        convert_read(c, (struct bytes){ message.at + at, left < cut ? left : cut });
    }
    return convert_read_end(c);
}

static enum convert_verdict convert(enum convert_target target, struct bytes message, size_t cut,
                                    struct buffer *out)
{
    struct convert *c = convert_new(target);
    enum convert_verdict verdict = CONVERT_AGAIN;
    CHECK(c);
    for (int i = 0; verdict == CONVERT_AGAIN; i++) {
        CHECK(i < 3);
        verdict = read_cut(c, message, cut);
    }
    CHECK((verdict == CONVERT_NEVER) == (convert_obstacle(c) != CONVERT_NO_OBSTACLE));
    convert_rewind(c);
    for (size_t at = 0; verdict == CONVERT_READY && at < message.len; at += cut) {
        size_t left = message.len - at;
        CHECK(convert_write(c, (struct bytes){ message.at + at, left < cut ? left : cut }, out));
    }
    if (verdict == CONVERT_READY) {
        CHECK(convert_write_end(c, out));
        CHECK(out->len == convert_octets(c));
    }
    convert_free(&c);
    return verdict;
}

static void check_octets(enum convert_target target, struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        CHECK(b.at[i] != 0);
        CHECK(b.at[i] < 0x80 || target == CONVERT_TO_8BIT);
        if (b.at[i] == '\r')
            CHECK(i + 1 < b.len && b.at[i + 1] == '\n');
        if (b.at[i] == '\n')
            CHECK(i > 0 && b.at[i - 1] == '\r');
    }
    CHECK(b.len >= 2 && b.at[b.len - 1] == '\n');
}

/* What the leaf decodes to, and a CRLF if the message ends in it without one. */
static void decode(const struct mime_part *p, struct bytes message, struct buffer *out)
{
    struct transfer t;
    transfer_init(&t, p->encoding);
    CHECK(
        transfer_feed(&t, (struct bytes){ message.at + p->body_at, p->end_at - p->body_at }, out));
    CHECK(transfer_end(&t, out));
}

static bool same_but_line_end(struct bytes a, struct bytes b)
{
    if (b.len == a.len + 2 && memcmp(b.at + a.len, "\r\n", 2) == 0)
        b.len -= 2;
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void check_leaf(const struct mime_part *a, struct bytes from, const struct mime_part *b,
                       struct bytes to)
{
    struct buffer before, after;
    buffer_init(&before, OUT_MAX);
    buffer_init(&after, OUT_MAX);
    decode(a, from, &before);
    decode(b, to, &after);
    bool cut = a->end_at == from.len;
    CHECK(cut || before.len == after.len);
    CHECK(same_but_line_end(buffer_bytes(&before), buffer_bytes(&after)));
    buffer_clear(&before);
    buffer_clear(&after);
}

static void check_parts(struct bytes from, struct bytes to)
{
    struct mime *before = mime_new(), *after = mime_new();
    CHECK(before && after);
    mime_feed(before, from);
    mime_feed(after, to);
    const struct mime_part *a = mime_end(before), *b = mime_end(after);
    CHECK(a && b);
    for (; a && b; a = mime_next(a), b = mime_next(b)) {
        CHECK(a->kind == b->kind && a->depth == b->depth);
        CHECK(text_equal(a->type.word, b->type.word) && text_equal(a->type.sub, b->type.sub));
        if (a->kind == MIME_LEAF)
            check_leaf(a, from, b, to);
    }
    CHECK(!a && !b);
    mime_free(&before);
    mime_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MESSAGE_MAX)
        return 0;
    enum convert_target target = data[0] & 1 ? CONVERT_TO_7BIT : CONVERT_TO_8BIT;
    struct bytes message = { data + 2, size - 2 };
    struct buffer whole, cut, again;
    buffer_init(&whole, OUT_MAX);
    buffer_init(&cut, OUT_MAX);
    buffer_init(&again, OUT_MAX);
    enum convert_verdict verdict = convert(target, message, MESSAGE_MAX, &whole);
    CHECK(convert(target, message, 1 + data[1] % 64u, &cut) == verdict);
    CHECK(whole.len == cut.len && (whole.len == 0 || memcmp(whole.at, cut.at, cut.len) == 0));
    if (verdict == CONVERT_READY) {
        check_octets(target, buffer_bytes(&whole));
        check_parts(message, buffer_bytes(&whole));
        CHECK(convert(target, buffer_bytes(&whole), MESSAGE_MAX, &again) == CONVERT_NOTHING);
    }
    buffer_clear(&whole);
    buffer_clear(&cut);
    buffer_clear(&again);
    return 0;
}
