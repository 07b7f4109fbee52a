/* fuzz_show.c - whatever the message is, what people are shown of it is text and nothing else, what
 * is attached has a name that is safe, and cutting raw text anywhere does not change what it
 * becomes.
 */
#include "base/check.h"
#include "base/escape.h"
#include "mail/harmless.h"
#include "mail/html.h"
#include "mail/show.h"
#include "mail/transfer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20 };

static void check_harmless(struct text t, const char *allowed)
{
    while (t.len) {
        size_t len = utf8_length(t);
        CHECK(len > 0);
        bool excepted = len == 1 && t.at[0] && strchr(allowed, t.at[0]);
        CHECK(excepted || utf8_sight(utf8_code_point(t)) != UTF8_HIDES);
        t = text_skip(t, len);
    }
}

/* Knows one character set, in which every octet is an ESC. */
static bool convert_escape(void *context, struct text charset, struct text octets,
                           struct buffer *out)
{
    (void)context;
    if (!text_equal_nocase(charset, T("x-x")))
        return false;
    for (size_t i = 0; i < octets.len; i++)
        buffer_byte(out, 0x1B);
    return !out->failed;
}

static void check_attachment(const struct show *s, size_t number)
{
    struct buffer b;
    struct error e;
    struct show_attachment a;
    CHECK(show_attachment(s, number, &a));
    check_harmless(a.name, "");
    check_harmless(a.type, "");
    check_harmless(a.file_name, "");
    CHECK(a.file_name.len > 0);
    CHECK(a.file_name.len <= SHOW_NAME_MAX);
    CHECK(text_find(a.file_name, '/') == a.file_name.len);
    CHECK(a.file_name.at[0] != '.');
    CHECK(a.file_name.at[0] != '-');
    buffer_init(&b, OUT_MAX);
    CHECK(show_attachment_write(s, number, sink_of_buffer(&b), &e));
    CHECK(b.len == a.octets);
    buffer_clear(&b);
}

static void check_show(struct text message)
{
    const struct charset_more more = { .convert = convert_escape };
    struct error e;
    struct buffer b;
    struct show *s = show_new(message, &more);
    CHECK(s);
    buffer_init(&b, OUT_MAX);
    CHECK(show_write(s, sink_of_buffer(&b), &e));
    check_harmless(buffer_as_text(&b), "\n\t");
    for (size_t n = 1; n <= show_attachment_count(s); n++)
        check_attachment(s, n);
    struct show_attachment none;
    CHECK(!show_attachment(s, 0, &none));
    CHECK(!show_attachment(s, show_attachment_count(s) + 1, &none));
    buffer_clear(&b);
    show_free(&s);
}

/* The same at any cut. */
static void check_cut(struct text t)
{
    size_t cut = t.len ? (uint8_t)t.at[0] % (t.len + 1) : 0;
    struct harmless h = { 0 };
    struct buffer whole, slices;
    buffer_init(&whole, HARMLESS_ROOM(t.len));
    buffer_init(&slices, HARMLESS_ROOM(t.len));
    CHECK(harmless_text(&whole, t));
    check_harmless(buffer_as_text(&whole), "\n\t");
    for (struct text rest = t; rest.len; rest = text_skip(rest, cut ? cut : 1))
        CHECK(harmless_feed(&h, text_first(rest, cut ? cut : 1), &slices));
    CHECK(harmless_end(&h, &slices));
    CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&slices)));
    buffer_clear(&whole);
    buffer_clear(&slices);
}

/* Bodies come out the same octet by octet, where no run of them can be decoded at once. */
static void check_transfer(struct text t, enum mime_encoding encoding)
{
    struct transfer fast, slow;
    struct buffer whole, octets;
    buffer_init(&whole, TRANSFER_ROOM(t.len));
    buffer_init(&octets, TRANSFER_ROOM(t.len));
    transfer_init(&fast, encoding);
    transfer_init(&slow, encoding);
    CHECK(transfer_feed(&fast, bytes_of_text(t), &whole));
    for (; t.len; t = text_skip(t, 1))
        CHECK(transfer_feed(&slow, bytes_of_text(text_first(t, 1)), &octets));
    CHECK(transfer_end(&fast, &whole));
    CHECK(transfer_end(&slow, &octets));
    CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&octets)));
    buffer_clear(&whole);
    buffer_clear(&octets);
}

static void check_html(struct text t)
{
    struct buffer b;
    buffer_init(&b, HTML_ROOM(t.len));
    CHECK(html_text(&b, t));
    CHECK(!utf8_valid(t) || utf8_valid(buffer_as_text(&b)));
    buffer_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = { (const char *)data, size };
    check_show(t);
    check_cut(t);
    check_html(t);
    check_transfer(t, MIME_BASE64);
    check_transfer(t, MIME_QUOTED_PRINTABLE);
    return 0;
}
