/* fuzz_amend.c - a submitted message is changed in the same way at any cut, then lacks nothing, and
 * a second pass changes nothing more. */
#include "base/buffer.h"
#include "base/check.h"
#include "mail/amend.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct amend *a, struct text in, struct buffer *to)
{
    struct bytes left = bytes_of_text(in), out;
    while (amend_next(a, &left, &out)) {
        CHECK(out.len > 0);
        CHECK(buffer_append(to, out.at, out.len));
    }
    CHECK(left.len == 0);
}

/* In pieces of so many octets. */
static void run(struct text in, size_t piece, struct buffer *to)
{
    static const struct amend_values values = {
        .date = TEXT("Sat, 21 Nov 2026 07:41:27 +0000"),
        .from = TEXT("bob@example.org"),
        .message_id = TEXT("<M1@mx.example.org>"),
    };
    struct amend a;
    buffer_init(to, 1 << 22);
    amend_init(&a, &values);
    for (; in.len > 0; in = text_skip(in, piece))
        drain(&a, text_first(in, piece), to);
    amend_end(&a);
    drain(&a, T(""), to);
    CHECK(amend_author(&a).value.len <= AMEND_FROM_MAX);
}

static void check_header(struct text message)
{
    struct header_field field;
    CHECK(header_find(message, T("Date"), &field));
    CHECK(header_find(message, T("From"), &field));
    CHECK(header_find(message, T("Message-ID"), &field));
    CHECK(!header_find(message, T("Bcc"), &field));
    CHECK(!header_find(message, T("Resent-Bcc"), &field));
    struct text body = text_skip(message, header_length(message));
    CHECK(body.len == 0 || text_starts(body, T("\r\n")) || text_starts(body, T("\n")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, cut, again;
    if (size == 0)
        return 0;
    struct text in = { (const char *)data + 1, size - 1 };
    run(in, in.len + 1, &whole);
    run(in, data[0] + 1u, &cut);
    CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&cut)));
    check_header(buffer_as_text(&whole));
    run(buffer_as_text(&whole), 7, &again);
    CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&again)));
    buffer_clear(&whole);
    buffer_clear(&cut);
    buffer_clear(&again);
    return 0;
}
