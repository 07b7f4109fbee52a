/* dsn.c - a delivery status notification as a message: its header, its three parts, its subject.
 *
 * Never decides who gets one.  What is returned of the original is copied as it is or encoded, and
 * never changed: a form is chosen in which it cannot break the report.
 */
#include "mail/dsn_inner.h"

#include "base/check.h"
#include "base/escape.h"
#include "mail/date.h"
#include "mail/encode.h"
#include "mail/header.h"

#include <stdio.h>
#include <string.h>

enum {
    LINE_OCTETS_MAX = 998,       /* RFC 5322 2.1.1 */
    MESSAGE_ID_OCTETS_MAX = 250, /* of the original, to refer to */
    SUBJECT_OCTETS_MAX = 800,
    FRAME_OCTETS_MAX = 8192, /* all of a report that does not grow with its values */
};

/* The third part. */
struct returned {
    enum dsn_returned what;
    struct text content;
    struct text type;
    bool quoted; /* quoted-printable; else as it is */
    bool eight_bit;
};

/* What a text would need to travel as it is. */
struct shape {
    bool eight_bit;
    bool utf8;     /* with eight_bit: it is well-formed */
    bool unsafe;   /* a line too long, a bare CR or LF, a NUL */
    bool boundary; /* a line begins as our delimiter does (RFC 2046 5.1.1) */
};

static struct shape shape_of(struct text t, struct text boundary)
{
    struct shape s = {
        .eight_bit = !text_is_ascii(t),
        .utf8 = utf8_valid(t),
        .unsafe = text_find(t, 0) < t.len,
    };
    while (t.len) {
        struct text line;
        bool ended = text_cut(&t, '\n', &line);
        if (ended && line.len && line.at[line.len - 1] == '\r')
            line.len--;
        else if (ended)
            s.unsafe = true;
        if (line.len > LINE_OCTETS_MAX || text_find(line, '\r') < line.len)
            s.unsafe = true;
        if (text_starts(line, T("--")) && text_starts(text_skip(line, 2), boundary))
            s.boundary = true;
    }
    return s;
}

/* RFC 6533 4.3 is for headers that are UTF-8; others have no charset that could be named. */
static struct text type_of(enum dsn_returned what, bool global)
{
    static const struct text types[][2] = {
        [DSN_RETURNED_HEADER] = { TEXT("text/rfc822-headers"), TEXT("message/global-headers") },
        [DSN_RETURNED_WHOLE] = { TEXT("message/rfc822"), TEXT("message/global") },
    };
    return types[what][global];
}

bool dsn_has_utf8_forms(const struct dsn_report *r)
{
    return r->utf8 || !text_is_ascii(r->to);
}

bool dsn_is_seven_bit(const struct dsn_report *r)
{
    return r->seven_bit && text_is_ascii(r->to);
}

/* As much of the header as is returned, in whole fields. */
static struct text header_of(struct text message)
{
    struct text rest = message;
    struct header_field field;
    size_t len = 0;
    while (header_next(&rest, &field) && message.len - rest.len <= DSN_HEADER_MAX)
        len = message.len - rest.len;
    return text_first(message, len);
}

static bool any_failed(const struct dsn_report *r)
{
    for (size_t i = 0; i < r->recipient_count; i++)
        if (r->recipients[i].action == DSN_FAILED)
            return true;
    return false;
}

/* RFC 3461 6.2: all of it only with a failure. */
static bool choose_whole(const struct dsn_report *r, struct text header, struct returned *out)
{
    if (!r->original_is_whole || !any_failed(r))
        return false;
    struct shape s = shape_of(r->original, r->boundary);
    struct shape h = shape_of(header, r->boundary);
    bool global = dsn_has_utf8_forms(r) && h.eight_bit && h.utf8;
    *out = (struct returned){
        .what = DSN_RETURNED_WHOLE,
        .content = r->original,
        .type = type_of(DSN_RETURNED_WHOLE, global),
        .eight_bit = s.eight_bit,
    };
    return !s.unsafe && !s.boundary && !(s.eight_bit && dsn_is_seven_bit(r));
}

/* A header that has our boundary means that the boundary could be guessed: nothing is returned. */
static struct returned choose_returned(const struct dsn_report *r)
{
    struct returned whole;
    struct text header = header_of(r->original);
    if (choose_whole(r, header, &whole))
        return whole;
    struct shape s = shape_of(header, r->boundary);
    if (header.len == 0 || s.boundary)
        return (struct returned){ .what = DSN_RETURNED_NOTHING };
    bool quoted = s.unsafe || (s.eight_bit && dsn_is_seven_bit(r));
    return (struct returned){
        .what = DSN_RETURNED_HEADER,
        .content = header,
        .type = type_of(DSN_RETURNED_HEADER, dsn_has_utf8_forms(r) && s.eight_bit && s.utf8),
        .quoted = quoted,
        .eight_bit = s.eight_bit && !quoted,
    };
}

void dsn_put_address(struct buffer *b, struct text address)
{
    struct text piece;
    while (text_cut(&address, '\\', &piece)) {
        escape_text(b, piece);
        buffer_byte(b, '\\');
    }
    escape_text(b, piece);
}

bool dsn_next_line(struct text *rest, struct text *line_out)
{
    while (rest->len) {
        text_cut(rest, '\n', line_out);
        if (text_trim(*line_out).len)
            return true;
    }
    return false;
}

struct text dsn_status(const struct dsn_recipient *r)
{
    static const struct text general[DSN_ACTIONS] = {
        [DSN_FAILED] = TEXT("5.0.0"),    [DSN_DELAYED] = TEXT("4.0.0"),
        [DSN_DELIVERED] = TEXT("2.0.0"), [DSN_RELAYED] = TEXT("2.0.0"),
        [DSN_EXPANDED] = TEXT("2.0.0"),
    };
    struct text rest = r->status, number;
    bool is_failed = r->action == DSN_FAILED;
    /* RFC 3464 2.3.4: DIGIT "." 1*3DIGIT "." 1*3DIGIT, without leading zeros. */
    for (unsigned i = 0; i < 3; i++) {
        uint64_t value;
        bool more = text_cut(&rest, '.', &number);
        bool zeros = number.len > 1 && number.at[0] == '0';
        if (more != (i < 2) || zeros || !text_to_u64(number, &value) || value > 999)
            return general[r->action];
        bool fits =
            r->action >= DSN_DELIVERED ? value == 2 : value == 4 || (value == 5 && is_failed);
        if (i == 0 && !fits)
            return general[r->action];
    }
    return r->status;
}

/* --- Subject --- */

static const struct {
    enum dsn_action action;
    const char *words;
} subjects[DSN_ACTIONS] = {
    /* The worst first. */
    { DSN_FAILED, "Undelivered mail" },      { DSN_DELAYED, "Delayed mail" },
    { DSN_RELAYED, "Mail was handed on" },   { DSN_EXPANDED, "Mail was passed on" },
    { DSN_DELIVERED, "Mail was delivered" },
};

/* How many recipients have this action; the first of them goes to *first_out. */
static size_t count_action(const struct dsn_report *r, enum dsn_action action,
                           struct text *first_out)
{
    size_t count = 0;
    for (size_t i = r->recipient_count; i-- > 0;)
        if (r->recipients[i].action == action) {
            *first_out = r->recipients[i].final_recipient;
            count++;
        }
    return count;
}

/* Whole characters only. */
static size_t cut_at(struct text t, size_t max)
{
    size_t len = 0;
    while (len < t.len) {
        size_t one = utf8_length(text_skip(t, len));
        if (len + (one ? one : 1) > max)
            break;
        len += one ? one : 1;
    }
    return len;
}

struct text dsn_subject(const struct dsn_report *r, char *out, size_t max)
{
    struct text first = { 0 };
    size_t kind = 0, count = 0;
    while (kind < DSN_ACTIONS && count == 0)
        count = count_action(r, subjects[kind++].action, &first);
    CHECK(count > 0);
    struct buffer b;
    buffer_init(&b, SUBJECT_OCTETS_MAX + 4 * first.len);
    buffer_printf(&b, "%s: ", subjects[kind - 1].words);
    dsn_put_address(&b, first);
    if (count > 1)
        buffer_printf(&b, " and %zu other%s", count - 1, count > 2 ? "s" : "");
    struct text subject = buffer_as_text(&b);
    size_t len = cut_at(subject, max < SUBJECT_OCTETS_MAX ? max : SUBJECT_OCTETS_MAX);
    if (len)
        memcpy(out, subject.at, len);
    buffer_clear(&b);
    return (struct text){ out, len };
}

/* --- Header --- */

bool dsn_needs_smtputf8(const struct dsn_report *r)
{
    return !text_is_ascii(r->to);
}

/* A message id that may stand in our header: "<", printable ASCII without spaces, ">". */
static struct text original_message_id(const struct dsn_report *r, char out[MESSAGE_ID_OCTETS_MAX])
{
    struct header_field field;
    struct text none = { 0 };
    if (!header_find(header_of(r->original), T("Message-ID"), &field))
        return none;
    struct text id = header_unfold(field.value, out, MESSAGE_ID_OCTETS_MAX);
    if (id.len < 3 || id.len == MESSAGE_ID_OCTETS_MAX || id.at[0] != '<' ||
        text_find(id, '>') != id.len - 1)
        return none;
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] <= ' ' || id.at[i] >= 0x7F)
            return none;
    return id;
}

/* RFC 3834 3.1.6: an answer refers to what it answers. */
static void write_references(struct buffer *b, const struct dsn_report *r)
{
    char id[MESSAGE_ID_OCTETS_MAX];
    struct text original = original_message_id(r, id);
    if (original.len == 0)
        return;
    field_write(b, T("In-Reply-To"), original);
    field_write(b, T("References"), original);
}

static void write_subject(struct buffer *b, const struct dsn_report *r)
{
    char words[SUBJECT_OCTETS_MAX];
    struct text subject = dsn_subject(r, words, sizeof words);
    if (subject.len == 0)
        b->failed = true;
    else if (dsn_needs_smtputf8(r))
        field_write(b, T("Subject"), subject);
    else
        field_write_words(b, T("Subject"), subject);
}

/* RFC 2045 6.4: a multipart is 8bit when a part of it is. */
static void write_header(struct buffer *b, const struct dsn_report *r, bool eight_bit)
{
    char date[DATE_TEXT_MAX];
    date_rfc5322(r->now_ms, r->zone_seconds, date);
    buffer_printf(b, "From: Mail Delivery System <postmaster@%.*s>\r\n", TEXT_ARGS(r->from_domain));
    buffer_printf(b, "To: <%.*s>\r\n", TEXT_ARGS(r->to));
    buffer_printf(b, "Date: %s\r\n", date);
    buffer_printf(b, "Message-ID: <%.*s@%.*s>\r\n", TEXT_ARGS(r->message_id),
                  TEXT_ARGS(r->reporting_mta));
    write_subject(b, r);
    write_references(b, r);
    if (r->waives_tls)
        buffer_text(b, T("TLS-Required: No\r\n"));
    buffer_printf(b,
                  "Auto-Submitted: auto-replied\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                  " boundary=\"%.*s\"\r\n"
                  "Content-Transfer-Encoding: %s\r\n",
                  TEXT_ARGS(r->boundary), eight_bit ? "8bit" : "7bit");
}

/* --- Parts --- */

static void begin_part(struct buffer *b, const struct dsn_report *r, struct text type,
                       const char *encoding)
{
    buffer_printf(b,
                  "\r\n--%.*s\r\n"
                  "Content-Type: %.*s\r\n"
                  "Content-Transfer-Encoding: %s\r\n",
                  TEXT_ARGS(r->boundary), TEXT_ARGS(type), encoding);
}

static void describe_part(struct buffer *b, const char *description)
{
    buffer_printf(b, "Content-Description: %s\r\n\r\n", description);
}

/* Always ASCII on the wire: the words matter most, and so travel over any way. */
static void write_people(struct buffer *b, const struct dsn_report *r, enum dsn_returned returned)
{
    struct buffer words;
    buffer_init(&words, b->max - b->len);
    dsn_write_people(&words, r, returned);
    bool ascii = text_is_ascii(buffer_as_text(&words));
    begin_part(b, r, ascii ? T("text/plain; charset=us-ascii") : T("text/plain; charset=utf-8"),
               ascii ? "7bit" : "quoted-printable");
    describe_part(b, "What happened");
    if (ascii)
        buffer_text(b, buffer_as_text(&words));
    else
        quoted_printable(b, buffer_as_text(&words));
    if (words.failed)
        b->failed = true;
    buffer_clear(&words);
}

static void write_fields(struct buffer *b, const struct dsn_report *r)
{
    bool global = dsn_fields_are_global(r);
    begin_part(b, r, global ? T("message/global-delivery-status") : T("message/delivery-status"),
               global ? "8bit" : "7bit");
    describe_part(b, "Details for mail programs");
    dsn_write_fields(b, r);
}

static void write_returned(struct buffer *b, const struct dsn_report *r,
                           const struct returned *returned)
{
    if (returned->what == DSN_RETURNED_NOTHING)
        return;
    bool whole = returned->what == DSN_RETURNED_WHOLE;
    begin_part(b, r, returned->type,
               returned->quoted      ? "quoted-printable"
               : returned->eight_bit ? "8bit"
                                     : "7bit");
    describe_part(b, whole ? "Your message" : "The header of your message");
    if (returned->quoted)
        quoted_printable(b, returned->content);
    else
        buffer_text(b, returned->content);
}

bool dsn_write(struct buffer *b, const struct dsn_report *r)
{
    CHECK(r->recipient_count > 0);
    CHECK(r->to.len > 0);
    CHECK(r->boundary.len > 0);
    CHECK(r->boundary.len <= DSN_BOUNDARY_MAX);
    size_t before = b->len;
    struct returned returned = choose_returned(r);
    write_header(b, r, returned.eight_bit || dsn_fields_are_global(r));
    write_people(b, r, returned.what);
    write_fields(b, r);
    write_returned(b, r, &returned);
    buffer_printf(b, "\r\n--%.*s--\r\n", TEXT_ARGS(r->boundary));
    if (b->failed)
        b->len = before;
    return !b->failed;
}

/* An octet becomes at most four when it is escaped, thrice as many quoted-printable; a line of a
 * reply stands behind 12 spaces, in two parts of the report. */
size_t dsn_octets_max(const struct dsn_report *r)
{
    size_t values = r->reporting_mta.len + r->from_domain.len + r->to.len + r->envid.len +
                    r->message_id.len + r->original_id.len;
    size_t replies = 0;
    for (size_t i = 0; i < r->recipient_count; i++) {
        const struct dsn_recipient *one = &r->recipients[i];
        values += one->final_recipient.len + one->original_recipient.len + one->status.len +
                  one->remote_mta.len + one->reason.len + r->original_id.len;
        replies +=
            one->diagnostic.len < DSN_DIAGNOSTIC_MAX ? one->diagnostic.len : DSN_DIAGNOSTIC_MAX;
    }
    return FRAME_OCTETS_MAX * (1 + r->recipient_count / 2) + 32 * values + 24 * replies +
           r->original.len + 4 * (size_t)DSN_HEADER_MAX;
}
