/* parcel.c - messages between two processes of this program: a line each, data behind it. */
#include "proto/parcel.h"

#include <inttypes.h>
#include <string.h>

void parcel_reader_init(struct parcel_reader *r)
{
    r->line_len = 0;
    r->data_left = 0;
}

/* --- Reading --- */

static bool take_number(struct text *rest, uint64_t max, uint64_t *out)
{
    struct text word;
    return text_word(rest, &word) && text_to_u64(word, out) && *out <= max;
}

static bool take_date_and_flags(struct text *rest, struct parcel *out)
{
    uint64_t date, flags;
    if (!take_number(rest, INT64_MAX, &date) || !take_number(rest, UINT32_MAX, &flags))
        return false;
    out->date_ms = (int64_t)date;
    out->flags = (uint32_t)flags;
    return true;
}

static bool take_line(struct parcel_reader *r, struct text rest, struct parcel *out)
{
    static const struct {
        struct text verb;
        enum parcel_kind kind;
    } verbs[] = {
        { TEXT("data"), PARCEL_DATA }, { TEXT("keep"), PARCEL_KEEP }, { TEXT("open"), PARCEL_OPEN },
        { TEXT("drop"), PARCEL_DROP }, { TEXT("mark"), PARCEL_MARK }, { TEXT("end"), PARCEL_END },
    };
    struct text verb;
    bool ok;
    out->kind = PARCEL_BROKEN;
    text_word(&rest, &verb);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (text_equal(verb, verbs[i].verb))
            out->kind = verbs[i].kind;
    switch (out->kind) {
    case PARCEL_DATA:
        return take_number(&rest, PARCEL_DATA_MAX, &r->data_left);
    case PARCEL_KEEP:
        return take_date_and_flags(&rest, out);
    case PARCEL_OPEN:
        ok = take_date_and_flags(&rest, out);
        out->words = text_skip(rest, 1); /* the space */
        return ok;
    case PARCEL_MARK:
        return take_number(&rest, UINT64_MAX, &out->done) &&
               take_number(&rest, UINT64_MAX, &out->all);
    default:
        return out->kind != PARCEL_BROKEN;
    }
}

static struct bytes take(struct bytes *in, size_t len)
{
    struct bytes out = { in->at, len };
    *in = (struct bytes){ in->at + len, in->len - len };
    return out;
}

/* True: the line is complete, with its LF. */
static bool gather(struct parcel_reader *r, struct bytes *in)
{
    size_t room = PARCEL_LINE_MAX - r->line_len;
    size_t most = in->len < room ? in->len : room;
    const uint8_t *lf = most ? memchr(in->at, '\n', most) : NULL;
    struct bytes piece = take(in, lf ? (size_t)(lf - in->at) + 1 : most);
    if (piece.len > 0)
        memcpy(r->line + r->line_len, piece.at, piece.len);
    r->line_len += piece.len;
    return lf != NULL;
}

enum parcel_kind parcel_read(struct parcel_reader *r, struct bytes *in, struct parcel *out)
{
    *out = (struct parcel){ .kind = PARCEL_NEED_INPUT };
    while (r->data_left == 0) {
        if (!gather(r, in)) {
            out->kind = r->line_len == PARCEL_LINE_MAX ? PARCEL_BROKEN : PARCEL_NEED_INPUT;
            return out->kind;
        }
        struct text line = { r->line, r->line_len - 1 };
        r->line_len = 0;
        if (!take_line(r, line, out))
            out->kind = PARCEL_BROKEN;
        if (out->kind != PARCEL_DATA)
            return out->kind;
    }
    if (in->len == 0)
        return out->kind = PARCEL_NEED_INPUT;
    out->kind = PARCEL_DATA;
    out->data = take(in, in->len < r->data_left ? in->len : (size_t)r->data_left);
    r->data_left -= out->data.len;
    return out->kind;
}

/* --- Writing --- */

static bool write_data(struct buffer *to, struct bytes data)
{
    while (data.len > 0) {
        struct bytes piece = take(&data, data.len < PARCEL_DATA_MAX ? data.len : PARCEL_DATA_MAX);
        if (!buffer_printf(to, "data %zu\n", piece.len) || !buffer_append(to, piece.at, piece.len))
            return false;
    }
    return true;
}

bool parcel_write(struct buffer *to, const struct parcel *p)
{
    int64_t date_ms = p->date_ms > 0 ? p->date_ms : 0;
    switch (p->kind) {
    case PARCEL_OPEN:
        return buffer_printf(to, "open %" PRId64 " %" PRIu32 " ", date_ms, p->flags) &&
               buffer_text(to, p->words) && buffer_byte(to, '\n');
    case PARCEL_DATA:
        return write_data(to, p->data);
    case PARCEL_KEEP:
        return buffer_printf(to, "keep %" PRId64 " %" PRIu32 "\n", date_ms, p->flags);
    case PARCEL_DROP:
        return buffer_text(to, T("drop\n"));
    case PARCEL_MARK:
        return buffer_printf(to, "mark %" PRIu64 " %" PRIu64 "\n", p->done, p->all);
    case PARCEL_END:
        return buffer_text(to, T("end\n"));
    default:
        return false;
    }
}
