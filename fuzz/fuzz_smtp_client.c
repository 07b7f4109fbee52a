/* fuzz_smtp_client.c - an outgoing session with what a server may say, played twice.
 *
 * The first four octets choose the settings and the messages; the rest is the server's.  It is
 * brought line by line, whenever the client waits; 0xFF and a letter stand for what else may
 * happen: the input ends or breaks, time passes, the handshake is done, content cannot be read. The
 * second time each line comes in pieces, answers come late and output is written in dribs.
 *
 *   - both times the same is said and told, in the same order;
 *   - what is said, besides content, is whole commands in an order that the RFCs allow; none before
 *     the reply to the one before unless PIPELINING was offered, none at all behind those that end
 *     a group, no extension that was not offered;
 *   - where TLS is a must, nobody logs in and nothing of a message is said without it;
 *   - content arrives as it was given; its end is said only when the driver let it go, or alone
 *     for a message of which nothing was sent, and never after content could not be read;
 *   - every message comes back once, in order, with a result for every recipient that agrees with
 *     itself; delivered is only what was ended;
 *   - what the session holds back is bounded.
 */
#include "lines.h"
#include "proto/dot.h"
#include "proto/smtp_client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUFFER_MAX = 1 << 24, OUTPUT_MAX = 128 * 1024, RECIPIENTS = 3, LETTERS = 3 };
enum { REPLY_TEXT_MAX = 4096 };

/* ---- messages ---- */

static const struct smtp_client_recipient people[RECIPIENTS] = {
    { .address = TEXT("a@b.example"), .notify = NOTIFY_NEVER },
    { .address = TEXT("b@b.example"), .notify = NOTIFY_SUCCESS | NOTIFY_DELAY },
    { .address = TEXT("\xc3\xa9@b.example"), .orcpt = TEXT("rfc822;b@b.example") },
};

static struct buffer make_content(unsigned kind)
{
    static const struct text pieces[] = { TEXT("hi\r\n"), TEXT(".\r\n"), TEXT("no end"),
                                          TEXT("a line of some length\r\n.a dot\r\n") };
    static const size_t times[] = { 0, 1, 2, 30 };
    size_t octets = times[kind / 4 % 4] * pieces[kind % 4].len;
    if (kind == 0xF7)
        octets = 1100000; /* more than one chunk: seldom, since it takes its time */
    else if (kind >= 0xFC)
        octets = 70000; /* more than one piece */
    struct buffer b;
    buffer_init(&b, BUFFER_MAX);
    while (b.len < octets && b.len < pieces[kind % 4].len)
        CHECK(buffer_text(&b, pieces[kind % 4]));
    while (b.len < octets) { /* twice as much, in whole lines */
        CHECK(buffer_reserve(&b, b.len));
        CHECK(buffer_append(&b, b.at, b.len));
    }
    return b;
}

/* ---- one play ---- */

struct play {
    const uint8_t *data; /* what is left of the server's */
    size_t size;
    bool second; /* in pieces, late, in dribs */
    bool eager;
    struct smtp_client_config config;
    struct smtp_client_message letters[LETTERS];
    struct buffer contents[LETTERS];
    struct smtp_client *client;
    struct buffer pending;
    struct buffer log;
    struct buffer wire; /* the content of the message being sent, as it goes out */
    size_t seen;        /* octets of the output that were looked at */
    unsigned given, sent;
    unsigned speaking; /* the message whose commands are said; the first is 1 */
    bool granted[LETTERS], ended[LETTERS];
    uint64_t now_ms;
    uint64_t chunk; /* octets that the last BDAT announced and that were not given */
    bool secrets;   /* a login has begun */
    bool body_fails, cut_off, quit, handshake, closed, chunking, has_tls;
    int64_t due;        /* replies to what was said; below 0: some came unasked */
    bool group_ended;   /* nothing may be said before they have come */
    bool more_replies;  /* LMTP: to one end several; nobody counts any more */
    bool within;        /* a reply: more of its lines must come */
    struct buffer line; /* of the server, as far as it was taken */
    struct buffer offers;
    unsigned rcpts;
    enum { SAID_NOTHING, SAID_MAIL, SAID_RCPT, SAID_DATA, SAID_BDAT, SAID_END } said;
};

/* ---- what the server has said ---- */

/* Lines of one reply, counted as a reader would who knows nothing of what was asked. */
static void heard_line(void *owner, struct text line)
{
    struct play *p = owner;
    bool has_code = line.len >= 3 && text_is_digit(line.at[0]) && text_is_digit(line.at[1]) &&
                    text_is_digit(line.at[2]);
    p->within = has_code ? line.len > 3 && line.at[3] == '-' : p->within;
    if (!p->within)
        p->due--;
    line = text_skip(line, 3);
    if (line.len && line.at[0] == '-')
        line = text_skip(line, 1);
    CHECK(buffer_text(&p->offers, line) && buffer_byte(&p->offers, '\n'));
}

/* Whether a line since the last EHLO begins with the word. */
static bool is_offered(const struct play *p, struct text keyword)
{
    struct text rest = buffer_as_text(&p->offers), line, word;
    while (text_cut(&rest, '\n', &line))
        if (text_word(&line, &word) && text_equal_nocase(text_first(word, keyword.len), keyword))
            return true;
    return false;
}

/* ---- what the client says ---- */

/* A command, whose reply is due: those that end a group are alone at its end (RFC 2920 3.1). */
static void said_command(struct play *p, bool ends_group)
{
    bool counted = !p->more_replies && !smtp_client_failure(p->client);
    if (counted && (p->group_ended || !is_offered(p, T("PIPELINING"))))
        CHECK(p->due <= 0);
    p->due++;
    p->group_ended = ends_group;
}

static void check_parameters(const struct play *p, struct text line)
{
    static const struct {
        struct text parameter, keyword;
    } extensions[] = {
        { TEXT("SIZE="), TEXT("SIZE") },
        { TEXT("BODY=8"), TEXT("8BITMIME") },
        { TEXT("BODY=B"), TEXT("BINARYMIME") },
        { TEXT("SMTPUTF8"), TEXT("SMTPUTF8") },
        { TEXT("REQUIRETLS"), TEXT("REQUIRETLS") },
        { TEXT("RET="), TEXT("DSN") },
        { TEXT("ENVID="), TEXT("DSN") },
        { TEXT("NOTIFY="), TEXT("DSN") },
        { TEXT("ORCPT="), TEXT("DSN") },
    };
    struct text rest = text_skip(line, text_find(line, '>') + 1), word;
    while (text_word(&rest, &word)) {
        bool known = false;
        for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
            if (!text_starts(word, extensions[i].parameter))
                continue;
            CHECK(is_offered(p, extensions[i].keyword));
            known = true;
        }
        CHECK(known);
    }
}

static void check_tls(const struct play *p)
{
    bool must = p->config.tls == SMTP_CLIENT_TLS_MUST || p->config.requiretls;
    CHECK(!must || p->config.secured || p->has_tls);
}

static void check_octets(struct text line)
{
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = (uint8_t)line.at[i];
        CHECK(c >= ' ' && c != 0x7F);
    }
}

static struct smtp_client_message *speaking(struct play *p)
{
    CHECK(p->speaking >= 1 && p->speaking <= p->given);
    return &p->letters[p->speaking - 1];
}

static void said_mail(struct play *p, struct text line)
{
    check_tls(p);
    check_parameters(p, line);
    CHECK(!p->config.requiretls || memmem(line.at, line.len, " REQUIRETLS", 11));
    said_command(p, false);
    CHECK(p->said == SAID_NOTHING || p->said == SAID_END);
    p->speaking = p->given; /* the ones before it may have been refused without a word */
    p->said = SAID_MAIL;
    p->rcpts = 0;
    p->chunking = false;
    buffer_clear(&p->wire);
}

/* The content that went out is the message's, once its end is said. */
static void check_wire(struct play *p)
{
    const struct buffer *content = &p->contents[p->speaking - 1];
    struct buffer plain;
    struct dot_decoder decoder;
    struct bytes in, slice;
    CHECK(p->granted[p->speaking - 1]);
    buffer_init(&plain, BUFFER_MAX);
    if (p->chunking) {
        CHECK(text_equal(buffer_as_text(&p->wire), buffer_as_text(content)));
        return;
    }
    CHECK(buffer_text(&p->wire, T(".\r\n")));
    in = buffer_bytes(&p->wire);
    dot_decoder_init(&decoder, true, DOT_KEEP);
    while (dot_decode(&decoder, &in, &slice) == DOT_SLICE)
        CHECK(buffer_append(&plain, slice.at, slice.len));
    CHECK(in.len == 0);
    CHECK(text_starts(buffer_as_text(&plain), buffer_as_text(content)));
    CHECK(plain.len == content->len || plain.len == content->len + 2);
    buffer_clear(&plain);
}

static void said_end(struct play *p)
{
    said_command(p, false);
    p->more_replies |= p->config.lmtp;
    CHECK(p->said == SAID_DATA);
    p->said = SAID_END;
    if (p->wire.len || p->granted[p->speaking - 1]) {
        check_wire(p);
        p->ended[p->speaking - 1] = true;
    }
}

static void said_bdat(struct play *p, struct text rest)
{
    struct text number;
    text_cut(&rest, ' ', &number);
    bool last = text_equal(rest, T("LAST"));
    CHECK(is_offered(p, T("CHUNKING")));
    CHECK(p->said != SAID_RCPT || p->due <= 0);
    said_command(p, false);
    CHECK(last || rest.len == 0);
    CHECK(p->said == SAID_RCPT || p->said == SAID_BDAT);
    CHECK(p->chunk == 0);
    CHECK(text_to_u64(number, &p->chunk));
    CHECK(last || p->chunk > 0);
    CHECK(!last || p->granted[p->speaking - 1]);
    CHECK(!last || p->wire.len + p->chunk == speaking(p)->octets);
    p->chunking = true;
    p->said = last ? SAID_END : SAID_BDAT;
    p->ended[p->speaking - 1] = last;
}

static bool is_greeting(struct text line)
{
    return text_starts(line, T("AUTH PLAIN")) || text_equal(line, T("EHLO client")) ||
           text_equal(line, T("HELO client")) || text_equal(line, T("LHLO client")) ||
           text_equal(line, T("STARTTLS"));
}

/* A line of a login. */
static bool is_secret(struct text line)
{
    return text_equal(line, T("AHNlY3JldA==")) || text_equal(line, T("*"));
}

/* Up to the first message. */
static void said_greeting(struct play *p, struct text line)
{
    CHECK(p->given == 0);
    CHECK(!text_equal(line, T("STARTTLS")) || is_offered(p, T("STARTTLS")));
    said_command(p, true);
    if (text_ends_nocase(line, T("LO client")))
        p->offers.len = 0;
}

static void said_line(struct play *p, struct text line)
{
    check_octets(line);
    if (is_greeting(line) || (p->secrets && is_secret(line))) {
        said_greeting(p, line);
    } else if (text_starts(line, T("MAIL FROM:<"))) {
        said_mail(p, line);
    } else if (text_starts(line, T("RCPT TO:<"))) {
        check_parameters(p, line);
        said_command(p, false);
        CHECK(p->said == SAID_MAIL || p->said == SAID_RCPT);
        CHECK(++p->rcpts <= speaking(p)->recipient_count);
        p->said = SAID_RCPT;
    } else if (text_equal(line, T("DATA"))) {
        CHECK(p->said == SAID_RCPT && p->rcpts == speaking(p)->recipient_count);
        said_command(p, true);
        p->said = SAID_DATA;
    } else if (text_starts(line, T("BDAT "))) {
        said_bdat(p, text_skip(line, 5));
    } else if (text_equal(line, T("."))) {
        said_end(p);
    } else if (line.len == 0) { /* the line end that the content lacks, before the dot */
        CHECK(p->said == SAID_DATA && p->wire.len);
        buffer_text(&p->wire, T("\r\n"));
    } else if (text_equal(line, T("RSET"))) {
        said_command(p, false);
        p->said = SAID_NOTHING;
    } else {
        CHECK(text_equal(line, T("QUIT")));
        said_command(p, true);
        CHECK(p->quit || smtp_client_failure(p->client));
    }
}

/* Looks at what a call has added to the output. */
static void look(struct play *p, bool content)
{
    struct text out = text_of_bytes(smtp_client_output(p->client)), line;
    CHECK(out.len <= OUTPUT_MAX);
    if (smtp_client_failure(p->client) && !p->cut_off) {
        p->cut_off = true; /* what was not written never will be */
        p->seen = 0;
        CHECK(out.len == 0 || text_equal(out, T("QUIT\r\n")) ||
              (p->secrets && text_equal(out, T("*\r\nQUIT\r\n"))));
    }
    struct text fresh = text_skip(out, p->seen);
    p->seen = out.len;
    if (content) {
        CHECK(p->cut_off || fresh.len > 0);
        CHECK(p->cut_off || p->chunking || p->due <= 0 || p->more_replies); /* 354 has come */
        buffer_append(&p->wire, fresh.at, fresh.len);
        return;
    }
    while (fresh.len) {
        CHECK(text_cut(&fresh, '\n', &line));
        CHECK(line.len > 0 && line.at[line.len - 1] == '\r');
        line.len--;
        buffer_text(&p->log, T("C "));
        buffer_text(&p->log, line);
        buffer_byte(&p->log, '\n');
        said_line(p, line);
    }
}

static void write_out(struct play *p)
{
    for (size_t len; (len = smtp_client_output(p->client).len);) {
        size_t count = p->second ? (len + 1) / 2 : len;
        smtp_client_drained(p->client, count);
        p->seen -= count;
    }
}

/* ---- what the driver is told ---- */

static void check_result(struct play *p, const struct smtp_client_result *r, bool ended)
{
    unsigned class = r->code / 100;
    CHECK(r->code == 0 || class == 2 || class == 4 || class == 5);
    CHECK(r->delivered == (class == 2));
    CHECK(!r->delivered || (ended && r->where == AT_END_OF_DATA));
    CHECK(!r->permanent || class == 5 || (r->code == 0 && r->where == AT_LOCAL));
    CHECK(r->status[0] == (r->delivered ? '2' : r->permanent ? '5' : '4'));
    CHECK(strlen(r->status) >= 5);
    CHECK(r->reply.len > 0 && r->reply.len <= REPLY_TEXT_MAX);
    buffer_printf(&p->log, "D %u %s %d %d [", r->code, r->status, (int)r->where, r->permanent);
    buffer_text(&p->log, r->reply);
    buffer_text(&p->log, T("]\n"));
}

static void told(struct play *p, const struct smtp_client_message *m)
{
    CHECK(p->sent < p->given);
    CHECK(m == &p->letters[p->sent]);
    for (uint32_t i = 0; i < m->recipient_count; i++)
        check_result(p, smtp_client_result(p->client, i), p->ended[p->sent]);
    p->sent++;
}

/* ---- what the driver does ---- */

static bool give_work(struct play *p, bool ready)
{
    bool may = smtp_client_may_send(p->client);
    if (p->quit || !(ready || (p->eager && may)))
        return false;
    if (may && p->given < LETTERS) {
        CHECK(smtp_client_send(p->client, &p->letters[p->given], p->now_ms));
        p->given++;
    } else {
        smtp_client_quit(p->client, p->now_ms);
        p->quit = true;
    }
    return true;
}

static void give_body(struct play *p, const struct smtp_client_step *step)
{
    const struct buffer *content = &p->contents[p->sent];
    CHECK(step->message == &p->letters[p->sent]);
    CHECK(step->offset < content->len);
    struct bytes piece = { content->at + step->offset, content->len - step->offset };
    if (p->second && piece.len > 777)
        piece.len = 777;
    if (p->body_fails) {
        smtp_client_body_failed(p->client, p->now_ms);
        CHECK(smtp_client_output(p->client).len == 0);
        look(p, false);
        return;
    }
    size_t before = p->wire.len;
    smtp_client_body(p->client, piece, p->now_ms);
    look(p, true);
    if (p->chunking) {
        CHECK(p->wire.len - before <= p->chunk);
        p->chunk -= p->wire.len - before;
        if (p->chunk == 0 && p->ended[p->sent])
            check_wire(p);
    }
}

/* Says something to every challenge but a long one, and is content behind the first. */
static void log_in(struct play *p, const struct smtp_client_step *step)
{
    struct sasl_words words = { .mechanism = step->begins ? T("PLAIN") : T(""),
                                .has_words = !step->begins || p->config.secured,
                                .words = T("\0secret"),
                                .may_end = step->challenge.len > 0 };
    CHECK(!p->secrets || !step->begins);
    check_tls(p);
    CHECK(p->given == 0);
    buffer_printf(&p->log, "D auth %zu\n", step->challenge.len);
    p->secrets = true;
    if (step->challenge.len > 100)
        smtp_client_auth_failed(p->client, T("that is too much"), p->now_ms);
    else
        smtp_client_auth(p->client, &words, p->now_ms);
    look(p, false);
}

static struct smtp_client_step take_step(struct play *p)
{
    struct bytes in = buffer_bytes(&p->pending);
    size_t before = in.len;
    struct smtp_client_step step = smtp_client_step(p->client, &in, p->now_ms);
    CHECK(in.len <= before);
    lines_heard(&p->line, (struct bytes){ p->pending.at, before - in.len }, heard_line, p);
    if (before > in.len)
        buffer_take(&p->pending, before - in.len);
    look(p, false);
    return step;
}

static void be_late(struct play *p)
{
    if (!p->second)
        return;
    write_out(p);
    CHECK(take_step(p).kind == SMTP_CLIENT_NEED_ANSWER);
}

/* Carries out one step; false when it is a wait for the server. */
static bool carry_out(struct play *p, const struct smtp_client_step *step)
{
    switch (step->kind) {
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_READY:
        CHECK(p->handshake || p->pending.len < smtp_client_input_max(p->client));
        if (give_work(p, step->kind == SMTP_CLIENT_READY))
            return true;
        write_out(p);
        return false;
    case SMTP_CLIENT_NEED_DRAIN:
        CHECK(smtp_client_output(p->client).len > 0);
        write_out(p);
        return true;
    case SMTP_CLIENT_READ_BODY:
        be_late(p);
        give_body(p, step);
        return true;
    case SMTP_CLIENT_MAY_FINISH:
        be_late(p);
        CHECK(step->message == &p->letters[p->sent]);
        p->granted[p->sent] = true;
        smtp_client_finish(p->client, p->now_ms);
        return true;
    case SMTP_CLIENT_AUTH:
        be_late(p);
        log_in(p, step);
        return true;
    case SMTP_CLIENT_START_TLS:
        CHECK(p->pending.len == 0);
        write_out(p);
        p->handshake = true;
        return false;
    case SMTP_CLIENT_SENT:
        told(p, step->message);
        return true;
    default:
        CHECK(step->kind == SMTP_CLIENT_CLOSE);
        CHECK(p->sent == p->given);
        p->closed = true;
        return false;
    }
}

static void pump(struct play *p)
{
    struct smtp_client_step step;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

/* ---- what the server does ---- */

static void happen(struct play *p, uint8_t what)
{
    if (what == 'e' || what == 'b') {
        smtp_client_input_ended(p->client, what == 'e' ? T("") : T("broken"));
    } else if (what == 'w') {
        uint64_t deadline = smtp_client_deadline_ms(p->client);
        CHECK(deadline > p->now_ms);
        p->now_ms = deadline == UINT64_MAX ? p->now_ms + 1000 : deadline;
    } else if (what == 'u') {
        p->body_fails = true;
    } else if (p->handshake) {
        p->handshake = false;
        p->has_tls = true;
        smtp_client_tls_started(p->client, p->now_ms);
        look(p, false);
    }
    pump(p);
}

static void arrive(struct play *p, size_t count)
{
    size_t piece = p->second ? 1 + count / 3 : count;
    for (size_t at = 0; at < count && !p->closed; at += piece) {
        if (p->handshake)
            return; /* not ours */
        CHECK(buffer_append(&p->pending, p->data + at, count - at < piece ? count - at : piece));
        pump(p);
    }
}

/* The next line, or the next event. */
static void serve(struct play *p)
{
    size_t count = 0;
    if (p->data[0] == 0xFF) {
        count = p->size > 1 ? 2 : 1;
        happen(p, p->data[count - 1]);
    } else {
        while (count < p->size && p->data[count] != 0xFF && (!count || p->data[count - 1] != '\n'))
            count++;
        arrive(p, count);
    }
    p->data += count;
    p->size -= count;
}

static void set_up(struct play *p, const uint8_t *settings)
{
    static const enum smtp_client_tls tls[] = { SMTP_CLIENT_TLS_NEVER, SMTP_CLIENT_TLS_NEVER,
                                                SMTP_CLIENT_TLS_IF_OFFERED, SMTP_CLIENT_TLS_MUST };
    uint8_t flags = settings[0];
    p->config = (struct smtp_client_config){
        .hostname = T("client"),
        .tls = tls[flags % 4],
        .secured = flags & 4,
        .lmtp = flags & 8,
        .login = flags & 32,
        .requiretls = flags & 64,
        .greeting_ms = 1000,
        .command_ms = 1000,
        .data_ms = 1000,
        .block_ms = 1000,
        .dot_ms = 1000,
    };
    p->eager = flags & 16;
    for (unsigned i = 0; i < LETTERS; i++) {
        uint8_t kind = settings[1 + i];
        p->contents[i] = make_content(kind);
        p->letters[i] = (struct smtp_client_message){
            .sender = i ? T("x@a.example") : T(""),
            .octets = p->contents[i].len,
            .eight_bit = kind & 16,
            .binary = (kind & 17) == 17,
            .obstacle = kind & 2 ? T("") : T("it is signed"),
            .utf8 = kind & 32,
            .dot_lines = true,
            .ret = T("FULL"),
            .envid = T("QQ314"),
            .recipients = people,
            /* The third is not ASCII. */
            .recipient_count = kind & 32 ? RECIPIENTS : 1 + (kind >> 6) % 2,
        };
    }
}

static void play(struct play *p, const uint8_t *data, size_t size)
{
    set_up(p, data);
    p->data = data + 4;
    p->size = size - 4;
    p->client = smtp_client_new(&p->config, p->now_ms);
    CHECK(p->client);
    buffer_init(&p->pending, BUFFER_MAX);
    buffer_init(&p->log, BUFFER_MAX);
    buffer_init(&p->wire, BUFFER_MAX);
    buffer_init(&p->line, BUFFER_MAX);
    buffer_init(&p->offers, BUFFER_MAX);
    p->due = 1; /* the greeting */
    p->group_ended = true;
    pump(p);
    while (p->size && !p->closed)
        serve(p);
    if (!p->closed)
        happen(p, 'e');
    CHECK(p->closed);
    smtp_client_free(&p->client);
    buffer_clear(&p->pending);
    buffer_clear(&p->wire);
    buffer_clear(&p->line);
    buffer_clear(&p->offers);
    for (unsigned i = 0; i < LETTERS; i++)
        buffer_clear(&p->contents[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct play first = { .second = false }, second = { .second = true };
    play(&first, data, size);
    play(&second, data, size);
    CHECK(text_equal(buffer_as_text(&first.log), buffer_as_text(&second.log)));
    buffer_clear(&first.log);
    buffer_clear(&second.log);
    return 0;
}
