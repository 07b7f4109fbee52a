/* smtp_client_send.c - one message: its commands and its content.
 *
 * Each stage says what may be said now and no more, and is called again when something happened.
 * Without PIPELINING a command waits for the reply to the one before.  With it the group up to DATA
 * is said without a look at the replies (RFC 2920 3.1), so that what goes out does not depend on
 * when they come.
 *
 * BDAT is the exception: it waits for the replies to its group.  It costs no more round trips than
 * DATA so, no content goes out for nobody, and a server that is out of step cannot take content for
 * commands.
 */
#include "proto/smtp_client_internal.h"

#include "base/check.h"
#include "mail/xtext.h"
#include "proto/dot.h"

#include <string.h>

enum { PARAMETER_MAX = 1000, ORCPT_MAX = 500 }; /* RFC 3461 4.2 and 4.4 say 500 and 100 */

/* ---- what is refused here ---- */

static bool wants_utf8(const struct smtp_client *c, const struct smtp_client_message *m)
{
    return m->utf8 && !c->offers.smtputf8;
}

/* BODY=BINARYMIME says 8 bits too.  LMTP goes without chunks: see at_data(). */
static bool wants_binary(const struct smtp_client *c, const struct smtp_client_message *m)
{
    return m->binary && (!smtp_client_takes_binary(&c->offers) || c->config->lmtp);
}

static bool wants_eight_bit(const struct smtp_client *c, const struct smtp_client_message *m)
{
    return m->eight_bit && !m->binary && !c->offers.eight_bit_mime;
}

static bool is_too_large(const struct smtp_client *c, const struct smtp_client_message *m)
{
    return c->offers.size_max && m->octets > c->offers.size_max;
}

static bool is_clean(struct text t, uint8_t lowest, bool utf8)
{
    if (t.len > PARAMETER_MAX)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        uint8_t octet = (uint8_t)t.at[i];
        if (octet < lowest || octet == 0x7F || (octet >= 0x80 && !utf8))
            return false;
    }
    return true;
}

/* Whether any text of the envelope would not be one word, or one path, of a command.  It was read
 * with the same rules when it came, so that this only holds when what was stored is damaged. */
static bool is_damaged(const struct smtp_client *c, const struct smtp_client_message *m)
{
    (void)c;
    bool clean = is_clean(m->sender, ' ', m->utf8) && is_clean(m->ret, '!', false) &&
                 is_clean(m->envid, '!', m->utf8);
    for (uint32_t i = 0; i < m->recipient_count; i++)
        clean = clean && is_clean(m->recipients[i].address, ' ', m->utf8) &&
                is_clean(m->recipients[i].orcpt, '!', true);
    return !clean;
}

static const struct {
    bool (*holds)(const struct smtp_client *, const struct smtp_client_message *);
    const char *status;
    struct text sentence;
    bool permanent;
    bool of_content;
} refusals[] = {
    { is_damaged, "4.3.0", TEXT("the envelope holds octets that no command can carry"), false,
      false },
    { wants_utf8, "5.6.7", TEXT("the next host does not take UTF-8 addresses (SMTPUTF8)"), true,
      false },
    { wants_binary, "5.6.3", TEXT("the next host does not take binary content (BINARYMIME)"), true,
      true },
    { wants_eight_bit, "5.6.3", TEXT("the next host does not take 8-bit content (8BITMIME)"), true,
      true },
    { is_too_large, "5.3.4", TEXT("the message is larger than the next host takes (SIZE)"), true,
      false },
};

/* What may be said of content that was not converted; without memory for it, the sentence alone. */
static struct text with_obstacle(struct outgoing *o, struct text sentence)
{
    char room[CLIENT_SENTENCE_MAX];
    struct text whole = sentence, obstacle = o->message->obstacle;
    struct buffer b = buffer_over(room, sizeof room);
    bool done = buffer_text(&b, sentence) && buffer_text(&b, T(", and it is not converted: ")) &&
                buffer_text(&b, obstacle) && arena_text(&o->arena, buffer_as_text(&b), &whole);
    return done ? whole : sentence;
}

static void look_for_refusal(const struct smtp_client *c, struct outgoing *o)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (!refusals[i].holds(c, o->message))
            continue;
        struct text sentence = refusals[i].sentence;
        if (refusals[i].of_content && o->message->obstacle.len)
            sentence = with_obstacle(o, sentence);
        struct smtp_client_result result = client_result(AT_LOCAL, refusals[i].status, sentence);
        result.permanent = refusals[i].permanent;
        client_settle_all(o, &result);
        o->stage = STAGE_OVER;
        return;
    }
}

/* ---- being given a message ---- */

static bool is_idle(const struct smtp_client *c)
{
    return !c->tx || (c->tx->told && !c->behind);
}

bool smtp_client_may_send(const struct smtp_client *c)
{
    uint32_t max = c->offers.messages_max;
    if (c->phase != CLIENT_OPEN || (max && c->messages >= max))
        return false;
    return is_idle(c) || (c->offers.pipelining && !c->behind && c->tx->stage == STAGE_OVER);
}

bool smtp_client_send(struct smtp_client *c, const struct smtp_client_message *m, uint64_t now_ms)
{
    CHECK(smtp_client_may_send(c));
    struct outgoing *o = client_outgoing_new(m);
    if (!o)
        return false;
    c->now_ms = now_ms;
    look_for_refusal(c, o);
    *(c->tx ? &c->behind : &c->tx) = o;
    return true;
}

void smtp_client_quit(struct smtp_client *c, uint64_t now_ms)
{
    CHECK(c->phase == CLIENT_OPEN);
    CHECK(is_idle(c) || smtp_client_may_send(c));
    c->now_ms = now_ms;
    c->phase = CLIENT_QUITTING;
}

/* ---- waits ---- */

static bool wait_for(enum smtp_client_step_kind kind, struct smtp_client_step *step_out)
{
    *step_out = client_wait(kind);
    return true;
}

/* Whether the next command may be said; if not, what it waits for. */
static bool must_wait(const struct smtp_client *c, struct smtp_client_step *step_out)
{
    if (c->awaited_count && !c->offers.pipelining)
        return wait_for(SMTP_CLIENT_NEED_INPUT, step_out);
    return c->output.len >= CLIENT_OUTPUT_HIGH && wait_for(SMTP_CLIENT_NEED_DRAIN, step_out);
}

static bool ask(struct smtp_client *c, struct outgoing *o, enum client_request request,
                struct smtp_client_step *step_out)
{
    c->request = request;
    *step_out = (struct smtp_client_step){
        .kind = request == REQUEST_BODY ? SMTP_CLIENT_READ_BODY : SMTP_CLIENT_MAY_FINISH,
        .message = o->message,
        .offset = o->offset,
    };
    return true;
}

static void enter(struct smtp_client *c, struct outgoing *o, enum stage stage)
{
    o->stage = stage;
    client_set_deadline(c);
}

/* ---- the envelope ---- */

static void add_parameter(struct buffer *b, struct text name, struct text value)
{
    if (value.len == 0)
        return;
    buffer_text(b, name);
    buffer_text(b, value);
}

static void say_mail(struct smtp_client *c, const struct smtp_client_message *m)
{
    const struct smtp_client_offers *offers = &c->offers;
    struct buffer *b = &c->output;
    buffer_text(b, T("MAIL FROM:<"));
    buffer_text(b, m->sender);
    buffer_text(b, T(">"));
    if (offers->size)
        buffer_printf(b, " SIZE=%llu", (unsigned long long)m->octets);
    if (m->binary)
        buffer_text(b, T(" BODY=BINARYMIME"));
    else if (m->eight_bit)
        buffer_text(b, T(" BODY=8BITMIME"));
    if (m->utf8)
        buffer_text(b, T(" SMTPUTF8"));
    if (c->config->requiretls)
        buffer_text(b, T(" REQUIRETLS"));
    if (offers->dsn) {
        add_parameter(b, T(" RET="), m->ret);
        add_parameter(b, T(" ENVID="), m->envid);
    }
    buffer_text(b, T("\r\n"));
    client_said(c, AWAIT_MAIL, 1);
}

/* RFC 3461 4.1: NEVER stands alone. */
static void add_notify(struct buffer *b, unsigned notify)
{
    static const struct {
        unsigned flag;
        struct text word;
    } words[] = { { NOTIFY_SUCCESS, TEXT("SUCCESS") },
                  { NOTIFY_FAILURE, TEXT("FAILURE") },
                  { NOTIFY_DELAY, TEXT("DELAY") } };
    struct text before = T(" NOTIFY=");
    if (notify & NOTIFY_NEVER)
        add_parameter(b, before, T("NEVER"));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (notify & NOTIFY_NEVER || !(notify & words[i].flag))
            continue;
        add_parameter(b, before, words[i].word);
        before = T(",");
    }
}

/* RFC 6533 3: without SMTPUTF8 in its form that is ASCII only.  What has none, or none
 * that is short enough, is left out. */
static void add_orcpt(struct buffer *b, struct text orcpt, bool utf8)
{
    char plain_room[PARAMETER_MAX], ascii_room[ORCPT_MAX];
    struct buffer plain = buffer_over(plain_room, sizeof plain_room);
    struct buffer ascii = buffer_over(ascii_room, sizeof ascii_room);
    struct text type, address = orcpt;
    if (utf8 || text_is_ascii(orcpt)) {
        add_parameter(b, T(" ORCPT="), orcpt);
        return;
    }
    bool typed = text_cut(&address, ';', &type) && text_equal_nocase(type, T("utf-8"));
    if (typed && unitext_decode(&plain, address) && buffer_text(&ascii, T("utf-8;")) &&
        unitext_encode(&ascii, buffer_as_text(&plain)))
        add_parameter(b, T(" ORCPT="), buffer_as_text(&ascii));
}

static void say_rcpt(struct smtp_client *c, const struct smtp_client_recipient *r)
{
    struct buffer *b = &c->output;
    buffer_text(b, T("RCPT TO:<"));
    buffer_text(b, r->address);
    buffer_text(b, T(">"));
    if (c->offers.dsn) {
        add_notify(b, r->notify);
        add_orcpt(b, r->orcpt, client_newest(c)->message->utf8);
    }
    buffer_text(b, T("\r\n"));
    client_said(c, AWAIT_RCPT, 1);
}

typedef bool advance(struct smtp_client *, struct outgoing *, struct smtp_client_step *);

static bool at_mail(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (must_wait(c, step_out))
        return true;
    if (c->dirty) {
        c->dirty = false;
        client_say(c, AWAIT_RSET, T("RSET"));
        return false;
    }
    c->dirty = true;
    c->messages++;
    enter(c, o, STAGE_RCPT);
    say_mail(c, o->message);
    return false;
}

static bool at_rcpt(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (must_wait(c, step_out))
        return true;
    if (o->refused && !c->offers.pipelining) {
        enter(c, o, STAGE_OVER);
        return false;
    }
    if (o->named + 1 == o->message->recipient_count)
        enter(c, o, STAGE_DATA);
    say_rcpt(c, &o->message->recipients[o->named++]);
    return false;
}

static bool at_data(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    /* LMTP is for the same machine, where DATA costs nothing more; RFC 2033 does not say how many
     * replies a chunk has. */
    o->chunked = c->offers.chunking && !c->config->lmtp;
    bool looks_first = o->chunked || !c->offers.pipelining;
    if (looks_first && o->unanswered)
        return wait_for(SMTP_CLIENT_NEED_INPUT, step_out);
    if (must_wait(c, step_out))
        return true;
    if (looks_first && (o->refused || o->accepted == 0)) {
        enter(c, o, STAGE_OVER);
    } else if (o->chunked) {
        enter(c, o, STAGE_CHUNK);
    } else {
        enter(c, o, STAGE_GO);
        client_say(c, AWAIT_DATA, T("DATA"));
    }
    return false;
}

static bool at_go(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    (void)c;
    (void)o;
    return wait_for(SMTP_CLIENT_NEED_INPUT, step_out);
}

/* ---- the content ---- */

static bool want_content(struct smtp_client *c, struct outgoing *o,
                         struct smtp_client_step *step_out)
{
    if (c->output.len >= CLIENT_OUTPUT_HIGH)
        return wait_for(SMTP_CLIENT_NEED_DRAIN, step_out);
    return ask(c, o, REQUEST_BODY, step_out);
}

static bool at_content(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (o->offset < o->message->octets)
        return want_content(c, o, step_out);
    enter(c, o, STAGE_FINISH);
    return false;
}

static bool at_finish(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (!o->may_finish)
        return ask(c, o, REQUEST_FINISH, step_out);
    client_say_end(c, o);
    return false;
}

void client_say_end(struct smtp_client *c, struct outgoing *o)
{
    if (o->offset && (o->tail[0] != '\r' || o->tail[1] != '\n'))
        buffer_text(&c->output, T("\r\n"));
    buffer_text(&c->output, T(".\r\n"));
    o->stage = STAGE_OVER;
    o->where = AT_END_OF_DATA;
    c->dirty = false; /* whatever the reply, the transaction is over (RFC 5321 4.1.1.4) */
    client_said(c, AWAIT_END, c->config->lmtp ? o->accepted : 1);
}

static void say_bdat(struct smtp_client *c, struct outgoing *o)
{
    buffer_printf(&c->output, "BDAT %llu%s\r\n", (unsigned long long)o->chunk_left,
                  o->last_chunk ? " LAST" : "");
    enter(c, o, STAGE_OCTETS);
    client_said(c, o->last_chunk ? AWAIT_END : AWAIT_CHUNK, 1);
}

/* One chunk may be unanswered while the next one goes out, but the last one goes only when all
 * others were taken: a server that refuses one of them never gets what looks like a whole message.
 */
static bool at_chunk(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (must_wait(c, step_out))
        return true;
    if (o->refused) {
        enter(c, o, STAGE_OVER);
        return false;
    }
    uint64_t left = o->message->octets - o->offset;
    o->last_chunk = left <= CLIENT_CHUNK_MAX;
    o->chunk_left = o->last_chunk ? left : CLIENT_CHUNK_MAX;
    if (o->unanswered > (o->last_chunk ? 0 : 1))
        return wait_for(SMTP_CLIENT_NEED_INPUT, step_out);
    if (o->last_chunk && !o->may_finish)
        return ask(c, o, REQUEST_FINISH, step_out);
    say_bdat(c, o);
    return false;
}

static bool at_octets(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    if (o->chunk_left)
        return want_content(c, o, step_out);
    if (o->last_chunk)
        o->where = AT_END_OF_DATA;
    enter(c, o, o->last_chunk ? STAGE_OVER : STAGE_CHUNK);
    return false;
}

static void remember_tail(struct outgoing *o, struct bytes piece)
{
    if (piece.len > 1)
        memcpy(o->tail, piece.at + piece.len - 2, 2);
    else
        o->tail[0] = o->tail[1], o->tail[1] = piece.at[0];
}

void smtp_client_body(struct smtp_client *c, struct bytes piece, uint64_t now_ms)
{
    struct outgoing *o = client_newest(c);
    CHECK(c->request == REQUEST_BODY);
    CHECK(piece.len > 0);
    uint64_t wanted = o->chunked ? o->chunk_left : o->message->octets - o->offset;
    if (wanted > CLIENT_PIECE_MAX)
        wanted = CLIENT_PIECE_MAX;
    if (piece.len > wanted)
        piece.len = (size_t)wanted;
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
    bool stuffed = !o->chunked && o->message->dot_lines;
    if (stuffed ? !dot_encode(&c->output, piece, &o->at_line_start)
                : !buffer_append(&c->output, piece.at, piece.len)) {
        client_fail(c, AT_LOCAL, "4.3.0", "memory is short");
        return;
    }
    remember_tail(o, piece);
    o->offset += piece.len;
    if (o->chunked)
        o->chunk_left -= piece.len;
    client_set_deadline(c);
}

void smtp_client_body_failed(struct smtp_client *c, uint64_t now_ms)
{
    CHECK(c->request == REQUEST_BODY);
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
    client_fail(c, AT_LOCAL, "4.3.0", "the content cannot be read");
}

void smtp_client_finish(struct smtp_client *c, uint64_t now_ms)
{
    CHECK(c->request == REQUEST_FINISH);
    c->request = REQUEST_NONE;
    c->now_ms = now_ms;
    client_newest(c)->may_finish = true;
    client_set_deadline(c);
}

/* ---- going on ---- */

static bool say_quit(struct smtp_client *c)
{
    c->phase = CLIENT_LEAVING;
    client_say(c, AWAIT_QUIT, T("QUIT"));
    return false;
}

static bool at_over(struct smtp_client *c, struct outgoing *o, struct smtp_client_step *step_out)
{
    (void)o;
    if (c->phase == CLIENT_QUITTING)
        return say_quit(c);
    return wait_for(SMTP_CLIENT_NEED_INPUT, step_out);
}

bool client_proceed(struct smtp_client *c, struct smtp_client_step *step_out)
{
    static advance *const advances[STAGES] = {
        [STAGE_MAIL] = at_mail,   [STAGE_RCPT] = at_rcpt,       [STAGE_DATA] = at_data,
        [STAGE_GO] = at_go,       [STAGE_CONTENT] = at_content, [STAGE_FINISH] = at_finish,
        [STAGE_CHUNK] = at_chunk, [STAGE_OCTETS] = at_octets,   [STAGE_OVER] = at_over,
    };
    struct outgoing *o = client_newest(c);
    if (o)
        return advances[o->stage](c, o, step_out);
    if (c->phase == CLIENT_QUITTING)
        return say_quit(c);
    return wait_for(c->phase == CLIENT_OPEN ? SMTP_CLIENT_READY : SMTP_CLIENT_NEED_INPUT, step_out);
}
