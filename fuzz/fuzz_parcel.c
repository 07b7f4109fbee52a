/* fuzz_parcel.c - what a child or a caller says: the same parcels at any cut, and each written
 * again is read as itself.
 */
#include "base/check.h"
#include "proto/parcel.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOG_MAX = 1 << 26 };

/* Of data only the octets: they come in other pieces at another cut. */
static void note(const struct parcel *p, struct buffer *log, struct buffer *content)
{
    CHECK(p->words.len < PARCEL_LINE_MAX);
    if (p->kind == PARCEL_DATA) {
        CHECK(p->data.len > 0);
        CHECK(buffer_append(content, p->data.at, p->data.len));
        return;
    }
    CHECK(buffer_printf(log, "%d %lld %u %llu %llu @%zu ", p->kind, (long long)p->date_ms, p->flags,
                        (unsigned long long)p->done, (unsigned long long)p->all, content->len));
    CHECK(buffer_text(log, p->words) && buffer_byte(log, '\n'));
}

static void check_again(const struct parcel *p)
{
    struct buffer line;
    struct parcel_reader reader;
    struct parcel again;
    if (p->kind == PARCEL_DATA)
        return; /* may be a part */
    buffer_init(&line, 2 * PARCEL_LINE_MAX);
    parcel_reader_init(&reader);
    CHECK(parcel_write(&line, p));
    struct bytes in = buffer_bytes(&line);
    CHECK(parcel_read(&reader, &in, &again) == p->kind);
    CHECK(in.len == 0);
    CHECK(again.date_ms == p->date_ms && again.flags == p->flags);
    CHECK(again.done == p->done && again.all == p->all);
    CHECK(text_equal(again.words, p->words));
    buffer_clear(&line);
}

static void read_in_pieces(struct bytes octets, size_t piece, struct buffer *log,
                           struct buffer *content)
{
    struct parcel_reader reader;
    struct bytes in = { octets.at, 0 };
    struct parcel p = { .kind = PARCEL_NEED_INPUT };
    parcel_reader_init(&reader);
    for (;;) {
        const uint8_t *before = in.at;
        CHECK(parcel_read(&reader, &in, &p) == p.kind);
        if (p.kind == PARCEL_BROKEN)
            break;
        if (p.kind != PARCEL_NEED_INPUT) {
            CHECK(in.at > before);
            note(&p, log, content);
            check_again(&p);
            continue;
        }
        CHECK(in.len == 0);
        size_t left = octets.len - (size_t)(in.at - octets.at);
        if (left == 0)
            break;
        in.len = left < piece ? left : piece;
    }
    CHECK(buffer_printf(log, "%d", p.kind == PARCEL_BROKEN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer log[2], content[2];
    if (size == 0)
        return 0;
    struct bytes octets = { data + 1, size - 1 };
    for (int i = 0; i < 2; i++) {
        buffer_init(&log[i], LOG_MAX);
        buffer_init(&content[i], LOG_MAX);
        read_in_pieces(octets, i ? 1u + data[0] % 64 : SIZE_MAX, &log[i], &content[i]);
    }
    CHECK(text_equal(buffer_as_text(&log[0]), buffer_as_text(&log[1])));
    CHECK(text_equal(buffer_as_text(&content[0]), buffer_as_text(&content[1])));
    for (int i = 0; i < 2; i++) {
        buffer_clear(&log[i]);
        buffer_clear(&content[i]);
    }
    return 0;
}
