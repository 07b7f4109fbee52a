/* outcome.c - what an attempt means for a recipient.
 *
 * Temporary or permanent was decided by whoever made the outcome; here it only becomes a state, by
 * the schedule.  Never reads a clock.
 */
#include "queue/outcome.h"

#include "base/buffer.h"

/* In the order of enum smtp_client_where; nothing is said of what is not a command. */
static const char *const commands[] = {
    [AT_CONNECT] = "",       [AT_GREETING] = "",
    [AT_HELLO] = "EHLO",     [AT_STARTTLS] = "STARTTLS",
    [AT_AUTH] = "AUTH",      [AT_IDLE] = "",
    [AT_MAIL] = "MAIL FROM", [AT_RCPT] = "RCPT TO",
    [AT_DATA] = "DATA",      [AT_END_OF_DATA] = "the end of data",
    [AT_LOCAL] = "",
};

struct outcome outcome_of_result(const struct smtp_client_result *r)
{
    struct outcome o = {
        .delivered = r->delivered,
        .permanent = r->permanent,
        .relayed_without_dsn = r->relayed_without_dsn,
        .status = text_of(r->status),
        .reply_to = text_of(commands[r->where]),
    };
    if (r->code)
        o.reply = r->reply;
    else
        o.reason = r->reply;
    return o;
}

const char *outcome_name(const struct settled *s)
{
    switch (s->row.state) {
    case QUEUE_DELIVERED:
        return "sent";
    case QUEUE_BOUNCED:
        return "bounced";
    case QUEUE_EXPIRED:
        return "expired";
    case QUEUE_DROPPED:
        return "dropped";
    case QUEUE_WAITING:
        break;
    }
    return "deferred";
}

/* A copy, or nothing when memory is short: words are not worth a result. */
static struct text keep(struct arena *memory, struct text words)
{
    struct text copy;
    return arena_text(memory, words, &copy) ? copy : T("");
}

/* What a person will read in the queue: who said what, and to what. */
static struct text last_words(const struct outcome *o, struct arena *memory)
{
    struct buffer words;
    buffer_init(&words, 16 * 1024);
    if (o->host.len)
        buffer_printf(&words, "%.*s%s ", TEXT_ARGS(o->host), o->reply.len ? " said:" : ":");
    buffer_printf(&words, "%.*s", TEXT_ARGS(o->reply.len ? o->reply : o->reason));
    if (o->reply_to.len)
        buffer_printf(&words, " (%s %.*s)", o->reply.len ? "in reply to" : "at",
                      TEXT_ARGS(o->reply_to));
    struct text kept = keep(memory, text_first(buffer_as_text(&words), OUTCOME_LAST_MAX));
    buffer_clear(&words);
    return kept;
}

static void tell(struct settled *s, enum dsn_action action)
{
    s->told.action = action;
    s->tell = settle_is_wanted(s->row.notify, action);
}

static struct schedule_row schedule_row_of(const struct outcome_attempt *a,
                                           const struct queue_row *row)
{
    bool nobody_to_warn = a->item->sender.len == 0 || !settle_is_wanted(row->notify, DSN_DELAYED);
    return (struct schedule_row){
        .arrived_ms = a->item->arrived_ms,
        .attempts = row->attempts,
        .warned = row->warned || nobody_to_warn,
    };
}

static void expire(struct settled *s)
{
    s->row.state = QUEUE_EXPIRED;
    s->told.status = T("4.4.7"); /* RFC 3463 X.4.7: delivery time expired */
    tell(s, DSN_FAILED);
}

static void warn(struct settled *s)
{
    s->row.warned = true;
    tell(s, DSN_DELAYED);
}

static void defer(const struct outcome_attempt *a, struct settled *s)
{
    s->row.attempts++;
    struct schedule_row known = schedule_row_of(a, &s->row);
    struct schedule_next next = schedule_after(&a->schedule, &known, a->now_ms, a->spread);
    if (next.verdict == SCHEDULE_EXPIRE) {
        expire(s);
        return;
    }
    s->row.due_ms = next.due_ms;
    if (next.warn)
        warn(s);
}

static void begin(const struct outcome_attempt *a, const struct queue_row *row,
                  const struct outcome *o, struct arena *memory, struct settled *out)
{
    *out = (struct settled){ .row = *row, .has_row = true };
    out->row.generation = 0;
    out->row.last = last_words(o, memory);
    out->told = (struct dsn_recipient){
        .final_recipient = row->address,
        .original_recipient = row->orcpt,
        .status = keep(memory, o->status),
        .remote_mta = keep(memory, o->host_name),
        .diagnostic = keep(memory, text_first(o->reply, DSN_DIAGNOSTIC_MAX)),
        .reason = keep(memory, o->reason),
        .last_attempt_ms = a->tried_ms,
    };
}

void outcome_settle(const struct outcome_attempt *a, const struct queue_row *row,
                    const struct outcome *o, struct arena *memory, struct settled *out)
{
    begin(a, row, o, memory, out);
    if (o->delivered) {
        out->row.state = QUEUE_DELIVERED;
        /* A server with DSN reports success itself. */
        if (o->relayed_without_dsn)
            tell(out, DSN_RELAYED);
    } else if (o->permanent) {
        out->row.state = QUEUE_BOUNCED;
        tell(out, DSN_FAILED);
    } else {
        defer(a, out);
    }
}

bool outcome_behind(const struct outcome_attempt *a, const struct queue_row *row,
                    const struct outcome *o, struct arena *memory, struct settled *out)
{
    struct schedule_row known = schedule_row_of(a, row);
    struct schedule_next next = schedule_behind(&a->schedule, &known, a->tried_ms, a->now_ms);
    if (next.verdict != SCHEDULE_EXPIRE && !next.warn)
        return false;
    begin(a, row, o, memory, out);
    if (next.verdict == SCHEDULE_EXPIRE)
        expire(out);
    else
        warn(out); /* its due time stays: it is to go as soon as the hop is back */
    return true;
}
