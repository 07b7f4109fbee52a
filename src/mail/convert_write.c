/* convert_write.c - a message as it is to be, piece by piece.
 *
 * What changes was decided before (convert.c).  It holds back no more than a field's name and what
 * the encodings do, so its output does not depend on how the message is cut.
 */
#include "mail/convert_inner.h"

#include "base/check.h"

#include <string.h>

enum {
    STEP = 4 * 1024,    /* decoded at a time */
    GAP_LINE_MAX = 900, /* of a line that nobody reads; no delimiter is longer */
};

static const struct text label_name = TEXT("content-transfer-encoding");

/* --- Headers --- */

static void put_label(struct buffer *out, enum mime_encoding to)
{
    static const struct text names[] = {
        [MIME_7BIT] = TEXT("7bit"),
        [MIME_8BIT] = TEXT("8bit"),
        [MIME_QUOTED_PRINTABLE] = TEXT("quoted-printable"),
        [MIME_BASE64] = TEXT("base64"),
    };
    buffer_text(out, T("Content-Transfer-Encoding: "));
    buffer_text(out, names[to]);
    buffer_text(out, T("\r\n"));
}

static void add_fields(struct line_state *l, const struct piece *header, struct buffer *out)
{
    l->added = true;
    if (header->add_version)
        buffer_text(out, T("MIME-Version: 1.0\r\n"));
    if (header->add_type) {
        buffer_text(out, T("Content-Type: text/plain; charset="));
        buffer_text(out, header->type_is_utf8 ? T("utf-8\r\n") : T("unknown-8bit\r\n"));
    }
    if (header->labelled)
        put_label(out, header->to);
}

static void release_held(struct line_state *l, struct buffer *out)
{
    buffer_append(out, l->held, l->held_len);
    l->within |= l->held_len > 0;
    l->held_len = 0;
}

/* One octet at the front of a line, while that may be the label's name.  Every line here is a field
 * or goes on with one, so white space behind the name stands before its colon. */
static void match_name(struct line_state *l, uint8_t c, struct buffer *out)
{
    bool whole = l->held_len == label_name.len;
    if (whole && (c == ':' || text_is_blank((char)c))) {
        l->held_len = 0;
        l->within = l->dropping = true;
    } else if (!whole && text_lower((char)c) == label_name.at[l->held_len]) {
        l->held[l->held_len++] = (char)c;
    } else {
        release_held(l, out);
        buffer_byte(out, c);
        l->within = true;
    }
}

/* The first octet of a line.  The empty line ends the header. */
static void begin_line(struct line_state *l, const struct piece *header, uint8_t c,
                       struct buffer *out)
{
    l->within = text_is_blank((char)c) || !header->labelled;
    if (!text_is_blank((char)c))
        l->dropping = false;
    if ((c == '\r' || c == '\n') && !l->added)
        add_fields(l, header, out);
}

static void write_header(struct line_state *l, const struct piece *header, struct bytes b,
                         struct buffer *out)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.at[i];
        if (!l->within && l->held_len == 0)
            begin_line(l, header, c, out);
        if (!l->within)
            match_name(l, c, out);
        else if (!l->dropping)
            buffer_byte(out, c);
        if (c == '\n')
            l->within = false;
    }
}

/* That of a multipart which ends where it ends, at the delimiter of another: behind an empty line
 * that could be its own. */
static bool ends_at_delimiter(const struct convert *c, const struct piece *header)
{
    const struct mime_part *p = header->part;
    return p->kind == MIME_MULTIPART && p->end_at == p->body_at && p->end_at < c->octets;
}

/* A header that ended without an empty line gets what was to be added, and one. */
static void end_header(const struct convert *c, struct line_state *l, const struct piece *header,
                       struct buffer *out)
{
    release_held(l, out);
    if (l->added)
        return;
    if (l->within && !l->dropping) /* the message ends in it */
        buffer_text(out, T("\r\n"));
    add_fields(l, header, out);
    if (!ends_at_delimiter(c, header))
        buffer_text(out, T("\r\n"));
}

/* --- Bodies --- */

static void decode_and_encode(struct writing *w, struct bytes b, struct buffer *out)
{
    char room[TRANSFER_ROOM(STEP)];
    while (b.len > 0) {
        struct buffer plain = buffer_over(room, sizeof room);
        size_t len = b.len < STEP ? b.len : STEP;
        CHECK(transfer_feed(&w->decoder, (struct bytes){ b.at, len }, &plain));
        transfer_encode(&w->encoder, buffer_bytes(&plain), out);
        b = (struct bytes){ b.at + len, b.len - len };
    }
}

static void end_body(struct writing *w, bool last, struct buffer *out)
{
    char room[TRANSFER_ROOM(0)];
    struct buffer plain = buffer_over(room, sizeof room);
    CHECK(transfer_end(&w->decoder, &plain));
    transfer_encode(&w->encoder, buffer_bytes(&plain), out);
    transfer_encode_end(&w->encoder, last, out);
}

/* --- Gaps --- */

/* CR and LF come only as line ends here; a delimiter is short, and ASCII without the filler. */
static void write_gap(const struct convert *c, struct line_state *l, struct bytes b,
                      struct buffer *out)
{
    for (size_t i = 0; i < b.len; i++) {
        uint8_t octet = b.at[i];
        if (octet == 0 || (octet >= 0x80 && c->target == CONVERT_TO_7BIT))
            octet = GAP_FILLER;
        if (octet == '\n')
            l->column = 0;
        if (octet == '\r' || octet == '\n' || l->column++ < GAP_LINE_MAX)
            buffer_byte(out, octet);
    }
}

/* --- Pieces --- */

static void begin_piece(struct writing *w, const struct piece *p)
{
    w->begun = true;
    w->line = (struct line_state){ .within = false };
    if (!p->changes || p->kind != PIECE_BODY)
        return;
    transfer_init(&w->decoder, p->from);
    transfer_encode_init(&w->encoder, p->to);
}

static void write_piece(struct convert *c, const struct piece *p, struct bytes b,
                        struct buffer *out)
{
    struct writing *w = &c->writing;
    if (!p->changes)
        buffer_append(out, b.at, b.len);
    else if (p->kind == PIECE_HEADER)
        write_header(&w->line, p, b, out);
    else if (p->kind == PIECE_BODY)
        decode_and_encode(w, b, out);
    else
        write_gap(c, &w->line, b, out);
}

static void end_piece(struct convert *c, const struct piece *p, struct buffer *out)
{
    struct writing *w = &c->writing;
    w->begun = false;
    w->piece++;
    if (p->changes && p->kind == PIECE_HEADER)
        end_header(c, &w->line, p, out);
    else if (p->changes && p->kind == PIECE_BODY)
        end_body(w, p->end_at == c->octets, out);
}

/* What of the slice belongs to this piece. */
static struct bytes take_share(struct writing *w, const struct piece *p, struct bytes *b)
{
    uint64_t left = p->end_at - w->at;
    struct bytes share = { b->at, left < b->len ? (size_t)left : b->len };
    if (share.len)
        b->at += share.len;
    b->len -= share.len;
    w->at += share.len;
    return share;
}

/* The last two octets of what was appended behind `before`. */
static void remember_tail(struct writing *w, const struct buffer *out, size_t before)
{
    if (out->len == before)
        return;
    w->tail[0] = out->len > before + 1 ? out->at[out->len - 2] : w->tail[1];
    w->tail[1] = out->at[out->len - 1];
}

void convert_rewind(struct convert *c)
{
    c->writing = (struct writing){ .at = 0 };
}

bool convert_write(struct convert *c, struct bytes b, struct buffer *out)
{
    struct writing *w = &c->writing;
    size_t before = out->len;
    CHECK(b.len <= c->octets - w->at);
    while (w->piece < c->piece_count) {
        const struct piece *p = &c->pieces[w->piece];
        if (!w->begun)
            begin_piece(w, p);
        struct bytes share = take_share(w, p, &b);
        if (share.len)
            write_piece(c, p, share, out);
        if (w->at < p->end_at)
            break;
        end_piece(c, p, out);
    }
    if (out->failed)
        return false;
    remember_tail(w, out, before);
    return true;
}

bool convert_write_end(struct convert *c, struct buffer *out)
{
    struct writing *w = &c->writing;
    if (!convert_write(c, (struct bytes){ 0 }, out))
        return false;
    CHECK(w->at == c->octets);
    CHECK(w->piece == c->piece_count);
    return (w->tail[0] == '\r' && w->tail[1] == '\n') || buffer_text(out, T("\r\n"));
}
