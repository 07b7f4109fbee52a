/* remote_settle.c - from replies to rows, and the commits under way.
 *
 * The room for results is taken before a message is sent, so that none is lost for want of memory.
 * A commit that the store refuses is tried again: the message has gone, and only its row says so.
 */
#include "queue/remote_inner.h"

#include "base/check.h"
#include "mail/date.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdio.h>

enum { AGAIN_MS = 1000 };

struct settling *remote_settling_new(struct remote *r, struct queue_job *job, uint32_t count)
{
    struct settling *s = arena_take(&job->memory, sizeof *s);
    if (!s)
        return NULL;
    s->recipients = arena_take(&job->memory, count * sizeof *s->recipients);
    s->r = r;
    s->job = job;
    s->first = job->rows_sent;
    s->count = count;
    return s->recipients ? s : NULL;
}

/* --- The log --- */

/* A row's words begin with the host, which the line names anyway; what it did not say is a why. */
static struct log_field words_of(struct text host, const struct settled *row)
{
    struct text words = row->row.last;
    if (host.len && text_starts(words, host))
        words = text_skip(words, host.len);
    if (text_starts(words, T(" said: ")))
        return (struct log_field){ "said", text_skip(words, sizeof " said: " - 1) };
    return (struct log_field){ "why", text_skip(words, text_starts(words, T(": ")) ? 2 : 0) };
}

void remote_log_row(struct log *log, struct text session, struct text host,
                    const struct settled *row)
{
    char id[MESSAGE_ID_TEXT + 1], next[DATE_TEXT_MAX];
    bool waits = row->row.state == QUEUE_WAITING;

    message_id_print(row->row.message, id);
    struct log_field fields[5] = { { "id", text_of(id) }, { "to", row->row.address } };
    size_t count = 2;
    if (host.len)
        fields[count++] = (struct log_field){ "host", host };
    fields[count++] = words_of(host, row);
    if (waits)
        fields[count++] = (struct log_field){ "next", date_rfc3339(row->row.due_ms, false, next) };
    log_event(log, LOG_INFO, session, outcome_name(row), (struct log_fields){ fields, count });
}

static void log_rows(const struct settling *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        remote_log_row(s->r->office->log, text_of(s->r->session), text_of(s->host),
                       &s->recipients[i]);
}

/* --- The commit --- */

static void begin(struct settling *);

static void end(struct settling *s, enum job_fate fate)
{
    struct queue_job *job = s->job;
    if (job->fate != JOB_UNSURE)
        job->fate = fate;
    remote_settled(s->r);
}

static void begin_again(struct timer *timer)
{
    begin(OWNER_OF(timer, struct settling, again));
}

static void try_later(struct settling *s)
{
    struct loop *loop = s->r->loop;
    s->again.fire = begin_again;
    if (s->r->home->stopping || !loop_timer_start(loop, &s->again, loop_now_ms(loop) + AGAIN_MS))
        end(s, JOB_UNSURE);
}

/* What is put off is due at a time that nobody has planned a look for yet. */
static void ask_for_look(const struct settling *s)
{
    const struct office *office = s->r->office;
    for (uint32_t i = 0; i < s->count; i++)
        if (s->recipients[i].row.state == QUEUE_WAITING) {
            office->poke(office->server);
            return;
        }
}

static void committed(void *owner, enum store_verdict verdict, const struct error *error)
{
    struct settling *s = owner;
    switch (verdict) {
    case STORE_STORED:
        log_rows(s);
        ask_for_look(s);
        end(s, JOB_SETTLED);
        return;
    case STORE_REFUSED:
        LOG_EVENT(s->r->office->log, LOG_WARNING, text_of(s->r->session), "result-not-stored",
                  { "why", error_text(error) });
        try_later(s);
        return;
    case STORE_UNKNOWN:
        end(s, JOB_UNSURE);
        return;
    }
}

static void begin(struct settling *s)
{
    s->options = (struct settle_options){
        .office = s->r->office,
        .loop = s->r->home->index,
        .item = &s->job->item,
        .recipients = s->recipients,
        .count = s->count,
        .done = committed,
        .owner = s,
    };
    if (!settle_start(&s->options))
        try_later(s);
}

static void submit(struct settling *s)
{
    struct remote *r = s->r;
    s->job->rows_sent = s->first + s->count;
    snprintf(s->host, sizeof s->host, "%s", r->host);
    r->settlements++;
    begin(s);
}

/* --- From outcomes to rows --- */

static struct outcome_attempt attempt_of(const struct settling *s)
{
    const struct office *office = s->r->office;
    const struct config *c = office->config(office->server, s->r->home->index);
    int64_t now = clock_wall_ms();
    return (struct outcome_attempt){
        .item = &s->job->item,
        .schedule = office_schedule(office, c),
        .now_ms = now,
        .tried_ms = now,
        .spread = (unsigned)(entropy_u64() % SCHEDULE_SPREAD),
    };
}

static void settle_row(struct settling *s, uint32_t index, const struct outcome_attempt *a,
                       const struct outcome *o)
{
    outcome_settle(a, &s->job->rows[s->first + index], o, &s->job->memory, &s->recipients[index]);
}

/* 530: a smarthost that wants a login, or TLS, has something against how this server is configured
 * and not against the message. */
static void forgive(const struct remote *r, const struct smtp_client_result *result,
                    struct outcome *o)
{
    enum { CODE_LOGIN_WANTED = 530 };
    if (r->errand.route.kind != ROUTE_HOST || result->code != CODE_LOGIN_WANTED)
        return;
    o->permanent = false;
    o->status = T("4.7.0");
}

void remote_settle_results(struct remote *r)
{
    struct settling *s = r->settling;
    struct outcome_attempt a = attempt_of(s);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct smtp_client_result *result = smtp_client_result(r->machine, i);
        struct outcome o = outcome_of_result(result);
        forgive(r, result, &o);
        o.host = text_of(r->host);
        o.host_name = remote_host_name(r);
        settle_row(s, i, &a, &o);
    }
    r->settling = NULL;
    submit(s);
}

void remote_settle_rest(struct remote *r, struct queue_job *job, const struct outcome *o)
{
    struct settling *s = remote_settling_new(r, job, job->row_count - job->rows_sent);
    if (!s) {
        job->fate = JOB_UNSURE; /* nothing was sent; its rows wait as they did */
        return;
    }
    struct outcome_attempt a = attempt_of(s);
    for (uint32_t i = 0; i < s->count; i++)
        settle_row(s, i, &a, o);
    submit(s);
}
