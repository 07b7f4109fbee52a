/* smtp_answers.c - requests to the driver, their answers, and the stock replies. */
#include "proto/smtp_server_internal.h"

#include "base/base64.h"
#include "base/check.h"

#include <string.h>

enum { VERDICTS = SMTP_REJECT + 1 };

/* The reply for each request and verdict when the driver names none (RFC 5321 4.3.2). */
static const struct reply stock[][VERDICTS] = {
    [SMTP_CHECK_SENDER] = { REPLY_ROW(250, "2.1.0", "sender ok"),
                            REPLY_ROW(451, "4.3.0", "local trouble, try again"),
                            REPLY_ROW(550, "5.7.1", "sender refused") },
    [SMTP_CHECK_RECIPIENT] = { REPLY_ROW(250, "2.1.5", "recipient ok"),
                               REPLY_ROW(451, "4.3.0", "local trouble, try again"),
                               REPLY_ROW(550, "5.1.1", "no such user here") },
    [SMTP_VERIFY] = { REPLY_ROW(250, "2.1.5", "the address is good"),
                      REPLY_ROW(451, "4.3.0", "local trouble, try again"),
                      REPLY_ROW(550, "5.1.1", "no such user here") },
    [SMTP_EXPAND] = { REPLY_ROW(250, "2.1.5", "the list is empty"),
                      REPLY_ROW(451, "4.3.0", "local trouble, try again"),
                      REPLY_ROW(550, "5.1.1", "no such list here") },
    [SMTP_AUTH_STEP] = { REPLY_ROW(235, "2.7.0", "authentication succeeded"),
                         REPLY_ROW(454, "4.7.0", "cannot check now, try again"),
                         REPLY_ROW(535, "5.7.8", "authentication failed") },
    [SMTP_OPEN_MESSAGE] = { REPLY_ROW(354, NULL, "send the message, end with CRLF.CRLF"),
                            REPLY_ROW(452, "4.3.1", "no room now, try again"),
                            REPLY_ROW(554, "5.7.1", "the message is refused") },
    [SMTP_COMMIT_MESSAGE] = { REPLY_ROW(250, "2.0.0", "accepted"),
                              REPLY_ROW(451, "4.3.0", "not stored, try again"),
                              REPLY_ROW(554, "5.6.0", "the message is refused") },
};

/* ---- asking ---- */

struct smtp_step smtp_ask(struct smtp_server *s, enum smtp_step_kind kind)
{
    CHECK(s->request_open == 0);
    if (++s->request_last == 0) /* wrapped: 0 names no request */
        s->request_last = 1;
    s->request_open = s->request_last;
    s->request_kind = kind;
    struct smtp_step step = smtp_wait(kind);
    step.request = s->request_open;
    step.words = buffer_as_text(&s->words);
    if (s->tx) {
        step.mail = &s->tx->mail;
        step.address = kind == SMTP_CHECK_RECIPIENT ? &s->tx->recipient : &s->tx->sender;
    }
    if (kind == SMTP_CHECK_RECIPIENT) {
        step.rcpt = &s->tx->rcpt; /* its text is in s->words */
        step.words = (struct text){ 0 };
    }
    if (kind == SMTP_COMMIT_MESSAGE)
        step.facts = &s->tx->decoder.counter.facts;
    if (kind == SMTP_AUTH_STEP) {
        step.mechanism = sasl_frame_mechanism(&s->sasl);
        step.words = sasl_frame_words(&s->sasl);
        step.initial = s->sasl.initial;
    }
    return step;
}

/* ---- the reply ---- */

static unsigned class_of(enum smtp_verdict verdict)
{
    return verdict == SMTP_ACCEPT ? 2 : verdict == SMTP_DEFER ? 4 : 5;
}

/* What the driver said, where it said something, over what is usual. */
static struct reply reply_for(enum smtp_step_kind kind, const struct smtp_answer *a)
{
    static const char *const undefined[] = { [2] = "2.0.0", [4] = "4.0.0", [5] = "5.0.0" };
    struct reply reply = stock[kind][a->verdict];
    if (kind == SMTP_OPEN_MESSAGE && a->verdict == SMTP_ACCEPT)
        return reply;
    unsigned class = class_of(a->verdict);
    if (a->code) {
        CHECK(a->code / 100 == class);
        reply.code = a->code;
        reply.status = undefined[class]; /* RFC 2034 4: never none */
    }
    if (a->status) {
        CHECK(a->status[0] == (char)('0' + class));
        reply.status = a->status;
    }
    if (a->words.len)
        reply.words = a->words;
    return reply;
}

/* VRFY and EXPN: an answer that only UTF-8 can say, to a client that cannot read it (RFC 6531
 * 3.7.4.2). */
static struct reply without_utf8(enum smtp_step_kind kind, struct reply reply)
{
    if (kind == SMTP_VERIFY)
        return REPLY(252, "2.6.8", "the answer needs SMTPUTF8");
    if (kind == SMTP_EXPAND)
        return REPLY(550, "5.6.8", "the answer needs SMTPUTF8");
    return reply;
}

/* A list that is too long, or for which there is no memory, is not shown in part. */
static void say_answer(struct smtp_server *s, enum smtp_step_kind kind, struct reply reply)
{
    enum reply_charset charset = REPLY_ASCII;
    if (kind == SMTP_VERIFY || kind == SMTP_EXPAND)
        charset = s->charset;
    if (charset == REPLY_ASCII && reply.code / 100 == 2 && !text_is_ascii(reply.words))
        reply = without_utf8(kind, reply);
    size_t before = s->output.len;
    if (!smtp_try_say(s, reply, charset))
        smtp_say(s, REPLY(451, "4.3.0", "the answer is too long to show"));
    /* A mailing list of ours may have many dead members. */
    if (kind != SMTP_CHECK_RECIPIENT || !(s->peer.trusted || s->authenticated))
        smtp_count_error(s, reply.code, s->output.len - before);
}

/* ---- the effect ---- */

static void sender_checked(struct smtp_server *s, bool accepted)
{
    if (accepted) {
        s->transactions++;
        s->tx->settled = false;
    } else {
        smtp_transaction_end(s);
    }
}

static void recipient_checked(struct smtp_server *s, bool accepted)
{
    if (accepted)
        s->tx->recipients++;
}

static void auth_checked(struct smtp_server *s, bool accepted)
{
    if (accepted)
        s->authenticated = true;
}

static void commit_answered(struct smtp_server *s, bool accepted)
{
    if (accepted)
        s->errors = 0; /* who delivers mail is not only trying things out */
    s->tx->message_open = false;
    s->tx->settled = true;
    smtp_transaction_end(s);
}

/* OPEN_MESSAGE: also says the reply, since that of a refused chunk has to wait. */
static void open_answered(struct smtp_server *s, bool accepted, struct reply reply)
{
    bool chunked = s->tx->chunked;
    if (accepted) {
        smtp_body_begin(s);
        if (!chunked)
            smtp_say(s, reply);
    } else if (chunked) {
        smtp_waste_chunk(s, reply);
    } else {
        smtp_transaction_end(s);
        smtp_say(s, reply);
    }
}

static void take_effect(struct smtp_server *s, enum smtp_step_kind kind, bool accepted)
{
    if (kind == SMTP_CHECK_SENDER)
        sender_checked(s, accepted);
    else if (kind == SMTP_CHECK_RECIPIENT)
        recipient_checked(s, accepted);
    else if (kind == SMTP_AUTH_STEP)
        auth_checked(s, accepted);
    else if (kind == SMTP_COMMIT_MESSAGE)
        commit_answered(s, accepted);
}

/* RFC 4954 4: 334 and the challenge, which may be longer than other reply lines. */
static void challenge(struct smtp_server *s, struct text words)
{
    struct buffer *out = &s->output;
    size_t before = out->len;
    s->phase = PHASE_RESPONSE;
    if (buffer_text(out, T("334 ")) && base64_encode(out, bytes_of_text(words)) &&
        buffer_text(out, T("\r\n")))
        return;
    out->len = before;
    s->phase = PHASE_COMMANDS;
    s->order = SMTP_FORGET;
    smtp_say(s, stock[SMTP_AUTH_STEP][SMTP_DEFER]);
}

/* The outcome is unknown, so nothing may be said (RFC 5321 4.2.5: a client without a reply tries
 * again, or has to be told by other means). */
static void vanish(struct smtp_server *s, enum smtp_step_kind kind)
{
    if (kind == SMTP_COMMIT_MESSAGE)
        commit_answered(s, false);
    smtp_close(s);
}

static void apply(struct smtp_server *s, enum smtp_step_kind kind, const struct smtp_answer *a)
{
    if (a->verdict == SMTP_VANISH) {
        vanish(s, kind);
        return;
    }
    if (a->verdict == SMTP_CONTINUE) {
        CHECK(kind == SMTP_AUTH_STEP);
        challenge(s, a->words);
        return;
    }
    struct reply reply = reply_for(kind, a);
    bool accepted = a->verdict == SMTP_ACCEPT;
    if (kind == SMTP_OPEN_MESSAGE) {
        open_answered(s, accepted, reply);
        return;
    }
    take_effect(s, kind, accepted);
    say_answer(s, kind, reply);
}

void smtp_server_answer(struct smtp_server *s, uint32_t request, struct smtp_answer a,
                        uint64_t now_ms)
{
    CHECK(request != 0);
    CHECK(request == s->request_open);
    s->request_open = 0;
    s->now_ms = now_ms;
    apply(s, s->request_kind, &a);
    sasl_frame_wipe(&s->sasl);
    buffer_clear(&s->words);
    smtp_set_deadline(s);
}
