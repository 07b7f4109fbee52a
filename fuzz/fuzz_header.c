/* fuzz_header.c - fields cover the header without gaps; what reads, counts or gathers fields in
 * passing finds what is found slowly, at any cut. */
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

/* Slow: line by line up to the empty one, "[" in front of each value of this name.  How many. */
static uint32_t reference_read(struct text message, struct text name, struct buffer *out)
{
    uint32_t fields = 0;
    bool within = false;
    while (message.len > 0) {
        size_t lf = text_find(message, '\n');
        struct text line = text_first(message, lf + 1), rest = line;
        message = text_skip(message, line.len);
        bool fold = line.at[0] == ' ' || line.at[0] == '\t';
        if (text_equal(line, T("\n")) || text_equal(line, T("\r\n")))
            break;
        if (within && fold) {
            buffer_text(out, line);
            continue;
        }
        within = !fold && text_take_nocase(&rest, name);
        while (within && rest.len && (rest.at[0] == ' ' || rest.at[0] == '\t'))
            rest = text_skip(rest, 1);
        within = within && rest.len && rest.at[0] == ':';
        if (within) {
            fields++;
            buffer_byte(out, '[');
            buffer_text(out, text_skip(rest, 1));
        }
    }
    return fields;
}

static void read_piece(struct field_reader *r, struct text name, struct text piece,
                       struct buffer *out)
{
    struct bytes in = bytes_of_text(piece);
    struct text value;
    enum field_event event;
    while ((event = field_read(r, name, &in, &value)) != FIELD_MORE)
        buffer_text(out, event == FIELD_BEGINS ? T("[") : value);
    CHECK(in.len == 0);
}

static void check_reader(struct text message, struct text name, size_t cut)
{
    struct field_reader whole = { 0 }, two = { 0 }, each = { 0 };
    struct buffer found[4];
    for (size_t i = 0; i < 4; i++)
        buffer_init(&found[i], 2 * message.len + 1);
    reference_read(message, name, &found[0]);
    read_piece(&whole, name, message, &found[1]);
    read_piece(&two, name, text_first(message, cut), &found[2]);
    read_piece(&two, name, text_skip(message, cut), &found[2]);
    for (size_t i = 0; i < message.len; i++)
        read_piece(&each, name, text_first(text_skip(message, i), 1), &found[3]);
    for (size_t i = 1; i < 4; i++)
        CHECK(text_equal(buffer_as_text(&found[0]), buffer_as_text(&found[i])));
    for (size_t i = 0; i < 4; i++)
        buffer_clear(&found[i]);
}

/* What the counter counts, at any cut. */
static void check_count(struct text message, size_t cut, uint32_t fields)
{
    struct header_counter whole = { 0 }, two = { 0 };
    struct buffer found;
    buffer_init(&found, 2 * message.len + 1);
    uint32_t received = reference_read(message, T("received"), &found);
    header_count(&whole, bytes_of_text(message));
    header_count(&two, bytes_of_text(text_first(message, cut)));
    header_count(&two, bytes_of_text(text_skip(message, cut)));
    CHECK(whole.received == received && two.received == received);
    CHECK(fields <= received); /* the counter goes on behind a line that is no field */
    buffer_clear(&found);
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
    check_count(message, cut, check_fields(message));
    check_reader(message, T("received"), cut);
    check_reader(message, T("a"), cut);
    check_delivered(message, cut);
    check_tls_required(message, cut);
    return 0;
}
