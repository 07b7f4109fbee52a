/* remote_talk.c - the pump between a connection and the client machine, and the content that it
 * asks for.
 *
 * Decides nothing about the protocol.  What is decided here: when the end of a message may be sent
 * (after the results of those before are durable, store rule 16), and whether a session
 * that failed has said anything about the message.
 */
#include "queue/remote_inner.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static void turn(struct remote *, struct bytes fresh);

static uint64_t now_ms(const struct remote *r)
{
    return loop_now_ms(r->loop);
}

/* --- Content --- */

static bool read_body(struct remote *);

static void content_ready(void *owner)
{
    struct remote *r = owner;
    if (read_body(r))
        remote_talk_on(r);
}

static enum content_state read_content(struct remote *r, struct bytes *piece)
{
    if (remote_convert_is_used(r))
        return remote_convert_read(r, piece, content_ready, r);
    return content_read(r->content, r->read_at, piece, content_ready, r);
}

static bool fail_body(struct remote *r, const char *why)
{
    char id[MESSAGE_ID_TEXT + 1];
    message_id_print(r->job->item.row.message, id);
    LOG_EVENT(r->office->log, LOG_ERROR, text_of(r->session), "unreadable", { "id", text_of(id) },
              { "why", text_of(why) });
    smtp_client_body_failed(r->machine, now_ms(r));
    return true;
}

/* False: a lane is asked, content_ready() will come. */
static bool read_body(struct remote *r)
{
    struct bytes piece;
    if (!r->content)
        r->content = content_open(r->office->store, r->loop, &r->job->item.content);
    if (!r->content)
        return fail_body(r, "memory or descriptors are short");
    switch (read_content(r, &piece)) {
    case CONTENT_HERE:
        smtp_client_body(r->machine, piece, now_ms(r));
        wire_add_output(&r->wire, LOG_CLIENT, WIRE_BODY, smtp_client_output(r->machine));
        return true;
    case CONTENT_WAIT:
        return false;
    case CONTENT_BUSY:
        return fail_body(r, "the store is busy");
    case CONTENT_END:
    case CONTENT_DAMAGED:
        break;
    }
    return fail_body(r, "the stored message is damaged");
}

/* --- A message --- */

/* What came with SMTPUTF8 needs it when there is anything beyond ASCII in addresses or header,
 * which for all that is known may be where the content has it. */
static bool needs_utf8(const struct remote *r, const struct settling *s)
{
    const struct queue_job *job = r->job;
    bool ascii = text_is_ascii(job->item.sender);
    for (uint32_t i = 0; i < s->count; i++)
        ascii &= text_is_ascii(job->rows[s->first + i].address);
    return !ascii || (job->item.envelope.utf8 && job->item.facts.eight_bit &&
                      !remote_convert_knows_ascii_header(r));
}

/* The first rows, those of so many domains; they stand together. */
static uint32_t rows_of_domains(const struct queue_row *rows, uint32_t count, uint32_t domains_max)
{
    uint32_t domains = 1;
    for (uint32_t i = 1; i < count; i++)
        if (!text_equal(rows[i].domain, rows[i - 1].domain) && ++domains > domains_max)
            return i;
    return count;
}

/* As many recipients as the host takes at a time (RFC 9422). */
static uint32_t slice_of(const struct remote *r)
{
    const struct smtp_client_offers *offers = smtp_client_offers(r->machine);
    uint32_t left = r->job->row_count - r->job->rows_sent;
    if (offers->recipients_max && left > offers->recipients_max)
        left = offers->recipients_max;
    if (offers->domains_max)
        left = rows_of_domains(r->job->rows + r->job->rows_sent, left, offers->domains_max);
    return left;
}

static struct smtp_client_recipient *recipients_of(struct queue_job *job, const struct settling *s)
{
    struct smtp_client_recipient *to = arena_take(&job->memory, s->count * sizeof *to);
    for (uint32_t i = 0; to && i < s->count; i++) {
        const struct queue_row *row = &job->rows[s->first + i];
        to[i] = (struct smtp_client_recipient){ row->address, row->notify, row->orcpt };
    }
    return to;
}

/* False: memory is short. */
static bool send_slice(struct remote *r)
{
    struct queue_job *job = r->job;
    r->settling = remote_settling_new(r, job, slice_of(r));
    if (!r->settling)
        return false;
    r->message = (struct smtp_client_message){
        .sender = job->item.sender,
        .octets = job->item.content.content_octets,
        .eight_bit = job->item.facts.eight_bit,
        .utf8 = needs_utf8(r, r->settling),
        .dot_lines = job->item.facts.dot_lines,
        .ret = job->item.envelope.ret,
        .envid = job->item.envelope.envid,
        .recipients = recipients_of(job, r->settling),
        .recipient_count = r->settling->count,
    };
    remote_convert_describe(r, &r->message);
    return r->message.recipients && smtp_client_send(r->machine, &r->message, now_ms(r));
}

/* What cannot be read was tried, and will be again: it keeps nobody else waiting, and expires. */
static void pass_by_damaged(struct remote *r)
{
    struct outcome o = { .status = T("4.3.0"), .reason = T("the stored message is damaged") };
    struct queue_job *job = r->job;
    r->job = NULL;
    list_append(&r->done, &job->link);
    remote_settle_rest(r, job, &o);
}

/* The next message, or QUIT, or nothing.  False: nothing more is to be said now. */
static bool be_ready(struct remote *r)
{
    r->in_session = true;
    remote_auth_done(r);
    if (r->state == REMOTE_LEAVING) {
        smtp_client_quit(r->machine, now_ms(r));
        return true;
    }
    if (r->state != REMOTE_TALKING || !remote_find_job(r)) {
        remote_convert_clear(r);
        r->ready = true;
        return false;
    }
    if (!smtp_client_may_send(r->machine)) {
        smtp_client_quit(r->machine, now_ms(r));
        return true;
    }
    enum remote_look look = remote_convert_look(r);
    r->unheard = look == REMOTE_LOOKS; /* should the session end meanwhile */
    if (look == REMOTE_LOOKS)
        return false;
    if (look == REMOTE_LOOK_DAMAGE) {
        pass_by_damaged(r);
        return true;
    }
    if (look == REMOTE_LOOK_FAILED || !send_slice(r)) {
        r->errand.local_trouble = true;
        r->closing = true;
        return false;
    }
    return true;
}

/* --- Results --- */

/* The session ended before it had heard anything of the message: then nothing was said about it.
 * One that was used before may have been closed for its age, and a new one's host is not the only
 * one. */
static bool says_nothing(const struct smtp_client_result *one)
{
    return !one->delivered && !one->permanent && (one->code == 0 || one->code == 421) &&
           one->where <= AT_MAIL;
}

static struct outcome outcome_at_host(const struct remote *r,
                                      const struct smtp_client_result *result)
{
    struct outcome o = outcome_of_result(result);
    o.host = text_of(r->host);
    o.host_name = remote_host_name(r);
    if (result->where == AT_AUTH)
        o.reply_to = text_of(r->auth_words);
    return o;
}

static void note_refusal(struct remote *r, const struct smtp_client_result *result)
{
    struct outcome o = outcome_at_host(r, result);
    if (!r->refused)
        r->refused = r->job;
    r->refused_many |= !text_equal(r->refused->item.sender, r->job->item.sender);
    remote_keep_failure(r, &o);
}

static void take_sent(struct remote *r)
{
    const struct smtp_client_result *one = smtp_client_result(r->machine, 0);
    content_close(&r->content);
    r->may_finish_asked = false;
    if (says_nothing(one)) {
        r->unheard = true;
        return;
    }
    r->used = true;
    if (one->where == AT_MAIL && one->code >= 400 && one->code < 500)
        note_refusal(r, one);
    else if (one->code != 0 && one->code != 421)
        r->errand.successes++;
    remote_settle_results(r);
}

/* --- The pump --- */

/* Returns whether anything was said. */
static bool flush(struct remote *r)
{
    struct bytes out = smtp_client_output(r->machine);
    if (r->sending || r->broken || out.len == 0)
        return false;
    enum stream_sent sent = stream_write(r->stream, out);
    r->sending = sent == STREAM_QUEUED;
    r->broken = sent == STREAM_BROKEN;
    wire_drained(&r->wire, out.len);
    smtp_client_drained(r->machine, out.len);
    return true;
}

/* One step.  False: nothing goes on before an event. */
static bool step(struct remote *r, struct bytes *in)
{
    const uint8_t *from = in->at;
    struct smtp_client_step s = smtp_client_step(r->machine, in, now_ms(r));
    wire_add(&r->wire, LOG_SERVER, WIRE_WORDS, (struct bytes){ from, (size_t)(in->at - from) });
    bool secret = r->login && !smtp_client_failure(r->machine);
    wire_add_output(&r->wire, LOG_CLIENT, secret ? WIRE_SECRET : WIRE_WORDS,
                    smtp_client_output(r->machine));
    switch (s.kind) {
    case SMTP_CLIENT_NEED_INPUT:
    case SMTP_CLIENT_NEED_ANSWER:
        return false;
    case SMTP_CLIENT_NEED_DRAIN:
        return flush(r);
    case SMTP_CLIENT_READY:
        return be_ready(r);
    case SMTP_CLIENT_READ_BODY:
        r->read_at = s.offset;
        return read_body(r);
    case SMTP_CLIENT_MAY_FINISH:
        r->may_finish_asked = r->settlements > 0;
        if (!r->may_finish_asked)
            smtp_client_finish(r->machine, now_ms(r));
        return !r->may_finish_asked;
    case SMTP_CLIENT_AUTH:
        return remote_auth_step(r, &s);
    case SMTP_CLIENT_START_TLS:
        r->tls_wanted = true; /* once the output is out */
        return false;
    case SMTP_CLIENT_SENT:
        take_sent(r);
        return true;
    case SMTP_CLIENT_CLOSE:
        r->closing = true;
        return false;
    }
    return false;
}

static void advance(struct remote *r, struct bytes *in)
{
    r->running = true;
    r->ready = false;
    do {
        r->again = false;
        while (!r->sending && !r->closing && !r->tls_wanted && step(r, in))
            ;
        flush(r);
    } while (r->again && !r->closing && !r->sending);
    r->running = false;
}

/* False: memory is short. */
static bool set_timer(struct remote *r)
{
    uint64_t due = smtp_client_deadline_ms(r->machine);
    if (r->home->stopping && r->home->stop_by_ms < due)
        due = r->home->stop_by_ms;
    if (due == UINT64_MAX || (r->timer.node.place && r->timer.node.key <= due))
        return true;
    return loop_timer_start(r->loop, &r->timer, due);
}

/* Keeps the part of the input that was not taken. */
static bool keep(struct remote *r, struct bytes rest)
{
    if (r->pending.len) {
        buffer_take(&r->pending, r->pending.len - rest.len);
        if (r->pending.len == 0)
            buffer_clear(&r->pending);
        return true;
    }
    return buffer_append(&r->pending, rest.at, rest.len);
}

static void over(struct remote *);

/* Nothing might ever happen again: the session ends here and now. */
static void run_short(struct remote *r)
{
    struct bytes nothing = { 0 };
    if (r->state != REMOTE_AWAY)
        r->errand.local_trouble = true;
    r->sending = false;
    r->broken = true;
    smtp_client_input_ended(r->machine, T("memory is short"));
    advance(r, &nothing);
    if (r->closing)
        over(r);
}

/* The handshake begins; when it cannot, the session ends. */
static void secure(struct remote *r)
{
    remote_start_tls(r);
    if (!r->shaking)
        remote_talk_on(r);
}

static void turn(struct remote *r, struct bytes fresh)
{
    if (r->running) {
        r->again = true;
        return;
    }
    if (r->shaking)
        return;
    if (r->pending.len && !buffer_append(&r->pending, fresh.at, fresh.len))
        smtp_client_input_ended(r->machine, T("the server says more than it was asked"));
    struct bytes in = r->pending.len ? buffer_bytes(&r->pending) : fresh;
    advance(r, &in);
    if (r->closing) {
        over(r);
        return;
    }
    if (!keep(r, in) || !set_timer(r)) {
        run_short(r);
        return;
    }
    if (r->tls_wanted && !r->sending)
        secure(r);
    else if (r->ready && r->state == REMOTE_TALKING)
        remote_next(r);
}

void remote_talk_on(struct remote *r)
{
    turn(r, (struct bytes){ 0 });
}

void remote_let_finish(struct remote *r)
{
    r->may_finish_asked = false;
    smtp_client_finish(r->machine, now_ms(r));
    remote_talk_on(r);
}

/* --- Events --- */

static void on_input(void *owner, struct bytes fresh)
{
    turn(owner, fresh);
}

/* What the stream still holds may go out after an orderly end, and on_drained() tells of it. */
static void on_end(void *owner, const struct error *why)
{
    struct remote *r = owner;
    r->sending &= !why;
    r->broken |= why != NULL;
    smtp_client_input_ended(r->machine, why ? error_text(why) : T(""));
    turn(r, (struct bytes){ 0 });
}

static void on_drained(void *owner)
{
    struct remote *r = owner;
    r->sending = false;
    turn(r, (struct bytes){ 0 });
}

static const struct stream_events events = { on_input, on_end, on_drained };

static void timer_fired(struct timer *timer)
{
    struct remote *r = OWNER_OF(timer, struct remote, timer);
    bool late = smtp_client_deadline_ms(r->machine) <= now_ms(r);
    if (r->home->stopping && r->home->stop_by_ms <= now_ms(r)) {
        late = true;
        smtp_client_input_ended(r->machine, T("this server is stopping"));
    }
    r->shaking &= !late;
    if (late && r->sending) { /* the peer does not read: what it was not given it will not get */
        r->sending = false;
        r->broken = true;
    }
    turn(r, (struct bytes){ 0 });
}

/* --- Beginning and end --- */

static void configure(struct remote *r)
{
    const struct config *c = r->office->config(r->office->server, r->home->index);
    struct text name = text_first(c->hostname, sizeof r->hostname - 1);
    memcpy(r->hostname, name.at, name.len);
    r->config = (struct smtp_client_config){
        .hostname = { r->hostname, name.len },
        .tls = remote_tls_wish(r),
        .secured = remote_tls_is_first(r),
        .login = r->errand.route.user[0] != '\0',
        .requiretls = r->errand.route.need == TLS_NEED_REQUIRED,
        SMTP_CLIENT_USUAL_TIMES,
    };
    snprintf(r->auth_words, sizeof r->auth_words, "AUTH as %s", r->errand.route.user);
    wire_init(&r->wire, r->office->log, text_of(r->session), (enum wire_level)c->log_protocol);
}

void remote_talk(struct remote *r, struct stream *stream)
{
    configure(r);
    r->stream = stream;
    r->timer.fire = timer_fired;
    r->machine = smtp_client_new(&r->config, now_ms(r));
    if (!r->machine) {
        stream_close(&r->stream);
        r->errand.local_trouble = true;
        remote_give_up(r);
        return;
    }
    r->state = REMOTE_TALKING;
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "connected",
              { "host", text_of(r->host) });
    stream_start(stream, &events, r);
    r->tls_wanted = r->config.secured;
    turn(r, (struct bytes){ 0 });
}

void remote_hang_up(struct remote *r)
{
    CHECK(!r->running);
    if (!r->machine)
        return;
    loop_timer_stop(r->loop, &r->timer);
    if (r->broken)
        stream_close(&r->stream);
    else
        stream_finish(&r->stream);
    content_close(&r->content);
    remote_convert_clear(r);
    remote_auth_clear(r);
    smtp_client_free(&r->machine);
    buffer_clear(&r->pending);
    wire_clear(&r->wire);
    r->sending = r->broken = r->closing = r->ready = false;
    r->in_session = r->used = r->unheard = r->may_finish_asked = false;
    r->tls_wanted = r->shaking = r->tls_failed = false;
}

static struct outcome outcome_of_failure(struct remote *r, const struct smtp_client_result *failure)
{
    struct outcome o = outcome_at_host(r, failure);
    if (failure->where == AT_AUTH)
        remote_auth_failed(r, failure);
    LOG_EVENT(r->office->log, LOG_INFO, text_of(r->session), "session-failed", { "host", o.host },
              { "why", o.reply.len ? o.reply : o.reason });
    return o;
}

/* What the end of the connection means for what was to be sent. */
enum ending {
    NEXT_HOST,    /* this one has not heard of the message: another may take it */
    CALL_AGAIN,   /* the session was used up, or closed between two messages */
    HOP_REFUSES,  /* our login: it would be refused by each of its hosts, and counted */
    HOP_BROKE,    /* in the middle of things: the hop is to rest */
    NOTHING_LEFT, /* it idled, or leaves, or this host itself is in trouble */
};

static enum ending ending_of(const struct remote *r, const struct smtp_client_result *failure)
{
    if (r->state != REMOTE_TALKING || r->errand.local_trouble)
        return NOTHING_LEFT;
    if (!failure || (r->used && (r->unheard || failure->where == AT_IDLE)))
        return CALL_AGAIN;
    if (failure->where == AT_AUTH && failure->code >= 500)
        return HOP_REFUSES;
    return r->unheard || !r->in_session ? NEXT_HOST : HOP_BROKE;
}

static void over(struct remote *r)
{
    const struct smtp_client_result *failure = smtp_client_failure(r->machine);
    if (failure && failure->where == AT_LOCAL && r->state != REMOTE_AWAY)
        r->errand.local_trouble = true;
    enum ending ending = ending_of(r, failure);
    if (failure && (ending == NEXT_HOST || ending == HOP_REFUSES || ending == HOP_BROKE)) {
        struct outcome o = outcome_of_failure(r, failure);
        remote_keep_failure(r, &o);
    }
    if (failure && failure->where == AT_STARTTLS)
        remote_tls_refused(r, failure);
    r->plain = ending == NEXT_HOST && remote_tls_may_do_without(r);
    remote_hang_up(r);
    switch (ending) {
    case NEXT_HOST:
        if (r->plain)
            remote_call_again(r);
        else
            remote_call_next(r);
        return;
    case CALL_AGAIN:
        remote_next(r);
        return;
    case HOP_REFUSES:
        remote_call_failed(r);
        return;
    case HOP_BROKE:
        r->errand.outcome = r->failure.outcome;
        r->errand.news = HOP_FAILED;
        remote_give_up(r);
        return;
    case NOTHING_LEFT:
        if (r->state == REMOTE_TALKING || r->state == REMOTE_LEAVING)
            remote_give_up(r);
        return;
    }
}
