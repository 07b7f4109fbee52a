/* fuzz_mbox.c - what is written into a box comes out of it again, whatever it is; and any octets
 * read as a box give the same at any cut.
 *
 * Line ends of mail become those of files and come back.
 *
 * The first octet says where to cut, a zero octet divides messages.  What should come out of a
 * message is worked out here with the whole of it in view, line by line.
 */
#include "base/check.h"
#include "mail/line_ends.h"
#include "mail/mbox.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20, INPUT_MAX = 1 << 16 };

/* Reads a box in slices of `step` octets; each message is followed by a zero octet. */
static enum mbox_step read_box(struct text box, size_t step, struct buffer *out)
{
    struct mbox_reader r;
    struct bytes slice, in = { NULL, 0 };
    enum mbox_step s;
    mbox_reader_init(&r);
    while ((s = mbox_read(&r, &in, &slice)) != MBOX_END && s != MBOX_NO_BOX) {
        struct text there = text_skip(box, r.look_at < box.len ? (size_t)r.look_at : box.len);
        if (s == MBOX_LOOK) {
            mbox_reader_found(&r, r.look_at <= box.len,
                              bytes_of_text(text_first(there, MBOX_LINE_MAX + 2)));
        } else if (s == MBOX_CONTENT) {
            CHECK(slice.len > 0);
            CHECK(buffer_append(out, slice.at, slice.len));
        } else if (s == MBOX_MESSAGE_END) {
            CHECK(
                buffer_printf(out, "|%u|%d|%d", r.facts.flags, r.facts.dated, r.facts.folder_data));
            CHECK(buffer_byte(out, 0));
        } else {
            CHECK(in.len == 0);
            if (r.position == box.len)
                mbox_reader_end(&r);
            in = bytes_of_text(text_first(text_skip(box, (size_t)r.position), step));
        }
    }
    return s;
}

/* --- What should come out of a message --- */

static void with_lf(struct text message, struct buffer *out)
{
    for (size_t i = 0; i < message.len; i++)
        if (message.at[i] == '\r' && i + 1 == message.len)
            CHECK(buffer_byte(out, '\n'));
        else if (message.at[i] != '\r' || message.at[i + 1] != '\n')
            CHECK(buffer_byte(out, (uint8_t)message.at[i]));
}

static void expect(struct text message, struct buffer *out)
{
    size_t before = out->len;
    with_lf(message, out);
    CHECK(out->len == before || out->at[out->len - 1] == '\n' || buffer_byte(out, '\n'));
}

/* Nothing stands before a message that begins with white space. */
static bool has_flags(struct text message)
{
    return message.len == 0 || !text_is_blank(message.at[0]);
}

/* --- The two properties --- */

static void write_message(struct mbox_writer *w, struct text message, size_t step, unsigned flags,
                          struct buffer *box)
{
    CHECK(mbox_write_begin(w, T("a@b.test"), 0, flags, box));
    while (message.len > 0) {
        struct text slice = text_first(message, step);
        CHECK(mbox_write(w, bytes_of_text(slice), box));
        message = text_skip(message, slice.len);
    }
    CHECK(mbox_write_end(w, box));
}

static void check_round(struct text input, size_t step)
{
    struct buffer box, want, found;
    struct mbox_writer w;
    struct text message;
    unsigned flags = 0;
    buffer_init(&box, ROOM);
    buffer_init(&want, ROOM);
    buffer_init(&found, ROOM);
    mbox_writer_init(&w);
    for (; input.len > 0; flags = (flags + 1) % 32) {
        text_cut(&input, 0, &message);
        write_message(&w, message, step, flags, &box);
        expect(message, &want);
        CHECK(buffer_printf(&want, "|%u|1|0", has_flags(message) ? flags : 0));
        CHECK(buffer_byte(&want, 0));
    }
    CHECK(read_box(buffer_as_text(&box), step, &found) == MBOX_END);
    CHECK(text_equal(buffer_as_text(&found), buffer_as_text(&want)));
    mbox_writer_clear(&w);
    buffer_clear(&box);
    buffer_clear(&want);
    buffer_clear(&found);
}

static void check_cuts(struct text input, size_t step)
{
    struct buffer one, other;
    buffer_init(&one, ROOM);
    buffer_init(&other, ROOM);
    enum mbox_step end = read_box(input, INPUT_MAX, &one);
    CHECK(read_box(input, step, &other) == end);
    CHECK(text_equal(buffer_as_text(&one), buffer_as_text(&other)));
    buffer_clear(&one);
    buffer_clear(&other);
}

/* Lines with LF become lines with CRLF, and those the same lines again, at any cut. */
static void check_line_ends(struct text file, size_t cut)
{
    struct line_ends in = { 0 }, back = { 0 };
    struct buffer mail, again;
    buffer_init(&mail, LINE_ENDS_ROOM(file.len));
    buffer_init(&again, LINE_ENDS_ROOM(2 * file.len + 2));
    for (struct text rest = file; rest.len; rest = text_skip(rest, cut))
        CHECK(line_ends_to_crlf(&in, bytes_of_text(text_first(rest, cut)), &mail));
    CHECK(line_ends_to_crlf_end(&in, &mail));
    struct text lines = buffer_as_text(&mail);
    CHECK(lines.len == 0 || text_ends_nocase(lines, T("\r\n")));
    for (struct text rest = lines; rest.len; rest = text_skip(rest, cut))
        CHECK(line_ends_to_lf(&back, bytes_of_text(text_first(rest, cut)), &again));
    CHECK(line_ends_to_lf_end(&back, &again));
    bool plain = !file.len || !memchr(file.at, '\r', file.len);
    if (plain)
        CHECK(text_starts(buffer_as_text(&again), file));
    buffer_clear(&mail);
    buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX)
        return 0;
    struct text input = { (const char *)data + 1, size - 1 };
    size_t step = data[0] % 64 + 1u;
    check_round(input, step);
    check_cuts(input, step);
    check_line_ends(input, step);
    return 0;
}
