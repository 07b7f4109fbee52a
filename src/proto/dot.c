/* dot.c - the end of data and dot-stuffing: RFC 5321 4.5.2 and 4.1.1.4, RFC 1939 3, RFC 3030.
 *
 * The decoder hands out slices of its input and copies nothing.  Ordinary text is skipped in blocks
 * (plain_run); octets near a line end that is not plain go one by one through the table of states
 * below.  It never looks at what the lines mean, and never gives an octet twice.
 *
 *   state     what came last                        a dot here   LF here       CR here
 *   START     nothing yet, or a CRLF                -> DOT       bare          -> CR
 *   TEXT      anything else                         content      bare          -> CR
 *   CR        a CR, given out already               CR was bare  -> START      CR was bare, -> CR
 *   DOT       the first dot of a line, taken away   -> TEXT      bare          -> DOT_CR
 *   DOT_CR    that dot and a CR, not given out      as CR        -> ENDED      as CR
 *
 * A bare CR or LF leads to TEXT: what stands behind it is not at the start of a line.  A CR may be
 * given out before its fate is known because it stays in either mode; DOT_MEND then owes it an LF.
 */
#include "proto/dot.h"

#include "base/check.h"
#include "proto/block.h"

enum { STATE_START, STATE_TEXT, STATE_CR, STATE_DOT, STATE_DOT_CR, STATE_ENDED };

static const uint8_t crlf[2] = { '\r', '\n' };
static const struct bytes only_cr = { crlf, 1 };
static const struct bytes only_lf = { crlf + 1, 1 };
static const struct bytes whole_crlf = { crlf, 2 };
static const struct bytes nothing = { crlf, 0 };

void dot_decoder_init(struct dot_decoder *d, bool stuffed, enum dot_line_ends line_ends)
{
    *d = (struct dot_decoder){ .line_ends = line_ends, .stuffed = stuffed, .state = STATE_START };
    content_counter_init(&d->counter);
}

/* How many octets at the front are plain: there, a CR and an LF come only as CRLF, and no dot
 * follows one.  The first octet must not be an LF.  Stops early at the end of the input, where a
 * block and the two octets behind it no longer fit. */
static size_t plain_run(struct bytes b)
{
    size_t run = 0;
    for (; run + sizeof(block) + 2 <= b.len; run += sizeof(block)) {
        block cr = (block)(block_at(b.at + run) == '\r');
        block lf = (block)(block_at(b.at + run + 1) == '\n');
        block dot = (block)(block_at(b.at + run + 2) == '.');
        block odd = (cr ^ lf) | (lf & dot);
        if (!block_any(odd))
            continue;
        size_t first = 0;
        while (!odd[first])
            first++;
        return run + first;
    }
    return run;
}

/* Whether this octet is content that goes out as it is, and the state behind it; otherwise the
 * state stays and act() does the rest. */
static bool passes(struct dot_decoder *d, uint8_t octet)
{
    bool mend = d->line_ends == DOT_MEND;
    switch (d->state) {
    case STATE_CR:
        if (octet == '\n') {
            d->state = STATE_START;
            return true;
        }
        if (mend)
            return false;
        break; /* bare; the counter sees it too */
    case STATE_START:
        if (octet == '.' && d->stuffed)
            return false;
        break;
    case STATE_TEXT:
        break;
    default:
        return false;
    }
    if (octet == '\n' && mend)
        return false;
    d->state = octet == '\r' ? STATE_CR : STATE_TEXT;
    return true;
}

/* The length of the content at the front that goes out unchanged. */
static size_t content_run(struct dot_decoder *d, struct bytes b)
{
    size_t run = 0;
    while (run < b.len) {
        if (d->state == STATE_TEXT && b.at[run] != '\n') {
            size_t plain = plain_run((struct bytes){ b.at + run, b.len - run });
            run += plain;
            if (plain && b.at[run - 1] == '\r')
                d->state = STATE_CR;
            else if (plain && b.at[run - 1] == '\n')
                d->state = STATE_START;
        }
        if (!passes(d, b.at[run]))
            break;
        run++;
    }
    return run;
}

static void take(struct bytes *in, size_t count)
{
    in->at += count;
    in->len -= count;
}

/* Does what the octet at the front asks for when it may not simply pass.  Returns what goes out for
 * it, maybe nothing. */
static struct bytes act(struct dot_decoder *d, struct bytes *in)
{
    uint8_t octet = in->at[0];
    switch (d->state) {
    case STATE_START:
    case STATE_TEXT:
        take(in, 1);
        if (octet == '.') {
            d->state = STATE_DOT;
            return nothing;
        }
        d->counter.facts.bare_cr_or_lf = true; /* a bare LF to mend */
        d->state = STATE_TEXT;
        return whole_crlf;
    case STATE_CR:
        d->counter.facts.bare_cr_or_lf = true; /* a bare CR to mend */
        d->state = STATE_TEXT;
        return only_lf;
    case STATE_DOT:
        d->state = STATE_TEXT;
        if (octet == '\r') {
            d->state = STATE_DOT_CR;
            take(in, 1);
        }
        return nothing;
    default:
        CHECK(d->state == STATE_DOT_CR);
        if (octet == '\n') {
            d->state = STATE_ENDED;
            take(in, 1);
            return nothing;
        }
        d->state = STATE_CR;
        return only_cr;
    }
}

enum dot_step dot_decode(struct dot_decoder *d, struct bytes *in, struct bytes *slice_out)
{
    while (d->state != STATE_ENDED) {
        if (in->len == 0)
            return DOT_NEED_INPUT;
        size_t run = content_run(d, *in);
        *slice_out = (struct bytes){ in->at, run };
        take(in, run);
        if (run == 0)
            *slice_out = act(d, in);
        if (slice_out->len) {
            content_count(&d->counter, *slice_out);
            return DOT_SLICE;
        }
    }
    return DOT_END;
}

struct bytes dot_decoder_finish(struct dot_decoder *d)
{
    CHECK(!d->stuffed);
    if (d->line_ends == DOT_BINARY) {
        d->state = STATE_ENDED;
        d->counter.facts = content_facts_end(&d->counter);
        return nothing;
    }
    struct bytes owed = d->counter.facts.ends_with_crlf ? nothing : whole_crlf;
    if (d->state == STATE_CR && d->line_ends == DOT_MEND) {
        d->counter.facts.bare_cr_or_lf = true;
        owed = only_lf;
    }
    d->state = STATE_ENDED;
    content_count(&d->counter, owed);
    return owed;
}

bool dot_encode(struct buffer *b, struct bytes content, bool *at_line_start)
{
    const uint8_t *end = content.at + content.len;
    const uint8_t *from = content.at; /* not yet appended */
    const uint8_t *line = content.at;
    bool at_start = *at_line_start;
    while (line < end) {
        if (at_start && *line == '.') {
            if (!buffer_append(b, from, (size_t)(line + 1 - from)))
                return false;
            from = line; /* the dot again */
        }
        const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
        at_start = lf != NULL;
        line = lf ? lf + 1 : end;
    }
    *at_line_start = at_start;
    return buffer_append(b, from, (size_t)(end - from));
}
