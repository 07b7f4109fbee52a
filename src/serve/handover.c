/* handover.c - a posting is given to a server over a local socket.
 *
 * The session is proto/smtp_client's; here are the socket, the time and the posting's content,
 * which is all in memory.
 */
#include "serve/handover.h"

#include "base/escape.h"
#include "proto/smtp_client.h"
#include "run/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_MAX = 256 * 1024,
    PIECE = 64 * 1024,
    GREETING_MS = 60 * 1000,
    COMMAND_MS = 5 * 60 * 1000,
    DOT_MS = 10 * 60 * 1000,
};

struct talk {
    struct handover *h;
    int socket;
    struct smtp_client *client;
    struct buffer in;
    bool input_ended;
    bool sent; /* the posting was given to the session */
    bool over; /* ... and came back */
    struct smtp_client_message message;
    struct smtp_client_recipient *recipients;
    uint32_t *numbers; /* of the posting's recipients, for each of the message's */
    struct buffer content;
    struct posting_facts facts;
};

/* --- The posting becomes a message --- */

static struct handover_result *result_of(struct talk *t, uint32_t number)
{
    return &t->h->list[t->numbers[number]];
}

static bool takes_part(struct talk *t, size_t i)
{
    struct handover_result *r = &t->h->list[i];
    r->address = t->h->posting->to[i];
    if (posting_address(t->h->posting->to[i], t->h->hostname, t->h->arena, &r->address))
        return true;
    *r = (struct handover_result){ .verdict = HANDOVER_REFUSED,
                                   .address = r->address,
                                   .status = "5.1.3",
                                   .words = T("this is no mail address") };
    return false;
}

static void list_recipients(struct talk *t)
{
    uint32_t count = 0;
    for (size_t i = 0; i < t->h->posting->to_count; i++) {
        if (!takes_part(t, i))
            continue;
        t->numbers[count] = (uint32_t)i;
        t->recipients[count++] = (struct smtp_client_recipient){
            .address = t->h->list[i].address,
            .notify = t->h->posting->notify,
        };
        t->message.utf8 |= !text_is_ascii(t->h->list[i].address);
    }
    t->message.recipients = t->recipients;
    t->message.recipient_count = count;
}

static bool find_sender(struct talk *t)
{
    struct handover *h = t->h;
    struct text said = h->posting->has_sender ? h->posting->sender : h->login;
    h->sender = T("");
    return (h->posting->has_sender && said.len == 0) ||
           posting_address(said, h->hostname, h->arena, &h->sender);
}

/* Nobody can be told then: the posting is as good as refused. */
static void refuse_sender(struct talk *t)
{
    for (size_t i = 0; i < t->h->posting->to_count; i++)
        t->h->list[i] = (struct handover_result){ .verdict = HANDOVER_REFUSED,
                                                  .address = t->h->posting->to[i],
                                                  .status = "5.1.7",
                                                  .words = T("the sender is no mail address"),
                                                  .of_sender = true };
}

static bool make_message(struct talk *t)
{
    const struct posting *l = t->h->posting;
    if (!find_sender(t)) {
        refuse_sender(t);
        return true;
    }
    struct text author = t->h->sender;
    if (author.len == 0)
        posting_address(t->h->login, t->h->hostname, t->h->arena, &author);
    if (!posting_content(l, author, &t->content, &t->facts))
        return false;
    list_recipients(t);
    t->message.sender = t->h->sender;
    t->message.octets = t->content.len;
    t->message.eight_bit = t->facts.eight_bit;
    t->message.dot_lines = t->facts.dot_lines;
    t->message.utf8 |= !text_is_ascii(t->h->sender);
    t->message.ret = l->ret;
    t->message.envid = l->envid;
    return true;
}

/* --- What the server said --- */

static bool keep_words(struct talk *t, struct text said, struct text *out)
{
    char room[HANDOVER_WORDS_MAX];
    struct buffer words = buffer_over(room, sizeof room);
    for (size_t i = 0; i < said.len && words.len < words.max; i++)
        buffer_byte(&words,
                    (uint8_t)said.at[i] < ' ' || said.at[i] == 0x7F ? ' ' : (uint8_t)said.at[i]);
    return arena_text(t->h->arena, buffer_as_text(&words), out);
}

static void take_result(struct talk *t, const struct smtp_client_result *from,
                        struct handover_result *to)
{
    to->verdict = from->delivered   ? HANDOVER_TAKEN
                  : from->permanent ? HANDOVER_REFUSED
                                    : HANDOVER_LATER;
    to->code = from->code;
    to->of_sender = from->where == AT_MAIL;
    to->of_recipient = from->where == AT_RCPT;
    memcpy(to->status, from->status, sizeof to->status);
    if (!keep_words(t, from->reply, &to->words))
        to->words = T("");
}

static void take_results(struct talk *t)
{
    for (uint32_t i = 0; i < t->message.recipient_count; i++)
        take_result(t, smtp_client_result(t->client, i), result_of(t, i));
    t->over = true;
}

/* "220 mx.example.org ESMTP": who it is, before the session eats it. */
static void read_greeting(struct talk *t)
{
    struct text rest = buffer_as_text(&t->in), line, code, name;
    if (t->h->hostname.len > 0 || !text_cut(&rest, '\n', &line) || !text_word(&line, &code) ||
        !text_equal(code, T("220")) || !text_word(&line, &name))
        return;
    while (name.len > 0 && (uint8_t)name.at[name.len - 1] <= ' ')
        name.len--;
    if (!arena_text(t->h->arena, name, &t->h->hostname))
        t->h->hostname = T("localhost");
}

/* --- The socket --- */

static bool fail(struct error *e, const char *words)
{
    return error_set(e, ERROR_TEMPORARY, "the server %s", words);
}

static void end_input(struct talk *t, struct text why)
{
    t->input_ended = true;
    smtp_client_input_ended(t->client, why);
}

static void read_some(struct talk *t)
{
    uint8_t *at = buffer_reserve(&t->in, PIECE);
    ssize_t got = at ? recv(t->socket, at, PIECE, 0) : 0;
    if (got > 0) {
        t->in.len += (size_t)got;
        read_greeting(t);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        end_input(t, got == 0 ? T("") : T("the connection broke"));
    }
}

static void write_some(struct talk *t)
{
    struct bytes out = smtp_client_output(t->client);
    ssize_t sent = send(t->socket, out.at, out.len, MSG_NOSIGNAL);
    if (sent >= 0)
        smtp_client_drained(t->client, (size_t)sent);
    else if (errno != EINTR && errno != EAGAIN && !t->input_ended)
        read_some(t); /* often it said why */
}

static int patience(const struct talk *t)
{
    uint64_t now = clock_monotonic_ms(), due = smtp_client_deadline_ms(t->client);
    if (due == UINT64_MAX)
        return -1;
    return due <= now ? 0 : due - now > 60000 ? 60000 : (int)(due - now);
}

/* Writes and reads whatever can be.  Nothing left to wait for is the session's end. */
static bool wait_for(struct talk *t)
{
    bool writes = smtp_client_output(t->client).len > 0;
    struct pollfd p = { .fd = t->socket,
                        .events = (short)((t->input_ended ? 0 : POLLIN) | (writes ? POLLOUT : 0)) };
    if (p.events == 0 || poll(&p, 1, patience(t)) < 0)
        return p.events != 0 && errno == EINTR;
    if (p.revents & (POLLIN | POLLHUP | POLLERR) && !t->input_ended)
        read_some(t);
    if (p.revents & POLLOUT)
        write_some(t);
    return true;
}

/* --- The session --- */

static bool give_posting(struct talk *t)
{
    if (t->sent)
        return true;
    t->sent = true;
    t->h->octets_max = smtp_client_offers(t->client)->size_max;
    if (!make_message(t))
        return false;
    t->over = t->message.recipient_count == 0;
    return t->over || smtp_client_send(t->client, &t->message, clock_monotonic_ms());
}

static void give_body(struct talk *t, uint64_t offset)
{
    struct bytes rest = { t->content.at + offset, t->content.len - (size_t)offset };
    if (rest.len > PIECE)
        rest.len = PIECE;
    smtp_client_body(t->client, rest, clock_monotonic_ms());
}

/* False: it is over, well or badly. */
static bool step(struct talk *t, struct error *e)
{
    struct bytes in = buffer_bytes(&t->in);
    struct smtp_client_step s = smtp_client_step(t->client, &in, clock_monotonic_ms());
    if (in.len < t->in.len)
        buffer_take(&t->in, t->in.len - in.len);
    switch (s.kind) {
    case SMTP_CLIENT_READY:
        if (!give_posting(t))
            return error_set(e, ERROR_TEMPORARY, "memory is short");
        if (t->over)
            smtp_client_quit(t->client, clock_monotonic_ms());
        return true;
    case SMTP_CLIENT_READ_BODY:
        give_body(t, s.offset);
        return true;
    case SMTP_CLIENT_MAY_FINISH:
        smtp_client_finish(t->client, clock_monotonic_ms());
        return true;
    case SMTP_CLIENT_SENT:
        take_results(t);
        return true;
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_NEED_DRAIN:
        return wait_for(t) || fail(e, "cannot be waited for");
    case SMTP_CLIENT_NEED_ANSWER:
    case SMTP_CLIENT_AUTH:
    case SMTP_CLIENT_START_TLS:
    case SMTP_CLIENT_CLOSE:
        break;
    }
    return false;
}

static void tell_failure(struct talk *t, struct error *e)
{
    const struct smtp_client_result *why = smtp_client_failure(t->client);
    char words[HANDOVER_WORDS_MAX];
    struct buffer room = buffer_over(words, sizeof words);
    if (e->kind != ERROR_NONE)
        return;
    escape_text(&room, why ? text_first(why->reply, sizeof words / 4) : T("nothing"));
    error_set(e, ERROR_TEMPORARY, "the server said: %.*s", TEXT_ARGS(buffer_as_text(&room)));
}

static bool talk(struct talk *t, struct error *e)
{
    static const struct smtp_client_config config = {
        .hostname = TEXT("localhost"),
        .tls = SMTP_CLIENT_TLS_NEVER,
        .greeting_ms = GREETING_MS,
        .command_ms = COMMAND_MS,
        .data_ms = COMMAND_MS,
        .block_ms = COMMAND_MS,
        .dot_ms = DOT_MS,
    };
    e->kind = ERROR_NONE;
    t->client = smtp_client_new(&config, clock_monotonic_ms());
    if (!t->client)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    while (step(t, e))
        ;
    if (!t->over)
        tell_failure(t, e);
    smtp_client_free(&t->client);
    return t->over;
}

static bool prepare(struct talk *t, struct error *e)
{
    struct handover *h = t->h;
    size_t count = h->posting->to_count;
    h->hostname = T("");
    h->octets_max = 0;
    h->list = arena_take(h->arena, count * sizeof *h->list);
    t->recipients = arena_take(h->arena, count * sizeof *t->recipients);
    t->numbers = arena_take(h->arena, count * sizeof *t->numbers);
    buffer_init(&t->in, INPUT_MAX);
    buffer_init(&t->content, POSTING_GROWS * h->posting->content.len + POSTING_ADDED_MAX);
    if (!h->list || !t->recipients || !t->numbers)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (fcntl(t->socket, F_SETFL, O_NONBLOCK) != 0)
        return error_system(e, ERROR_TEMPORARY, errno, "the socket");
    return true;
}

bool handover(struct handover *h, int socket, struct error *e)
{
    struct talk t = { .h = h, .socket = socket };
    bool ok = prepare(&t, e) && talk(&t, e);
    buffer_clear(&t.in);
    buffer_clear(&t.content);
    close(socket);
    return ok;
}

const struct handover_result *handover_worst(const struct handover *h)
{
    static const unsigned badness[] = {
        [HANDOVER_TAKEN] = 0,
        [HANDOVER_LATER] = 1,
        [HANDOVER_REFUSED] = 2,
    };
    const struct handover_result *worst = &h->list[0];
    for (size_t i = 1; i < h->posting->to_count; i++)
        if (badness[h->list[i].verdict] > badness[worst->verdict])
            worst = &h->list[i];
    return worst;
}
