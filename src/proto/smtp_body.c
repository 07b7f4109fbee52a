/* smtp_body.c - the content of a message as it comes in: DATA, chunks, and what is refused of it.
 *
 * Content is handed on as slices of the input and never kept.  What is wrong with it is found while
 * it passes, told to the driver at once (so that nothing more is stored) and to the client at the
 * end, with the first refusal of the table below that holds: however the input was cut, the reply
 * is the same.
 */
#include "proto/smtp_server_internal.h"

#include "base/check.h"

#include <stdio.h>

/* ---- what is refused ---- */

static bool is_too_large(const struct smtp_server *s, const struct content_facts *facts)
{
    return s->config->message_octets_max && facts->octets > s->config->message_octets_max;
}

/* RFC 5321 2.3.8.  From a stranger, a line end that others may read differently is an attack on
 * them; a trusted client's is mended by the decoder. */
static bool has_bare_line_ends(const struct smtp_server *s, const struct content_facts *facts)
{
    return s->tx->decoder.line_ends == DOT_KEEP && facts->bare_cr_or_lf;
}

/* RFC 5321 6.3 */
static bool is_looping(const struct smtp_server *s, const struct content_facts *facts)
{
    return s->config->hops_max && facts->received > s->config->hops_max;
}

static bool has_long_line(const struct smtp_server *s, const struct content_facts *facts)
{
    return s->config->line_octets_max && facts->line_longest > s->config->line_octets_max &&
           s->tx->decoder.line_ends != DOT_BINARY;
}

static const struct {
    bool (*holds)(const struct smtp_server *, const struct content_facts *);
    struct reply reply;
} content_refusals[] = {
    { is_too_large, REPLY_ROW(552, "5.3.4", "the message is larger than is taken here") },
    { has_bare_line_ends, REPLY_ROW(550, "5.6.0", "lines must end with CR LF: a bare CR or LF") },
    { is_looping, REPLY_ROW(554, "5.4.6", "too many hops: this mail is going in circles") },
    { has_long_line, REPLY_ROW(550, "5.6.0", "a line of the message is too long") },
};

/* NULL: nothing is wrong so far. What holds once, holds to the end. */
static const struct reply *find_refusal(const struct smtp_server *s)
{
    const struct content_facts *facts = &s->tx->decoder.counter.facts;
    for (size_t i = 0; i < sizeof content_refusals / sizeof *content_refusals; i++)
        if (content_refusals[i].holds(s, facts))
            return &content_refusals[i].reply;
    return NULL;
}

/* ---- passing content on ---- */

/* What was said to be binary has no line ends that could be wrong (RFC 3030 3). */
static enum dot_line_ends line_ends(const struct smtp_server *s)
{
    if (s->tx->mail.body == SMTP_BODY_BINARYMIME)
        return DOT_BINARY;
    return s->peer.trusted || s->authenticated ? DOT_MEND : DOT_KEEP;
}

void smtp_body_begin(struct smtp_server *s)
{
    struct transaction *tx = s->tx;
    dot_decoder_init(&tx->decoder, !tx->chunked, line_ends(s));
    tx->message_open = true;
    tx->deadline_ms = smtp_deadline_after(s, s->config->message_ms);
    s->phase = tx->chunked ? PHASE_CHUNK : PHASE_DATA;
}

/* Gives the slice to the driver, or tells it that there will be no message. */
static bool pass_on(struct smtp_server *s, struct bytes slice, struct smtp_step *step_out)
{
    struct transaction *tx = s->tx;
    if (!tx->message_open)
        return false;
    if (find_refusal(s)) {
        tx->message_open = false;
        tx->settled = true;
        *step_out = smtp_wait(SMTP_ABANDON_MESSAGE);
        return true;
    }
    *step_out = smtp_wait(SMTP_APPEND_BODY);
    step_out->body = slice;
    return slice.len > 0;
}

/* The end of the message or of a refused one. After a refusal the state is that after EHLO. */
static bool complete(struct smtp_server *s, struct smtp_step *step_out)
{
    const struct reply *refusal = find_refusal(s);
    s->phase = PHASE_COMMANDS;
    if (!refusal) {
        *step_out = smtp_ask(s, SMTP_COMMIT_MESSAGE);
        return true;
    }
    smtp_transaction_end(s);
    smtp_say(s, *refusal);
    smtp_set_deadline(s);
    return false;
}

static bool need_input(struct smtp_server *s, struct smtp_step *step_out)
{
    if (s->input_ended) {
        smtp_close(s);
        return false;
    }
    *step_out = smtp_wait(SMTP_NEED_INPUT);
    return true;
}

bool smtp_advance_data(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    struct bytes slice;
    switch (dot_decode(&s->tx->decoder, in, &slice)) {
    case DOT_SLICE:
        return pass_on(s, slice, step_out);
    case DOT_NEED_INPUT:
        return need_input(s, step_out);
    case DOT_END:
        break;
    }
    return complete(s, step_out);
}

/* ---- chunks (RFC 3030 2) ---- */

static struct bytes take_front(struct bytes *in, uint64_t count)
{
    struct bytes front = { in->at, count < in->len ? (size_t)count : in->len };
    if (front.len) /* `at` may be NULL when there is nothing */
        in->at += front.len;
    in->len -= front.len;
    return front;
}

/* All octets of the chunk are in. */
static bool end_chunk(struct smtp_server *s, struct smtp_step *step_out)
{
    struct transaction *tx = s->tx;
    if (tx->last_chunk && !tx->flushed) {
        tx->flushed = true;
        return pass_on(s, dot_decoder_finish(&tx->decoder), step_out);
    }
    if (tx->last_chunk || find_refusal(s))
        return complete(s, step_out);
    s->phase = PHASE_COMMANDS;
    char words[48];
    snprintf(words, sizeof words, "%llu octets received", (unsigned long long)tx->chunk_octets);
    smtp_say(s, (struct reply){ 250, "2.0.0", text_of(words) });
    smtp_set_deadline(s);
    return false;
}

bool smtp_advance_chunk(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    if (s->chunk_left == 0)
        return end_chunk(s, step_out);
    struct bytes chunk = *in, slice;
    if (chunk.len > s->chunk_left)
        chunk.len = (size_t)s->chunk_left;
    size_t before = chunk.len;
    enum dot_step step = dot_decode(&s->tx->decoder, &chunk, &slice);
    size_t used = before - chunk.len;
    take_front(in, used);
    s->chunk_left -= used;
    if (step == DOT_SLICE)
        return pass_on(s, slice, step_out);
    CHECK(step == DOT_NEED_INPUT);
    return s->chunk_left == 0 ? false : need_input(s, step_out);
}

void smtp_waste_chunk(struct smtp_server *s, struct reply reply)
{
    smtp_transaction_end(s); /* part of the content is missing now */
    s->phase = PHASE_WASTE;
    if (!reply_compose(&s->held, &reply, s->config->hostname, REPLY_ASCII))
        smtp_close(s);
}

bool smtp_advance_waste(struct smtp_server *s, struct bytes *in, struct smtp_step *step_out)
{
    s->chunk_left -= take_front(in, s->chunk_left).len;
    if (s->chunk_left)
        return need_input(s, step_out);
    s->phase = PHASE_COMMANDS;
    buffer_append(&s->output, s->held.at, s->held.len); /* one line: there is room */
    smtp_count_error(s, (s->held.at[0] - (unsigned)'0') * 100, s->held.len);
    buffer_clear(&s->held);
    smtp_set_deadline(s);
    return false;
}
