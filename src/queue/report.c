/* report.c - makes a report to the sender of a message.
 *
 * Reports are sent from the null sender and want none themselves (RFC 3461 6.1), so that no report
 * is ever about a report.  One that leaves this host is written in ASCII: it must arrive whatever
 * the hosts on its way offer, since nobody would be told that it did not.  What the original needs
 * of TLS its report needs too, because it tells of it.
 */
#include "queue/report.h"

#include "base/check.h"
#include "mail/notify.h"
#include "mail/trace.h"
#include "mail/xtext.h"
#include "queue/tls_need.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdio.h>

enum { PREFIX_OCTETS_MAX = 4096, BOUNDARY_RANDOM = 3 };

static void end(struct report *r, enum report_verdict verdict, const char *why)
{
    r->verdict = verdict;
    r->why = why;
    r->done(r);
}

static const char no_memory[] = "memory is short";

/* --- 1: where it goes --- */

/* Each placement has a prefix of its own (store rule 5). */
static bool place(struct report *r, const struct office_mailbox *to)
{
    struct placement *p = &r->placements[r->placement_count];
    struct content_counter counter;
    struct buffer prefix;
    buffer_init(&prefix, PREFIX_OCTETS_MAX);
    p->mailbox = to->mailbox;
    bool done = arena_text(r->memory, to->account, &p->address) &&
                trace_prefix(&prefix, T(""), to->delivered_to) &&
                arena_text(r->memory, buffer_as_text(&prefix), &p->prefix);
    buffer_clear(&prefix);
    if (!done)
        return false;
    content_counter_init(&counter);
    content_count(&counter, bytes_of_text(p->prefix));
    p->prefix_facts = counter.facts;
    r->placement_count++;
    return true;
}

static bool queue(struct report *r, struct text to)
{
    struct queue_row *row = &r->rows[r->row_count];
    struct address address;
    *row = (struct queue_row){
        .number = (uint32_t)r->row_count,
        .generation = 1,
        .state = QUEUE_WAITING,
        .due_ms = clock_wall_ms(),
        .notify = NOTIFY_NEVER,
    };
    if (address_parse(to, ADDRESS_UTF8, &address) != ADDRESS_OK ||
        !arena_text(r->memory, address_text(&address), &row->address))
        return false;
    struct text domain = text_skip(row->address, row->address.len - address_domain(&address).len);
    if (!tls_need_name(domain, tls_need_of(&r->envelope), r->memory, &row->domain))
        return false;
    r->envelope.utf8 |= !text_is_ascii(row->address);
    r->row_count++;
    return true;
}

static bool address_to(struct report *r, const struct office_answer *answer)
{
    CHECK(answer->mailbox_count <= OFFICE_TARGETS_MAX);
    CHECK(answer->remote_count <= OFFICE_TARGETS_MAX);
    r->placements = arena_take(r->memory, answer->mailbox_count * sizeof *r->placements);
    r->rows = arena_take(r->memory, answer->remote_count * sizeof *r->rows);
    if (!r->placements || !r->rows)
        return false;
    for (size_t i = 0; i < answer->mailbox_count; i++)
        if (!place(r, &answer->mailboxes[i]))
            return false;
    for (size_t i = 0; i < answer->remote_count; i++)
        if (!queue(r, answer->remotes[i]))
            return false;
    return true;
}

/* --- 2: what it returns --- */

static bool any_failed(const struct told *told)
{
    for (size_t i = 0; i < told->count; i++)
        if (told->recipients[i].action == DSN_FAILED)
            return true;
    return false;
}

/* RFC 3461 4.3: RET=FULL is about failures only.  RFC 8689 5: and not about what came with
 * REQUIRETLS.  What is binary has no place in a report, which is lines; its header is. */
static void read_original(struct report *r)
{
    const struct queue_envelope *e = &r->item->envelope;
    bool whole = text_equal_nocase(e->ret, T("FULL")) && !e->requires_tls && !e->binary &&
                 any_failed(&r->told);
    original_start(&r->original, r->office->store, r->office->loops[r->loop], &r->item->content,
                   whole);
}

static void sender_found(void *asker, const struct office_answer *answer)
{
    struct report *r = asker;
    struct text sender = address_text(&r->sender);
    struct office_answer elsewhere = { .remotes = &sender, .remote_count = 1 };
    switch (answer->verdict) {
    case OFFICE_FOREIGN:
        answer = &elsewhere;
        break;
    case OFFICE_FOUND:
        break;
    case OFFICE_UNKNOWN:
    case OFFICE_NOBODY:
        end(r, REPORT_NOBODY, "nobody here has the address of the sender");
        return;
    case OFFICE_TROUBLE:
        end(r, REPORT_TROUBLE, "where the sender's mail goes could not be looked up");
        return;
    }
    if (!address_to(r, answer))
        end(r, REPORT_TROUBLE, no_memory);
    else if (r->placement_count + r->row_count == 0)
        end(r, REPORT_NOBODY, "the address of the sender leads nowhere");
    else
        read_original(r);
}

/* --- 3: its words --- */

static struct text make_boundary(char out[DSN_BOUNDARY_MAX + 1])
{
    uint64_t random[BOUNDARY_RANDOM];
    entropy_fill(random, sizeof random);
    int len = snprintf(out, DSN_BOUNDARY_MAX + 1, "report-%016llx%016llx%016llx",
                       (unsigned long long)random[0], (unsigned long long)random[1],
                       (unsigned long long)random[2]);
    return (struct text){ out, (size_t)len };
}

/* An answer to a report should reach a person: one of the sender's own domain when that is ours. */
static struct text from_domain(const struct report *r, const struct config *config)
{
    const struct config_domain *own = config_domain(config, address_domain(&r->sender));
    if (own || config->domain_count == 0)
        return own ? own->name : config->hostname;
    return config->domains[0].name;
}

/* RFC 3461 6.3 (a): decoded; what does not decode is none. */
static bool decode_envid(const struct report *r, struct buffer *out)
{
    return r->item->envelope.envid.len == 0 || xtext_decode(out, r->item->envelope.envid) ||
           !out->failed;
}

static struct dsn_report describe(struct report *r)
{
    const struct config *config = r->office->config(r->office->server, r->loop);
    int64_t now_ms = clock_wall_ms();
    return (struct dsn_report){
        .reporting_mta = config->hostname,
        .from_domain = from_domain(r, config),
        .to = address_text(&r->sender),
        .arrived_ms = r->item->arrived_ms,
        .now_ms = now_ms,
        .zone_seconds = clock_zone_seconds(now_ms),
        .recipients = r->told.recipients,
        .recipient_count = r->told.count,
        .original = buffer_as_text(&r->original.text),
        .original_is_whole = r->original.is_whole,
        .utf8 = r->item->envelope.utf8,
        .seven_bit = r->row_count > 0,
        .waives_tls = r->envelope.waives_tls,
    };
}

/* --- 4: into the spool --- */

/* The commit waits for what the spool has not written yet. */
static void spool_is_ready(void *owner)
{
    (void)owner;
}

static bool spool_words(struct report *r, const struct dsn_report *d)
{
    struct buffer words;
    buffer_init(&words, dsn_octets_max(d));
    bool done = dsn_write(&words, d);
    if (done) {
        r->spool = spool_open(r->office->store, r->message, r->office->loops[r->loop],
                              spool_is_ready, NULL);
        done = r->spool && spool_append(r->spool, buffer_bytes(&words)) != SPOOL_FAILED;
    }
    buffer_clear(&words);
    return done;
}

static bool write_report(struct report *r)
{
    char id[MESSAGE_ID_TEXT + 1], about[MESSAGE_ID_TEXT + 1], boundary[DSN_BOUNDARY_MAX + 1];
    struct dsn_report d = describe(r);
    struct buffer envid;
    struct trace_origin origin;
    trace_origin(d.original, &origin);
    d.received_from = origin.hello;
    d.received_peer = origin.peer;
    r->message = store_new_message_id(r->office->store);
    for (size_t i = 0; i < r->row_count; i++)
        r->rows[i].message = r->message;
    d.message_id = message_id_print(r->message, id);
    d.original_id = message_id_print(r->item->row.message, about);
    d.boundary = make_boundary(boundary);
    r->envelope.utf8 |= dsn_needs_smtputf8(&d);
    buffer_init(&envid, r->item->envelope.envid.len);
    bool done = decode_envid(r, &envid);
    d.envid = buffer_as_text(&envid);
    done = done && spool_words(r, &d);
    buffer_clear(&envid);
    return done;
}

static void original_read(struct original *o, enum original_verdict verdict)
{
    struct report *r = OWNER_OF(o, struct report, original);
    if (verdict == ORIGINAL_TROUBLE)
        end(r, REPORT_TROUBLE, "the message could not be read");
    else if (!write_report(r))
        end(r, REPORT_TROUBLE, "the report could not be written: memory or disk are short");
    else
        end(r, REPORT_MADE, "");
}

/* --- Its life --- */

void report_start(struct report *r)
{
    CHECK(r->told.count > 0);
    r->envelope = (struct queue_envelope){ .requires_tls = r->item->envelope.requires_tls,
                                           .waives_tls = r->item->envelope.waives_tls };
    r->original.done = original_read;
    enum address_verdict verdict = address_parse(r->item->sender, ADDRESS_UTF8, &r->sender);
    if (verdict == ADDRESS_NO_MEMORY)
        end(r, REPORT_TROUBLE, no_memory);
    else if (verdict != ADDRESS_OK)
        end(r, REPORT_NOBODY, "the sender is no address");
    else
        r->office->resolve(r->office->server, r->loop, &r->sender, sender_found, r);
}

void report_clear(struct report *r)
{
    original_clear(&r->original);
    if (r->spool)
        spool_close(&r->spool);
}
