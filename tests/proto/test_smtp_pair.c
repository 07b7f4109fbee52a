/* test_smtp_pair.c - the client machine and the server machine joined in memory, with no loop.
 *
 * Messages of many shapes go across, with and without PIPELINING and CHUNKING, in pieces of any
 * size in both directions.  What the server commits must be what the client was given, octet for
 * octet, for exactly the recipients whom it accepted, and both must agree on what became of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "proto/smtp_client.h"
#include "smtp_driver.h"

#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 4 << 20, WIRE_MAX = 1 << 24, LETTERS_MAX = 400 };
static const uint64_t now_ms = 1000000;

/* ---- messages ---- */

struct letter {
    struct smtp_client_message message;
    struct buffer content;
    unsigned committed; /* times */
    bool told;
};

static struct letter letters[LETTERS_MAX];
static unsigned letter_count;
static size_t octets_max; /* larger messages are left out */

static const struct smtp_client_recipient people[] = {
    { .address = TEXT("bob@b.example"), .notify = NOTIFY_NEVER },
    { .address = TEXT("nosuch@b.example") },
    { .address = TEXT("carol@b.example"),
      .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
      .orcpt = TEXT("rfc822;Carol+2BX@a.example") },
    { .address = TEXT("slow@b.example"), .notify = NOTIFY_DELAY },
    { .address = TEXT("\"d e\"@b.example"), .orcpt = TEXT("utf-8;d\\x{20}\\x{E9}@b.example") },
};
enum { PEOPLE = sizeof people / sizeof *people };

/* The content gets a last line end if it has none: so it is stored. */
static struct letter *add_letter(struct text content)
{
    struct letter *l = &letters[letter_count++];
    struct content_counter counter;
    assert_true(letter_count <= LETTERS_MAX);
    buffer_init(&l->content, CONTENT_MAX);
    assert_true(buffer_text(&l->content, content));
    content_counter_init(&counter);
    content_count(&counter, bytes_of_text(content));
    if (!counter.facts.ends_with_crlf)
        buffer_text(&l->content, T("\r\n"));
    l->message = (struct smtp_client_message){
        .sender = T("alice@a.example"),
        .octets = l->content.len,
        .eight_bit = counter.facts.eight_bit,
        .dot_lines = counter.facts.dot_lines,
        .ret = letter_count % 2 ? T("FULL") : T("HDRS"),
        .envid = T("QQ+2B3"),
        .recipients = &people[letter_count % 2 * 2], /* bob or carol first */
        .recipient_count = 1 + letter_count % 3,
    };
    return l;
}

static void add_repeated(struct text piece, size_t times)
{
    struct buffer b;
    if (piece.len * times > octets_max)
        return;
    buffer_init(&b, CONTENT_MAX);
    for (size_t i = 0; i < times; i++)
        buffer_text(&b, piece);
    add_letter(buffer_as_text(&b));
    buffer_clear(&b);
}

/* A dot at each place of a text of three lines. */
static void add_dots(void)
{
    static const char lines[] = "ab\r\n\r\ncd\r\n";
    for (size_t at = 0; at < sizeof lines - 2; at++) {
        char text[sizeof lines + 1];
        if (at > 0 && lines[at] == '\n')
            continue; /* would part a CR from its LF */
        memcpy(text, lines, at);
        text[at] = '.';
        memcpy(text + at + 1, lines + at, sizeof lines - at);
        add_letter(text_of(text));
    }
}

/* Lengths around everything that has a size: blocks, pieces, the room in the output, chunks. */
static void add_lengths(void)
{
    static const size_t edges[] = { 1, 16, 512, 1000, 4096, 16384, 65536, 131072 };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t len = edges[i] - 1; len <= edges[i] + 3; len++) {
            add_repeated(T("x"), len);
            if (i >= 6)
                add_repeated(T(".\r\n"), len / 3);
        }
    add_repeated(T("0123456789abcd\r\n"), (1 << 20) / 16); /* one chunk, and one octet more */
    add_repeated(T("x"), (1 << 20) - 1);
}

static void make_letters(void)
{
    static const struct text shapes[] = {
        TEXT(""),
        TEXT("\r\n"),
        TEXT("\r\n\r\n"),
        TEXT("."),
        TEXT(".."),
        TEXT(".\r\n"),
        TEXT(".\r\n.\r\n"),
        TEXT("..\r\n...\r\n"),
        TEXT("x\r\n.\r\nMAIL FROM:<evil@a.example>\r\n"),
        TEXT("\r\nbody without a header"),
        TEXT("Subject: hi\r\n\r\nbody\r\n"),
        TEXT("no header, one line"),
        TEXT("caf\xc3\xa9\r\n"),
        TEXT("\x80\xff\xfe\r\n"),
        TEXT("tab\tand \x01 control\r\n"),
        TEXT(" leading space\r\n"),
        TEXT("RSET\r\nQUIT\r\n"),
        TEXT("BDAT 5 LAST\r\nabcde\r\n"),
        TEXT("trailing dot.\r\n"),
        TEXT("\r\n.\r\n"),
        TEXT("Received: a\r\nReceived: b\r\n\r\n.hidden\r\n"),
    };
    letter_count = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        add_letter(shapes[i]);
    add_dots();
    add_lengths();
    add_repeated(T("0123456789abcde\r\n"), 2500 * 1024 / 17);
    /* What the server refuses at its different moments. */
    add_letter(T("refused at MAIL"))->message.sender = T("nosuch@a.example");
    add_letter(T("refused at DATA"))->message.sender = T("banned@a.example");
    add_letter(T("put off at DATA"))->message.sender = T("full@a.example");
    add_letter(T("refused at the end"))->message.sender = T("spam@a.example");
    add_letter(T("put off at the end"))->message.sender = T("late@a.example");
    struct letter *l = add_letter(T("for nobody"));
    l->message.recipients = &people[1];
    l->message.recipient_count = 1;
    add_letter(T("from nobody"))->message.sender = T("");
}

static void free_letters(void)
{
    for (unsigned i = 0; i < letter_count; i++)
        buffer_clear(&letters[i].content);
}

/* ---- two machines and a wire ---- */

/* What the client says to log in, for the server of smtp_driver.h. */
struct login {
    struct text mechanism, words[2];
    bool has_initial;
};
static const struct login logins[] = {
    { TEXT("PLAIN"), { TEXT("\0bob\0secret") }, true },
    { TEXT("PLAIN"), { TEXT("\0bob\0secret") }, false },
    { TEXT("LOGIN"), { TEXT("bob"), TEXT("secret") }, false },
};

struct pair {
    struct smtp_client *client;
    struct smtp_server *server;
    struct driver driver;
    struct buffer to_server, to_client; /* on the wire */
    size_t heard;                       /* octets of to_server that were taken */
    struct buffer committing;           /* the body so far */
    struct text hidden[3];              /* extensions that are spoiled on the wire */
    uint32_t seed;
    size_t piece_max;
    unsigned given, sent, received;
    bool eager, quit, over;
    const struct login *login; /* NULL: nobody logs in */
    unsigned words;            /* of the login, that were said */
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

static void hide_offers(struct pair *p)
{
    for (size_t i = 0; i < sizeof p->hidden / sizeof *p->hidden; i++) {
        char *at = p->hidden[i].len ? memmem(p->to_client.at, p->to_client.len, p->hidden[i].at,
                                             p->hidden[i].len)
                                    : NULL;
        if (at)
            *at = 'X';
    }
}

/* ---- the server's side ---- */

static void check_committed(struct pair *p)
{
    struct letter *l = &letters[p->received];
    while (l->told || l->message.octets != p->committing.len ||
           (l->content.len && memcmp(l->content.at, p->committing.at, l->content.len) != 0)) {
        l++; /* what was refused before its end is never seen here */
        assert_true(l < &letters[letter_count]);
    }
    assert_true(l < &letters[p->given]);
    p->received = (unsigned)(l - letters);
    l->committed++;
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < l->message.recipient_count; i++) {
        struct text to = l->message.recipients[i].address;
        accepted += !text_starts(to, T("nosuch")) && !text_starts(to, T("slow"));
    }
    assert_int_equal(smtp_server_recipient_count(p->server), accepted);
    struct text sender = address_text(smtp_server_sender(p->server));
    assert_true(text_equal(sender, l->message.sender));
}

/* What the client was given of RFC 3461 arrives as it was, or not at all. */
static void check_dsn(const struct pair *p, const struct smtp_step *step)
{
    bool offered = p->hidden[2].len == 0;
    if (step->kind == SMTP_CHECK_SENDER) {
        assert_int_equal(step->mail->ret.len, offered ? 4 : 0);
        assert_true(text_equal(step->mail->envid, offered ? T("QQ+2B3") : T("")));
    } else if (step->kind == SMTP_CHECK_RECIPIENT) {
        const struct smtp_client_recipient *to = people;
        while (!text_equal(to->address, address_text(step->address)))
            to++;
        assert_int_equal(step->rcpt->notify, offered ? to->notify : NOTIFY_DEFAULT);
        assert_true(text_equal(step->rcpt->orcpt, offered ? to->orcpt : T("")));
    }
}

/* False: it waits. */
static bool step_server(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->to_server);
    in = (struct bytes){ in.at + p->heard, in.len - p->heard };
    struct smtp_step step = smtp_server_step(p->server, &in, now_ms);
    p->heard = p->to_server.len - in.len;
    if (step.kind == SMTP_APPEND_BODY)
        buffer_append(&p->committing, step.body.at, step.body.len);
    struct bytes out = smtp_server_output(p->server);
    switch (step.kind) {
    case SMTP_NEED_INPUT:
    case SMTP_NEED_DRAIN:
    case SMTP_CLOSE:
        buffer_take(&p->to_server, p->heard);
        p->heard = 0;
        smtp_server_drained(p->server, carry(p, &p->to_client, out));
        hide_offers(p);
        if (step.kind == SMTP_CLOSE && smtp_server_output(p->server).len == 0)
            p->over = true;
        return false;
    case SMTP_APPEND_BODY:
    case SMTP_GO_ON:
        return true;
    case SMTP_ABANDON_MESSAGE:
    case SMTP_FORGET:
        buffer_clear(&p->committing);
        return true;
    default:
        assert_int_not_equal(step.kind, SMTP_NEED_ANSWER);
        check_dsn(p, &step);
        if (step.kind == SMTP_COMMIT_MESSAGE)
            check_committed(p);
        smtp_server_answer(p->server, step.request, driver_answer(&p->driver, p->server, &step),
                           now_ms);
        if (step.kind == SMTP_COMMIT_MESSAGE)
            buffer_clear(&p->committing);
        return true;
    }
}

/* ---- the client's side ---- */

/* What the names of sender and recipient make the server say: see smtp_driver.h. */
static void check_result(const struct smtp_client_message *m, uint32_t i,
                         const struct smtp_client_result *r, const struct pair *p)
{
    static const struct {
        const char *name;
        bool is_sender;
        unsigned code;
        enum smtp_client_where where;
    } rules[] = {
        { "nosuch@a", true, 553, AT_MAIL },     { "nosuch@b", false, 550, AT_RCPT },
        { "slow@b", false, 451, AT_RCPT },      { "banned@", true, 554, AT_DATA },
        { "full@", true, 452, AT_DATA },        { "spam@", true, 554, AT_END_OF_DATA },
        { "late@", true, 451, AT_END_OF_DATA },
    };
    for (size_t j = 0; j < sizeof rules / sizeof *rules; j++) {
        struct text name = rules[j].is_sender ? m->sender : m->recipients[i].address;
        if (!text_starts(name, text_of(rules[j].name)))
            continue;
        assert_int_equal(r->code, rules[j].code);
        /* BDAT has no reply before its octets. */
        assert_true(r->where == rules[j].where ||
                    (r->where == AT_END_OF_DATA && rules[j].where == AT_DATA));
        assert_int_equal(r->permanent, rules[j].code >= 500);
        return;
    }
    assert_true(r->delivered);
    assert_int_equal(r->relayed_without_dsn, p->hidden[2].len != 0);
    assert_true(text_starts(r->reply, T("250 2.0.0 accepted as M")));
    assert_int_equal(letters[p->sent - 1].committed, 1);
}

static void told(struct pair *p, const struct smtp_client_message *m)
{
    struct letter *l = &letters[p->sent++];
    assert_ptr_equal(m, &l->message);
    for (uint32_t i = 0; i < m->recipient_count; i++)
        check_result(m, i, smtp_client_result(p->client, i), p);
    l->told = true;
}

static bool work(struct pair *p, bool ready)
{
    bool may = smtp_client_may_send(p->client);
    if (p->quit || !(ready || (p->eager && may)))
        return false;
    if (p->given < letter_count) {
        assert_true(smtp_client_send(p->client, &letters[p->given++].message, now_ms));
    } else {
        smtp_client_quit(p->client, now_ms);
        p->quit = true;
    }
    return true;
}

static void log_in(struct pair *p, const struct smtp_client_step *step)
{
    const struct login *l = p->login;
    struct sasl_words words = { .may_end = true };
    if (step->begins)
        words.mechanism = l->mechanism;
    words.has_words = !step->begins || l->has_initial;
    if (words.has_words)
        words.words = l->words[p->words++];
    smtp_client_auth(p->client, &words, now_ms);
}

static bool step_client(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->to_client);
    size_t before = in.len;
    struct smtp_client_step step = smtp_client_step(p->client, &in, now_ms);
    buffer_take(&p->to_client, before - in.len);
    struct bytes body, out;
    switch (step.kind) {
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_READY:
        if (work(p, step.kind == SMTP_CLIENT_READY))
            return true;
        __attribute__((fallthrough));
    case SMTP_CLIENT_NEED_DRAIN:
        out = smtp_client_output(p->client);
        smtp_client_drained(p->client, carry(p, &p->to_server, out));
        return false;
    case SMTP_CLIENT_READ_BODY:
        body = buffer_bytes(&letters[p->sent].content);
        body = (struct bytes){ body.at + step.offset, body.len - (size_t)step.offset };
        if (p->piece_max) {
            size_t count = pick(p, p->piece_max * 7);
            body.len = count < body.len ? count : body.len;
        }
        smtp_client_body(p->client, body, now_ms);
        return true;
    case SMTP_CLIENT_MAY_FINISH:
        smtp_client_finish(p->client, now_ms);
        return true;
    case SMTP_CLIENT_AUTH:
        log_in(p, &step);
        return true;
    case SMTP_CLIENT_SENT:
        told(p, step.message);
        return true;
    default:
        assert_int_equal(step.kind, SMTP_CLIENT_CLOSE);
        assert_null(smtp_client_failure(p->client));
        assert_int_equal(smtp_client_output(p->client).len, 0);
        p->over = true;
        return false;
    }
}

static void play(struct pair *p)
{
    static const struct smtp_server_config server_config = {
        .hostname = TEXT("mx.b.example"),
        .command_ms = 300000,
        .message_ms = 3600000,
        .mechanisms = TEXT("PLAIN LOGIN"),
    };
    static const struct smtp_server_peer peer = { .trusted = false };
    const struct smtp_client_config client_config = { .hostname = T("a.example"),
                                                      .login = p->login != NULL };
    for (unsigned i = 0; i < letter_count; i++) {
        letters[i].committed = 0;
        letters[i].told = false;
    }
    p->client = smtp_client_new(&client_config, now_ms);
    p->server = smtp_server_new(&server_config, &peer, now_ms);
    assert_non_null(p->client);
    assert_non_null(p->server);
    driver_init(&p->driver);
    buffer_init(&p->to_server, WIRE_MAX);
    buffer_init(&p->to_client, WIRE_MAX);
    buffer_init(&p->committing, CONTENT_MAX);
    while (!p->over) {
        while (step_server(p))
            ;
        p->over = false; /* the client still has to hear it */
        while (step_client(p))
            ;
    }
    assert_int_equal(p->sent, letter_count);
    assert_int_equal(smtp_client_offers(p->client)->pipelining, p->hidden[0].len == 0);
    assert_int_equal(smtp_client_offers(p->client)->chunking, p->hidden[1].len == 0);
    smtp_client_free(&p->client);
    smtp_server_free(&p->server);
    driver_clear(&p->driver);
    buffer_clear(&p->to_server);
    buffer_clear(&p->to_client);
    buffer_clear(&p->committing);
}

/* Small pieces with small messages, which have all the shapes; large ones in large pieces. */
static void test_pair(void **state)
{
    (void)state;
    static const struct {
        size_t piece_max, octets_max;
    } worlds[] = { { 0, SIZE_MAX }, { 7, 1000 }, { 100, 5000 }, { 50000, SIZE_MAX } };
    for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
        octets_max = worlds[i].octets_max;
        make_letters();
        print_message("%u messages\n", letter_count);
        for (unsigned mode = 0; mode < 16; mode++) {
            struct pair p = { .eager = mode & 4, .piece_max = worlds[i].piece_max, .seed = mode };
            if (mode & 1)
                p.hidden[0] = T("PIPELINING");
            if (mode & 2)
                p.hidden[1] = T("CHUNKING");
            if (mode & 8)
                p.hidden[2] = T("DSN");
            if (mode < sizeof logins / sizeof *logins)
                p.login = &logins[mode];
            play(&p);
            assert_true(!p.login || p.words > 0);
        }
        free_letters();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_pair) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
