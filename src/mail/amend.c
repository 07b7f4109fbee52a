/* amend.c - a submitted message's header on its way through: what is added, what is taken away.
 *
 * One octet after the other is looked at only at the front of a line of the header, up to its
 * colon; the rest of the line, and all of the body, passes in slices.  It judges nothing: whether
 * the author may be the author is its caller's business.
 */
#include "mail/amend.h"

#include "base/check.h"
#include "mail/encode.h"

#include <string.h>

void amend_init(struct amend *a, const struct amend_values *values)
{
    CHECK(values->date.len + values->from.len + values->message_id.len <= AMEND_VALUES_MAX);
    memset(a, 0, offsetof(struct amend, held));
    a->values = *values;
    a->first_line = true;
}

struct amend_author amend_author(const struct amend *a)
{
    return (struct amend_author){ a->froms, { a->from, a->from_len }, a->from_too_long };
}

/* --- The front of a line --- */

enum line { UNDECIDED, FIELD, FOLDED, EMPTY_LINE, NO_FIELD };

/* RFC 5322 3.6.8; white space between the name and its colon is 4.5's old form. */
static bool is_name(char c)
{
    return c > ' ' && c < 0x7F && c != ':';
}

/* What the held octets are the front of.  Called for each octet, so it looks at the last one. */
static enum line judge(struct amend *a)
{
    size_t at = a->held_len - 1u;
    char c = a->held[at];
    if (c == '\n')
        return at == 0 || (at == 1 && a->held[0] == '\r') ? EMPTY_LINE : NO_FIELD;
    if (at == 0 && text_is_blank(c))
        return a->field == AMEND_NO_FIELD ? NO_FIELD : FOLDED;
    if (at == 0 && c == '\r')
        return UNDECIDED;
    if (a->held[0] == '\r')
        return NO_FIELD;
    if (at == a->name_len && is_name(c))
        a->name_len++;
    else if (c == ':' && a->name_len > 0)
        return FIELD;
    else if (!text_is_blank(c) || a->name_len == 0)
        return NO_FIELD;
    return at + 1 == AMEND_NAME_MAX ? NO_FIELD : UNDECIDED;
}

static const struct {
    struct text name;
    enum amend_field field;
} known[] = {
    { TEXT("Date"), AMEND_DATE },         { TEXT("From"), AMEND_FROM },
    { TEXT("Message-ID"), AMEND_ID },     { TEXT("Bcc"), AMEND_HIDDEN },
    { TEXT("Resent-Bcc"), AMEND_HIDDEN },
};

static struct text held_name(const struct amend *a)
{
    return (struct text){ a->held, a->name_len };
}

static enum amend_field find_field(struct text name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_equal_nocase(name, known[i].name))
            return known[i].field;
    return AMEND_OTHER;
}

static void owe_held(struct amend *a)
{
    a->owed[1] = (struct bytes){ (const uint8_t *)a->held, a->held_len };
    a->held_len = a->name_len = 0;
}

static void begin_field(struct amend *a)
{
    a->field = find_field(held_name(a));
    a->has_date |= a->field == AMEND_DATE;
    a->has_id |= a->field == AMEND_ID;
    a->froms += a->field == AMEND_FROM;
    a->state = AMEND_REST;
    if (a->field == AMEND_HIDDEN)
        a->held_len = a->name_len = 0;
    else
        owe_held(a);
}

/* --- The end of the header --- */

/* What is missing, between two texts of the caller's. */
static void owe_missing(struct amend *a, struct text before, struct text behind)
{
    struct buffer b = buffer_over(a->added, sizeof a->added);
    buffer_text(&b, before);
    if (!a->has_date)
        field_write(&b, T("Date"), a->values.date);
    if (a->froms == 0)
        field_write(&b, T("From"), a->values.from);
    if (!a->has_id)
        field_write(&b, T("Message-ID"), a->values.message_id);
    buffer_text(&b, behind);
    CHECK(!b.failed);
    a->owed[0] = buffer_bytes(&b);
    a->state = AMEND_OVER;
}

/* RFC 4155 A: "From " and who knows what.  There are programs that send a folder's message as it
 * lies there. */
static bool is_mbox_line(const struct amend *a)
{
    struct text name = held_name(a);
    return a->first_line && a->held_len > name.len && text_is_blank(a->held[name.len]) &&
           (text_equal(name, T("From")) || text_equal(name, T(">From")));
}

static void end_at_no_field(struct amend *a)
{
    if (is_mbox_line(a)) {
        a->state = a->held[a->held_len - 1] == '\n' ? AMEND_LINE : AMEND_MBOX;
        a->held_len = a->name_len = 0;
        return;
    }
    owe_missing(a, T(""), T("\r\n"));
    owe_held(a);
}

void amend_end(struct amend *a)
{
    if (a->state == AMEND_LINE && a->held_len > 0)
        end_at_no_field(a);
    if (a->state == AMEND_REST && a->field != AMEND_HIDDEN)
        owe_missing(a, T("\r\n"), T(""));
    else if (a->state != AMEND_OVER)
        owe_missing(a, T(""), T(""));
}

/* --- Passing --- */

/* Takes the octets of a line's front up to the one that decides.  Nothing is given on here. */
static void take_front(struct amend *a, struct bytes *in)
{
    enum line line = UNDECIDED;
    while (line == UNDECIDED && in->len > 0) {
        a->held[a->held_len++] = (char)*in->at++;
        in->len--;
        line = judge(a);
    }
    switch (line) {
    case UNDECIDED:
        return;
    case FIELD:
        begin_field(a);
        break;
    case FOLDED:
        a->state = AMEND_REST;
        in->at--; /* a line of the same field goes on from its first octet */
        in->len++;
        a->held_len = 0;
        break;
    case EMPTY_LINE:
        owe_missing(a, T(""), T(""));
        owe_held(a);
        break;
    case NO_FIELD:
        end_at_no_field(a);
        break;
    }
    a->first_line = false;
}

/* Keeps what From says; a value on several lines as one. */
static void keep_author(struct amend *a, struct bytes line)
{
    for (size_t i = 0; i < line.len && a->froms == 1; i++) {
        if (line.at[i] == '\r' || line.at[i] == '\n')
            continue;
        if (a->from_len == AMEND_FROM_MAX) {
            a->from_too_long = true;
            return;
        }
        a->from[a->from_len++] = (char)line.at[i];
    }
}

/* The rest of a line, as much as there is. */
static struct bytes take_rest(struct amend *a, struct bytes *in)
{
    const uint8_t *lf = memchr(in->at, '\n', in->len);
    struct bytes rest = { in->at, lf ? (size_t)(lf - in->at) + 1 : in->len };
    in->at += rest.len;
    in->len -= rest.len;
    if (lf)
        a->state = AMEND_LINE;
    return rest;
}

static bool take_owed(struct amend *a, struct bytes *out)
{
    for (size_t i = 0; i < sizeof a->owed / sizeof *a->owed; i++) {
        if (a->owed[i].len == 0)
            continue;
        *out = a->owed[i];
        a->owed[i].len = 0;
        return true;
    }
    return false;
}

/* Whether the input's next octets give any. */
static bool pass(struct amend *a, struct bytes *in, struct bytes *out)
{
    switch (a->state) {
    case AMEND_LINE:
        take_front(a, in);
        return false;
    case AMEND_REST:
        *out = take_rest(a, in);
        if (a->field == AMEND_FROM)
            keep_author(a, *out);
        return a->field != AMEND_HIDDEN;
    case AMEND_MBOX:
        take_rest(a, in);
        return false;
    case AMEND_OVER:
        break;
    }
    *out = *in;
    *in = (struct bytes){ in->at + in->len, 0 };
    return true;
}

bool amend_next(struct amend *a, struct bytes *in, struct bytes *out)
{
    for (;;) {
        if (take_owed(a, out))
            return true;
        if (in->len == 0)
            return false;
        if (pass(a, in, out))
            return true;
    }
}
