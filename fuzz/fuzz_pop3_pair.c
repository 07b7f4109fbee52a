/* fuzz_pop3_pair.c - our POP3 client and our server joined in memory, with cuts at random and, if
 * the input says so, a connection that breaks somewhere.
 *
 * An octet chooses how, one the cuts, two where the connection breaks, one which messages are to be
 * deleted; the rest is the messages, a zero octet between them.
 *
 *   - what is listed and fetched is what is there, octet for octet;
 *   - the server deletes what the client asked to delete, all of it and only after QUIT;
 *   - what the client says became of deletions is true.
 */
#include "proto/pop3_client.h"
#include "proto/pop3_server.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAILS = 8, EACH = 4, COMMANDS_MAX = 3 + EACH * MAILS, SETTINGS = 5 };
enum { BY_PASS = 1, NO_PIPELINING = 2, REFUSES_UPDATE = 4, BREAKS = 8, NO_QUIT = 16 };

struct pair {
    struct wire wire;
    unsigned flags, deletes;
    struct buffer mails[MAILS];
    struct pop3_message messages[MAILS];
    uint32_t mail_count;
    uint64_t octets;
    struct pop3_client_command commands[COMMANDS_MAX];
    unsigned command_count, given, answered;
    struct pop3_client *client;
    struct pop3_server *server;
    struct buffer content;
    uint32_t lines;
    unsigned updated; /* which were deleted */
    bool has_updated, server_over, client_over, quit;
};

static bool is_to_go(const struct pair *p, uint32_t message)
{
    return p->deletes >> message & 1;
}

/* ---- the wire ---- */

static void break_it(struct pair *p)
{
    p->wire.broken = true;
    if (!p->client_over)
        pop3_client_input_ended(p->client, T("it broke"));
    if (!p->server_over)
        pop3_server_input_ended(p->server);
}

/* ---- the server ---- */

static void update(struct pair *p, const struct pop3_step *step)
{
    CHECK(!p->has_updated);
    CHECK(p->quit);
    p->has_updated = true;
    for (uint32_t i = 0; i < step->deleted_count; i++) {
        CHECK(step->deleted[i] < p->mail_count);
        p->updated |= 1u << step->deleted[i];
    }
}

static struct pop3_answer decide(struct pair *p, const struct pop3_step *step)
{
    struct pop3_answer a = { .count = p->mail_count, .octets = p->octets, .messages = p->messages };
    if (step->kind == POP3_LOGIN)
        CHECK(text_equal(step->user, T("bob")) && text_equal(step->password, T("open sesame")));
    else if (step->kind == POP3_AUTH_STEP)
        CHECK(text_equal(step->words, T("\0bob\0open sesame")));
    else if (step->kind == POP3_READ)
        a.content = wire_piece(&p->wire, &p->mails[step->message], step->offset, 500);
    else if (step->kind == POP3_UPDATE && p->flags & REFUSES_UPDATE)
        a.verdict = POP3_TEMPORARY;
    else if (step->kind == POP3_UPDATE)
        update(p, step);
    return a;
}

/* False: it waits, or is over. */
static bool step_server(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->wire.to_server);
    size_t before = in.len;
    struct pop3_step step = pop3_server_step(p->server, &in, 0);
    bool goes_on = false;
    switch (step.kind) {
    case POP3_CLOSE:
        p->server_over = pop3_server_output(p->server).len == 0 || p->wire.broken;
        __attribute__((fallthrough));
    case POP3_NEED_INPUT:
    case POP3_NEED_DRAIN:
        pop3_server_drained(
            p->server, wire_carry(&p->wire, &p->wire.to_client, pop3_server_output(p->server)));
        break;
    default:
        CHECK(step.kind != POP3_NEED_ANSWER && step.kind != POP3_NEED_TIME);
        pop3_server_answer(p->server, step.request, decide(p, &step), 0);
        goes_on = true;
    }
    if (before > in.len)
        buffer_take(&p->wire.to_server, before - in.len);
    return goes_on;
}

/* ---- the client ---- */

static void check_line(struct pair *p, const struct pop3_client_step *step)
{
    char room[POP3_UIDL_MAX + 1];
    CHECK(step->number == ++p->lines && step->number <= p->mail_count);
    const struct pop3_message *m = &p->messages[step->number - 1];
    if (step->command.verb == POP3_CLIENT_LIST)
        CHECK(step->octets == m->octets);
    else
        CHECK(text_equal(step->unique_id, pop3_uidl(m, room)));
}

static void check_fetched(const struct pair *p, const struct pop3_client_command *asked)
{
    struct text mail = buffer_as_text(&p->mails[asked->message - 1]);
    struct text got = buffer_as_text(&p->content);
    if (asked->verb == POP3_CLIENT_TOP)
        CHECK(text_starts(mail, got));
    else
        CHECK(text_equal(mail, got));
}

static void answered(struct pair *p, const struct pop3_client_step *step)
{
    const struct pop3_client_command *asked = &p->commands[p->answered++];
    const struct pop3_client_result *r = step->result;
    CHECK(memcmp(asked, &step->command, sizeof *asked) == 0);
    CHECK(r->verdict == POP3_CLIENT_YES || (r->verdict == POP3_CLIENT_LOST && p->wire.broken));
    bool yes = r->verdict == POP3_CLIENT_YES;
    if (yes && asked->verb == POP3_CLIENT_STAT)
        CHECK(r->count == p->mail_count && r->octets == p->octets);
    else if (yes && (asked->verb == POP3_CLIENT_LIST || asked->verb == POP3_CLIENT_UIDL))
        CHECK(p->lines == p->mail_count);
    else if (yes && (asked->verb == POP3_CLIENT_RETR || asked->verb == POP3_CLIENT_TOP))
        check_fetched(p, asked);
    p->lines = 0;
    p->content.len = 0;
}

static void closed(struct pair *p)
{
    enum pop3_client_deletions deletions = pop3_client_deletions(p->client);
    unsigned wanted = p->deletes & ((1u << p->mail_count) - 1);
    CHECK(p->answered == p->given);
    CHECK(p->wire.broken || p->flags & REFUSES_UPDATE || !pop3_client_failure(p->client));
    CHECK(deletions != POP3_CLIENT_DELETED || p->updated == wanted);
    CHECK(deletions != POP3_CLIENT_KEPT || p->updated == 0);
    p->client_over = true;
}

static bool work(struct pair *p)
{
    bool did = false;
    for (; p->given < p->command_count && pop3_client_may_ask(p->client); did = true)
        CHECK(pop3_client_ask(p->client, p->commands[p->given++], 0));
    if (!p->quit && p->given == p->command_count && pop3_client_may_ask(p->client)) {
        if (p->flags & NO_QUIT && p->answered < p->given)
            return did;
        if (p->flags & NO_QUIT) {
            break_it(p);
            return true;
        }
        pop3_client_quit(p->client, 0);
        did = p->quit = true;
    }
    return did;
}

static void log_in(struct pair *p)
{
    struct sasl_words words = { .mechanism = T("PLAIN"),
                                .words = T("\0bob\0open sesame"),
                                .has_words = true,
                                .may_end = true };
    if (p->flags & BY_PASS)
        pop3_client_password(p->client, T("bob"), T("open sesame"), 0);
    else
        pop3_client_auth(p->client, &words, 0);
}

static struct pop3_client_step take_step(struct pair *p)
{
    struct bytes in = buffer_bytes(&p->wire.to_client);
    size_t before = in.len;
    struct pop3_client_step step = pop3_client_step(p->client, &in, 0);
    if (step.kind == POP3_CLIENT_CONTENT)
        CHECK(buffer_append(&p->content, step.content.at, step.content.len));
    else if (step.kind == POP3_CLIENT_LINE)
        check_line(p, &step);
    if (before > in.len)
        buffer_take(&p->wire.to_client, before - in.len);
    return step;
}

static bool step_client(struct pair *p)
{
    struct pop3_client_step step = take_step(p);
    switch (step.kind) {
    case POP3_CLIENT_NEED_INPUT:
    case POP3_CLIENT_READY:
        if (!p->wire.broken && work(p))
            return true;
        pop3_client_drained(
            p->client, wire_carry(&p->wire, &p->wire.to_server, pop3_client_output(p->client)));
        return false;
    case POP3_CLIENT_LOG_IN:
        log_in(p);
        return true;
    case POP3_CLIENT_ANSWERED:
        answered(p, &step);
        return true;
    case POP3_CLIENT_CLOSE:
        closed(p);
        return false;
    default:
        return true;
    }
}

/* ---- one play ---- */

static void add_mail(struct pair *p, struct text words)
{
    struct buffer *b = &p->mails[p->mail_count];
    buffer_init(b, WIRE_BUFFER_MAX);
    wire_content(b, words);
    if (b->len == 0)
        CHECK(buffer_text(b, T("\r\n")));
    p->messages[p->mail_count] =
        (struct pop3_message){ .octets = b->len,
                               .uidl_message = p->mail_count * 77 + 1,
                               .uidl_placement = p->mail_count + 1,
                               .dot_lines = text_find(words, '.') < words.len };
    p->octets += b->len;
    p->mail_count++;
}

static void plan(struct pair *p)
{
    static const enum pop3_client_verb all[] = { POP3_CLIENT_STAT, POP3_CLIENT_LIST,
                                                 POP3_CLIENT_UIDL };
    for (size_t i = 0; i < 3; i++)
        p->commands[p->command_count++].verb = all[i];
    for (uint32_t n = 1; n <= p->mail_count; n++) {
        p->commands[p->command_count++] = (struct pop3_client_command){ POP3_CLIENT_TOP, n, n };
        p->commands[p->command_count++] = (struct pop3_client_command){ POP3_CLIENT_RETR, n, 0 };
        if (is_to_go(p, n - 1))
            p->commands[p->command_count++] =
                (struct pop3_client_command){ POP3_CLIENT_DELE, n, 0 };
    }
}

static void play(struct pair *p)
{
    struct pop3_server_config server_config = { .hostname = T("mx.test"),
                                                .implementation = T("pair"),
                                                .mechanisms = T("PLAIN") };
    struct pop3_server_peer peer = { .cleartext = true };
    struct pop3_client_config client_config = { .content_octets_max = 0 };
    p->client = pop3_client_new(&client_config, 0);
    p->server = pop3_server_new(&server_config, &peer, 0);
    CHECK(p->client && p->server);
    buffer_init(&p->content, WIRE_BUFFER_MAX);
    for (unsigned i = 0; !(p->client_over && p->server_over); i++) {
        CHECK(i < WIRE_STEPS_MAX);
        while (!p->server_over && step_server(p))
            continue;
        if (p->flags & NO_PIPELINING && !p->given)
            wire_hide(&p->wire, T("PIPELINING"));
        while (!p->client_over && step_client(p))
            continue;
        if ((p->wire.breaks == 0 || p->client_over) && !p->wire.broken)
            break_it(p);
    }
    pop3_client_free(&p->client);
    pop3_server_free(&p->server);
    buffer_clear(&p->content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pair p = { .flags = 0 };
    if (size < SETTINGS)
        return 0;
    p.flags = data[0];
    wire_begin(&p.wire, data[1], p.flags & BREAKS ? data[2] | (size_t)data[3] << 8 : SIZE_MAX);
    p.deletes = data[4];
    struct text rest = { (const char *)data + SETTINGS, size - SETTINGS }, words;
    while (rest.len && p.mail_count < MAILS) {
        text_cut(&rest, '\0', &words);
        add_mail(&p, words);
    }
    plan(&p);
    play(&p);
    wire_end(&p.wire);
    for (uint32_t i = 0; i < p.mail_count; i++)
        buffer_clear(&p.mails[i]);
    return 0;
}
