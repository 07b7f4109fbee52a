/* test_pop3_pair.c - the POP3 client machine and the server machine joined in memory, with no loop.
 *
 * A maildrop of messages of many shapes is listed, read and half deleted, with and without
 * PIPELINING, over each way to log in, in pieces of any size in both directions.  What the client
 * is told must be what the server has, octet for octet, and both must agree on what is deleted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "base/buffer.h"
#include "proto/dot.h"
#include "proto/pop3_client.h"
#include "proto/pop3_server.h"

#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 4 << 20, WIRE_MAX = 1 << 24, MAILS_MAX = 100 };
static const uint64_t now_ms = 1000000;

/* ---- messages ---- */

static struct buffer mails[MAILS_MAX];
static struct pop3_message messages[MAILS_MAX];
static uint32_t mail_count;
static uint64_t octets_of_all;

static void add_mail(struct text content, size_t times)
{
    struct buffer *b = &mails[mail_count];
    struct content_counter counter;
    assert_true(mail_count < MAILS_MAX);
    buffer_init(b, CONTENT_MAX);
    for (size_t i = 0; i < times; i++)
        assert_true(buffer_text(b, content));
    content_counter_init(&counter);
    content_count(&counter, buffer_bytes(b));
    assert_true(counter.facts.ends_with_crlf);
    messages[mail_count] = (struct pop3_message){ .octets = b->len,
                                                  .uidl_message = 1000 + mail_count,
                                                  .uidl_placement = mail_count % 3,
                                                  .dot_lines = counter.facts.dot_lines };
    octets_of_all += b->len;
    mail_count++;
}

static void make_mails(size_t octets_max)
{
    static const struct text shapes[] = {
        TEXT(""),
        TEXT("\r\n"),
        TEXT("\r\n\r\n"),
        TEXT(".\r\n"),
        TEXT(".\r\n.\r\n"),
        TEXT("..\r\n...\r\n"),
        TEXT("Subject: hi\r\n\r\nbody\r\n.\r\n+OK\r\n-ERR\r\n"),
        TEXT("\r\n.hidden\r\n"),
        TEXT("caf\xc3\xa9 \x80\xff\r\n"),
        TEXT("bare \r and \n and \r.\r\n"),
    };
    static const char lines[] = "ab\r\n\r\ncd\r\n";
    static const size_t lengths[] = { 15, 16, 17, 511, 4095, 4096, 16384, 65534, 65536, 200000 };
    mail_count = 0;
    octets_of_all = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        add_mail(shapes[i], 1);
    for (size_t at = 0; at < sizeof lines - 2; at++) { /* a dot at each place of three lines */
        char text[sizeof lines + 1];
        if (at > 0 && lines[at] == '\n')
            continue; /* would part a CR from its LF */
        memcpy(text, lines, at);
        text[at] = '.';
        memcpy(text + at + 1, lines + at, sizeof lines - at);
        add_mail(text_of(text), 1);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths && lengths[i] <= octets_max; i++) {
        add_mail(T(".\r\n"), lengths[i] / 3);
        add_mail(T("0123456789abcd\r\n"), lengths[i] / 16);
    }
}

static void free_mails(void)
{
    for (uint32_t i = 0; i < mail_count; i++)
        buffer_clear(&mails[i]);
}

/* ---- what the client asks ---- */

enum { OF_EACH = 5, COMMANDS_MAX = 3 + MAILS_MAX * OF_EACH };
static struct pop3_client_command commands[COMMANDS_MAX];
static unsigned command_count;

static bool is_deleted(uint32_t message)
{
    return message % 2 == 0;
}

/* Every message is listed and read, every other one deleted. */
static void make_commands(void)
{
    command_count = 0;
    commands[command_count++] = (struct pop3_client_command){ .verb = POP3_CLIENT_STAT };
    commands[command_count++] = (struct pop3_client_command){ .verb = POP3_CLIENT_LIST };
    commands[command_count++] = (struct pop3_client_command){ .verb = POP3_CLIENT_UIDL };
    for (uint32_t i = 1; i <= mail_count; i++) {
        const struct pop3_client_command of_each[OF_EACH] = {
            { POP3_CLIENT_LIST, i, 0 },
            { POP3_CLIENT_UIDL, i, 0 },
            { POP3_CLIENT_TOP, i, UINT32_MAX },
            { POP3_CLIENT_RETR, i, 0 },
            { is_deleted(i - 1) ? POP3_CLIENT_DELE : POP3_CLIENT_NOOP, is_deleted(i - 1) ? i : 0,
              0 },
        };
        memcpy(&commands[command_count], of_each, sizeof of_each);
        command_count += OF_EACH;
    }
}

/* ---- two machines and a wire ---- */

enum login { BY_PASS, BY_PLAIN, BY_PLAIN_LATER, LOGINS };

struct pair {
    struct pop3_client *client;
    struct pop3_server *server;
    struct buffer to_server, to_client; /* on the wire */
    size_t heard;                       /* octets of to_client that were taken */
    struct buffer content;              /* of the message that is coming */
    uint32_t seed;
    size_t piece_max;
    enum login login;
    bool hides_pipelining, server_starts_tls, client_starts_tls;
    unsigned given, answered;
    uint32_t lines; /* of the list that is coming */
    uint32_t updated;
    bool quit, over;
};

static size_t pick(struct pair *p, size_t max)
{
    p->seed = p->seed * 1664525u + 1013904223u;
    return 1 + (p->seed >> 8) % max;
}

/* Octets go from a machine to the wire as they are written, some at a time. */
static size_t carry(struct pair *p, struct buffer *wire, struct bytes out)
{
    size_t count = p->piece_max ? pick(p, p->piece_max) : out.len;
    if (count > out.len)
        count = out.len;
    assert_true(buffer_append(wire, out.at, count));
    return count;
}

static void hide_pipelining(struct pair *p)
{
    char *at = p->hides_pipelining && p->answered == 0 && p->to_client.len
                   ? memmem(p->to_client.at, p->to_client.len, "PIPELINING", 10)
                   : NULL;
    if (at)
        *at = 'X';
}

/* ---- the server's side ---- */

static void check_update(struct pair *p, const struct pop3_step *step)
{
    p->updated = step->deleted_count;
    for (uint32_t i = 0; i < step->deleted_count; i++)
        assert_int_equal(step->deleted[i], i * 2);
}

static struct pop3_answer answer_to(struct pair *p, const struct pop3_step *step)
{
    struct pop3_answer a = { .count = mail_count, .octets = octets_of_all, .messages = messages };
    switch (step->kind) {
    case POP3_LOGIN:
        assert_true(text_equal(step->user, T("bob")));
        assert_true(text_equal(step->password, T("open sesame")));
        break;
    case POP3_AUTH_STEP:
        if (step->mechanism.len && !step->initial)
            a.verdict = POP3_CONTINUE;
        else
            assert_true(text_equal(step->words, T("\0bob\0open sesame")));
        break;
    case POP3_READ:
        a.content = buffer_bytes(&mails[step->message]);
        a.content.at += step->offset;
        a.content.len -= (size_t)step->offset;
        if (p->piece_max) {
            size_t count = pick(p, p->piece_max * 7);
            a.content.len = count < a.content.len ? count : a.content.len;
        }
        break;
    case POP3_UPDATE:
        check_update(p, step);
        break;
    default:
        assert_int_equal(step->kind, POP3_LIST);
    }
    return a;
}

/* False: it waits. */
static bool step_server(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->to_server);
    size_t before = in.len;
    struct pop3_step step = pop3_server_step(p->server, &in, now_ms);
    bool asks = false;
    switch (step.kind) {
    case POP3_START_TLS:
        p->server_starts_tls = true;
        __attribute__((fallthrough));
    case POP3_NEED_INPUT:
    case POP3_NEED_DRAIN:
    case POP3_CLOSE:
        pop3_server_drained(p->server, carry(p, &p->to_client, pop3_server_output(p->server)));
        hide_pipelining(p);
        break;
    default:
        pop3_server_answer(p->server, step.request, answer_to(p, &step), now_ms);
        asks = true;
    }
    buffer_take(&p->to_server, before - in.len);
    return asks;
}

/* ---- the client's side ---- */

static void check_unique_id(struct text unique_id, uint32_t message)
{
    char room[POP3_UIDL_MAX + 1];
    assert_true(text_equal(unique_id, pop3_uidl(&messages[message - 1], room)));
}

static void check_line(struct pair *p, const struct pop3_client_step *step)
{
    assert_int_equal(step->number, ++p->lines);
    if (step->command.verb == POP3_CLIENT_LIST)
        assert_int_equal(step->octets, messages[step->number - 1].octets);
    else
        check_unique_id(step->unique_id, step->number);
}

static void check_answer(struct pair *p, const struct pop3_client_step *step)
{
    const struct pop3_client_command *asked = &commands[p->answered++];
    const struct pop3_client_result *r = step->result;
    const struct buffer *mail = asked->message ? &mails[asked->message - 1] : NULL;
    assert_memory_equal(asked, &step->command, sizeof *asked);
    assert_int_equal(r->verdict, POP3_CLIENT_YES);
    if (asked->verb == POP3_CLIENT_STAT) {
        assert_int_equal(r->count, mail_count);
        assert_int_equal(r->octets, octets_of_all);
    } else if (asked->verb == POP3_CLIENT_UIDL && mail) {
        check_unique_id(r->unique_id, asked->message);
    } else if (asked->verb == POP3_CLIENT_LIST && mail) {
        assert_int_equal(r->octets, mail->len);
    } else if (asked->verb == POP3_CLIENT_TOP || asked->verb == POP3_CLIENT_RETR) {
        assert_int_equal(r->octets, mail->len);
        assert_int_equal(p->content.len, mail->len);
        if (mail->len)
            assert_memory_equal(p->content.at, mail->at, mail->len);
    } else if (asked->verb == POP3_CLIENT_LIST || asked->verb == POP3_CLIENT_UIDL) {
        assert_int_equal(r->count, mail_count);
        assert_int_equal(p->lines, mail_count);
    }
    p->lines = 0;
    buffer_clear(&p->content);
}

static bool work(struct pair *p)
{
    bool did = false;
    for (; p->given < command_count && pop3_client_may_ask(p->client); did = true)
        assert_true(pop3_client_ask(p->client, commands[p->given++], now_ms));
    if (!p->quit && p->given == command_count && pop3_client_may_ask(p->client)) {
        pop3_client_quit(p->client, now_ms);
        did = p->quit = true;
    }
    return did;
}

static void log_in(struct pair *p, const struct pop3_client_step *step)
{
    struct sasl_words words = { .mechanism = T("PLAIN"),
                                .words = T("\0bob\0open sesame"),
                                .has_words = true,
                                .may_end = true };
    if (p->login == BY_PASS) {
        pop3_client_password(p->client, T("bob"), T("open sesame"), now_ms);
        return;
    }
    if (p->login == BY_PLAIN_LATER && step->begins) {
        words.has_words = false;
        words.words = T("");
    }
    pop3_client_auth(p->client, &words, now_ms);
}

static void check_end(const struct pair *p)
{
    const struct pop3_client_offers *o = pop3_client_offers(p->client);
    assert_null(pop3_client_failure(p->client));
    assert_int_equal(pop3_client_deletions(p->client), POP3_CLIENT_DELETED);
    assert_int_equal(p->updated, (mail_count + 1) / 2);
    assert_int_equal(o->pipelining, !p->hides_pipelining);
    assert_true(o->capa && o->user && o->top && o->uidl && o->resp_codes && o->auth_resp_code);
    assert_true(o->utf8 && o->lang);
    assert_true(pop3_client_used_utf8(p->client));
    assert_true(text_equal(o->mechanisms, T("PLAIN")));
    assert_true(text_equal(o->implementation, T("pair")));
    assert_int_equal(o->expire_days, UINT32_MAX);
}

static bool step_client(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->to_client);
    in = (struct bytes){ in.at + p->heard, in.len - p->heard };
    struct pop3_client_step step = pop3_client_step(p->client, &in, now_ms);
    p->heard = p->to_client.len - in.len;
    bool goes_on = true;
    switch (step.kind) {
    case POP3_CLIENT_NEED_INPUT:
    case POP3_CLIENT_READY:
        goes_on = work(p);
        break;
    case POP3_CLIENT_START_TLS:
        p->client_starts_tls = true;
        goes_on = false;
        break;
    case POP3_CLIENT_LOG_IN:
        log_in(p, &step);
        break;
    case POP3_CLIENT_BEGINS:
        break;
    case POP3_CLIENT_LINE:
        check_line(p, &step);
        break;
    case POP3_CLIENT_CONTENT:
        assert_true(buffer_append(&p->content, step.content.at, step.content.len));
        break;
    case POP3_CLIENT_ANSWERED:
        check_answer(p, &step);
        break;
    default:
        assert_int_equal(step.kind, POP3_CLIENT_CLOSE);
        check_end(p);
        p->over = true;
        goes_on = false;
    }
    if (!goes_on) {
        buffer_take(&p->to_client, p->heard);
        p->heard = 0;
        pop3_client_drained(p->client, carry(p, &p->to_server, pop3_client_output(p->client)));
    }
    return goes_on;
}

/* Both have said and heard all that belongs before it. */
static void shake_hands(struct pair *p)
{
    if (!p->server_starts_tls || !p->client_starts_tls)
        return;
    assert_int_equal(p->to_client.len + p->to_server.len, 0);
    p->server_starts_tls = p->client_starts_tls = false;
    pop3_server_tls_started(p->server, now_ms);
    pop3_client_tls_started(p->client, now_ms);
    assert_true(pop3_client_used_tls(p->client));
}

static void play(struct pair *p, bool tls)
{
    const struct pop3_server_config server_config = { .hostname = T("mx.test"),
                                                      .implementation = T("pair"),
                                                      .line_octets_max = 4096,
                                                      .idle_ms = 600000,
                                                      .offer_tls = tls,
                                                      .mechanisms = T("PLAIN") };
    const struct pop3_server_peer peer = { .cleartext = !tls };
    const struct pop3_client_config client_config = { .tls = POP3_CLIENT_TLS_IF_OFFERED,
                                                      .utf8 = true,
                                                      .language = T("i-default") };
    p->server = pop3_server_new(&server_config, &peer, now_ms);
    p->client = pop3_client_new(&client_config, now_ms);
    assert_non_null(p->server);
    assert_non_null(p->client);
    buffer_init(&p->to_server, WIRE_MAX);
    buffer_init(&p->to_client, WIRE_MAX);
    buffer_init(&p->content, CONTENT_MAX);
    make_commands();
    while (!p->over) {
        if (!p->server_starts_tls || pop3_server_output(p->server).len)
            while (step_server(p))
                ;
        if (!p->client_starts_tls)
            while (step_client(p))
                ;
        shake_hands(p);
    }
    assert_int_equal(p->answered, command_count);
    assert_int_equal(pop3_client_used_tls(p->client), tls);
    pop3_client_free(&p->client);
    pop3_server_free(&p->server);
    buffer_clear(&p->to_server);
    buffer_clear(&p->to_client);
    buffer_clear(&p->content);
}

/* Small pieces with small messages, which have all the shapes; large ones in large pieces. */
static void test_pair(void **state)
{
    (void)state;
    static const struct {
        size_t piece_max, octets_max;
    } worlds[] = { { 0, SIZE_MAX }, { 3, 20 }, { 30, 600 }, { 500, 5000 }, { 50000, SIZE_MAX } };
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        make_mails(worlds[i].octets_max);
        for (unsigned mode = 0; mode < 4 * LOGINS; mode++) {
            struct pair p = { .piece_max = worlds[i].piece_max,
                              .seed = mode,
                              .login = (enum login)(mode / 4),
                              .hides_pipelining = mode & 1 };
            play(&p, mode & 2);
        }
        free_mails();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pair) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
