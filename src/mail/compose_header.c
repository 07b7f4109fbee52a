/* compose_header.c - the header of a message, from values that people gave.
 *
 * Everything is looked at before anything is written, so that nobody's value can end its field and
 * begin another (header injection).  An address is read by our own parser and written in its
 * canonical form, so that what stands in the header is what mail is sent to.
 */
#include "mail/compose_inner.h"

#include "base/check.h"
#include "base/escape.h"
#include "mail/date.h"
#include "mail/encode.h"
#include "mail/harmless.h"
#include "mail/mailbox_list.h"

#include <string.h>

enum {
    ATOM_MAX = 60,  /* octets of a word in a display name that stands as it is */
    NAME_MAX = 60,  /* and of a quoted one */
    WORD_MAX = 900, /* of a further field; its line has 998 at the most */
    FIELD_NAME_MAX = 70,
    MESSAGE_ID_MAX = 250,
    SHOWN_MAX = 40, /* octets of a wrong value in an error */
};

/* --- What is refused --- */

/* Text for one line: UTF-8 without controls. */
static bool check_line(struct text t, const char *what, struct error *e)
{
    if (t.len > COMPOSE_FIELD_MAX)
        return error_set(e, ERROR_USAGE, "%s is longer than %d octets", what, COMPOSE_FIELD_MAX);
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        if (c == '\r' || c == '\n')
            return error_set(e, ERROR_USAGE, "%s has a line end in it; it must be one line", what);
        if ((c < ' ' && c != '\t') || c == 0x7F)
            return error_set(e, ERROR_USAGE, "%s has a control character in it (octet %u)", what,
                             c);
    }
    if (!utf8_valid(t))
        return error_set(e, ERROR_USAGE, "%s is not UTF-8", what);
    return true;
}

/* What is wrong with a list of mailboxes, with its beginning so that people find it. */
static bool refuse_people(struct text value, const char *what, struct error *e)
{
    char room[HARMLESS_ROOM(SHOWN_MAX)];
    struct buffer shown = buffer_over(room, sizeof room);
    size_t len = value.len < SHOWN_MAX ? value.len : SHOWN_MAX;
    while (len > 0 && len < value.len && ((uint8_t)value.at[len] & 0xC0) == 0x80)
        len--;
    harmless_line(&shown, text_first(value, len));
    return error_set(e, ERROR_USAGE,
                     "%s: \"%.*s\" is no mail address; write name@domain or Name "
                     "<name@domain>, with commas between several",
                     what, TEXT_ARGS(buffer_as_text(&shown)));
}

/* A list of mailboxes, whose number is added. */
static bool check_people(const struct compose *c, struct text value, const char *what,
                         size_t *count, struct error *e)
{
    struct mailbox_list list = mailbox_list_of(value);
    struct address a;
    if (!check_line(value, what, e))
        return false;
    for (;;) {
        switch (mailbox_list_next(&list, &a)) {
        case MAILBOX_LIST_END:
            return true;
        case MAILBOX_ADDRESS:
            break;
        case MAILBOX_NAME:
        case MAILBOX_LIST_MALFORMED:
            return refuse_people(value, what, e);
        }
        if (a.utf8 && !c->smtputf8)
            return error_set(e, ERROR_USAGE,
                             "%s: %.*s needs SMTPUTF8, which the server does not offer", what,
                             TEXT_ARGS(address_text(&a)));
        ++*count;
    }
}

static bool check_message_id(struct text id, struct error *e)
{
    bool good = id.len >= 3 && id.len <= MESSAGE_ID_MAX && id.at[0] == '<' &&
                text_find(id, '>') == id.len - 1;
    for (size_t i = 0; good && i < id.len; i++)
        good = id.at[i] > ' ' && id.at[i] < 0x7F;
    if (id.len && !good)
        return error_set(e, ERROR_USAGE, "a Message-ID is <...@...> in ASCII without spaces");
    return true;
}

/* The fields that are written here, and one that is never. */
static const struct text own_fields[] = {
    TEXT("From"),    TEXT("To"),   TEXT("Cc"),         TEXT("Bcc"),
    TEXT("Subject"), TEXT("Date"), TEXT("Message-ID"), TEXT("MIME-Version"),
};

static bool is_own_field(struct text name)
{
    for (size_t i = 0; i < sizeof own_fields / sizeof *own_fields; i++)
        if (text_equal_nocase(name, own_fields[i]))
            return true;
    return text_starts_nocase(name, T("Content-"));
}

static bool check_extra(const struct compose_field *f, struct error *e)
{
    bool good = f->name.len > 0 && f->name.len <= FIELD_NAME_MAX;
    for (size_t i = 0; good && i < f->name.len; i++)
        good = f->name.at[i] > ' ' && f->name.at[i] < 0x7F && f->name.at[i] != ':';
    if (!good)
        return error_set(e, ERROR_USAGE,
                         "the name of a field is at most %d printable ASCII characters without a "
                         "colon",
                         FIELD_NAME_MAX);
    char what[FIELD_NAME_MAX + 16];
    struct buffer b = buffer_over(what, sizeof what);
    buffer_printf(&b, "the field %.*s%c", TEXT_ARGS(f->name), 0);
    if (is_own_field(f->name))
        return error_set(e, ERROR_USAGE, "%s is written by godwit itself", what);
    return check_line(f->value, what, e);
}

static bool check_lists(const struct compose *c, struct error *e)
{
    size_t count = 0;
    if (!check_people(c, c->from, "From", &count, e))
        return false;
    if (count != 1) /* RFC 5322 3.6.2: several want a Sender */
        return error_set(e, ERROR_USAGE, "From wants one address");
    for (size_t i = 0; i < c->to_count; i++)
        if (!check_people(c, c->to[i], "To", &count, e))
            return false;
    for (size_t i = 0; i < c->cc_count; i++)
        if (!check_people(c, c->cc[i], "Cc", &count, e))
            return false;
    return true;
}

bool compose_check_header(const struct compose *c, struct error *e)
{
    if (!check_lists(c, e) || !check_line(c->subject, "the subject", e) ||
        !check_message_id(c->message_id, e))
        return false;
    for (size_t i = 0; i < c->extra_count; i++)
        if (!check_extra(&c->extra[i], e))
            return false;
    return true;
}

static bool any_utf8(struct text value)
{
    struct mailbox_list list = mailbox_list_of(value);
    struct address a;
    while (mailbox_list_next(&list, &a) == MAILBOX_ADDRESS)
        if (a.utf8)
            return true;
    return false;
}

bool compose_needs_smtputf8(const struct compose *c)
{
    bool needs = any_utf8(c->from);
    for (size_t i = 0; i < c->to_count; i++)
        needs |= any_utf8(c->to[i]);
    for (size_t i = 0; i < c->cc_count; i++)
        needs |= any_utf8(c->cc[i]);
    return needs;
}

/* --- What is written --- */

/* RFC 5322 3.2.3, and nothing that looks like an encoded-word. */
static bool is_atoms(struct text name)
{
    size_t word = 0;
    bool blank = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c != ' ' && (!address_is_atext(c) || c == '=' || c == '?'))
            return false;
        if (c == ' ' && blank)
            return false;
        blank = c == ' ';
        word = blank ? 0 : word + 1;
        if (word > ATOM_MAX)
            return false;
    }
    return !blank;
}

static bool is_quotable(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < ' ' || name.at[i] >= 0x7F)
            return false;
        if (name.at[i] == '=' && i + 1 < name.len && name.at[i + 1] == '?')
            return false;
    }
    return name.len <= NAME_MAX;
}

static void put_quoted(struct field *f, struct text name)
{
    char room[2 * NAME_MAX + 2];
    struct buffer b = buffer_over(room, sizeof room);
    buffer_byte(&b, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"' || name.at[i] == '\\')
            buffer_byte(&b, '\\');
        buffer_byte(&b, (uint8_t)name.at[i]);
    }
    buffer_byte(&b, '"');
    field_put(f, buffer_as_text(&b));
}

static void put_name(struct field *f, struct text name)
{
    struct text word;
    if (is_atoms(name))
        while (text_word(&name, &word))
            field_put(f, word);
    else if (is_quotable(name))
        put_quoted(f, name);
    else
        field_put_encoded(f, name);
}

static void put_mailbox(struct field *f, const struct address *a, struct text name)
{
    char room[ADDRESS_TEXT_MAX + 2];
    struct buffer b = buffer_over(room, sizeof room);
    if (name.len == 0) {
        field_put(f, address_text(a));
        return;
    }
    put_name(f, name);
    buffer_printf(&b, "<%.*s>", TEXT_ARGS(address_text(a)));
    field_put(f, buffer_as_text(&b));
}

/* The mailboxes of one list; `first` is none before it in the field. */
static bool put_people(struct field *f, struct text value, bool first)
{
    struct mailbox_list list = mailbox_list_of(value);
    struct address a;
    struct text written;
    bool good = true;
    while (good && mailbox_list_next_named(&list, &a, &written) == MAILBOX_ADDRESS) {
        struct buffer name;
        buffer_init(&name, COMPOSE_FIELD_MAX);
        good = mailbox_name_plain(&name, written);
        if (!first)
            field_join(f, T(","));
        put_mailbox(f, &a, text_trim(buffer_as_text(&name)));
        buffer_clear(&name);
        first = false;
    }
    return good;
}

static bool is_empty_list(struct text value)
{
    struct mailbox_list list = mailbox_list_of(value);
    struct address a;
    return mailbox_list_next(&list, &a) == MAILBOX_LIST_END;
}

/* A field of people, if there are any. */
static bool put_field(struct buffer *b, struct text name, const struct text *lists, size_t count)
{
    bool first = true, good = true;
    struct field f = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (is_empty_list(lists[i]))
            continue;
        if (first)
            f = field_begin(b, name);
        good &= put_people(&f, lists[i], first);
        first = false;
    }
    if (!first)
        field_end(&f);
    return good;
}

static void put_extra(struct buffer *b, const struct compose_field *f)
{
    bool plain = true;
    size_t word = 0;
    for (size_t i = 0; i < f->value.len; i++) {
        char c = f->value.at[i];
        word = c == ' ' ? 0 : word + 1;
        plain &= c >= ' ' && c < 0x7F && word <= WORD_MAX;
    }
    /* What is ASCII may have a grammar of its own, as References has. */
    if (plain)
        field_write(b, f->name, f->value);
    else
        field_unstructured(b, f->name, f->value);
}

bool compose_header(const struct compose *c, struct buffer *b)
{
    char date[DATE_TEXT_MAX];
    size_t before;
    bool good = field_write(b, T("Date"), date_rfc5322(c->date_ms, c->zone_seconds, date)) &&
                put_field(b, T("From"), &c->from, 1);
    before = b->len;
    good = good && put_field(b, T("To"), c->to, c->to_count) &&
           put_field(b, T("Cc"), c->cc, c->cc_count);
    if (b->len == before)
        field_write(b, T("To"), T("undisclosed-recipients:;"));
    field_unstructured(b, T("Subject"), c->subject);
    if (c->message_id.len)
        field_write(b, T("Message-ID"), c->message_id);
    bool agent = false;
    for (size_t i = 0; i < c->extra_count; i++) {
        put_extra(b, &c->extra[i]);
        agent |= text_equal_nocase(c->extra[i].name, T("User-Agent"));
    }
    if (!agent)
        field_write(b, T("User-Agent"), T("godwit/" GODWIT_VERSION));
    field_write(b, T("MIME-Version"), T("1.0"));
    return good && !b->failed;
}
