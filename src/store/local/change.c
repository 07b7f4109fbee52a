/* change.c - the changes that a journal unit is made of, and their octets on disk. Pure.
 *
 * A change is a head (kind, octets that follow), the members that its kind has in the order of enum
 * member, and the kind's texts: each behind its length, but the last, which takes what is left.
 * Encoding refuses what decoding would refuse, so that nothing is ever written that replay cannot
 * read.
 */
#include "store/local/change.h"

#include "store/local/little.h"

enum member {
    HAS_MAILBOX = 1,
    HAS_MESSAGE = 2,
    HAS_UID = 4,
    HAS_MODSEQ = 8,
    HAS_UID_VALIDITY = 16,
    HAS_UID_NEXT = 32,
    HAS_FLAGS = 64,
    HAS_WHEN = 128,
    HAS_FACTS = 256,
    HAS_ROW = 512,
    HAS_ENVELOPE = 1024,
};

enum { HEAD_OCTETS = 8, FIXED_OCTETS_MAX = 96, TEXTS_MAX = 4, LENGTH_OCTETS = 4 };

static const struct kind {
    unsigned has;
    size_t text_count;
    size_t texts[TEXTS_MAX]; /* where they are in struct change */
} kinds[] = {
    [CHANGE_MAILBOX] = { HAS_MAILBOX | HAS_MODSEQ | HAS_UID_VALIDITY | HAS_UID_NEXT | HAS_WHEN,
                         1,
                         { offsetof(struct change, words) } },
    [CHANGE_MESSAGE] = { HAS_MESSAGE | HAS_WHEN | HAS_FACTS,
                         1,
                         { offsetof(struct change, words) } },
    [CHANGE_PLACED] = { HAS_MAILBOX | HAS_MESSAGE | HAS_UID | HAS_MODSEQ | HAS_FLAGS | HAS_WHEN |
                            HAS_FACTS,
                        1,
                        { offsetof(struct change, words) } },
    [CHANGE_EXPUNGED] = { HAS_MAILBOX | HAS_UID | HAS_MODSEQ, 0, { 0 } },
    [CHANGE_PURGED] = { HAS_MAILBOX, 0, { 0 } },
    [CHANGE_RECIPIENT] = { HAS_ROW,
                           4,
                           { offsetof(struct change, row.address),
                             offsetof(struct change, row.domain),
                             offsetof(struct change, row.orcpt),
                             offsetof(struct change, row.last) } },
    [CHANGE_ENVELOPE] = { HAS_MESSAGE | HAS_ENVELOPE,
                          2,
                          { offsetof(struct change, envelope.ret),
                            offsetof(struct change, envelope.envid) } },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* What a row has that is one bit. */
enum { ROW_HELD = 1, ROW_WARNED = 2, ROW_BITS_KNOWN = 3 };

/* The facts that are bits, in the order of their bits. */
enum fact {
    FACT_DOT_LINES = 1,
    FACT_ENDS_WITH_CRLF = 2,
    FACT_EIGHT_BIT = 4,
    FACT_HAS_NUL = 8,
    FACT_BARE_CR_OR_LF = 16,
    FACTS_KNOWN = 31,
};

uint32_t envelope_bits(const struct queue_envelope *e)
{
    return (e->utf8 ? ENVELOPE_UTF8 : 0u) | (e->requires_tls ? ENVELOPE_REQUIRES_TLS : 0u) |
           (e->waives_tls ? ENVELOPE_WAIVES_TLS : 0u) | (e->binary ? ENVELOPE_BINARY : 0u);
}

void envelope_set_bits(struct queue_envelope *e, uint32_t bits)
{
    e->utf8 = bits & ENVELOPE_UTF8;
    e->requires_tls = bits & ENVELOPE_REQUIRES_TLS;
    e->waives_tls = bits & ENVELOPE_WAIVES_TLS;
    e->binary = bits & ENVELOPE_BINARY;
}

/* NULL: this version does not know it. */
static const struct kind *find_kind(uint32_t kind)
{
    return kind < KINDS && kinds[kind].has ? &kinds[kind] : NULL;
}

static struct text text_in(const struct change *c, size_t at)
{
    return *(const struct text *)(const void *)((const char *)c + at);
}

/* Ids and versions fit SQLite's signed integers and 0 is none. */
static bool id_is_valid(uint64_t id)
{
    return id != 0 && id <= INT64_MAX;
}

static bool row_is_valid(const struct queue_row *row)
{
    return id_is_valid(row->message) && row->generation > 0 && row->state <= QUEUE_DROPPED &&
           row->domain.len <= CHANGE_DOMAIN_MAX;
}

static bool members_are_valid(const struct change *c, unsigned has)
{
    if ((has & HAS_MAILBOX) && !id_is_valid(c->mailbox))
        return false;
    if ((has & HAS_MESSAGE) && !id_is_valid(c->message))
        return false;
    if ((has & HAS_UID) && c->uid == 0)
        return false;
    if ((has & HAS_UID_VALIDITY) && c->uid_validity == 0)
        return false;
    if ((has & HAS_UID_NEXT) && c->uid_next == 0)
        return false;
    if ((has & HAS_MODSEQ) && c->modseq > INT64_MAX)
        return false;
    if ((has & HAS_FACTS) && c->facts.octets > INT64_MAX)
        return false;
    return !(has & HAS_ROW) || row_is_valid(&c->row);
}

static bool is_valid(const struct change *c, const struct kind *kind)
{
    for (size_t i = 0; i < kind->text_count; i++)
        if (text_in(c, kind->texts[i]).len > CHANGE_WORDS_MAX)
            return false;
    return members_are_valid(c, kind->has);
}

/* --- Encoding --- */

static void put_u32(uint8_t **at, uint32_t value)
{
    little_put_u32(*at, value);
    *at += sizeof value;
}

static void put_u64(uint8_t **at, uint64_t value)
{
    little_put_u64(*at, value);
    *at += sizeof value;
}

static void put_facts(uint8_t **at, const struct content_facts *f)
{
    put_u64(at, f->octets);
    put_u32(at, f->received);
    put_u32(at, f->line_longest);
    put_u32(at, (f->dot_lines ? FACT_DOT_LINES : 0u) |
                    (f->ends_with_crlf ? FACT_ENDS_WITH_CRLF : 0u) |
                    (f->eight_bit ? FACT_EIGHT_BIT : 0u) | (f->has_nul ? FACT_HAS_NUL : 0u) |
                    (f->bare_cr_or_lf ? FACT_BARE_CR_OR_LF : 0u));
}

static void put_row(uint8_t **at, const struct queue_row *row)
{
    put_u64(at, row->message);
    put_u32(at, row->number);
    put_u32(at, row->generation);
    put_u32(at, (uint32_t)row->state);
    put_u32(at, (row->held ? ROW_HELD : 0u) | (row->warned ? ROW_WARNED : 0u));
    put_u32(at, row->attempts);
    put_u64(at, (uint64_t)row->due_ms);
    put_u32(at, row->notify);
}

static void put_members(uint8_t **at, const struct change *c, unsigned has)
{
    if (has & HAS_MAILBOX)
        put_u64(at, c->mailbox);
    if (has & HAS_MESSAGE)
        put_u64(at, c->message);
    if (has & HAS_UID)
        put_u32(at, c->uid);
    if (has & HAS_MODSEQ)
        put_u64(at, c->modseq);
    if (has & HAS_UID_VALIDITY)
        put_u32(at, c->uid_validity);
    if (has & HAS_UID_NEXT)
        put_u32(at, c->uid_next);
    if (has & HAS_FLAGS)
        put_u32(at, c->flags);
    if (has & HAS_WHEN)
        put_u64(at, (uint64_t)c->when_ms);
    if (has & HAS_FACTS)
        put_facts(at, &c->facts);
    if (has & HAS_ROW)
        put_row(at, &c->row);
    if (has & HAS_ENVELOPE)
        put_u32(at, envelope_bits(&c->envelope));
}

/* All of them, with the lengths. */
static size_t octets_of_texts(const struct change *c, const struct kind *kind)
{
    size_t octets = 0;
    for (size_t i = 0; i < kind->text_count; i++)
        octets += text_in(c, kind->texts[i]).len + (i + 1 < kind->text_count ? LENGTH_OCTETS : 0);
    return octets;
}

/* There is room. */
static bool append_texts(struct buffer *b, const struct change *c, const struct kind *kind)
{
    bool ok = true;
    for (size_t i = 0; ok && i < kind->text_count; i++) {
        struct text text = text_in(c, kind->texts[i]);
        uint8_t length[LENGTH_OCTETS];
        little_put_u32(length, (uint32_t)text.len);
        if (i + 1 < kind->text_count)
            ok = buffer_append(b, length, sizeof length);
        ok = ok && buffer_append(b, text.at, text.len);
    }
    return ok;
}

bool change_encode(struct buffer *b, const struct change *c)
{
    const struct kind *kind = find_kind((uint32_t)c->kind);
    if (!kind || !is_valid(c, kind))
        return false;
    size_t texts = octets_of_texts(c, kind);
    uint8_t fixed[HEAD_OCTETS + FIXED_OCTETS_MAX];
    uint8_t *at = fixed + HEAD_OCTETS;
    put_members(&at, c, kind->has);
    size_t octets = (size_t)(at - fixed);
    little_put_u32(fixed, c->kind);
    little_put_u32(fixed + 4, (uint32_t)(octets - HEAD_OCTETS + texts));
    /* All or nothing: half a change would spoil those behind it. */
    if (!buffer_reserve(b, octets + texts))
        return false;
    return buffer_append(b, fixed, octets) && append_texts(b, c, kind);
}

/* --- Decoding --- */

static bool take_u32(struct bytes *from, uint32_t *out)
{
    if (from->len < sizeof *out)
        return false;
    *out = little_u32(from->at);
    *from = (struct bytes){ from->at + sizeof *out, from->len - sizeof *out };
    return true;
}

static bool take_u64(struct bytes *from, uint64_t *out)
{
    if (from->len < sizeof *out)
        return false;
    *out = little_u64(from->at);
    *from = (struct bytes){ from->at + sizeof *out, from->len - sizeof *out };
    return true;
}

static bool take_when(struct bytes *from, int64_t *out)
{
    uint64_t value;
    if (!take_u64(from, &value))
        return false;
    *out = (int64_t)value;
    return true;
}

static bool take_facts(struct bytes *from, struct content_facts *out)
{
    uint32_t bits;
    if (!take_u64(from, &out->octets) || !take_u32(from, &out->received) ||
        !take_u32(from, &out->line_longest) || !take_u32(from, &bits) || bits > FACTS_KNOWN)
        return false;
    out->dot_lines = bits & FACT_DOT_LINES;
    out->ends_with_crlf = bits & FACT_ENDS_WITH_CRLF;
    out->eight_bit = bits & FACT_EIGHT_BIT;
    out->has_nul = bits & FACT_HAS_NUL;
    out->bare_cr_or_lf = bits & FACT_BARE_CR_OR_LF;
    return true;
}

static bool take_row(struct bytes *from, struct queue_row *out)
{
    uint32_t state, bits, notify;
    if (!take_u64(from, &out->message) || !take_u32(from, &out->number) ||
        !take_u32(from, &out->generation) || !take_u32(from, &state) || state > QUEUE_DROPPED ||
        !take_u32(from, &bits) || bits > ROW_BITS_KNOWN || !take_u32(from, &out->attempts) ||
        !take_when(from, &out->due_ms) || !take_u32(from, &notify))
        return false;
    out->state = (enum queue_state)state;
    out->held = bits & ROW_HELD;
    out->warned = bits & ROW_WARNED;
    out->notify = notify;
    return true;
}

static bool take_envelope(struct bytes *from, struct queue_envelope *out)
{
    uint32_t bits;
    if (!take_u32(from, &bits) || bits > ENVELOPE_KNOWN)
        return false;
    envelope_set_bits(out, bits);
    return true;
}

static bool take_members(struct bytes *from, struct change *out, unsigned has)
{
    return (!(has & HAS_MAILBOX) || take_u64(from, &out->mailbox)) &&
           (!(has & HAS_MESSAGE) || take_u64(from, &out->message)) &&
           (!(has & HAS_UID) || take_u32(from, &out->uid)) &&
           (!(has & HAS_MODSEQ) || take_u64(from, &out->modseq)) &&
           (!(has & HAS_UID_VALIDITY) || take_u32(from, &out->uid_validity)) &&
           (!(has & HAS_UID_NEXT) || take_u32(from, &out->uid_next)) &&
           (!(has & HAS_FLAGS) || take_u32(from, &out->flags)) &&
           (!(has & HAS_WHEN) || take_when(from, &out->when_ms)) &&
           (!(has & HAS_FACTS) || take_facts(from, &out->facts)) &&
           (!(has & HAS_ROW) || take_row(from, &out->row)) &&
           (!(has & HAS_ENVELOPE) || take_envelope(from, &out->envelope));
}

/* The last text takes all that is left; without any, nothing may be left. */
static bool take_texts(struct bytes *from, struct change *out, const struct kind *kind)
{
    for (size_t i = 0; i < kind->text_count; i++) {
        uint32_t len = (uint32_t)from->len;
        if (i + 1 < kind->text_count && (!take_u32(from, &len) || len > from->len))
            return false;
        struct text *text = (struct text *)(void *)((char *)out + kind->texts[i]);
        *text = text_of_bytes((struct bytes){ from->at, len });
        *from = (struct bytes){ from->at + len, from->len - len };
    }
    return from->len == 0;
}

bool change_decode(struct bytes *rest, struct change *out)
{
    struct bytes from = *rest;
    uint32_t number, octets;
    if (!take_u32(&from, &number) || !take_u32(&from, &octets) || octets > from.len)
        return false;
    const struct kind *kind = find_kind(number);
    if (!kind)
        return false;
    struct bytes body = { from.at, octets };
    *out = (struct change){ .kind = (enum change_kind)number };
    if (!take_members(&body, out, kind->has) || !take_texts(&body, out, kind) ||
        !is_valid(out, kind))
        return false;
    *rest = (struct bytes){ from.at + octets, from.len - octets };
    return true;
}
