/* dsn_fields.c - the part of a report that is for programs: message/delivery-status (RFC 3464 2.1)
 * and, with addresses beyond ASCII, message/global-delivery-status (RFC 6533 4.1).
 *
 * Addresses and ids are written exactly as they are; what others said is escaped.
 */
#include "mail/dsn_inner.h"

#include "base/escape.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/encode.h"
#include "mail/trace.h"
#include "mail/xtext.h"

#include <string.h>

/* The part as it grows.  What there is no memory for fails in either buffer. */
struct fields {
    struct buffer *to;
    struct buffer value; /* of the field that is being made */
    bool global;
    int zone_seconds;
};

static void clear(struct fields *f)
{
    f->value.len = 0;
}

/* Writes the value that was gathered. */
static void write(struct fields *f, struct text name)
{
    if (f->value.failed)
        f->to->failed = true;
    field_write(f->to, name, buffer_as_text(&f->value));
    clear(f);
}

/* Not for octets that no field may have, and no UTF-8 where the part is ASCII. */
static bool may_stand(const struct fields *f, struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((uint8_t)t.at[i] < ' ' || t.at[i] == 0x7F)
            return false;
    return f->global ? utf8_valid(t) : text_is_ascii(t);
}

/* What escape_text() leaves of UTF-8, in ASCII as well: its notation for characters. */
static void escape_utf8(struct buffer *b, struct text t)
{
    while (t.len) {
        size_t len = utf8_length(t);
        if (len <= 1) {
            buffer_byte(b, (uint8_t)t.at[0]);
            t = text_skip(t, 1);
            continue;
        }
        uint32_t c = (uint8_t)t.at[0] & (0xFFu >> (len + 1));
        for (size_t i = 1; i < len; i++)
            c = c << 6 | ((uint8_t)t.at[i] & 0x3F);
        buffer_printf(b, "\\u{%X}", c);
        t = text_skip(t, len);
    }
}

static void put(struct fields *f, struct text t)
{
    buffer_text(&f->value, t);
}

static void put_escaped(struct fields *f, struct text t)
{
    if (f->global) {
        escape_text(&f->value, t);
        return;
    }
    struct buffer escaped;
    buffer_init(&escaped, f->value.max);
    escape_text(&escaped, t);
    escape_utf8(&f->value, buffer_as_text(&escaped));
    if (escaped.failed)
        f->value.failed = true;
    buffer_clear(&escaped);
}

/* As it is, or escaped when that cannot be. */
static void put_exact(struct fields *f, struct text t)
{
    if (may_stand(f, t))
        put(f, t);
    else
        put_escaped(f, t);
}

static void date_field(struct fields *f, struct text name, int64_t wall_ms)
{
    char date[DATE_TEXT_MAX];
    put(f, date_rfc5322(wall_ms, f->zone_seconds, date));
    write(f, name);
}

/* RFC 3461 6.3 (b): only a full name may call itself "dns". */
static void reporting_mta(struct fields *f, struct text name)
{
    bool full = text_find(name, '.') < name.len || text_starts(name, T("["));
    put(f, full ? T("dns; ") : T("x-local-hostname; "));
    put_exact(f, name);
    write(f, T("Reporting-MTA"));
}

/* RFC 3464 2.2.4: the name that was given, and the address as a comment. */
static void received_from(struct fields *f, const struct dsn_report *r)
{
    char hello[TRACE_HELLO_MAX], literal[ENDPOINT_TEXT_MAX];
    bool known = r->received_peer.family != NET_NONE;
    struct text peer = endpoint_print_literal(&r->received_peer, literal);
    if (r->received_from.len == 0 && !known)
        return;
    put(f, T("dns; "));
    put(f, r->received_from.len ? trace_hello(r->received_from, hello) : peer);
    if (r->received_from.len && known) {
        put(f, T(" ("));
        put(f, peer);
        put(f, T(")"));
    }
    write(f, T("Received-From-MTA"));
}

static void per_message(struct fields *f, const struct dsn_report *r)
{
    if (r->envid.len) {
        put_exact(f, r->envid);
        write(f, T("Original-Envelope-Id"));
    }
    reporting_mta(f, r->reporting_mta);
    received_from(f, r);
    date_field(f, T("Arrival-Date"), r->arrived_ms);
}

/* RFC 6533 3: as UTF-8 in the global form, and with ASCII only in the other. */
static void put_utf8_address(struct fields *f, struct text address)
{
    put(f, T("utf-8; "));
    if (f->global || !unitext_encode(&f->value, address))
        put_exact(f, address);
}

static void put_address(struct fields *f, struct text type, struct text address)
{
    if (!text_is_ascii(address) && utf8_valid(address)) {
        put_utf8_address(f, address);
        return;
    }
    put(f, type);
    put(f, T("; "));
    put_exact(f, address);
}

static bool is_utf8_type(struct text type)
{
    return text_equal_nocase(type, T("utf-8"));
}

bool dsn_original_address(struct buffer *b, struct text orcpt)
{
    struct text type;
    if (!text_cut(&orcpt, ';', &type) || !address_is_atom(type))
        return false;
    return is_utf8_type(type) ? unitext_decode(b, orcpt) : xtext_decode(b, orcpt);
}

/* RFC 3461 6.3 (d), RFC 6533 4.1: what does not decode is copied as it came. */
static void original_recipient(struct fields *f, struct text orcpt)
{
    struct buffer address;
    buffer_init(&address, f->value.max);
    bool decoded = dsn_original_address(&address, orcpt);
    struct text rest = orcpt, type;
    if (!text_cut(&rest, ';', &type) || !address_is_atom(type)) {
        type = T("unknown");
        rest = orcpt;
    }
    if (decoded && is_utf8_type(type))
        put_utf8_address(f, buffer_as_text(&address));
    else
        put_address(f, type, decoded ? buffer_as_text(&address) : rest);
    if (address.failed)
        f->value.failed = true;
    buffer_clear(&address);
    write(f, T("Original-Recipient"));
}

/* RFC 3461 9.2: every line of the reply in a line of its own.  Without a reply it is our own
 * sentence, which the type says. */
static void diagnostic_code(struct fields *f, const struct dsn_recipient *r)
{
    struct text rest = text_first(r->diagnostic, DSN_DIAGNOSTIC_MAX), line;
    if (!dsn_next_line(&rest, &line)) {
        if (r->reason.len == 0)
            return;
        put(f, T("x-godwit; "));
        put_escaped(f, r->reason);
    } else {
        put(f, T("smtp; "));
        put_escaped(f, line);
        while (dsn_next_line(&rest, &line)) {
            put(f, T("\n"));
            put_escaped(f, line);
        }
    }
    write(f, T("Diagnostic-Code"));
}

/* We are the last to have handled what failed, waits, or lies in a mailbox here; what was handed on
 * has its last log elsewhere. */
static bool final_log_is_ours(enum dsn_action action)
{
    return action == DSN_FAILED || action == DSN_DELAYED || action == DSN_DELIVERED;
}

static void when_and_where(struct fields *f, const struct dsn_report *report,
                           const struct dsn_recipient *r)
{
    if (r->last_attempt_ms)
        date_field(f, T("Last-Attempt-Date"), r->last_attempt_ms);
    if (final_log_is_ours(r->action) && report->original_id.len) {
        put_exact(f, report->original_id);
        write(f, T("Final-Log-ID"));
    }
    if (r->action == DSN_DELAYED && r->will_retry_until_ms)
        date_field(f, T("Will-Retry-Until"), r->will_retry_until_ms);
}

static void per_recipient(struct fields *f, const struct dsn_report *report,
                          const struct dsn_recipient *r)
{
    static const struct text actions[DSN_ACTIONS] = {
        [DSN_FAILED] = TEXT("failed"),       [DSN_DELAYED] = TEXT("delayed"),
        [DSN_DELIVERED] = TEXT("delivered"), [DSN_RELAYED] = TEXT("relayed"),
        [DSN_EXPANDED] = TEXT("expanded"),
    };
    buffer_text(f->to, T("\r\n"));
    if (r->original_recipient.len)
        original_recipient(f, r->original_recipient);
    put_address(f, T("rfc822"), r->final_recipient);
    write(f, T("Final-Recipient"));
    put(f, actions[r->action]);
    write(f, T("Action"));
    put(f, dsn_status(r));
    write(f, T("Status"));
    if (r->remote_mta.len) {
        put(f, T("dns; "));
        put_exact(f, r->remote_mta);
        write(f, T("Remote-MTA"));
    }
    diagnostic_code(f, r);
    when_and_where(f, report, r);
}

bool dsn_fields_are_global(const struct dsn_report *r)
{
    if (dsn_is_seven_bit(r) || !dsn_has_utf8_forms(r))
        return false;
    for (size_t i = 0; i < r->recipient_count; i++)
        if (!text_is_ascii(r->recipients[i].final_recipient) ||
            !text_is_ascii(r->recipients[i].original_recipient))
            return true;
    return false;
}

void dsn_write_fields(struct buffer *b, const struct dsn_report *r)
{
    struct fields f = {
        .to = b,
        .global = dsn_fields_are_global(r),
        .zone_seconds = r->zone_seconds,
    };
    buffer_init(&f.value, b->max);
    per_message(&f, r);
    for (size_t i = 0; i < r->recipient_count; i++)
        per_recipient(&f, r, &r->recipients[i]);
    buffer_clear(&f.value);
}
