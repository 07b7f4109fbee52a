/* delivery.c - one SMTP transaction on its way into the store: into mailboxes, into the queue.
 *
 * Both are one unit: the 250 speaks for every recipient.  Who may send where is not decided here.
 */
#include "serve/delivery.h"

#include "base/check.h"
#include "mail/date.h"
#include "mail/tls_required.h"
#include "queue/dispatch.h"
#include "queue/tls_need.h"
#include "run/clock.h"
#include "serve/binary_body.h"
#include "serve/tell.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DELIVERY_MEMORY_MAX = 8 * 1024 * 1024,
    FIELDS_OCTETS_MAX = 4096, /* more than the longest names and addresses make */
};

/* What mends a body on its way, and the values that it borrows. */
struct submission {
    struct amend amend;
    struct text author; /* in the delivery's memory */
    char date[DATE_TEXT_MAX];
    char message_id[MESSAGE_ID_TEXT + ADDRESS_DOMAIN_MAX + sizeof "<@>"];
};

struct delivery {
    struct server_loop *home;
    const struct delivery_events *events;
    void *owner; /* NULL: the session has gone */
    bool busy;   /* committing, or telling */
    bool failed; /* a part of the body could not be kept */
    struct arena memory;
    struct recipients recipients;
    struct delivered delivered; /* whom the content names as having had it */
    struct tls_required tls_required;
    struct text forwarder;         /* Delivered-To of the content; recipients_forwarder() */
    struct submission *submission; /* NULL: the body is kept as it comes */
    bool is_binary;                /* came with BODY=BINARYMIME */
    struct binary_body *binary;    /* such a body, in place of the spool until it is complete */
    enum binary_end binary_end;    /* what became of it */
    struct queue_envelope envelope;
    const struct queue_row *looped; /* the rows of those who had it before */
    struct recipient_news *news;    /* what the sender may want to hear once it is stored */
    size_t news_count;
    struct tell tell;
    struct spool *spool;
    uint64_t octets; /* of the content, once it is committed */
    message_id message;
    char id[MESSAGE_ID_TEXT + 1];
    char words[sizeof "accepted as " + MESSAGE_ID_TEXT];
    struct commit commit;
};

struct delivery *delivery_new(struct server_loop *home, const struct delivery_events *events,
                              void *owner)
{
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->home = home;
    d->events = events;
    d->owner = owner;
    d->commit.home = home->loop;
    arena_init(&d->memory, DELIVERY_MEMORY_MAX);
    recipients_init(&d->recipients, &d->memory);
    delivered_init(&d->delivered);
    return d;
}

static void delivery_free(struct delivery *d)
{
    if (d->spool)
        spool_close(&d->spool);
    binary_body_free(&d->binary);
    arena_reset(&d->memory);
    delivered_clear(&d->delivered);
    free(d->submission);
    free(d);
}

void delivery_release(struct delivery **delivery)
{
    struct delivery *d = *delivery;
    *delivery = NULL;
    if (!d)
        return;
    d->owner = NULL;
    if (!d->busy)
        delivery_free(d);
}

enum recipients_add delivery_add(struct delivery *d, const struct recipient_named *named)
{
    return recipients_add(&d->recipients, named);
}

/* --- The body --- */

static void spool_is_ready(void *owner)
{
    struct delivery *d = owner;
    if (d->owner)
        d->events->body_ready(d->owner);
}

static bool note(struct delivery *d, enum spool_state state, bool *wait_out)
{
    d->failed |= state == SPOOL_FAILED;
    *wait_out = state == SPOOL_WAIT;
    return state != SPOOL_FAILED;
}

bool delivery_amend(struct delivery *d, struct text author)
{
    d->submission = calloc(1, sizeof *d->submission);
    return d->submission && arena_text(&d->memory, author, &d->submission->author);
}

void delivery_is_binary(struct delivery *d)
{
    d->is_binary = true;
}

/* The id and the time are those of Received. */
static void begin_amending(struct submission *s, const struct trace_received *trace)
{
    int len = snprintf(s->message_id, sizeof s->message_id, "<%.*s@%.*s>", TEXT_ARGS(trace->id),
                       TEXT_ARGS(trace->hostname));
    amend_init(&s->amend, &(struct amend_values){
                              .date = date_rfc5322(trace->wall_ms, trace->zone_seconds, s->date),
                              .from = s->author,
                              .message_id = { s->message_id, (size_t)len },
                          });
}

static void binary_ended(void *owner, enum binary_end how)
{
    struct delivery *d = owner;
    d->binary_end = how;
    d->failed |= how == BINARY_FAILED;
    if (how == BINARY_LINES || how == BINARY_KEPT)
        d->spool = binary_body_take(d->binary);
    d->events->body_complete(d->owner);
}

/* The place of the body. */
static bool open_body(struct delivery *d)
{
    struct store *store = d->home->server->store;
    if (!d->is_binary) {
        d->spool = spool_open(store, d->message, d->commit.home, spool_is_ready, d);
        return d->spool != NULL;
    }
    d->binary = binary_body_new(&(struct binary_body_options){
        .store = store,
        .loop = d->commit.home,
        .message = d->message,
        .to_lines = d->recipients.local_count > 0,
        .ready = spool_is_ready,
        .ended = binary_ended,
        .owner = d,
    });
    return d->binary != NULL;
}

/* The spool counts what the decoder has not counted. */
static enum spool_state append(struct delivery *d, struct bytes bytes)
{
    return d->binary ? binary_body_append(d->binary, bytes) : spool_append(d->spool, bytes);
}

bool delivery_open(struct delivery *d, struct trace_received *trace,
                   const struct address *recipient, uint32_t recipient_count)
{
    char room[FIELDS_OCTETS_MAX];
    struct buffer fields = buffer_over(room, sizeof room);
    bool wait;
    struct store *store = d->home->server->store;
    d->message = store_new_message_id(store);
    message_id_print(d->message, d->id);
    snprintf(d->words, sizeof d->words, "accepted as %s", d->id);
    d->commit.arrived_ms = clock_wall_ms();
    trace->id = delivery_id(d);
    trace->wall_ms = d->commit.arrived_ms;
    trace->zone_seconds = clock_zone_seconds(trace->wall_ms);
    if (d->submission)
        begin_amending(d->submission, trace);
    if (recipient_count == 1)
        trace->only_recipient = address_text(recipient);
    if (!open_body(d))
        return false;
    d->forwarder = recipients_forwarder(&d->recipients);
    return (d->forwarder.len == 0 || trace_delivered_to(&fields, d->forwarder)) &&
           trace_received(&fields, trace) && note(d, append(d, buffer_bytes(&fields)), &wait);
}

static void read_header(struct delivery *d, struct bytes bytes)
{
    delivered_read(&d->delivered, bytes);
    tls_required_read(&d->tls_required, bytes);
}

/* What the decoder has counted is not what is kept, so the spool counts. */
static void append_amended(struct delivery *d, struct bytes in, bool *wait_out)
{
    struct bytes out;
    while (amend_next(&d->submission->amend, &in, &out)) {
        read_header(d, out);
        if (!d->failed)
            note(d, append(d, out), wait_out);
    }
}

void delivery_body(struct delivery *d, struct bytes bytes, bool *wait_out)
{
    *wait_out = false;
    if (d->submission) {
        append_amended(d, bytes, wait_out);
        return;
    }
    read_header(d, bytes);
    if (!d->failed)
        note(d, d->binary ? append(d, bytes) : spool_append_counted(d->spool, bytes), wait_out);
}

bool delivery_body_end(struct delivery *d)
{
    bool wait; /* no more will come */
    if (d->submission) {
        amend_end(&d->submission->amend);
        append_amended(d, (struct bytes){ 0 }, &wait);
    }
    if (!d->binary || d->failed)
        return true;
    d->failed = !binary_body_end(d->binary);
    return d->failed;
}

enum convert_obstacle delivery_obstacle(const struct delivery *d)
{
    return binary_body_obstacle(d->binary);
}

struct amend_author delivery_author(const struct delivery *d)
{
    return amend_author(&d->submission->amend);
}

bool delivery_is_whole(const struct delivery *d)
{
    return !d->failed;
}

/* --- The commit --- */

static void settle_down(void *owner)
{
    struct delivery *d = owner;
    struct server_loop *home = d->home;
    d->busy = false;
    if (!d->owner)
        delivery_free(d);
    server_loop_release(home);
}

/* The session has its answer and needs nothing of this any more. */
static void tell_sender(struct delivery *d)
{
    const struct commit *c = &d->commit;
    spool_close(&d->spool);
    d->tell.office = d->home->server->office;
    d->tell.loop = d->home->index;
    d->tell.item = (struct queue_item){
        .row = { .message = d->message },
        .sender = c->sender,
        .envelope = d->envelope,
        .arrived_ms = c->arrived_ms,
        .content = { .message = d->message, .content_octets = d->octets },
    };
    d->tell.done = settle_down;
    d->tell.owner = d;
    tell_start(&d->tell);
}

static void commit_done(struct commit *commit)
{
    struct delivery *d = OWNER_OF(commit, struct delivery, commit);
    d->octets = spool_octets(d->spool);
    if (commit->verdict == STORE_STORED && commit->row_count > 0)
        dispatch_poke(d->home->server->dispatch);
    if (d->owner)
        d->events->committed(d->owner, d);
    if (commit->verdict == STORE_STORED && d->news_count && d->home->server->office)
        tell_sender(d);
    else
        settle_down(d);
}

/* Each placement has a prefix of its own (store rule 5), which does not say again what the content
 * says. */
static bool make_placement(struct delivery *d, const struct place *place, struct placement *out)
{
    char room[FIELDS_OCTETS_MAX];
    struct buffer prefix = buffer_over(room, sizeof room);
    struct content_counter counter;
    bool said = d->forwarder.len && text_equal(place->address, d->forwarder);
    *out = (struct placement){ .mailbox = place->mailbox, .address = place->account };
    bool done = trace_prefix(&prefix, d->commit.sender, said ? T("") : place->address) &&
                arena_text(&d->memory, buffer_as_text(&prefix), &out->prefix);
    content_counter_init(&counter);
    content_count(&counter, bytes_of_text(out->prefix));
    out->prefix_facts = counter.facts;
    return done;
}

static bool make_placements(struct delivery *d, struct commit *c)
{
    const struct recipients *r = &d->recipients;
    c->placements = arena_take(&d->memory, r->local_count * sizeof *c->placements);
    if (!c->placements)
        return false;
    for (size_t i = 0; i < r->place_count; i++) {
        const struct place *place = &r->places[i];
        if (place->mailbox && !place->lost &&
            !make_placement(d, place, &c->placements[c->placement_count++]))
            return false;
    }
    return true;
}

/* Of a canonical address, in which a quoted local part may hold an at sign but no domain does. */
static struct text domain_of(struct text address)
{
    size_t at = address.len;
    while (at > 0 && address.at[at - 1] != '@')
        at--;
    return text_skip(address, at);
}

static bool add_row(struct delivery *d, struct queue_row *rows, const struct queue_row *row)
{
    struct queue_row *to = &rows[d->commit.row_count];
    *to = *row;
    to->message = d->message;
    to->number = (uint32_t)d->commit.row_count++;
    to->generation = 1;
    return tls_need_name(domain_of(to->address), tls_need_of(&d->envelope), &d->memory,
                         &to->domain);
}

/* Those elsewhere, then those who had it before: they are settled at once, see tell.h. */
static bool list_rows(struct delivery *d, struct queue_row *rows)
{
    const struct recipients *r = &d->recipients;
    for (size_t i = 0; i < r->place_count; i++) {
        const struct place *place = &r->places[i];
        struct queue_row row = { .address = place->address,
                                 .orcpt = place->orcpt,
                                 .notify = place->notify,
                                 .due_ms = d->commit.arrived_ms };
        if (!place->mailbox && !place->lost && !add_row(d, rows, &row))
            return false;
    }
    d->looped = &rows[d->commit.row_count];
    for (size_t i = 0; i < d->news_count; i++) {
        const struct recipient_news *news = &d->news[i];
        struct queue_row row = { .address = news->address,
                                 .orcpt = news->orcpt,
                                 .notify = news->notify,
                                 .due_ms = d->commit.arrived_ms + SETTLE_AGAIN_MS };
        if (news->action == DSN_FAILED && !add_row(d, rows, &row))
            return false;
    }
    return true;
}

static bool make_rows(struct delivery *d, struct commit *c)
{
    size_t max = d->recipients.remote_count + d->news_count;
    if (max == 0)
        return true;
    struct queue_row *rows = arena_take(&d->memory, max * sizeof *rows);
    if (!rows || !list_rows(d, rows))
        return false;
    c->rows = rows;
    c->envelope = &d->envelope;
    return true;
}

/* Most messages have none. */
static bool gather_news(struct delivery *d)
{
    const struct recipients *r = &d->recipients;
    bool any = delivered_any(&d->delivered);
    for (size_t i = 0; i < r->count; i++)
        any |= (r->list[i].notify & NOTIFY_SUCCESS) != 0;
    if (!any)
        return true;
    d->news = arena_take(&d->memory, recipients_news_max(r) * sizeof *d->news);
    if (!d->news)
        return false;
    d->news_count = recipients_news(r, d->news);
    return true;
}

static size_t looped_count(const struct delivery *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->news_count; i++)
        count += d->news[i].action == DSN_FAILED;
    return count;
}

/* RFC 8689 4.1: with the parameter the field in the header means nothing. */
static struct queue_envelope envelope_of(const struct delivery *d, const struct smtp_mail *mail)
{
    return (struct queue_envelope){
        .ret = mail->ret,
        .utf8 = mail->smtputf8,
        .binary = d->binary_end == BINARY_KEPT,
        .requires_tls = mail->requiretls,
        .waives_tls = !mail->requiretls && tls_required_says_no(&d->tls_required),
    };
}

static bool make_unit(struct delivery *d, const struct address *sender,
                      const struct smtp_mail *mail)
{
    struct commit *c = &d->commit;
    d->envelope = envelope_of(d, mail);
    return arena_text(&d->memory, address_text(sender), &c->sender) &&
           arena_text(&d->memory, mail->envid, &d->envelope.envid) && make_placements(d, c) &&
           make_rows(d, c) &&
           (d->news_count == 0 ||
            tell_gather(&d->tell, d->news, d->news_count, d->looped, &d->memory));
}

static void add_facts(struct delivery *d, const struct content_facts *body)
{
    struct content_facts facts = *body;
    facts.bare_cr_or_lf = false; /* mended by the decoder, or it would have been refused */
    spool_add_facts(d->spool, &facts);
}

enum delivery_end delivery_commit(struct delivery *d, const struct address *sender,
                                  const struct smtp_mail *mail, const struct content_facts *body)
{
    struct commit *c = &d->commit;
    CHECK(!d->busy);
    if (d->binary_end == BINARY_NOT_LINES)
        return DELIVERY_NOT_LINES;
    if (!recipients_drop_loops(&d->recipients, &d->delivered))
        return DELIVERY_LOOPS;
    if (!gather_news(d))
        return DELIVERY_NO_MEMORY;
    if (d->recipients.remote_count + looped_count(d) > STORE_PLACEMENTS_MAX)
        return DELIVERY_LOOPS; /* too many to tell of one by one */
    if (!make_unit(d, sender, mail))
        return DELIVERY_NO_MEMORY;
    if (!d->submission && !d->binary)
        add_facts(d, body);
    c->message = d->message;
    c->spool = d->spool;
    c->done = commit_done;
    d->busy = true;
    server_loop_hold(d->home);
    store_submit(d->home->server->store, c);
    return DELIVERY_COMMITTING;
}

enum store_verdict delivery_verdict(const struct delivery *d)
{
    return d->commit.verdict;
}

const struct error *delivery_error(const struct delivery *d)
{
    return &d->commit.error;
}

struct text delivery_id(const struct delivery *d)
{
    return text_of(d->id);
}

struct text delivery_words(const struct delivery *d)
{
    return text_of(d->words);
}

uint64_t delivery_octets(const struct delivery *d)
{
    return d->octets;
}

const struct recipients *delivery_recipients(const struct delivery *d)
{
    return &d->recipients;
}
