/* convert.c - a message made fit for a way that bears less: what is read, and what is decided.
 *
 * Three readings: the first finds the parts, the second what is true of each piece, and when
 * something must change the third counts what it becomes, by writing it to nowhere.  What is
 * decided is decided once, between the second and the third, from the surveys alone.
 */
#include "mail/convert_inner.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_STEP = 8 * 1024 };

struct convert *convert_new(enum convert_target target)
{
    struct convert *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->target = target;
    buffer_init(&c->scratch, CONVERT_ROOM(COUNT_STEP));
    c->mime = mime_new();
    if (!c->mime)
        convert_free(&c);
    return c;
}

void convert_free(struct convert **convert)
{
    struct convert *c = *convert;
    *convert = NULL;
    if (!c)
        return;
    mime_free(&c->mime);
    buffer_clear(&c->scratch);
    free(c->pieces);
    free(c);
}

enum convert_obstacle convert_obstacle(const struct convert *c)
{
    return c->obstacle;
}

struct text convert_obstacle_words(enum convert_obstacle obstacle)
{
    static const struct text words[] = {
        [CONVERT_NO_OBSTACLE] = TEXT("it can be converted"),
        [CONVERT_HEADER] = TEXT("its header has 8-bit octets"),
        [CONVERT_STRUCTURE] = TEXT("its header or structure has binary octets"),
        [CONVERT_SIGNED] = TEXT("it is signed or encrypted"),
        [CONVERT_ENCODING] = TEXT("a part of it is in an encoding that is not known"),
        [CONVERT_SHAPE] = TEXT("a part of it may not be encoded"),
    };
    return words[obstacle];
}

bool convert_has_8bit_header(const struct convert *c)
{
    return c->header_8bit;
}

bool convert_has_dkim(const struct convert *c)
{
    return c->piece_count && c->pieces[0].survey.dkim;
}

uint64_t convert_octets(const struct convert *c)
{
    return c->converted_octets;
}

/* --- The pieces --- */

static bool is_frozen(const struct mime_part *p)
{
    for (p = p->parent; p; p = p->parent)
        if (mime_is(&p->type, T("multipart"), T("signed")) ||
            mime_is(&p->type, T("multipart"), T("encrypted")))
            return true;
    return false;
}

static struct piece *add_piece(struct convert *c, enum piece_kind kind,
                               const struct mime_part *part, uint64_t end_at)
{
    struct piece *p = &c->pieces[c->piece_count++];
    *p = (struct piece){ .end_at = end_at, .kind = kind, .part = part, .frozen = is_frozen(part) };
    p->survey.at_line_start = true;
    return p;
}

/* A gap belongs to two parts, and is as frozen as either. */
static void add_gap(struct convert *c, const struct mime_part *before,
                    const struct mime_part *behind, uint64_t end_at)
{
    uint64_t at = c->piece_count ? c->pieces[c->piece_count - 1].end_at : 0;
    if (end_at > at)
        add_piece(c, PIECE_GAP, before, end_at)->frozen |= behind && is_frozen(behind);
}

/* A multipart in which nothing was found has a body, of which nothing is known. */
static bool has_body(const struct mime_part *p)
{
    return p->kind == MIME_LEAF || (!p->first && p->end_at > p->body_at);
}

static bool is_odd_boundary(const struct mime_part *p)
{
    const struct mime_param *boundary =
        p->kind == MIME_MULTIPART ? mime_param(&p->type, T("boundary")) : NULL;
    return boundary && (!text_is_ascii(boundary->value) ||
                        text_find(boundary->value, GAP_FILLER) < boundary->value.len);
}

static bool make_pieces(struct convert *c, const struct mime_part *root)
{
    const struct mime_part *before = NULL;
    struct piece *around[MIME_DEPTH_MAX + 1]; /* headers of the part and its parents, by depth */
    size_t parts = 0;
    for (const struct mime_part *p = root; p; p = mime_next(p))
        parts++;
    c->pieces = calloc(parts * 3 + 1, sizeof *c->pieces);
    if (!c->pieces)
        return false;
    for (const struct mime_part *p = root; p; before = p, p = mime_next(p)) {
        add_gap(c, before, p, p->header_at);
        struct piece *header = add_piece(c, PIECE_HEADER, p, p->body_at);
        bool is_message = !p->parent || p->parent->kind == MIME_MESSAGE;
        header->message = is_message ? header : around[p->depth - 1]->message;
        around[p->depth] = header;
        c->odd_boundary |= is_odd_boundary(p);
        if (has_body(p))
            add_piece(c, PIECE_BODY, p, p->end_at);
    }
    add_gap(c, before, NULL, c->octets);
    return true;
}

/* --- What is decided --- */

static void meet(struct convert *c, enum convert_obstacle obstacle)
{
    if (c->obstacle == CONVERT_NO_OBSTACLE)
        c->obstacle = obstacle;
}

static void change(struct convert *c, struct piece *p)
{
    p->changes = c->changes = true;
}

/* The piece will begin differently.  Where the header before it ended at a line that is no field,
 * what stands there then may look like one: the empty line that is missing is put in. */
static void change_front(struct convert *c, struct piece *p)
{
    struct piece *before = p > c->pieces ? p - 1 : p;
    change(c, p);
    if (before->kind == PIECE_HEADER && !before->survey.ended)
        change(c, before);
}

/* Whether the octets do not fit the target. */
static bool does_not_fit(const struct convert *c, const struct survey *s)
{
    return s->has_nul || s->bare || s->long_line || (s->eight_bit && c->target == CONVERT_TO_7BIT);
}

/* RFC 2045 6.4, RFC 2046 5.2.2 and 5.2.3; what the parser could not see into may hold anything. */
static bool may_be_encoded(const struct convert *c, const struct mime_part *p)
{
    return p->kind == MIME_LEAF && !p->misread && !mime_is_coarse(c->mime) &&
           !mime_is(&p->type, T("message"), T("partial")) &&
           !mime_is(&p->type, T("message"), T("external-body"));
}

/* The shorter one by count: with its soft line ends, and with its line ends. */
static enum mime_encoding choose_encoding(const struct piece *body)
{
    const struct survey *s = &body->survey;
    const struct mime_value *type = &body->part->type;
    uint64_t quoted = s->octets + 2 * s->escapes;
    uint64_t base64 = (s->octets + 2) / 3 * 4;
    bool text = mime_is(type, T("text"), T("")) || mime_is(type, T("message"), T(""));
    quoted += quoted / TRANSFER_LINE_MAX * 3;
    base64 += base64 / TRANSFER_LINE_MAX * 2;
    return text && !s->has_nul && quoted <= base64 ? MIME_QUOTED_PRINTABLE : MIME_BASE64;
}

static void label(struct piece *header, enum mime_encoding to)
{
    header->to = to;
    header->labelled = true;
}

/* The header speaks of MIME from now on, so the message that it is in has to say that it does (RFC
 * 2045 4). */
static void change_header(struct convert *c, struct piece *header)
{
    struct piece *message = header->message;
    change_front(c, header);
    if (message->survey.mime_version || message->add_version)
        return;
    message->add_version = true;
    change_front(c, message);
}

/* A body that is to be encoded; its header stands before it. */
static void encode_body(struct convert *c, struct piece *header, struct piece *body)
{
    const struct mime_part *p = body->part;
    if (!may_be_encoded(c, p)) {
        meet(c, CONVERT_SHAPE);
    } else if (body->frozen) {
        meet(c, CONVERT_SIGNED);
    } else if (p->encoding == MIME_OTHER) {
        meet(c, CONVERT_ENCODING);
    } else {
        bool encoded = p->encoding == MIME_QUOTED_PRINTABLE || p->encoding == MIME_BASE64;
        body->from = p->encoding;
        body->to = encoded ? p->encoding : choose_encoding(body);
        if (!encoded)
            label(header, body->to);
        header->add_type =
            !header->survey.content_type && body->survey.eight_bit && p->encoding != MIME_BASE64;
        header->type_is_utf8 = !body->survey.utf8.bad;
        change_header(c, header);
        change(c, body);
    }
}

/* Of a part whose octets stay: the label that fits them, or, for what holds others, the target. */
static void relabel(struct convert *c, struct piece *header, const struct survey *body)
{
    enum mime_encoding now = header->part->encoding;
    if (now != MIME_BINARY && (now != MIME_8BIT || c->target == CONVERT_TO_8BIT))
        return;
    if (header->frozen)
        return;
    bool eight_bit = c->target == CONVERT_TO_8BIT && (!body || body->eight_bit);
    label(header, eight_bit ? MIME_8BIT : MIME_7BIT);
    change_header(c, header);
}

/* Binary content that ends in mid-line at the very end: a line end would be added to it. */
static bool is_cut(const struct convert *c, const struct piece *body)
{
    return body->end_at == c->octets && body->part->kind == MIME_LEAF &&
           body->part->encoding == MIME_BINARY && body->survey.line > 0;
}

static void decide_header(struct convert *c, struct piece *header, struct piece *body)
{
    const struct survey *s = &header->survey;
    if (s->has_nul || s->bare)
        meet(c, CONVERT_STRUCTURE);
    if (s->eight_bit && c->target == CONVERT_TO_7BIT)
        meet(c, CONVERT_HEADER);
    c->header_8bit |= s->eight_bit;
    if (!body)
        relabel(c, header, NULL);
    else if (does_not_fit(c, &body->survey) || is_cut(c, body))
        encode_body(c, header, body);
    else
        relabel(c, header, &body->survey);
}

static void decide_gap(struct convert *c, struct piece *gap)
{
    if (gap->survey.bare)
        meet(c, CONVERT_STRUCTURE);
    if (!does_not_fit(c, &gap->survey))
        return;
    if (mime_is_coarse(c->mime))
        meet(c, CONVERT_SHAPE);
    if (c->odd_boundary)
        meet(c, CONVERT_STRUCTURE);
    if (gap->frozen)
        meet(c, CONVERT_SIGNED);
    change_front(c, gap);
}

static void decide(struct convert *c)
{
    struct piece *end = c->pieces + c->piece_count;
    for (struct piece *p = c->pieces; p < end; p++) {
        if (p->kind == PIECE_HEADER)
            decide_header(c, p, p + 1 < end && p[1].kind == PIECE_BODY ? p + 1 : NULL);
        else if (p->kind == PIECE_GAP)
            decide_gap(c, p);
    }
}

/* --- The readings --- */

/* The header of a body stands before it. */
static void next_piece(struct convert *c)
{
    const struct piece *before = &c->pieces[c->piece++];
    struct piece *p = &c->pieces[c->piece];
    if (c->piece < c->piece_count && p->kind == PIECE_BODY)
        p->survey.wants_charset = !before->survey.content_type;
}

static void survey_pieces(struct convert *c, struct bytes b)
{
    while (b.len > 0) {
        CHECK(c->piece < c->piece_count);
        struct piece *p = &c->pieces[c->piece];
        size_t len = p->end_at - c->at < b.len ? (size_t)(p->end_at - c->at) : b.len;
        survey_read(&p->survey, p->kind, (struct bytes){ b.at, len });
        b = (struct bytes){ b.at + len, b.len - len };
        c->at += len;
        if (c->at == p->end_at)
            next_piece(c);
    }
}

static void count(struct convert *c, struct bytes b)
{
    while (b.len > 0 && !c->failed) {
        size_t len = b.len < COUNT_STEP ? b.len : COUNT_STEP;
        c->failed = !convert_write(c, (struct bytes){ b.at, len }, &c->scratch);
        b = (struct bytes){ b.at + len, b.len - len };
        c->converted_octets += c->scratch.len;
        c->scratch.len = 0;
    }
}

void convert_read(struct convert *c, struct bytes b)
{
    CHECK(c->reading != READ_OVER);
    switch (c->reading) {
    case READ_TREE:
        c->octets += b.len;
        mime_feed(c->mime, b);
        break;
    case READ_FACTS:
        survey_pieces(c, b);
        break;
    case READ_COUNT:
        count(c, b);
        break;
    case READ_OVER: /* the message was read */
        break;
    }
}

static enum convert_verdict end_tree(struct convert *c)
{
    const struct mime_part *root = mime_end(c->mime);
    c->reading = READ_FACTS;
    return root && make_pieces(c, root) ? CONVERT_AGAIN : CONVERT_NO_MEMORY;
}

static enum convert_verdict end_facts(struct convert *c)
{
    CHECK(c->at == c->octets);
    for (size_t i = 0; i < c->piece_count; i++)
        survey_end(&c->pieces[i].survey);
    decide(c);
    c->reading = READ_OVER;
    if (c->obstacle != CONVERT_NO_OBSTACLE)
        return CONVERT_NEVER;
    if (!c->changes)
        return CONVERT_NOTHING;
    c->reading = READ_COUNT;
    convert_rewind(c);
    return CONVERT_AGAIN;
}

static enum convert_verdict end_count(struct convert *c)
{
    c->reading = READ_OVER;
    c->failed = c->failed || !convert_write_end(c, &c->scratch);
    c->converted_octets += c->scratch.len;
    buffer_clear(&c->scratch);
    return c->failed ? CONVERT_NO_MEMORY : CONVERT_READY;
}

enum convert_verdict convert_read_end(struct convert *c)
{
    CHECK(c->reading != READ_OVER);
    switch (c->reading) {
    case READ_TREE:
        return end_tree(c);
    case READ_FACTS:
        return end_facts(c);
    case READ_COUNT:
        return end_count(c);
    case READ_OVER:
        break;
    }
    return CONVERT_NO_MEMORY;
}
