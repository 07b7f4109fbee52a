/* sender.c - a peer that brings mail by SMTP: politely, all at once, in chunks, or only half.
 *
 * It keeps what it has asked in a queue, and every reply has to be one to the first of it: a
 * recipient who exists is never refused for good, and one who does not is never taken.
 */
#include "sim/sender_inner.h"

#include "base/check.h"
#include "sim/node.h"
#include "sim/zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS_MAX = 4, PORT_SUBMISSION = 587, REQUIRE_ODDS = 6 };

/* --- Its end --- */

static struct sender *sender_of(struct peer *p)
{
    return OWNER_OF(p, struct sender, peer);
}

static void parting(struct peer *p)
{
    struct sender *s = sender_of(p);
    if (s->letter)
        letter_decide(s->letter, s->letter->offered ? FATE_UNKNOWN : FATE_REFUSED);
}

static void clear(struct peer *p)
{
    struct sender *s = sender_of(p);
    buffer_clear(&s->text);
    free(s);
}

/* --- Asking --- */

static void await(struct sender *s, struct ask ask)
{
    CHECK(s->count < ASKS_MAX);
    s->asks[(s->first + s->count++) % ASKS_MAX] = ask;
}

void sender_say(struct sender *s, struct ask ask, const char *format, ...)
{
    va_list args;
    await(s, ask);
    va_start(args, format);
    peer_vsay(&s->peer, format, args);
    va_end(args);
}

static void plan(struct sender *s, enum ask_kind kind, struct copy *copy)
{
    if (s->planned < ASKS_MAX)
        s->plan[s->planned++] = (struct ask){ .kind = kind, .copy = copy };
}

/* Half of those who are rude wait a moment first, so that the last thing said may be heard. */
static bool goes_away(struct sender *s)
{
    if (!chance_of(s->rude))
        return false;
    if (s->peer.talk.stream && chance_below(2))
        talk_end_output(&s->peer.talk);
    event_in(&s->peer.leaves, chance_below(4) ? 0 : chance_below(200000));
    return true;
}

static void say_text(struct sender *s)
{
    struct buffer out;
    struct text rest = buffer_as_text(&s->text), line;
    buffer_init(&out, s->text.len * 2 + 16);
    while (rest.len) {
        bool ended_line = text_cut(&rest, '\n', &line);
        if (line.len && line.at[0] == '.')
            buffer_byte(&out, '.');
        buffer_text(&out, line);
        if (ended_line)
            buffer_byte(&out, '\n');
    }
    if (chance_of(s->rude)) {
        talk_say(&s->peer.talk, (struct bytes){ out.at, (size_t)chance_below(out.len) });
        event_in(&s->peer.leaves, chance_below(100000));
    } else {
        s->letter->offered = true;
        buffer_text(&out, T(".\r\n"));
        CHECK(!out.failed);
        await(s, (struct ask){ .kind = ASK_TEXT });
        talk_say(&s->peer.talk, buffer_bytes(&out));
        goes_away(s);
    }
    buffer_clear(&out);
}

static void say_chunk(struct sender *s, bool last)
{
    size_t left = s->text.len - s->sent, len = last ? left : (size_t)chance_below(left + 1);
    if (last && chance_of(s->rude)) {
        event_in(&s->peer.leaves, 0);
        return;
    }
    s->letter->offered |= last;
    sender_say(s, (struct ask){ .kind = last ? ASK_LAST_CHUNK : ASK_CHUNK }, "BDAT %zu%s\r\n", len,
               last ? " LAST" : "");
    talk_say(&s->peer.talk, (struct bytes){ s->text.at + s->sent, len });
    s->sent += len;
}

/* With several servers peers may send anywhere, and so may users of this one. */
static bool may_relay(const struct sender *s)
{
    return s->is_in || world_now()->host_count > 2;
}

static void ask_next(struct sender *s)
{
    struct ask ask = s->plan[s->next++];
    switch (ask.kind) {
    case ASK_MAIL:
        sender_say(s, ask, "MAIL FROM:<%s>%s%s\r\n", s->letter->sender,
                   chance_below(3) ? "" : " SIZE=90", s->letter->requires_tls ? " REQUIRETLS" : "");
        break;
    case ASK_FORGED:
        sender_say(s, ask, "MAIL FROM:<%s>\r\n",
                   ledger_foreign_at(s->peer.town->ledger, OUTSIDE)->address);
        break;
    case ASK_KNOWN:
        sender_say(s, ask, "RCPT TO:<%s>\r\n", copy_address(ask.copy));
        break;
    case ASK_UNKNOWN:
        sender_say(s, ask,
                   chance_below(2) || may_relay(s) ? "RCPT TO:<nobody@d%u.test>\r\n"
                                                   : "RCPT TO:<x%u@z.test>\r\n",
                   s->host);
        break;
    case ASK_DOOMED:
        sender_say(s, ask, "RCPT TO:<%s>\r\n", ask.doomed->address);
        break;
    case ASK_DATA:
        sender_say(s, ask, "DATA\r\n");
        break;
    case ASK_CHUNK:
    case ASK_LAST_CHUNK:
        say_chunk(s, ask.kind == ASK_LAST_CHUNK);
        break;
    case ASK_RESET:
        sender_say(s, ask, "RSET\r\n");
        break;
    case ASK_QUIT:
        sender_say(s, ask, "QUIT\r\n");
        break;
    default:
        sender_say(s, ask, "NOOP\r\n");
        break;
    }
}

static void go_on(struct sender *s)
{
    while (s->next < s->planned && !event_is_set(&s->peer.leaves) &&
           (s->pipelining || s->count == 0))
        ask_next(s);
}

/* --- A transaction --- */

static struct box *first_box(const struct sender *s, unsigned host)
{
    struct ledger *ledger = s->peer.town->ledger;
    size_t i = 0;
    while (ledger_box(ledger, i)->host != host)
        i++;
    return ledger_box(ledger, i);
}

/* Once named or twice, he gets one copy. */
static void plan_known(struct sender *s, struct box *box)
{
    struct copy *copy = letter_copy_for(s->letter, box);
    plan(s, ASK_KNOWN, copy ? copy : letter_add(s->letter, box));
}

/* Else what nobody ever takes would wait for longer than there is time. */
static bool expires(const struct sender *s)
{
    return node_expires(s->peer.town->world->hosts[s->host].node);
}

/* Nobody of that name, or no such domain. */
static void plan_doomed(struct sender *s)
{
    static const char *const domains[] = { "f1.test", OUTSIDE, "gone.test", DEAD };
    size_t count = sizeof domains / sizeof *domains;
    const struct box *other = ledger_any_box(s->peer.town->ledger);
    if (s->letter->doomed_count == LETTER_DOOMED_MAX || s->planned == ASKS_MAX)
        return;
    struct doomed *d = &s->letter->doomed[s->letter->doomed_count++];
    if (other->host != s->host && chance_below(2))
        snprintf(d->address, sizeof d->address, "nobody%u@d%u.test", s->letter->doomed_count,
                 other->host);
    else
        snprintf(d->address, sizeof d->address, "nobody%u@%s", s->letter->doomed_count,
                 domains[chance_below(expires(s) ? count : count - 1)]);
    s->plan[s->planned++] = (struct ask){ .kind = ASK_DOOMED, .doomed = d };
}

/* Somebody of the domain that comes and goes, whose mail is for the first user. */
static void plan_alias(struct sender *s)
{
    char alias[BOX_ADDRESS_MAX];
    struct box *box =
        first_box(s, may_relay(s) ? ledger_any_box(s->peer.town->ledger)->host : s->host);
    if (letter_copy_for(s->letter, box))
        return;
    snprintf(alias, sizeof alias, "x%u@e%u.test", (unsigned)chance_below(10), box->host);
    plan(s, ASK_KNOWN, letter_add_alias(s->letter, box, alias));
}

static void plan_recipients(struct sender *s)
{
    uint64_t wanted = chance_from(1, chance_below(3) ? 1 : LETTER_COPIES_MAX - 1);
    for (; wanted; wanted--) {
        struct box *box = ledger_any_box(s->peer.town->ledger);
        if (chance_below(12) == 0)
            plan(s, ASK_UNKNOWN, NULL);
        else if (chance_below(12) == 0)
            plan_alias(s);
        else if (may_relay(s) && chance_below(16) == 0)
            plan_doomed(s);
        else if (may_relay(s) && chance_below(6) == 0)
            plan_known(s, ledger_any_foreign(s->peer.town->ledger));
        else if (box->host == s->host || may_relay(s))
            plan_known(s, box);
    }
}

/* Nobody at all, or who may be told what became of it: somebody outside, or a user of the host. */
static struct box *choose_sender(const struct sender *s, char sender[BOX_ADDRESS_MAX])
{
    struct box *box = s->user ? s->user : ledger_any_box(s->peer.town->ledger);
    uint64_t kind = chance_below(10);
    sender[0] = 0;
    if (kind == 0 && !s->user)
        return NULL;
    if (!s->user && (kind == 1 || !may_relay(s) || box->host != s->host))
        box = ledger_foreign_at(s->peer.town->ledger, OUTSIDE);
    snprintf(sender, BOX_ADDRESS_MAX, "%s", box->address);
    return box;
}

static void begin_letter(struct sender *s)
{
    char sender[BOX_ADDRESS_MAX];
    struct letter_wish wish = { .host = s->host,
                                .sender = sender,
                                .ended = !s->chunks,
                                .submitted = s->is_in,
                                .requires_tls = s->is_secure && chance_below(REQUIRE_ODDS) == 0 };
    s->planned = s->next = s->sent = 0;
    s->mail_taken = s->chunk_failed = false;
    s->peer.town->letters_left -= s->peer.town->letters_left > 0;
    wish.sender_box = choose_sender(s, sender);
    s->letter = ledger_new_letter(s->peer.town->ledger, &wish);
    buffer_clear(&s->text);
    letter_write(s->letter, &s->text);
    if (s->is_open)
        plan(s, ASK_RESET, NULL);
    s->is_open = true;
    if (s->is_in && chance_below(12) == 0)
        plan(s, ASK_FORGED, NULL);
    plan(s, ASK_MAIL, NULL);
    plan_recipients(s);
    if (chance_below(20) == 0) {
        plan(s, ASK_RESET, NULL);
        return;
    }
    if (chance_below(10) == 0)
        plan(s, ASK_NOTHING, NULL);
    for (uint64_t more = s->chunks ? chance_below(CHUNKS_MAX) : 0; more; more--)
        plan(s, ASK_CHUNK, NULL);
    plan(s, s->chunks ? ASK_LAST_CHUNK : ASK_DATA, NULL);
}

static void end_letter(struct sender *s, enum fate fate)
{
    if (s->letter)
        letter_decide(s->letter, fate);
    s->is_open &= fate != FATE_ACCEPTED;
    s->letter = NULL;
}

/* All that was asked is answered, and nothing is planned. */
static void next_letter(struct sender *s)
{
    end_letter(s, FATE_REFUSED);
    if (s->transactions > 0) {
        s->transactions--;
        begin_letter(s);
    } else {
        s->planned = s->next = 0;
        plan(s, ASK_QUIT, NULL);
    }
    go_on(s);
}

/* --- Replies --- */

void sender_expect_order(bool holds, const char *to, const struct reply *reply)
{
    world_expect(CHECK_ORDER, holds, "the reply to %s is %u%.*s", to, reply->code,
                 TEXT_ARGS(reply->words));
}

/* Strangers may send there while it is a domain of the server's. */
static void expect_as_configured(const struct sender *s, const struct copy *copy,
                                 const struct reply *reply)
{
    const struct node *node = s->peer.town->world->hosts[s->host].node;
    unsigned kind = reply->code / 100;
    if (copy->box->host != s->host || !node_is_settled(node) || reply->code == 503)
        return;
    if (node->wish.has_second)
        world_expect(CHECK_RELOAD, kind != 5, "%s is ours by now, and refused", copy->alias);
    else if (!may_relay(s))
        world_expect(CHECK_RELOAD, kind != 2, "%s is not ours any more, and taken", copy->alias);
}

/* For good only where there is no transaction. */
static bool may_refuse_one(const struct sender *s, const struct reply *reply)
{
    return reply->code / 100 == 4 || (reply->code == 503 && !s->mail_taken);
}

static void hear_recipient(struct sender *s, const struct ask *ask, const struct reply *reply)
{
    unsigned kind = reply->code / 100;
    if (ask->kind == ASK_UNKNOWN) {
        sender_expect_order(kind == 5 || kind == 4, "a recipient who does not exist", reply);
    } else {
        if (ask->copy->alias[0])
            expect_as_configured(s, ask->copy, reply);
        else
            sender_expect_order(kind == 2 || may_refuse_one(s, reply), "one who exists", reply);
        ask->copy->taken |= kind == 2;
        ask->copy->refused = !ask->copy->taken;
    }
}

static bool is_taken(const struct letter *letter)
{
    bool any = false;
    for (unsigned i = 0; i < letter->copy_count; i++)
        any |= letter->copies[i].taken;
    for (unsigned i = 0; i < letter->doomed_count; i++)
        any |= letter->doomed[i].taken;
    return any;
}

/* For good only where there is nobody to take it for, or where no transaction is open any more:
 * every letter is good mail. */
static bool may_refuse(const struct sender *s, const struct reply *reply)
{
    return reply->code / 100 == 4 ||
           (reply->code == 503 && (s->chunk_failed || !is_taken(s->letter)));
}

/* 421 may say that the server stops while the message is on its way into the store. */
static void hear_end(struct sender *s, const struct reply *reply)
{
    struct text words = reply->words;
    if (s->letter && text_take_nocase(&words, T(" 2.0.0 accepted as ")))
        snprintf(s->letter->id, sizeof s->letter->id, "%.*s", TEXT_ARGS(words));
    end_letter(s, reply->code == 250   ? FATE_ACCEPTED
                  : reply->code == 421 ? FATE_UNKNOWN
                                       : FATE_REFUSED);
}

static void hear(struct sender *s, const struct reply *reply)
{
    struct ask ask = s->asks[s->first];
    unsigned kind = reply->code / 100;
    s->first = (s->first + 1) % ASKS_MAX;
    s->count--;
    switch (ask.kind) {
    case ASK_GREETING:
    case ASK_HELLO:
    case ASK_TLS:
    case ASK_LOGIN:
    case ASK_WRONG_LOGIN:
    case ASK_STRANGER:
        sender_hear_entry(s, &ask, reply);
        break;
    case ASK_FORGED:
        sender_hear_user(s, &ask, reply);
        break;
    case ASK_MAIL:
        sender_hear_user(s, &ask, reply);
        sender_expect_order(kind == 4 || text_starts(reply->words, T(" 2.1.0")), "MAIL", reply);
        s->mail_taken = kind == 2;
        break;
    case ASK_KNOWN:
    case ASK_UNKNOWN:
        hear_recipient(s, &ask, reply);
        break;
    case ASK_DOOMED:
        sender_expect_order(kind == 2 || may_refuse_one(s, reply), "one elsewhere", reply);
        ask.doomed->taken = kind == 2;
        break;
    case ASK_DATA:
        sender_expect_order(reply->code == 354 || may_refuse(s, reply), "DATA", reply);
        if (reply->code == 354)
            say_text(s);
        break;
    case ASK_TEXT:
    case ASK_LAST_CHUNK:
        sender_expect_order(text_starts(reply->words, T(" 2.0.0 accepted")) || may_refuse(s, reply),
                            "a message", reply);
        hear_end(s, reply);
        break;
    case ASK_CHUNK:
        sender_expect_order(kind == 2 || may_refuse(s, reply), "a chunk", reply);
        s->chunk_failed |= kind != 2;
        break;
    case ASK_QUIT:
        sender_expect_order(reply->code == 221 || kind == 4, "QUIT", reply);
        s->quits = true;
        break;
    default:
        sender_expect_order(kind == 2 || kind == 4, "the rest", reply);
        break;
    }
}

static void heard(struct peer *p, struct text line)
{
    struct sender *s = sender_of(p);
    uint64_t code = 0;
    trace_show("sender hears: %.*s", TEXT_ARGS(line));
    bool well_formed = line.len >= 3 && text_to_u64(text_first(line, 3), &code);
    world_expect(CHECK_ORDER, well_formed, "this is no reply: %.*s", TEXT_ARGS(line));
    if (!well_formed || (line.len > 3 && line.at[3] == '-'))
        return;
    struct reply reply = { (unsigned)code, text_skip(line, 3) };
    if (s->count == 0) {
        world_expect(CHECK_ORDER, reply.code == 421, "a reply to nothing: %.*s", TEXT_ARGS(line));
        return;
    }
    hear(s, &reply);
    if (s->quits || !s->peer.talk.stream || event_is_set(&s->peer.leaves) || goes_away(s))
        return;
    go_on(s);
    if (s->count == 0 && s->next == s->planned && !s->shakes)
        next_letter(s);
}

static struct sender *new_sender(struct town *town, unsigned host)
{
    static const struct peer_kind kind = { heard, parting, clear };
    struct sender *s = calloc(1, sizeof *s);
    CHECK(s);
    s->host = host;
    s->pipelining = chance_below(2) == 0;
    s->chunks = chance_below(3) == 0;
    s->rude = world_now()->weather.rude;
    s->transactions = (unsigned)chance_from(1, 5);
    buffer_init(&s->text, LETTER_OCTETS_MAX);
    peer_came(&s->peer, town, &kind, "sender");
    await(s, (struct ask){ .kind = ASK_GREETING });
    return s;
}

void sender_start(struct town *town, unsigned host)
{
    struct sender *s = new_sender(town, host);
    struct endpoint from = town_address();
    struct endpoint to = zone_mail_address(town->world->zone, &town->world->hosts[host]);
    talk_start(&s->peer.talk, town->loop, &from, &to);
}

void submitter_start(struct town *town, struct box *user)
{
    struct sender *s = new_sender(town, user->host);
    struct endpoint from = town_address(), to = town->world->hosts[user->host].address;
    to.port = PORT_SUBMISSION;
    s->user = user;
    s->wants_tls = chance_below(3) > 0;
    talk_start(&s->peer.talk, town->loop, &from, &to);
}
