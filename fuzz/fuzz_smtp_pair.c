/* fuzz_smtp_pair.c - our client and our server joined in memory, with cuts at random and, if the
 * input says so, a connection that breaks somewhere: what comes in is what went out.
 *
 * Three octets choose what the server offers and refuses, one the cuts, two where the connection
 * breaks; the rest is the content of messages, a zero octet between them.
 *
 *   - what the server commits is a message that the client was given, octet for octet, and each at
 *     most once;
 *   - a recipient is delivered only if the server committed the message with him among its
 *     recipients; and one who is not, though the server did, is in doubt: the connection broke
 *     between the end and its reply;
 *   - nobody is refused for good who was not refused so;
 *   - the session ends, and the server keeps no message open.
 */
#include "proto/smtp_client.h"
#include "proto/smtp_server.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LETTERS = 4, PEOPLE = 3, SETTINGS = 6 };

/* The second one is put off, the third refused, when that is wanted. */
static const struct smtp_client_recipient people[PEOPLE] = {
    { .address = TEXT("ann@b.example"), .notify = NOTIFY_SUCCESS },
    { .address = TEXT("dan@b.example"), .orcpt = TEXT("rfc822;d+2Bn@b.example") },
    { .address = TEXT("rob@b.example"), .notify = NOTIFY_NEVER },
};

struct letter {
    struct smtp_client_message message;
    struct buffer content;
    bool committed[PEOPLE], is_committed, told, in_doubt;
};

struct pair {
    struct wire wire;
    unsigned flags;
    struct letter letters[LETTERS];
    unsigned letter_count, given, told;
    struct smtp_client *client;
    struct smtp_server *server;
    struct buffer committing;
    bool message_open, server_over, client_over, quit;
};

enum {
    DEFERS = 1,
    REFUSES = 2,
    NO_PIPELINING = 4,
    NO_CHUNKING = 8,
    EAGER = 16,
    FEW_RECIPIENTS = 32,
    SMALL = 64,
    DEFERS_AT_THE_END = 128,
    REFUSES_AT_THE_END = 256,
    REFUSES_SENDER = 512,
};

/* ---- the wire ---- */

static void break_it(struct pair *p)
{
    p->wire.broken = true;
    if (!p->client_over)
        smtp_client_input_ended(p->client, T("it broke"));
    if (!p->server_over)
        smtp_server_input_ended(p->server);
}

/* ---- the server ---- */

static bool is_from(const struct letter *l, const struct smtp_server *server)
{
    return text_equal(l->message.sender, address_text(smtp_server_sender(server)));
}

/* Every letter has a sender of its own. */
static struct letter *letter_of(struct pair *p)
{
    unsigned i = 0;
    while (i < p->given && !is_from(&p->letters[i], p->server))
        i++;
    CHECK(i < p->given);
    return &p->letters[i];
}

static void commit(struct pair *p)
{
    struct letter *l = letter_of(p);
    CHECK(!l->is_committed);
    CHECK(!l->told || l->in_doubt);
    CHECK(text_equal(buffer_as_text(&p->committing), buffer_as_text(&l->content)));
    l->is_committed = true;
    for (uint32_t i = 0; i < l->message.recipient_count; i++)
        l->committed[i] = !((i == 1 && p->flags & DEFERS) || (i == 2 && p->flags & REFUSES) ||
                            (i > 0 && p->flags & FEW_RECIPIENTS));
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->message.recipient_count; i++)
        count += l->committed[i];
    CHECK(smtp_server_recipient_count(p->server) == count);
}

static struct smtp_answer decide(struct pair *p, const struct smtp_step *step)
{
    struct smtp_answer a = { .verdict = SMTP_ACCEPT };
    struct text name = step->address ? address_text(step->address) : T("");
    bool defers =
        (step->kind == SMTP_CHECK_RECIPIENT && text_starts(name, T("dan")) && p->flags & DEFERS) ||
        (step->kind == SMTP_COMMIT_MESSAGE && p->flags & DEFERS_AT_THE_END);
    bool refuses =
        (step->kind == SMTP_CHECK_RECIPIENT && text_starts(name, T("rob")) && p->flags & REFUSES) ||
        (step->kind == SMTP_CHECK_SENDER && text_starts(name, T("s1")) &&
         p->flags & REFUSES_SENDER) ||
        (step->kind == SMTP_COMMIT_MESSAGE && p->flags & REFUSES_AT_THE_END);
    if (defers || refuses)
        a.verdict = refuses ? SMTP_REJECT : SMTP_DEFER;
    else if (step->kind == SMTP_COMMIT_MESSAGE)
        commit(p);
    return a;
}

static void answer(struct pair *p, const struct smtp_step *step)
{
    enum smtp_step_kind kind = step->kind;
    struct smtp_answer a = decide(p, step);
    smtp_server_answer(p->server, step->request, a, 0);
    if (kind == SMTP_OPEN_MESSAGE)
        p->message_open = a.verdict == SMTP_ACCEPT;
    if (kind == SMTP_OPEN_MESSAGE || kind == SMTP_COMMIT_MESSAGE)
        buffer_clear(&p->committing);
    if (kind == SMTP_COMMIT_MESSAGE)
        p->message_open = false;
}

/* False: it waits, or is over. */
static bool step_server(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->wire.to_server);
    size_t before = in.len;
    struct smtp_step step = smtp_server_step(p->server, &in, 0);
    bool goes_on = true;
    switch (step.kind) {
    case SMTP_APPEND_BODY:
        CHECK(p->message_open);
        CHECK(buffer_append(&p->committing, step.body.at, step.body.len));
        break;
    case SMTP_GO_ON:
        break;
    case SMTP_ABANDON_MESSAGE:
        p->message_open = false;
        __attribute__((fallthrough));
    case SMTP_FORGET:
        buffer_clear(&p->committing);
        break;
    case SMTP_CLOSE:
        p->server_over = smtp_server_output(p->server).len == 0 || p->wire.broken;
        __attribute__((fallthrough));
    case SMTP_NEED_INPUT:
    case SMTP_NEED_DRAIN:
        smtp_server_drained(
            p->server, wire_carry(&p->wire, &p->wire.to_client, smtp_server_output(p->server)));
        goes_on = false;
        break;
    default:
        CHECK(step.kind != SMTP_NEED_ANSWER && step.kind != SMTP_NEED_TIME);
        answer(p, &step);
    }
    if (before > in.len)
        buffer_take(&p->wire.to_server, before - in.len);
    return goes_on;
}

/* ---- the client ---- */

static bool was_refused(const struct pair *p, const struct letter *l, uint32_t i)
{
    return p->flags & REFUSES_AT_THE_END || (p->flags & SMALL && l->content.len > 0) ||
           (i == 2 && p->flags & REFUSES) || (l == &p->letters[1] && p->flags & REFUSES_SENDER);
}

static void told(struct pair *p, const struct smtp_client_message *m)
{
    struct letter *l = &p->letters[p->told++];
    CHECK(m == &l->message);
    l->told = true;
    for (uint32_t i = 0; i < m->recipient_count; i++) {
        const struct smtp_client_result *r = smtp_client_result(p->client, i);
        CHECK(!r->delivered || l->committed[i]);
        CHECK(r->delivered || !l->committed[i] || (r->code == 0 && r->where == AT_END_OF_DATA));
        l->in_doubt |= r->code == 0 && r->where == AT_END_OF_DATA;
        CHECK(!r->permanent || was_refused(p, l, i));
        CHECK(p->wire.broken || r->code != 0 || r->where == AT_LOCAL);
    }
}

static bool work(struct pair *p, bool ready)
{
    bool may = smtp_client_may_send(p->client);
    if (p->quit || !(ready || (p->flags & EAGER && may)))
        return false;
    if (may && p->given < p->letter_count) {
        CHECK(smtp_client_send(p->client, &p->letters[p->given++].message, 0));
    } else {
        smtp_client_quit(p->client, 0);
        p->quit = true;
    }
    return true;
}

static bool step_client(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->wire.to_client);
    size_t before = in.len;
    struct smtp_client_step step = smtp_client_step(p->client, &in, 0);
    struct bytes body;
    if (before > in.len)
        buffer_take(&p->wire.to_client, before - in.len);
    switch (step.kind) {
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_READY:
        if (work(p, step.kind == SMTP_CLIENT_READY))
            return true;
        __attribute__((fallthrough));
    case SMTP_CLIENT_NEED_DRAIN:
        smtp_client_drained(
            p->client, wire_carry(&p->wire, &p->wire.to_server, smtp_client_output(p->client)));
        return false;
    case SMTP_CLIENT_READ_BODY:
        body = wire_piece(&p->wire, &p->letters[p->told].content, step.offset, 900);
        smtp_client_body(p->client, body, 0);
        return true;
    case SMTP_CLIENT_MAY_FINISH:
        smtp_client_finish(p->client, 0);
        return true;
    case SMTP_CLIENT_SENT:
        told(p, step.message);
        return true;
    default:
        CHECK(step.kind == SMTP_CLIENT_CLOSE);
        CHECK(p->told == p->given);
        CHECK(p->wire.broken || !smtp_client_failure(p->client));
        p->client_over = true;
        return false;
    }
}

/* ---- one play ---- */

static void add_letter(struct pair *p, struct text words)
{
    static const char senders[LETTERS][16] = { "s0@a.example", "s1@a.example", "s2@a.example", "" };
    struct letter *l = &p->letters[p->letter_count];
    buffer_init(&l->content, WIRE_BUFFER_MAX);
    wire_content(&l->content, words);
    l->message = (struct smtp_client_message){
        .sender = text_of(senders[p->letter_count]),
        .octets = l->content.len,
        .eight_bit = !text_is_ascii(buffer_as_text(&l->content)),
        .dot_lines = true,
        .recipients = people,
        .recipient_count = 1 + p->letter_count % PEOPLE,
    };
    p->letter_count++;
}

static void play(struct pair *p)
{
    struct smtp_server_config server_config = { .hostname = T("mx.b.example"),
                                                .recipients_max = p->flags & FEW_RECIPIENTS ? 1 : 0,
                                                .message_octets_max = p->flags & SMALL ? 8 : 0 };
    struct smtp_server_peer peer = { .trusted = false };
    struct smtp_client_config client_config = { .hostname = T("a.example") };
    p->client = smtp_client_new(&client_config, 0);
    p->server = smtp_server_new(&server_config, &peer, 0);
    CHECK(p->client && p->server);
    buffer_init(&p->committing, WIRE_BUFFER_MAX);
    for (unsigned i = 0; !(p->client_over && p->server_over); i++) {
        CHECK(i < WIRE_STEPS_MAX);
        while (!p->server_over && step_server(p))
            continue;
        if (p->flags & NO_PIPELINING)
            wire_hide(&p->wire, T("PIPELINING"));
        if (p->flags & NO_CHUNKING)
            wire_hide(&p->wire, T("CHUNKING"));
        while (!p->client_over && step_client(p))
            continue;
        if ((p->wire.breaks == 0 || p->client_over) && !p->wire.broken)
            break_it(p);
    }
    CHECK(!p->message_open);
    smtp_client_free(&p->client);
    smtp_server_free(&p->server);
    buffer_clear(&p->committing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair p = { .flags = 0 };
    if (size < SETTINGS)
        return 0;
    p.flags = data[0] | (unsigned)data[1] << 8;
    wire_begin(&p.wire, data[2], data[3] & 1 ? data[4] | (size_t)data[5] << 8 : SIZE_MAX);
    struct text rest = { (const char *)data + SETTINGS, size - SETTINGS }, words;
    for (bool more = true; more && p.letter_count < LETTERS;) {
        more = text_cut(&rest, '\0', &words);
        add_letter(&p, words);
    }
    play(&p);
    wire_end(&p.wire);
    for (unsigned i = 0; i < p.letter_count; i++)
        buffer_clear(&p.letters[i].content);
    return 0;
}
