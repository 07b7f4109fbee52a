/* fuzz_smtp_server.c - one SMTP session with what a client may say, played twice.
 *
 * The first three octets choose the settings and the cuts; the rest is the client's.  The second
 * time the input comes in other pieces, answers come late and output is written in dribs.
 *
 *   - both times the same is said and done, in the same order;
 *   - one request is open at a time, and octets of content are never taken while one is;
 *   - every reply is one: the same code on all its lines, an enhanced code of its class, printable,
 *     CRLF, at most 512 octets;
 *   - there is one for each command, as an independent reader of the input counts them;
 *   - every accepted sender leads to exactly one commit, abandon or forget, every open message to
 *     exactly one commit or abandon;
 *   - content is what an independent decoder finds at its place in the input, and ends where that
 *     says.
 */
#include "base/check.h"
#include "base/escape.h"
#include "proto/reply.h"
#include "proto/smtp_server.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUFFER_MAX = 1 << 26, REPLIES_MAX = 1 << 16 };

/* ---- an independent decoder ---- */

struct wire {
    const uint8_t *at;
    size_t len;
    size_t pos;
};

/* DATA, octet by octet. False: the end did not come. */
static bool decode_data(struct wire *w, struct buffer *out)
{
    bool line_start = true;
    while (w->pos < w->len) {
        uint8_t c = w->at[w->pos];
        if (line_start && c == '.') {
            w->pos++;
            if (w->len - w->pos >= 2 && memcmp(w->at + w->pos, "\r\n", 2) == 0) {
                w->pos += 2;
                return true;
            }
            line_start = false;
            continue;
        }
        buffer_byte(out, c);
        w->pos++;
        line_start = c == '\n' && w->pos >= 2 && w->at[w->pos - 2] == '\r' && out->len >= 2;
    }
    return false;
}

static bool take_line(struct wire *w, struct text *line)
{
    struct text rest = { (const char *)w->at + w->pos, w->len - w->pos };
    size_t at = text_find(rest, '\n');
    if (at == rest.len)
        return false;
    *line = text_first(rest, at);
    if (line->len && line->at[line->len - 1] == '\r')
        line->len--;
    w->pos += at + 1;
    return true;
}

static bool is_bdat(struct text line, uint64_t *size, bool *last)
{
    struct text verb, number, word;
    text_cut(&line, ' ', &verb);
    if (!text_equal_nocase(verb, T("BDAT")))
        return false;
    CHECK(text_word(&line, &number));
    CHECK(text_to_u64(number, size));
    *last = text_word(&line, &word);
    return true;
}

/* Chunks, from the first BDAT line on; between chunks may stand commands that change nothing. */
static bool decode_chunks(struct wire *w, struct buffer *out)
{
    struct text line;
    uint64_t size;
    bool last = false;
    while (!last) {
        if (!take_line(w, &line))
            return false;
        if (!is_bdat(line, &size, &last))
            continue;
        if (size > w->len - w->pos)
            return false;
        buffer_append(out, w->at + w->pos, (size_t)size);
        w->pos += (size_t)size;
    }
    return true;
}

/* The octets that follow a line as its chunk; false: it has none (RFC 3030 2). */
static bool has_chunk(struct text line, uint64_t *size)
{
    struct text verb, number;
    text_cut(&line, ' ', &verb);
    return text_equal_nocase(verb, T("BDAT")) && text_word(&line, &number) &&
           text_to_u64(number, size);
}

static bool skip_octets(struct wire *w, uint64_t count)
{
    if (count > w->len - w->pos)
        return false;
    w->pos += (size_t)count;
    return true;
}

/* What a trusted client's bare CR and LF become. */
static void mend(struct buffer *content)
{
    struct buffer mended;
    buffer_init(&mended, BUFFER_MAX);
    for (size_t i = 0; i < content->len; i++) {
        uint8_t c = content->at[i];
        bool after_cr = i > 0 && content->at[i - 1] == '\r';
        bool before_lf = i + 1 < content->len && content->at[i + 1] == '\n';
        if (c == '\n' && !after_cr)
            buffer_byte(&mended, '\r');
        buffer_byte(&mended, c);
        if (c == '\r' && !before_lf)
            buffer_byte(&mended, '\n');
    }
    buffer_clear(content);
    *content = mended;
}

/* BDAT: a message ends with CRLF. */
static void end_line(struct buffer *content)
{
    if (content->len && (content->len < 2 || content->at[content->len - 2] != '\r' ||
                         content->at[content->len - 1] != '\n'))
        buffer_text(content, T("\r\n"));
}

static bool has_bare(struct bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        bool after_cr = i > 0 && b.at[i - 1] == '\r';
        bool before_lf = i + 1 < b.len && b.at[i + 1] == '\n';
        if ((b.at[i] == '\n' && !after_cr) || (b.at[i] == '\r' && !before_lf))
            return true;
    }
    return false;
}

/* ---- one play ---- */

struct play {
    struct smtp_server *server;
    struct smtp_server_config config;
    struct smtp_server_peer peer;
    uint64_t now_ms;
    const uint8_t *data; /* all that the client says */
    size_t size;
    size_t arrived;
    size_t taken;
    uint32_t cuts; /* 0: everything at once and without delay */
    struct buffer log;
    size_t logged;
    uint16_t reply;    /* whose last line has not come yet; 0: none */
    uint16_t *replies; /* their codes */
    size_t reply_count;
    uint32_t request;
    size_t content_from; /* of the open message, in the input */
    bool chunked;
    struct buffer content;
    bool sender, message, mends;
    bool started_tls, closed;
};

static uint32_t next_cut(struct play *p)
{
    p->cuts = p->cuts * 1664525 + 1013904223;
    return p->cuts >> 16;
}

static bool is_status(struct text words)
{
    return words.len >= 5 && text_is_digit(words.at[0]) && words.at[1] == '.' &&
           text_is_digit(words.at[2]) && words.at[3] == '.';
}

static void check_reply(struct text line)
{
    CHECK(line.len >= 6);
    CHECK(line.at[0] >= '2');
    CHECK(line.at[0] <= '5');
    CHECK(text_is_digit(line.at[1]));
    CHECK(text_is_digit(line.at[2]));
    CHECK(line.at[3] == ' ' || line.at[3] == '-');
    CHECK(line.at[line.len - 1] == '\r');
    CHECK(line.len + 1 <= REPLY_LINE_MAX || line.at[0] == '3');
    CHECK(utf8_valid(line));
    for (size_t i = 0; i + 1 < line.len; i++)
        CHECK((uint8_t)line.at[i] >= ' ');
    struct text words = text_skip(line, 4);
    if (is_status(words))
        CHECK(words.at[0] == line.at[0]);
    CHECK(line.at[0] != '4' || is_status(words));
}

/* All lines of a reply have its code, and each but the last a hyphen (RFC 5321 4.2.1). */
static void count_line(struct play *p, struct text line)
{
    uint64_t code;
    CHECK(text_to_u64(text_first(line, 3), &code));
    CHECK(p->reply == 0 || p->reply == code);
    p->reply = line.at[3] == '-' ? (uint16_t)code : 0;
    if (p->reply == 0) {
        CHECK(p->reply_count < REPLIES_MAX);
        p->replies[p->reply_count++] = (uint16_t)code;
    }
}

static void log_output(struct play *p)
{
    struct text fresh = text_of_bytes(smtp_server_output(p->server)), line;
    fresh = text_skip(fresh, p->logged);
    buffer_text(&p->log, fresh);
    p->logged += fresh.len;
    while (fresh.len) {
        CHECK(text_cut(&fresh, '\n', &line));
        check_reply(line);
        count_line(p, line);
    }
}

static void write_out(struct play *p)
{
    for (size_t len; (len = smtp_server_output(p->server).len) > 0;) {
        size_t count = p->cuts ? next_cut(p) % len + 1 : len;
        smtp_server_drained(p->server, count);
        p->logged -= count;
    }
}

static struct smtp_step take_step(struct play *p)
{
    struct bytes in = { p->data + p->taken, p->arrived - p->taken };
    struct smtp_step step = smtp_server_step(p->server, &in, p->now_ms);
    CHECK(in.len <= p->arrived - p->taken);
    CHECK(in.at == p->data + p->arrived - in.len);
    p->taken = p->arrived - in.len;
    log_output(p);
    return step;
}

/* The verdict follows from the first letter of what is asked about, never from chance. */
static struct smtp_answer decide(const struct smtp_step *step)
{
    struct text name = step->address ? address_text(step->address) : step->words;
    size_t at = step->kind == SMTP_OPEN_MESSAGE ? 1 : step->kind == SMTP_COMMIT_MESSAGE ? 2 : 0;
    char letter = at < name.len ? name.at[at] : 'a';
    struct smtp_answer a = { .verdict = SMTP_ACCEPT };
    if (letter == 'd')
        a.verdict = SMTP_DEFER;
    else if (letter == 'r')
        a.verdict = SMTP_REJECT;
    else if (letter == 'v')
        a.verdict = SMTP_VANISH;
    else if (letter == 'c' && step->kind == SMTP_AUTH_STEP)
        a.verdict = SMTP_CONTINUE;
    if (step->kind != SMTP_COMMIT_MESSAGE)
        a.words = step->words; /* whatever it is, it may be in a reply */
    return a;
}

static void check_commit(struct play *p, const struct smtp_step *step)
{
    struct wire w = { p->data, p->taken, p->content_from };
    struct buffer found;
    buffer_init(&found, BUFFER_MAX);
    CHECK(p->chunked ? decode_chunks(&w, &found) : decode_data(&w, &found));
    CHECK(w.pos == p->taken);
    bool binary = smtp_server_mail(p->server)->body == SMTP_BODY_BINARYMIME;
    CHECK(!binary || p->chunked);
    if (!binary && p->mends)
        mend(&found);
    else if (!binary)
        CHECK(!has_bare(buffer_bytes(&found)));
    if (!binary)
        end_line(&found);
    CHECK(text_equal(buffer_as_text(&found), buffer_as_text(&p->content)));
    CHECK(step->facts->octets == found.len);
    buffer_clear(&found);
}

/* The line that opened the message ends where the input was taken. */
static void find_content(struct play *p)
{
    size_t line = p->taken - 1;
    while (line > 0 && p->data[line - 1] != '\n')
        line--;
    struct text verb, words = { (const char *)p->data + line, p->taken - line };
    p->chunked = text_take_nocase(&words, T("BDAT"));
    p->content_from = p->chunked ? line : p->taken;
    CHECK(p->chunked || (text_word(&words, &verb) && text_starts_nocase(verb, T("DATA"))));
}

static void answered(struct play *p, enum smtp_step_kind kind, enum smtp_verdict verdict)
{
    bool accepted = verdict == SMTP_ACCEPT;
    if (kind == SMTP_CHECK_SENDER) {
        CHECK(!p->sender);
        p->sender = accepted;
    } else if (kind == SMTP_OPEN_MESSAGE) {
        CHECK(p->sender);
        CHECK(!p->message);
        p->message = accepted;
        p->mends = p->peer.trusted || smtp_server_is_authenticated(p->server);
        find_content(p);
    } else if (kind == SMTP_COMMIT_MESSAGE) {
        CHECK(p->message);
        p->message = p->sender = false;
        buffer_clear(&p->content);
    }
}

/* What is passed on to others holds no octet that could end a line or a parameter. */
static void check_xtext(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        CHECK((uint8_t)t.at[i] > ' ' && t.at[i] != 0x7F && t.at[i] != '=');
    CHECK(utf8_valid(t));
}

static void check_rcpt(struct play *p, const struct smtp_rcpt *rcpt)
{
    buffer_printf(&p->log, "[%u %.*s]", rcpt->notify, TEXT_ARGS(rcpt->orcpt));
    CHECK(rcpt->notify <= (NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY));
    check_xtext(rcpt->orcpt);
    check_xtext(smtp_server_mail(p->server)->envid);
}

static void ask(struct play *p, const struct smtp_step *step)
{
    CHECK(step->request != p->request);
    p->request = step->request;
    buffer_printf(&p->log, "[%d %.*s]", step->kind, TEXT_ARGS(step->words));
    if (step->kind == SMTP_CHECK_RECIPIENT)
        check_rcpt(p, step->rcpt);
    if (step->kind == SMTP_COMMIT_MESSAGE)
        check_commit(p, step);
    if (p->cuts) {
        write_out(p);
        size_t before = p->taken;
        CHECK(take_step(p).kind == SMTP_NEED_ANSWER);
        CHECK(p->taken == before);
    }
    struct smtp_answer a = decide(step);
    enum smtp_step_kind kind = step->kind;
    smtp_server_answer(p->server, step->request, a, p->now_ms);
    answered(p, kind, a.verdict);
    log_output(p);
}

/* Ends the transaction in the driver's eyes. */
static void give_up(struct play *p, enum smtp_step_kind kind)
{
    if (kind == SMTP_ABANDON_MESSAGE)
        CHECK(p->message);
    else
        CHECK(!p->message);
    p->message = p->sender = false;
    buffer_clear(&p->content);
}

/* False: the machine waits for the world, or is done. */
static bool carry_out(struct play *p, const struct smtp_step *step)
{
    switch (step->kind) {
    case SMTP_NEED_INPUT:
        CHECK(p->arrived - p->taken <= smtp_server_input_max(p->server));
        write_out(p);
        return false;
    case SMTP_NEED_DRAIN:
        CHECK(smtp_server_output(p->server).len > 0);
        write_out(p);
        return true;
    case SMTP_NEED_TIME:
        CHECK(smtp_server_deadline_ms(p->server) > p->now_ms);
        write_out(p);
        p->now_ms = smtp_server_deadline_ms(p->server);
        return true;
    case SMTP_APPEND_BODY:
        CHECK(p->message);
        CHECK(step->body.len > 0);
        buffer_append(&p->content, step->body.at, step->body.len);
        return true;
    case SMTP_GO_ON:
        return true;
    case SMTP_ABANDON_MESSAGE:
    case SMTP_FORGET:
        buffer_printf(&p->log, "[%d]", step->kind);
        give_up(p, step->kind);
        return true;
    case SMTP_START_TLS:
        p->started_tls = true;
        write_out(p);
        return false;
    case SMTP_CLOSE:
        CHECK(!p->sender);
        p->closed = true;
        return false;
    default:
        CHECK(step->kind != SMTP_NEED_ANSWER);
        ask(p, step);
        return true;
    }
}

static void pump(struct play *p)
{
    struct smtp_step step;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

/* ---- one reply for each command ---- */

/* The next reply; false: there is no other. */
static bool next_reply(const struct play *p, size_t *at, uint16_t *code)
{
    *code = *at < p->reply_count ? p->replies[*at] : 0;
    return (*at)++ < p->reply_count;
}

/* Takes a command and what belongs to it, with its replies; false: it has none, or the input ends
 * within. */
static bool walk(const struct play *p, struct wire *w, size_t *at, uint16_t *code)
{
    struct text line;
    struct buffer content;
    uint64_t size;
    bool is_answer = *code == 334; /* in an exchange of AUTH */
    if (!take_line(w, &line))
        return false;
    if (!is_answer && has_chunk(line, &size))
        return skip_octets(w, size) && next_reply(p, at, code);
    if (!next_reply(p, at, code) || *code != 354)
        return *at <= p->reply_count;
    buffer_init(&content, BUFFER_MAX);
    bool ended = decode_data(w, &content);
    buffer_clear(&content);
    return ended && next_reply(p, at, code);
}

/* A session that hangs up of itself may say so once more, and owes no reply to what came last. */
static void check_replies(const struct play *p, bool hung_up)
{
    struct wire w = { p->data, p->taken, 0 };
    size_t at = 0;
    uint16_t code;
    CHECK(p->reply == 0);
    CHECK(next_reply(p, &at, &code));
    while (code != 221 && code != 421 && !(p->started_tls && at == p->reply_count) &&
           walk(p, &w, &at, &code))
        continue;
    CHECK(hung_up || p->started_tls || at <= p->reply_count);
    size_t answered = at < p->reply_count ? at : p->reply_count;
    CHECK(p->reply_count - answered <= 1);
    CHECK(answered == p->reply_count || p->replies[answered] == 421);
}

static void settings(struct play *p, unsigned bits)
{
    p->config = (struct smtp_server_config){
        .hostname = T("mx.example.org"),
        .message_octets_max = bits & 1 ? 100 : 0,
        .recipients_max = bits & 2 ? 2 : 0,
        .transactions_max = bits & 4 ? 2 : 0,
        .errors_max = bits & 8 ? 3 : 0,
        .line_octets_max = bits & 16 ? 60 : 0,
        .hops_max = bits & 32 ? 1 : 0,
        .submission = bits & 64,
        .offer_tls = bits & 128,
        .mechanisms = bits & 256 ? T("PLAIN LOGIN") : T(""),
    };
    p->peer = (struct smtp_server_peer){
        .trusted = bits & 512,
        .tls = bits & 1024,
        .may_verify = bits & 2048,
        .stranger = bits & 4096,
    };
}

static void play(struct play *p)
{
    buffer_init(&p->log, BUFFER_MAX);
    buffer_init(&p->content, BUFFER_MAX);
    p->replies = malloc(REPLIES_MAX * sizeof *p->replies);
    CHECK(p->replies);
    p->server = smtp_server_new(&p->config, &p->peer, 0);
    CHECK(p->server);
    log_output(p);
    pump(p);
    while (p->arrived < p->size && !p->closed && !p->started_tls) {
        size_t left = p->size - p->arrived;
        p->arrived += p->cuts && left > 1 ? next_cut(p) % (left < 40 ? left : 40) + 1 : left;
        pump(p);
    }
    if (p->started_tls && !p->closed) {
        smtp_server_tls_started(p->server, p->now_ms);
        p->arrived = p->taken = p->size;
        pump(p);
    }
    bool hung_up = p->closed;
    smtp_server_input_ended(p->server);
    if (!p->closed)
        pump(p);
    CHECK(p->closed);
    check_replies(p, hung_up);
    free(p->replies);
    smtp_server_free(&p->server);
    buffer_clear(&p->content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct play whole = { .data = data + 3, .size = size - 3 };
    settings(&whole, data[0] | (unsigned)data[1] << 8);
    struct play pieces = whole;
    pieces.cuts = data[2] + 1u;
    play(&whole);
    play(&pieces);
    CHECK(text_equal(buffer_as_text(&whole.log), buffer_as_text(&pieces.log)));
    buffer_clear(&whole.log);
    buffer_clear(&pieces.log);
    return 0;
}
