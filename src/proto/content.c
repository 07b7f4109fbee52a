/* content.c - counting what is true of a message's content while it passes.
 *
 * Every octet of every message comes through here once, so it runs at the speed of memory: one pass
 * over blocks for what an octet says alone, one memchr a line for what lines say.  It never keeps
 * or changes an octet.
 */
#include "proto/block.h"
#include "proto/dot.h"

void content_counter_init(struct content_counter *c)
{
    *c = (struct content_counter){ .after_lf = true };
    c->facts.ends_with_crlf = true;
}

/* A counter of octets has 8 bits, so it is emptied before it can overflow. */
enum { BLOCKS_MAX = 255 };

/* What octets say alone. */
struct survey {
    size_t cr_count;
    bool eight_bit;
    bool has_nul;
};

/* At most BLOCKS_MAX whole blocks. */
static void survey_blocks(struct survey *s, const uint8_t *at, size_t blocks)
{
    block all = { 0 }, zeros = { 0 }, crs = { 0 };
    for (size_t i = 0; i < blocks; i++) {
        block b = block_at(at + i * sizeof b);
        all |= b;
        zeros |= (block)(b == 0);
        crs -= (block)(b == '\r');
    }
    for (size_t i = 0; i < sizeof crs; i++)
        s->cr_count += crs[i];
    s->eight_bit |= block_any(all & 0x80);
    s->has_nul |= block_any(zeros);
}

static struct survey survey(struct bytes b)
{
    struct survey s = { 0 };
    while (b.len >= sizeof(block)) {
        size_t blocks = b.len / sizeof(block) < BLOCKS_MAX ? b.len / sizeof(block) : BLOCKS_MAX;
        survey_blocks(&s, b.at, blocks);
        b = (struct bytes){ b.at + blocks * sizeof(block), b.len - blocks * sizeof(block) };
    }
    for (size_t i = 0; i < b.len; i++) {
        s.cr_count += b.at[i] == '\r';
        s.eight_bit |= b.at[i] >= 0x80;
        s.has_nul |= b.at[i] == 0;
    }
    return s;
}

static void line_length_seen(struct content_facts *f, uint64_t octets)
{
    uint32_t capped = octets < UINT32_MAX ? (uint32_t)octets : UINT32_MAX;
    if (capped > f->line_longest)
        f->line_longest = capped;
}

/* Walks from LF to LF.  Returns how many CRs of this slice stand before an LF of it. */
static size_t count_lines(struct content_counter *c, struct bytes b)
{
    size_t pairs = 0;
    const uint8_t *end = b.at + b.len;
    const uint8_t *from = b.at;
    for (const uint8_t *lf; (lf = memchr(from, '\n', (size_t)(end - from))); from = lf + 1) {
        bool here = lf > b.at && lf[-1] == '\r';
        c->line_octets += (size_t)(lf - from);
        if (here || (lf == b.at && c->after_cr)) {
            line_length_seen(&c->facts, c->line_octets - 1);
            c->line_octets = 0;
        } else {
            c->facts.bare_cr_or_lf = true;
            c->line_octets++;
        }
        pairs += here;
        c->facts.dot_lines |= lf + 1 < end && lf[1] == '.';
        if (lf + 1 == end)
            return pairs;
    }
    c->line_octets += (size_t)(end - from);
    return pairs;
}

void content_count(struct content_counter *c, struct bytes b)
{
    if (b.len == 0)
        return;
    struct content_facts *f = &c->facts;
    uint8_t last = b.at[b.len - 1];
    bool cr_before_last = b.len > 1 ? b.at[b.len - 2] == '\r' : c->after_cr;

    header_count(&c->header, b);
    f->received = c->header.received;
    f->octets += b.len;
    f->dot_lines |= c->after_lf && b.at[0] == '.';
    f->bare_cr_or_lf |= c->after_cr && b.at[0] != '\n';

    struct survey s = survey(b);
    f->eight_bit |= s.eight_bit;
    f->has_nul |= s.has_nul;
    size_t pairs = count_lines(c, b);
    f->bare_cr_or_lf |= s.cr_count != pairs + (last == '\r');

    c->after_lf = last == '\n';
    c->after_cr = last == '\r';
    f->ends_with_crlf = last == '\n' && cr_before_last;
    line_length_seen(f, c->line_octets - c->after_cr);
}

struct content_facts content_facts_end(const struct content_counter *c)
{
    struct content_facts f = c->facts;
    f.bare_cr_or_lf |= c->after_cr;
    line_length_seen(&f, c->line_octets);
    return f;
}
