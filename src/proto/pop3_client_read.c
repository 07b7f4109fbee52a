/* pop3_client_read.c - taking the input of a POP3 session apart: replies, lines and content.
 *
 * Memory is bounded whatever comes: of a reply the first 4 KB are looked at and 512 octets are
 * kept, lines and content are handed on as they come and never kept.  What has no end is given up.
 */
#include "proto/pop3_client_internal.h"

#include <inttypes.h>
#include <string.h>

void pop3_client_next_reply(struct pop3_client *c)
{
    c->answer = (struct popping_answer){ .reading = READ_REPLY };
    c->reply_len = 0;
}

/* ---- lines ---- */

static struct text take_front(struct pop3_client *c, struct bytes *in, size_t octets)
{
    struct text front = { (const char *)in->at, octets };
    in->at += octets;
    in->len -= octets;
    c->answer.octets += octets;
    return front;
}

static struct text without_end(struct text line)
{
    line.len--;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Whether a line end stands where one is looked for; *octets_out: how much to take, 0 when half a
 * line may yet become a whole one. */
static bool find_end(struct bytes in, size_t *octets_out)
{
    size_t looked_at = in.len < POP3_CLIENT_INPUT_MAX ? in.len : POP3_CLIENT_INPUT_MAX;
    const uint8_t *lf = looked_at ? memchr(in.at, '\n', looked_at) : NULL;
    *octets_out = lf                                   ? (size_t)(lf - in.at) + 1
                  : looked_at == POP3_CLIENT_INPUT_MAX ? looked_at
                                                       : 0;
    return lf != NULL;
}

/* ---- a reply ---- */

static void keep(struct pop3_client *c, struct text line)
{
    struct text kept = text_first(line, sizeof c->reply);
    if (kept.len)
        memcpy(c->reply, kept.at, kept.len);
    c->reply_len = kept.len;
}

/* The rest of a reply whose front was kept.  It is acted on when all of it is gone, so that what
 * follows it is really what follows. */
static bool lose(struct pop3_client *c, struct bytes *in)
{
    const uint8_t *lf = in->len ? memchr(in->at, '\n', in->len) : NULL;
    size_t octets = lf ? (size_t)(lf - in->at) + 1 : in->len;
    bool took = octets > 0;
    take_front(c, in, octets);
    if (c->answer.octets > POPPING_REPLY_OCTETS_MAX) {
        pop3_client_nonsense(c, pop3_client_where(c), "the server's reply has no end");
    } else if (lf) {
        c->answer.losing = false;
        pop3_client_take_reply(c, (struct text){ c->reply, c->reply_len });
    }
    return took;
}

static bool read_reply(struct pop3_client *c, struct bytes *in)
{
    size_t octets;
    if (c->answer.losing)
        return lose(c, in);
    bool ended = find_end(*in, &octets);
    if (octets == 0)
        return false;
    struct text line = take_front(c, in, octets);
    if (ended)
        line = without_end(line);
    keep(c, line);
    if (ended)
        pop3_client_take_reply(c, line);
    else
        c->answer.losing = true;
    return true;
}

/* ---- lines behind a reply ---- */

bool pop3_client_number(struct text *rest, uint64_t *number_out)
{
    struct text word;
    return text_word(rest, &word) && text_to_u64(word, number_out);
}

/* "1 120" of LIST (RFC 1939 5), "1 whqtswO00WBw418f9t5JxYwZ" of UIDL (RFC 1939 7); more words may
 * follow. */
static bool read_listed(struct pop3_client *c, struct text line, struct pop3_client_step *step_out)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    struct pop3_client_step step = { .kind = POP3_CLIENT_LINE,
                                     .command = oldest->command,
                                     .line = line };
    uint64_t number;
    if (!pop3_client_number(&line, &number) || number == 0 || number > UINT32_MAX)
        return false;
    step.number = (uint32_t)number;
    if (oldest->kind == AWAIT_LIST && !pop3_client_number(&line, &step.octets))
        return false;
    if (oldest->kind == AWAIT_UIDL)
        text_word(&line, &step.unique_id);
    *step_out = step;
    return true;
}

static void take_line(struct pop3_client *c, struct text line, struct pop3_client_step *step_out,
                      bool *told_out)
{
    const struct awaited *oldest = pop3_client_awaited(c);
    if (oldest->kind == AWAIT_CAPA) {
        if (c->answer.octets > POPPING_REPLY_OCTETS_MAX)
            pop3_client_nonsense(c, pop3_client_where(c), "the server's reply has no end");
        else
            pop3_client_offers_line(c, line);
    } else if (c->answer.result.count == POPPING_LISTED_MAX) {
        pop3_client_nonsense(c, pop3_client_where(c), "the server's list has no end");
    } else if (!read_listed(c, line, step_out)) {
        pop3_client_junk(c, line);
    } else {
        c->answer.result.count++;
        *told_out = true;
    }
}

/* So much more was taken: time is won for every 64 KB. */
static void progress(struct pop3_client *c, uint64_t before)
{
    if (before / POPPING_PROGRESS_OCTETS != c->answer.octets / POPPING_PROGRESS_OCTETS)
        pop3_client_set_deadline(c);
}

/* RFC 1939 3: a dot alone is the end, and one is doubled in front of others. */
static bool read_line(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out,
                      bool *told_out)
{
    size_t octets;
    uint64_t before = c->answer.octets;
    bool ended = find_end(*in, &octets);
    if (octets == 0)
        return false;
    struct text line = take_front(c, in, octets);
    if (!ended) {
        pop3_client_junk(c, line);
        return true;
    }
    line = without_end(line);
    progress(c, before);
    if (text_equal(line, T(".")))
        pop3_client_take_end(c);
    else
        take_line(c, text_skip(line, text_starts(line, T(".")) ? 1 : 0), step_out, told_out);
    return true;
}

/* ---- content ---- */

static bool is_too_long(struct pop3_client *c)
{
    uint64_t max = c->config->content_octets_max;
    if (max == 0 || c->answer.result.octets <= max)
        return false;
    pop3_client_fail(c, pop3_client_where(c), "the message is longer than %" PRIu64 " octets", max);
    return true;
}

static bool read_content(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out,
                         bool *told_out)
{
    struct bytes slice;
    size_t before_len = in->len;
    uint64_t before = c->answer.octets;
    enum dot_step what = dot_decode(&c->answer.dots, in, &slice);
    c->answer.octets += before_len - in->len;
    progress(c, before);
    if (what == DOT_NEED_INPUT)
        return false;
    if (what == DOT_END) {
        pop3_client_take_end(c);
        return true;
    }
    c->answer.result.octets += slice.len;
    if (is_too_long(c))
        return true;
    *step_out = (struct pop3_client_step){ .kind = POP3_CLIENT_CONTENT,
                                           .command = pop3_client_awaited(c)->command,
                                           .content = slice };
    return *told_out = true;
}

bool pop3_client_read(struct pop3_client *c, struct bytes *in, struct pop3_client_step *step_out,
                      bool *told_out)
{
    switch (c->answer.reading) {
    case READ_LINES:
        return read_line(c, in, step_out, told_out);
    case READ_CONTENT:
        return read_content(c, in, step_out, told_out);
    default:
        return read_reply(c, in);
    }
}
