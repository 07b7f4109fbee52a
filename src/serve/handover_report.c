/* handover_report.c - what a sender is told about a posting that was refused when it was handed
 * over, and that nobody waits for any more. */
#include "serve/handover.h"

#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/notify.h"
#include "mail/xtext.h"
#include "queue/told.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <inttypes.h>
#include <stdio.h>

static bool wants_to_know(const struct posting *l)
{
    return l->notify == NOTIFY_DEFAULT || (l->notify & NOTIFY_FAILURE);
}

static bool fill_in(const struct handover *h, const struct handover_result *r,
                    struct dsn_recipient *out)
{
    struct address whole;
    /* What is no address cannot stand in a field that wants one. */
    bool named = address_parse(r->address, ADDRESS_UTF8, &whole) == ADDRESS_OK;
    *out = (struct dsn_recipient){
        .final_recipient = named ? r->address : h->sender,
        .action = DSN_FAILED,
        .status = text_of(r->status),
        .diagnostic = r->code ? r->words : T(""),
        .reason = r->code ? T("") : r->words,
    };
    return !r->expired || told_expired(out, h->expire_ms, h->arena);
}

/* False: memory is short. */
static bool list_refused(const struct handover *h, struct dsn_report *report)
{
    struct dsn_recipient *list = arena_take(h->arena, h->posting->to_count * sizeof *list);
    report->recipients = list;
    for (size_t i = 0; list && i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_REFUSED &&
            !fill_in(h, &h->list[i], &list[report->recipient_count++]))
            return false;
    return list != NULL;
}

static bool write_fitting(const struct handover *h, struct dsn_report *report, struct buffer *to)
{
    bool ok = dsn_write(to, report);
    if (!ok || h->octets_max == 0 || to->len <= h->octets_max)
        return ok;
    to->len = 0;
    report->original_is_whole = false;
    return dsn_write(to, report);
}

static bool write(const struct handover *h, struct dsn_report *report, struct buffer *to)
{
    struct buffer original, envid;
    struct posting_facts facts;
    char room[128];
    envid = buffer_over(room, sizeof room);
    buffer_init(&original, POSTING_GROWS * h->posting->content.len + POSTING_ADDED_MAX);
    bool ok = posting_content(h->posting, report->to, &original, &facts);
    if (h->posting->envid.len && xtext_decode(&envid, h->posting->envid))
        report->envid = buffer_as_text(&envid);
    report->original = buffer_as_text(&original);
    report->original_is_whole = !text_equal(h->posting->ret, T("HDRS"));
    buffer_init(to, dsn_octets_max(report));
    ok = ok && write_fitting(h, report, to);
    buffer_clear(&original);
    return ok;
}

bool handover_report(const struct handover *h, struct buffer *to, struct posting *out)
{
    char id[40], boundary[40];
    struct dsn_report report = {
        .reporting_mta = h->hostname,
        .from_domain = h->hostname,
        .to = h->sender,
        .message_id = { id, 0 },
        .boundary = { boundary, 0 },
        .now_ms = clock_wall_ms(),
    };
    report.arrived_ms = h->arrived_ms ? h->arrived_ms : report.now_ms;
    report.zone_seconds = clock_zone_seconds(report.now_ms);
    report.message_id.len = (size_t)snprintf(id, sizeof id, "%016" PRIx64 ".report", entropy_u64());
    report.boundary.len =
        (size_t)snprintf(boundary, sizeof boundary, "_%016" PRIx64, entropy_u64());
    buffer_init(to, 0);
    if (h->sender.len == 0 || !wants_to_know(h->posting))
        return false;
    *out = (struct posting){ .has_sender = true, .notify = NOTIFY_NEVER };
    bool ok = list_refused(h, &report);
    if (ok && report.recipient_count == 0)
        return false;
    if (!ok || !write(h, &report, to) || posting_add(out, h->arena, h->sender) != POSTING_OK) {
        to->failed = true;
        return false;
    }
    out->content = buffer_as_text(to);
    return true;
}
