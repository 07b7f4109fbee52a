/* pop3_transfer.c - RETR and TOP: a message on its way to the client.
 *
 * Content is asked for piece by piece and goes straight into the output.  What was announced is
 * what is sent: when the driver gives more or less, or the message turns out to be damaged, the
 * session ends in mid-air, without the final dot, so that no client takes a part for the whole.
 * Before the first octet is out there is still the chance to say -ERR.
 */
#include "proto/pop3_session.h"

#include "base/check.h"
#include "proto/dot.h"

#include <inttypes.h>
#include <string.h>

static const struct pop3_message *message_of(const struct pop3_server *s)
{
    CHECK(s->transfer.message < s->maildrop.count);
    return &s->maildrop.messages[s->transfer.message];
}

void pop3_transfer_retr(struct pop3_server *s, uint32_t message)
{
    s->phase = POP3_IN_TRANSFER;
    s->transfer = (struct pop3_transfer){ .message = message, .at_line_start = true };
}

void pop3_transfer_top(struct pop3_server *s, uint32_t message, uint64_t lines)
{
    pop3_transfer_retr(s, message);
    s->transfer.is_top = true;
    s->transfer.lines_left = lines;
}

/* The most that an octet of content can become: each may be a dot that is doubled. */
static size_t growth(const struct pop3_message *m)
{
    return m->dot_lines ? 2 : 1;
}

/* False: memory was too short for it, now or before.  Nothing may stand in its place. */
static bool announce(struct pop3_server *s)
{
    if (s->transfer.announced)
        return !s->output.failed;
    struct pop3_outcome first = s->transfer.is_top
                                    ? pop3_ok("top of message follows")
                                    : pop3_ok("%" PRIu64 " octets", message_of(s)->octets);
    pop3_say(s, &first.reply);
    s->transfer.announced = true;
    return !s->output.failed;
}

/* The final line is CRLF.CRLF in any case, even if the content had no line end at its end. */
static void finish(struct pop3_server *s)
{
    struct pop3_transfer *t = &s->transfer;
    bool ok = announce(s);
    if (ok && t->offset > 0 && memcmp(t->last, "\r\n", 2) != 0)
        ok = buffer_text(&s->output, T("\r\n"));
    if (ok)
        buffer_text(&s->output, T(".\r\n"));
    s->phase = POP3_IN_COMMAND;
}

bool pop3_transfer_continue(struct pop3_server *s, struct pop3_step *step_out)
{
    const struct pop3_transfer *t = &s->transfer;
    const struct pop3_message *m = message_of(s);
    uint64_t left = m->octets - t->offset;
    if (left == 0 || t->top_done) {
        finish(s);
        return false;
    }
    size_t slice = left < POP3_SLICE_OCTETS_MAX ? (size_t)left : POP3_SLICE_OCTETS_MAX;
    if (!pop3_has_room(s, POP3_REPLY_ROOM + slice * growth(m)))
        *step_out = (struct pop3_step){ .kind = POP3_NEED_DRAIN };
    else
        *step_out =
            (struct pop3_step){ .kind = POP3_READ, .message = t->message, .offset = t->offset };
    return true;
}

/* A line is complete; whether TOP has sent its last one. */
static bool top_line_ends(struct pop3_transfer *t, uint64_t line_octets)
{
    if (t->in_body)
        return --t->lines_left == 0;
    t->in_body = line_octets == sizeof "\r\n" - 1;
    return t->in_body && t->lines_left == 0;
}

/* The part of the slice that TOP sends: to the end of the last line that was asked for.  Lines end
 * with CRLF, which may be cut by a slice's edge. */
static struct bytes top_part(struct pop3_transfer *t, struct bytes slice)
{
    size_t line = 0; /* where it begins */
    while (line < slice.len) {
        const uint8_t *lf = memchr(slice.at + line, '\n', slice.len - line);
        size_t end = lf ? (size_t)(lf - slice.at) + 1 : slice.len;
        t->line_octets += end - line;
        line = end;
        if (!lf)
            break;
        if ((end > 1 ? slice.at[end - 2] : t->last[1]) != '\r')
            continue;
        if (top_line_ends(t, t->line_octets)) {
            t->top_done = true;
            break;
        }
        t->line_octets = 0;
    }
    return (struct bytes){ slice.at, line };
}

static void remember_last(struct pop3_transfer *t, struct bytes sent)
{
    if (sent.len == 0)
        return;
    t->last[0] = sent.len > 1 ? sent.at[sent.len - 2] : t->last[1];
    t->last[1] = sent.at[sent.len - 1];
}

static void send_content(struct pop3_server *s, struct bytes content)
{
    struct pop3_transfer *t = &s->transfer;
    const struct pop3_message *m = message_of(s);
    if (!announce(s))
        return;
    if (content.len > POP3_SLICE_OCTETS_MAX)
        content.len = POP3_SLICE_OCTETS_MAX; /* the rest is asked for again */
    if (t->is_top)
        content = top_part(t, content);
    if (m->dot_lines)
        dot_encode(&s->output, content, &t->at_line_start);
    else
        buffer_append(&s->output, content.at, content.len);
    remember_last(t, content);
    t->offset += content.len;
}

void pop3_transfer_answered(struct pop3_server *s, const struct pop3_answer *a)
{
    const struct pop3_transfer *t = &s->transfer;
    enum pop3_verdict verdict = a->verdict;
    uint64_t left = message_of(s)->octets - t->offset;
    if (verdict == POP3_ACCEPT && (a->content.len == 0 || a->content.len > left))
        verdict = POP3_DAMAGED; /* not the message that was announced */
    if (verdict == POP3_ACCEPT) {
        send_content(s, a->content);
    } else if (t->announced) {
        s->phase = POP3_IN_CLOSE;
    } else {
        s->phase = POP3_IN_COMMAND;
        struct pop3_outcome refusal = pop3_refuse(verdict, a->words);
        pop3_say(s, &refusal.reply);
    }
}
