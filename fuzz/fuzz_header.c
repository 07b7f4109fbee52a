/* fuzz_header.c - fields cover the header without gaps; what counts or gathers fields
 * in passing agrees at any cut. */
#include "base/check.h"
#include "mail/delivered.h"
#include "mail/header.h"
#include "mail/tls_required.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every field lies where the one before ended, and its parts lie in it. Returns the fields named
 * Received. */
static uint32_t check_fields(struct text message)
{
    struct text rest = message;
    struct header_field f;
    const char *at = message.at;
    uint32_t received = 0;
    while (header_next(&rest, &f)) {
        CHECK(f.whole.at == at);
        CHECK(f.name.at == at && f.name.len > 0);
        CHECK(f.value.at > f.name.at + f.name.len - 1);
        CHECK(f.value.at + f.value.len <= f.whole.at + f.whole.len);
        CHECK(rest.at == f.whole.at + f.whole.len);
        at = rest.at;
        received += text_equal_nocase(f.name, T("Received"));
        char line[64];
        struct text unfolded = header_unfold(f.value, line, sizeof line);
        CHECK(unfolded.len <= sizeof line);
        for (size_t i = 0; i < unfolded.len; i++)
            CHECK(unfolded.at[i] != '\r' && unfolded.at[i] != '\n');
    }
    CHECK(header_length(message) == (size_t)(at - message.at));
    return received;
}

/* Slow: line by line up to the empty one. */
static uint32_t reference_count(struct text message)
{
    uint32_t received = 0;
    struct text line;
    bool more = true;
    while (more) {
        more = text_cut(&message, '\n', &line);
        if (more && (line.len == 0 || text_equal(line, T("\r"))))
            break;
        if (text_take_nocase(&line, T("received"))) {
            line = text_trim(line);
            received += line.len && line.at[0] == ':';
        }
    }
    return received;
}

/* What a field names must be there whole, and the same at any cut. */
static void check_delivered(struct text message, size_t cut)
{
    struct delivered whole, two;
    delivered_init(&whole);
    delivered_init(&two);
    delivered_read(&whole, bytes_of_text(message));
    delivered_read(&two, bytes_of_text(text_first(message, cut)));
    delivered_read(&two, bytes_of_text(text_skip(message, cut)));
    CHECK(text_equal(buffer_as_text(&whole.keys), buffer_as_text(&two.keys)));
    delivered_clear(&whole);
    delivered_clear(&two);
}

/* The same at any cut, and what the field says that is found slowly. */
static void check_tls_required(struct text message, size_t cut)
{
    struct tls_required whole = { 0 }, two = { 0 };
    struct header_field field;
    char line[64];
    tls_required_read(&whole, bytes_of_text(message));
    tls_required_read(&two, bytes_of_text(text_first(message, cut)));
    tls_required_read(&two, bytes_of_text(text_skip(message, cut)));
    bool no = tls_required_says_no(&whole);
    CHECK(tls_required_says_no(&two) == no);
    if (header_find(message, T("TLS-Required"), &field))
        CHECK(text_equal_nocase(header_unfold(field.value, line, sizeof line), T("no")) == no);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text message = { (const char *)data + 1, size - 1 };
    size_t cut = message.len * data[0] / 255;
    uint32_t fields = check_fields(message);
    check_delivered(message, cut);
    check_tls_required(message, cut);
    struct header_counter whole = { 0 }, two = { 0 }, each = { 0 };
    header_count(&whole, bytes_of_text(message));
    header_count(&two, bytes_of_text(text_first(message, cut)));
    header_count(&two, bytes_of_text(text_skip(message, cut)));
    for (size_t i = 0; i < message.len; i++)
        header_count(&each, bytes_of_text(text_first(text_skip(message, i), 1)));
    CHECK(whole.received == reference_count(message));
    CHECK(whole.received == two.received);
    CHECK(whole.received == each.received);
    CHECK(fields <= whole.received); /* the counter goes on behind a line that is no field */
    return 0;
}
