/* fuzz_pop3_client.c - a POP3 session with what a server may say, played twice.
 *
 * The first two octets choose the settings and how many commands are given; the rest is the
 * server's.  It is brought line by line, whenever the client waits; 0xFF and a letter stand for
 * what else may happen: the input ends or breaks, time passes, the handshake is done.  The second
 * time each line comes in pieces, answers come late and output is written in dribs.
 *
 *   - both times the same is said and told, in the same order;
 *   - what is said is whole lines, none of them before login but those that belong there, none
 *     before the answer to the one before unless PIPELINING was offered, and the password only as
 *     PASS, and never without TLS where that is a must;
 *   - every command comes back once, in order; lines and content come only between its beginning
 *     and its end, and content is as long as is told;
 *   - deleted is only what QUIT was said for; what the session holds back is bounded.
 */
#include "base/buffer.h"
#include "lines.h"
#include "proto/pop3_client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUFFER_MAX = 1 << 24, OUTPUT_MAX = 32 * 1024, WORDS_MAX = 3 };

static const struct pop3_client_command commands[] = {
    { POP3_CLIENT_STAT, 0, 0 }, { POP3_CLIENT_LIST, 0, 0 }, { POP3_CLIENT_UIDL, 0, 0 },
    { POP3_CLIENT_LIST, 1, 0 }, { POP3_CLIENT_UIDL, 1, 0 }, { POP3_CLIENT_RETR, 1, 0 },
    { POP3_CLIENT_TOP, 2, 5 },  { POP3_CLIENT_DELE, 1, 0 }, { POP3_CLIENT_RETR, 2, 0 },
    { POP3_CLIENT_DELE, 2, 0 }, { POP3_CLIENT_NOOP, 0, 0 }, { POP3_CLIENT_RSET, 0, 0 },
    { POP3_CLIENT_DELE, 3, 0 },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

struct play {
    const uint8_t *data; /* what is left of the server's */
    size_t size;
    bool second; /* in pieces, late, in dribs */
    struct pop3_client_config config;
    unsigned command_count, login;
    struct pop3_client *client;
    struct buffer pending;
    struct buffer log;
    struct buffer said; /* the line that was begun */
    unsigned given, answered, words;
    uint64_t content, lines; /* of the answer that has begun */
    uint64_t now_ms;
    bool begun, quit_said, quit, handshake, closed, has_tls;
    struct buffer due;  /* for each answer that is: whether it may have many lines */
    struct buffer line; /* of the server, as far as it was taken */
    bool within;        /* an answer of many lines */
    bool pipelining;    /* was offered */
};

/* ---- what the server has said ---- */

/* Lines of answers, as a reader would count them who only knows what was asked. */
static void heard_line(void *owner, struct text line)
{
    struct play *p = owner;
    if (p->within) {
        p->within = !text_equal(line, T("."));
        line = text_skip(line, text_starts(line, T(".")) ? 1 : 0);
        p->pipelining |= text_starts_nocase(text_trim(line), T("PIPELINING"));
        return;
    }
    if (p->due.len == 0)
        return;
    p->within = p->due.at[0] && text_starts_nocase(line, T("+OK"));
    buffer_take(&p->due, 1);
}

/* ---- what is said ---- */

static bool has_many_lines(struct text line)
{
    static const struct text verbs[] = { TEXT("CAPA"), TEXT("LIST"), TEXT("UIDL"), TEXT("RETR "),
                                         TEXT("TOP ") };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (i < 3 ? text_equal(line, verbs[i]) : text_starts(line, verbs[i]))
            return true;
    return false;
}

/* What ends a session may be said at any time. */
static void said_command(struct play *p, struct text line)
{
    if (!p->pipelining && !pop3_client_failure(p->client))
        CHECK(p->due.len == 0 && !p->within);
    CHECK(buffer_byte(&p->due, has_many_lines(line)));
}

static void check_line(struct play *p, struct text line)
{
    static const struct text before_login[] = {
        TEXT("CAPA"),       TEXT("STLS"),      TEXT("UTF8"), TEXT("LANG de"), TEXT("USER bob"),
        TEXT("AUTH PLAIN"), TEXT("PASS pw  "), TEXT("QUIT"), TEXT("*"),
    };
    bool known = p->given > 0 || p->words > 0;
    CHECK(!memchr(line.at, '\r', line.len) && !memchr(line.at, '\n', line.len));
    for (size_t i = 0; i < sizeof before_login / sizeof *before_login; i++)
        known |= text_starts(line, before_login[i]);
    CHECK(known);
    said_command(p, line);
    if (p->config.tls == POP3_CLIENT_TLS_MUST && !text_equal(line, T("QUIT")) &&
        !text_equal(line, T("CAPA")) && !text_equal(line, T("STLS")))
        CHECK(p->config.secured || p->has_tls);
    p->quit_said |= text_equal(line, T("QUIT"));
}

static void write_out(struct play *p)
{
    struct bytes out;
    while ((out = pop3_client_output(p->client)).len) {
        CHECK(out.len <= OUTPUT_MAX);
        out.len = p->second ? 1 + out.len / 3 : out.len;
        for (size_t i = 0; i < out.len; i++) {
            CHECK(buffer_byte(&p->said, out.at[i]));
            if (out.at[i] != '\n')
                continue;
            CHECK(p->said.len >= 2 && p->said.at[p->said.len - 2] == '\r');
            check_line(p, text_first(buffer_as_text(&p->said), p->said.len - 2));
            CHECK(buffer_append(&p->log, p->said.at, p->said.len));
            p->said.len = 0;
        }
        pop3_client_drained(p->client, out.len);
    }
}

/* ---- what is told ---- */

static void log_result(struct play *p, const struct pop3_client_result *r)
{
    CHECK(r->reply.len <= POP3_CLIENT_REPLY_MAX);
    CHECK(r->verdict == POP3_CLIENT_NO || r->code == POP3_CODE_NONE);
    /* It is the client that will not go on: without TLS, with so long a message, to log in. */
    bool by_choice = p->config.tls == POP3_CLIENT_TLS_MUST || p->config.content_octets_max ||
                     r->where == POP3_CLIENT_AT_LOGIN || r->where == POP3_CLIENT_AT_LOCAL;
    CHECK(r->verdict != POP3_CLIENT_LOST || r->reply.len > 0);
    CHECK(r->verdict != POP3_CLIENT_LOST || r->temporary || by_choice);
    CHECK(buffer_printf(&p->log, "%d %d %d %d %u %llu ", r->verdict, r->where, r->code,
                        r->temporary, r->count, (unsigned long long)r->octets));
    CHECK(buffer_text(&p->log, r->unique_id) && buffer_text(&p->log, r->reply));
    CHECK(buffer_byte(&p->log, '\n'));
}

static void check_command(const struct play *p, const struct pop3_client_step *step)
{
    CHECK(p->answered < p->given);
    CHECK(memcmp(&step->command, &commands[p->answered], sizeof step->command) == 0);
}

static void answered(struct play *p, const struct pop3_client_step *step)
{
    const struct pop3_client_result *r = step->result;
    check_command(p, step);
    if (r->verdict == POP3_CLIENT_YES && p->begun) {
        CHECK(r->count == p->lines);
        CHECK(r->octets == p->content);
    }
    CHECK(r->verdict != POP3_CLIENT_NO || !p->begun);
    CHECK(buffer_printf(&p->log, "\nanswered "));
    log_result(p, r);
    p->answered++;
    p->begun = false;
    p->content = p->lines = 0;
}

static void told_line(struct play *p, const struct pop3_client_step *step)
{
    check_command(p, step);
    CHECK(p->begun && step->number > 0);
    CHECK(buffer_printf(&p->log, "line %u %llu ", step->number, (unsigned long long)step->octets));
    CHECK(buffer_text(&p->log, step->line) && buffer_text(&p->log, step->unique_id));
    CHECK(buffer_byte(&p->log, '\n'));
    p->lines++;
}

/* A message that turns out to be too long may be told to the limit or not so far. */
static void told_content(struct play *p, const struct pop3_client_step *step)
{
    check_command(p, step);
    CHECK(p->begun && step->content.len > 0);
    p->content += step->content.len;
    CHECK(p->config.content_octets_max == 0 || p->content <= p->config.content_octets_max);
    if (p->config.content_octets_max == 0)
        CHECK(buffer_append(&p->log, step->content.at, step->content.len));
}

static void closed(struct play *p)
{
    const struct pop3_client_result *why = pop3_client_failure(p->client);
    enum pop3_client_deletions deletions = pop3_client_deletions(p->client);
    CHECK(p->answered == p->given);
    CHECK(deletions == POP3_CLIENT_KEPT || p->quit_said);
    CHECK(deletions != POP3_CLIENT_UNSURE || why);
    CHECK(deletions != POP3_CLIENT_DELETED || !why);
    p->closed = true;
    CHECK(buffer_printf(&p->log, "\nclosed %d ", deletions));
    if (why)
        log_result(p, why);
}

/* ---- one play ---- */

static struct pop3_client_step take_step(struct play *p)
{
    struct bytes in = buffer_bytes(&p->pending);
    size_t before = in.len;
    struct pop3_client_step step = pop3_client_step(p->client, &in, p->now_ms);
    CHECK(in.len <= before);
    lines_heard(&p->line, (struct bytes){ p->pending.at, before - in.len }, heard_line, p);
    if (step.kind == POP3_CLIENT_LINE)
        told_line(p, &step);
    else if (step.kind == POP3_CLIENT_CONTENT)
        told_content(p, &step);
    if (before > in.len)
        buffer_take(&p->pending, before - in.len);
    return step;
}

static void log_in(struct play *p, const struct pop3_client_step *step)
{
    if (p->second) {
        write_out(p);
        CHECK(take_step(p).kind == POP3_CLIENT_NEED_ANSWER);
    }
    CHECK(buffer_printf(&p->log, "log in %d ", step->begins));
    CHECK(buffer_text(&p->log, step->challenge));
    if (p->login == 0) {
        CHECK(step->begins);
        pop3_client_password(p->client, T("bob"), T("pw  "), p->now_ms);
    } else if (p->words == WORDS_MAX) {
        pop3_client_login_failed(p->client, T("that is too much"), p->now_ms);
    } else {
        static char much[300];
        struct sasl_words words = { .mechanism = T("PLAIN"),
                                    .has_words = !step->begins || p->login > 1,
                                    .words = T("\0bob\0pw"),
                                    .may_end = p->login == 1 || p->words > 0 };
        if (p->login == 3)
            words.words = (struct text){ much, sizeof much };
        pop3_client_auth(p->client, &words, p->now_ms);
        p->words++;
    }
}

static bool give_work(struct play *p)
{
    bool did = false;
    while (p->given < p->command_count && pop3_client_may_ask(p->client)) {
        CHECK(pop3_client_ask(p->client, commands[p->given++], p->now_ms));
        did = true;
    }
    if (!p->quit && p->given == p->command_count && pop3_client_may_ask(p->client)) {
        pop3_client_quit(p->client, p->now_ms);
        did = p->quit = true;
    }
    return did;
}

/* Carries out one step; false when it is a wait for the server. */
static bool carry_out(struct play *p, const struct pop3_client_step *step)
{
    switch (step->kind) {
    case POP3_CLIENT_NEED_INPUT:
    case POP3_CLIENT_READY:
        CHECK(p->handshake || p->pending.len < POP3_CLIENT_INPUT_MAX);
        if (give_work(p))
            return true;
        write_out(p);
        return false;
    case POP3_CLIENT_LOG_IN:
        log_in(p, step);
        return true;
    case POP3_CLIENT_START_TLS:
        CHECK(p->pending.len == 0);
        write_out(p);
        p->handshake = true;
        return false;
    case POP3_CLIENT_BEGINS:
        check_command(p, step);
        CHECK(!p->begun);
        p->begun = true;
        return true;
    case POP3_CLIENT_LINE:
    case POP3_CLIENT_CONTENT:
        return true;
    case POP3_CLIENT_ANSWERED:
        answered(p, step);
        return true;
    default:
        CHECK(step->kind == POP3_CLIENT_CLOSE);
        write_out(p);
        closed(p);
        return false;
    }
}

static void pump(struct play *p)
{
    struct pop3_client_step step;
    do
        step = take_step(p);
    while (carry_out(p, &step));
}

/* ---- what the server does ---- */

static void happen(struct play *p, uint8_t what)
{
    if (what == 'e' || what == 'b') {
        pop3_client_input_ended(p->client, what == 'e' ? T("") : T("broken"));
    } else if (what == 'w') {
        uint64_t deadline = pop3_client_deadline_ms(p->client);
        CHECK(deadline > p->now_ms);
        p->now_ms = deadline == UINT64_MAX ? p->now_ms + 1000 : deadline;
    } else if (p->handshake) {
        p->handshake = false;
        p->has_tls = true;
        p->pipelining = false;
        pop3_client_tls_started(p->client, p->now_ms);
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
    static const enum pop3_client_tls tls[] = { POP3_CLIENT_TLS_NEVER, POP3_CLIENT_TLS_NEVER,
                                                POP3_CLIENT_TLS_IF_OFFERED, POP3_CLIENT_TLS_MUST };
    uint8_t flags = settings[0];
    p->config = (struct pop3_client_config){
        .tls = tls[flags % 4],
        .secured = flags & 4,
        .utf8 = flags & 8,
        .language = flags & 16 ? T("de") : T(""),
        .content_octets_max = flags & 32 ? 100 : 0,
        .greeting_ms = 1000,
        .command_ms = 1000,
        .content_ms = 1000,
    };
    p->login = flags >> 6;
    p->command_count = settings[1] % (COMMANDS + 1);
}

static void play(struct play *p, const uint8_t *data, size_t size)
{
    set_up(p, data);
    p->data = data + 2;
    p->size = size - 2;
    p->client = pop3_client_new(&p->config, p->now_ms);
    CHECK(p->client);
    buffer_init(&p->pending, BUFFER_MAX);
    buffer_init(&p->log, BUFFER_MAX);
    buffer_init(&p->said, BUFFER_MAX);
    buffer_init(&p->line, BUFFER_MAX);
    buffer_init(&p->due, BUFFER_MAX);
    CHECK(buffer_byte(&p->due, false)); /* the greeting */
    pump(p);
    while (p->size && !p->closed)
        serve(p);
    if (!p->closed)
        happen(p, 'e');
    CHECK(p->closed);
    pop3_client_free(&p->client);
    buffer_clear(&p->pending);
    buffer_clear(&p->said);
    buffer_clear(&p->line);
    buffer_clear(&p->due);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct play first = { .second = false }, second = { .second = true };
    play(&first, data, size);
    play(&second, data, size);
    CHECK(text_equal(buffer_as_text(&first.log), buffer_as_text(&second.log)));
    buffer_clear(&first.log);
    buffer_clear(&second.log);
    return 0;
}
