/* change.c - the changes that a journal unit is made of, and their octets on disk. Pure.
 *
 * A change is a head (kind, octets that follow) and the members that its kind has, in the order of
 * enum member; words come last and take what is left.  Encoding refuses what decoding would refuse,
 * so that nothing is ever written that replay cannot read.
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
    HAS_WORDS = 512,
};

static const unsigned members[] = {
    [CHANGE_MAILBOX] =
        HAS_MAILBOX | HAS_MODSEQ | HAS_UID_VALIDITY | HAS_UID_NEXT | HAS_WHEN | HAS_WORDS,
    [CHANGE_MESSAGE] = HAS_MESSAGE | HAS_WHEN | HAS_FACTS | HAS_WORDS,
    [CHANGE_PLACED] = HAS_MAILBOX | HAS_MESSAGE | HAS_UID | HAS_MODSEQ | HAS_FLAGS | HAS_WHEN |
                      HAS_FACTS | HAS_WORDS,
    [CHANGE_EXPUNGED] = HAS_MAILBOX | HAS_UID | HAS_MODSEQ,
    [CHANGE_PURGED] = HAS_MAILBOX,
};

enum { HEAD_OCTETS = 8, FIXED_OCTETS_MAX = 96, KINDS = sizeof members / sizeof *members };

/* The facts that are bits, in the order of their bits. */
enum fact {
    FACT_DOT_LINES = 1,
    FACT_ENDS_WITH_CRLF = 2,
    FACT_EIGHT_BIT = 4,
    FACT_HAS_NUL = 8,
    FACT_BARE_CR_OR_LF = 16,
    FACTS_KNOWN = 31,
};

static unsigned members_of(uint32_t kind)
{
    return kind < KINDS ? members[kind] : 0;
}

/* Ids and versions fit SQLite's signed integers and 0 is none. */
static bool id_is_valid(uint64_t id)
{
    return id != 0 && id <= INT64_MAX;
}

static bool is_valid(const struct change *c, unsigned has)
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
    return c->words.len <= CHANGE_WORDS_MAX;
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
}

bool change_encode(struct buffer *b, const struct change *c)
{
    unsigned has = members_of(c->kind);
    if (!has || !is_valid(c, has))
        return false;
    size_t words = has & HAS_WORDS ? c->words.len : 0;
    uint8_t fixed[HEAD_OCTETS + FIXED_OCTETS_MAX];
    uint8_t *at = fixed + HEAD_OCTETS;
    put_members(&at, c, has);
    size_t octets = (size_t)(at - fixed);
    little_put_u32(fixed, c->kind);
    little_put_u32(fixed + 4, (uint32_t)(octets - HEAD_OCTETS + words));
    /* All or nothing: half a change would spoil those behind it. */
    if (!buffer_reserve(b, octets + words))
        return false;
    return buffer_append(b, fixed, octets) && buffer_append(b, c->words.at, words);
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
           (!(has & HAS_FACTS) || take_facts(from, &out->facts));
}

bool change_decode(struct bytes *rest, struct change *out)
{
    struct bytes from = *rest;
    uint32_t kind, octets;
    if (!take_u32(&from, &kind) || !take_u32(&from, &octets) || octets > from.len)
        return false;
    unsigned has = members_of(kind);
    if (!has)
        return false;
    struct bytes body = { from.at, octets };
    *out = (struct change){ .kind = (enum change_kind)kind };
    if (!take_members(&body, out, has))
        return false;
    if (has & HAS_WORDS)
        out->words = text_of_bytes(body);
    else if (body.len)
        return false;
    if (!is_valid(out, has))
        return false;
    *rest = (struct bytes){ from.at + octets, from.len - octets };
    return true;
}
