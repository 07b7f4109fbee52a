/* fuzz_pop3_server.c - a POP3 session against whatever a client may say.
 *
 * The input: one octet that says how the session is configured, one that seeds the driver's whims,
 * then what the client says.  It is played twice: line by line, where every reply is held against
 * what the session's own promises make of the command; then cut anywhere, with answers late, writes
 * short and content in slices of any length, where the transcript must be the same.
 */
#include "base/check.h"
#include "proto/pop3_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mail {
    struct text content;
    bool dot_lines;
    uint64_t trouble_from; /* 0: none, else READs from this offset on fail */
} mails[] = {
    { TEXT("From: a@b.test\r\nSubject: x\r\n\r\n.\r\n..\r\nbody\r\n.dot\r\n\r\nend\r\n"), true, 0 },
    { TEXT("A: b\r\n\r\n"), false, 0 },
    { TEXT("\r\n\r\nleading\r\n"), false, 0 },
    { TEXT("no line end"), false, 0 },
    { TEXT(""), false, 0 },
    { TEXT(".bare\n.lf\r.cr\r\n\n\r\n.\n.\r\n"), true, 0 },
    { TEXT("Broken: in the middle\r\n\r\none\r\ntwo\r\n"), false, 28 },
};
enum { MAILS = sizeof mails / sizeof *mails };

/* The same whims for the same seed, whatever is asked in between. */
static uint32_t whim(uint32_t seed, uint32_t n)
{
    uint32_t h = (seed + 1) * 2654435761u ^ (n + 1) * 2246822519u;
    h ^= h >> 15;
    h *= 2654435761u;
    return h ^ h >> 13;
}

struct play {
    uint32_t seed;
    bool cut; /* play unkindly */
    struct pop3_server *session;
    struct pop3_message messages[MAILS];
    struct buffer record; /* output and requests */
    struct buffer reply;  /* output since the last line */
    size_t seen;          /* of the output, recorded already */
    uint32_t requests, steps;
    uint64_t now_ms;
    bool closed, broken;                /* broken: a READ failed in mid-air, or may have */
    bool deleted[MAILS], update[MAILS]; /* promised; asked for */
    bool updated;
};

static void record_output(struct play *p)
{
    struct bytes out = pop3_server_output(p->session);
    CHECK(out.len <= 256 * 1024);
    if (out.len > p->seen) {
        buffer_append(&p->record, out.at + p->seen, out.len - p->seen);
        buffer_append(&p->reply, out.at + p->seen, out.len - p->seen);
    }
    p->seen = out.len;
}

static void drain(struct play *p, bool all)
{
    size_t len = pop3_server_output(p->session).len;
    if (p->cut && !all && len > 0)
        len = 1 + whim(p->seed, p->steps) % len;
    pop3_server_drained(p->session, len);
    p->seen -= len;
}

/* --- The driver --- */

static struct pop3_answer read_content(struct play *p, const struct pop3_step *step)
{
    CHECK(step->message < MAILS);
    const struct mail *m = &mails[step->message];
    struct text rest = text_skip(m->content, step->offset);
    CHECK(rest.len > 0);
    if (m->trouble_from && step->offset >= m->trouble_from) {
        p->broken = true;
        return (struct pop3_answer){ .verdict = POP3_DAMAGED };
    }
    if (m->trouble_from)
        rest = text_first(rest, m->trouble_from - step->offset);
    if (p->cut)
        rest = text_first(rest, 1 + whim(p->seed, p->steps) % rest.len);
    return (struct pop3_answer){ .content = bytes_of_text(rest) };
}

static struct pop3_answer decide(struct play *p, const struct pop3_step *step)
{
    static const enum pop3_verdict no[] = { POP3_WRONG, POP3_IN_USE, POP3_LOGIN_DELAYED,
                                            POP3_TEMPORARY, POP3_PERMANENT };
    struct pop3_answer a = { .count = MAILS, .messages = p->messages };
    uint32_t n = whim(p->seed, ++p->requests);
    for (uint32_t i = 0; i < MAILS; i++)
        a.octets += mails[i].content.len;
    if (step->kind == POP3_AUTH_STEP && n % 3 == 0) {
        a.verdict = POP3_CONTINUE;
        a.words = text_first(T("a challenge"), n / 3 % 12);
    } else if (step->kind == POP3_LOGIN || step->kind == POP3_AUTH_STEP) {
        a.verdict = n % 2 ? POP3_ACCEPT : no[n / 2 % 5];
    } else {
        a.verdict = n % 8 ? POP3_ACCEPT : no[3 + n / 8 % 2];
    }
    if (a.verdict != POP3_ACCEPT && a.verdict != POP3_CONTINUE)
        a.words = text_first(T("because of\r\nit"), n / 16 % 14);
    return a;
}

static void record_request(struct play *p, const struct pop3_step *step)
{
    buffer_printf(&p->record, "[%d|%.*s|%.*s|%.*s|%d|", step->kind, TEXT_ARGS(step->user),
                  TEXT_ARGS(step->password), TEXT_ARGS(step->mechanism), step->initial);
    buffer_text(&p->record, step->words);
    for (uint32_t i = 0; i < step->deleted_count; i++) {
        CHECK(step->deleted[i] < MAILS);
        p->update[step->deleted[i]] = true;
        buffer_printf(&p->record, " %" PRIu32, step->deleted[i]);
    }
    buffer_text(&p->record, T("]"));
    p->updated |= step->kind == POP3_UPDATE;
}

static void answer(struct play *p, const struct pop3_step *step, struct bytes *in)
{
    struct pop3_answer a;
    CHECK(step->request != 0);
    if (step->kind == POP3_READ) {
        a = read_content(p, step);
    } else {
        record_request(p, step);
        a = decide(p, step);
    }
    for (uint32_t i = p->cut ? whim(p->seed, p->steps) % 3 : 0; i > 0; i--) {
        struct bytes before = *in;
        CHECK(pop3_server_step(p->session, in, p->now_ms).kind == POP3_NEED_ANSWER);
        CHECK(in->at == before.at);
        CHECK(in->len == before.len);
    }
    pop3_server_answer(p->session, step->request, a, p->now_ms);
    record_output(p);
}

/* Until the session wants more input or is over; gives back what it did not take. */
static struct bytes run(struct play *p, struct bytes in)
{
    for (;; p->steps++) {
        struct pop3_step step = pop3_server_step(p->session, &in, p->now_ms);
        record_output(p);
        if (step.kind == POP3_CLOSE)
            p->closed = true;
        if (step.kind == POP3_CLOSE || step.kind == POP3_NEED_INPUT) {
            CHECK(p->closed || in.len < pop3_server_input_max(p->session));
            drain(p, false);
            return in;
        }
        CHECK(step.kind != POP3_NEED_ANSWER);
        if (step.kind == POP3_NEED_DRAIN) {
            drain(p, false);
        } else if (step.kind == POP3_NEED_TIME) {
            CHECK(pop3_server_deadline_ms(p->session) > p->now_ms);
            p->now_ms = pop3_server_deadline_ms(p->session);
        } else if (step.kind == POP3_START_TLS) {
            drain(p, true);
            pop3_server_tls_started(p->session, p->now_ms);
        } else {
            answer(p, &step, &in);
        }
    }
}

/* --- What a reply must be --- */

/* Takes a line with its CRLF off *rest. */
static struct text take_line(struct text *rest)
{
    struct text line;
    CHECK(text_cut(rest, '\n', &line));
    CHECK(line.len > 0 && line.at[line.len - 1] == '\r');
    line.len--;
    return line;
}

/* The lines up to the final dot, which must be the last, without the dots that were added. */
static void unstuff(struct text body, struct buffer *out)
{
    CHECK(text_ends_nocase(body, T(".\r\n")));
    body.len -= 3;
    CHECK(body.len == 0 || text_ends_nocase(body, T("\r\n")));
    struct text line;
    while (body.len > 0) {
        text_cut(&body, '\n', &line);
        CHECK(!text_equal(line, T(".\r")));
        buffer_text(out, text_skip(line, text_starts(line, T(".")) ? 1 : 0));
        buffer_byte(out, '\n');
    }
}

/* How much of the content TOP sends: the header with its empty line, and so many lines. */
static size_t top_octets(struct text content, uint64_t lines)
{
    bool in_body = false;
    size_t line = 0;
    for (size_t i = 0; i + 1 < content.len; i++) {
        if (content.at[i] != '\r' || content.at[i + 1] != '\n')
            continue;
        bool empty = i == line;
        line = i + 2;
        if (in_body)
            lines--;
        in_body = in_body || empty;
        if (in_body && lines == 0)
            return line;
    }
    return content.len;
}

static void check_message(struct text verb, struct text arguments, struct text first,
                          struct text body)
{
    struct text number, word;
    uint64_t n = 0, lines = 0;
    text_word(&arguments, &number);
    CHECK(text_to_u64(number, &n) && n >= 1 && n <= MAILS);
    struct text content = mails[n - 1].content;
    if (text_equal_nocase(verb, T("TOP"))) {
        CHECK(text_word(&arguments, &word) && text_to_u64(word, &lines));
        content.len = top_octets(content, lines);
    } else {
        char announced[40];
        snprintf(announced, sizeof announced, "+OK %zu octets", content.len);
        CHECK(text_equal(first, text_of(announced)));
    }
    struct buffer got;
    buffer_init(&got, 4096);
    unstuff(body, &got);
    struct text sent = buffer_as_text(&got);
    if (sent.len > content.len && !text_ends_nocase(content, T("\r\n")))
        sent.len -= 2; /* the line end that the framing needs */
    CHECK(text_equal(sent, content));
    buffer_clear(&got);
}

static bool is_one_of(struct text verb, const char *list)
{
    struct text rest = text_of(list), each;
    while (text_word(&rest, &each))
        if (text_equal_nocase(each, verb))
            return true;
    return false;
}

/* Follows what was promised: DELE and RSET. */
static void note(struct play *p, struct text verb, struct text arguments)
{
    uint64_t n = 0;
    if (text_equal_nocase(verb, T("RSET")))
        memset(p->deleted, 0, sizeof p->deleted);
    if (text_equal_nocase(verb, T("DELE")) && text_to_u64(text_trim(arguments), &n))
        p->deleted[n - 1] = true;
}

/* Exactly one reply to a line: of one line, or of several if the command has such. */
static void check_reply(struct play *p, struct text line, struct text reply, bool secret)
{
    struct text verb;
    if (p->closed && p->broken)
        return; /* mid-air */
    struct text first = take_line(&reply);
    CHECK(first.len <= 510);
    if (secret || !text_starts(first, T("+OK"))) {
        CHECK(text_starts(first, T("+OK")) || text_starts(first, T("-ERR ")) ||
              text_starts(first, T("+ ")));
        CHECK(reply.len == 0);
        return;
    }
    line = text_trim(line); /* the verb was known, or there would be no +OK */
    if (line.len > 0 && line.at[line.len - 1] == '\r')
        line = text_trim(text_first(line, line.len - 1));
    text_word(&line, &verb);
    bool bare = text_trim(line).len == 0;
    if (is_one_of(verb, "RETR TOP"))
        check_message(verb, line, first, reply);
    else if (is_one_of(verb, "CAPA") || (bare && is_one_of(verb, "LIST UIDL LANG")))
        CHECK(text_equal(reply, T(".\r\n")) || text_ends_nocase(reply, T("\r\n.\r\n")));
    else
        CHECK(reply.len == 0);
    note(p, verb, line);
}

/* --- The two plays --- */

static void begin(struct play *p, const struct pop3_server_config *config,
                  const struct pop3_server_peer *peer)
{
    buffer_init(&p->record, SIZE_MAX / 2);
    buffer_init(&p->reply, SIZE_MAX / 2);
    for (uint32_t i = 0; i < MAILS; i++)
        p->messages[i] = (struct pop3_message){ .octets = mails[i].content.len,
                                                .uidl_message = whim(p->seed, i),
                                                .uidl_placement = i,
                                                .dot_lines = mails[i].dot_lines };
    p->session = pop3_server_new(config, peer, 0);
    CHECK(p->session != NULL);
    record_output(p);
}

static void end(struct play *p)
{
    if (!p->closed) {
        pop3_server_input_ended(p->session);
        run(p, (struct bytes){ 0 });
        CHECK(p->closed);
    }
    pop3_server_free(&p->session);
    buffer_clear(&p->reply);
}

static void play_line_by_line(struct play *p, struct text said)
{
    while (said.len > 0 && !p->closed) {
        size_t lf = text_find(said, '\n');
        bool whole = lf < said.len;
        struct text line = text_first(said, lf + 1);
        said = text_skip(said, line.len);
        bool secret = pop3_server_line_is_secret(p->session);
        buffer_clear(&p->reply);
        struct bytes left = run(p, bytes_of_text(line));
        if (whole)
            check_reply(p, text_first(line, lf), buffer_as_text(&p->reply), secret);
        else
            CHECK(p->reply.len == 0);
        CHECK(p->closed || !whole || left.len == 0);
    }
    CHECK(!p->updated || memcmp(p->deleted, p->update, sizeof p->deleted) == 0);
}

/* The end of the first line that may be STLS: what a client sends behind it before the handshake is
 * thrown away, so none is sent. */
static size_t handshake_at(struct text said)
{
    struct text line, rest = said;
    while (text_cut(&rest, '\n', &line))
        if (text_starts_nocase(line, T("STLS")))
            return (size_t)(line.at - said.at) + line.len + 1;
    return said.len;
}

static void play_cut(struct play *p, struct text said)
{
    size_t given = 0, barrier = handshake_at(said);
    for (uint32_t n = 0; given < said.len && !p->closed; n++) {
        given += 1 + whim(p->seed, n) % (n % 2 ? 7 : 200);
        if (given > barrier)
            given = barrier;
        struct bytes left = run(p, bytes_of_text(text_first(said, given)));
        size_t taken = given - left.len;
        said = text_skip(said, taken);
        given -= taken;
        barrier -= taken;
        if (barrier == 0)
            barrier = handshake_at(said);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t flags = data[0];
    struct pop3_server_config config = { .hostname = T("mx.test"),
                                         .implementation = T("godwit"),
                                         .line_octets_max = flags & 1 ? 512 : 0,
                                         .errors_max = flags & 2 ? 4 : 0,
                                         .logins_max = flags & 2 ? 2 : 0,
                                         .login_delay_s = flags & 4 ? 60 : 0,
                                         .offer_tls = flags & 8 };
    if (flags & 16)
        config.mechanisms = T("PLAIN LOGIN SCRAM-SHA-256");
    struct pop3_server_peer peer = { .tls = flags & 32,
                                     .cleartext = !(flags & 64),
                                     .stranger = flags & 128 };
    struct text said = { (const char *)data + 2, size - 2 };
    struct play one = { .seed = data[1] }, two = { .seed = data[1], .cut = true };
    begin(&one, &config, &peer);
    play_line_by_line(&one, said);
    end(&one);
    begin(&two, &config, &peer);
    play_cut(&two, said);
    end(&two);
    CHECK(text_equal(buffer_as_text(&one.record), buffer_as_text(&two.record)));
    buffer_clear(&one.record);
    buffer_clear(&two.record);
    return 0;
}
