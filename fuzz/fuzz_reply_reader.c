/* fuzz_reply_reader.c - replies taken apart: the same at any cut, and within the limits. */
#include "base/check.h"
#include "proto/reply_reader.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG_MAX = 1 << 26 };

static void note(const struct reply_reader *r, enum reply_reader_step step, struct buffer *log)
{
    CHECK(r->kept.len <= REPLY_KEPT_MAX);
    CHECK(r->line.len < REPLY_INPUT_MAX + 1);
    if (step == REPLY_LINE || step == REPLY_WHOLE) {
        CHECK(r->code >= 200 && r->code <= 599);
        CHECK(r->status[0] == 0 || r->status[0] == '0' + r->code / 100);
        CHECK(strlen(r->status) < sizeof r->status);
        CHECK(text_find(r->line, '\n') == r->line.len);
    }
    buffer_printf(log, "%d %u %s %u ", (int)step, r->code, r->status, r->lines);
    buffer_text(log, r->line);
    buffer_byte(log, '|');
    if (step == REPLY_WHOLE)
        buffer_text(log, buffer_as_text(&r->kept));
    buffer_byte(log, '\n');
}

static void read_in_pieces(struct bytes octets, size_t piece, struct buffer *log)
{
    struct reply_reader r;
    struct bytes in = { octets.at, 0 };
    enum reply_reader_step step;
    reply_reader_init(&r);
    do {
        const uint8_t *before = in.at;
        step = reply_read(&r, &in);
        if (step != REPLY_NEED_INPUT) {
            CHECK(in.at > before);
            note(&r, step, log);
            continue;
        }
        CHECK(in.len < REPLY_INPUT_MAX);
        size_t left = octets.len - (size_t)(in.at - octets.at) - in.len;
        if (left == 0)
            break;
        in.len += left < piece ? left : piece;
    } while (step != REPLY_JUNK && step != REPLY_ENDLESS);
    reply_reader_clear(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, cut;
    if (size == 0)
        return 0;
    struct bytes octets = { data + 1, size - 1 };
    buffer_init(&whole, LOG_MAX);
    buffer_init(&cut, LOG_MAX);
    read_in_pieces(octets, SIZE_MAX, &whole);
    read_in_pieces(octets, 1 + data[0] % 64, &cut);
    CHECK(text_equal(buffer_as_text(&whole), buffer_as_text(&cut)));
    buffer_clear(&whole);
    buffer_clear(&cut);
    return 0;
}
