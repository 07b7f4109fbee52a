/* show_header.c - the fields of a message that matter to people.
 *
 * A mailbox is taken apart before its name is decoded, so that no encoded-word can put another
 * address in front of the real one.
 */
#include "base/buffer.h"
#include "mail/harmless.h"
#include "mail/header.h"
#include "mail/mailbox_list.h"
#include "mail/show_inner.h"
#include "mail/word.h"

#include <string.h>

/* Octets of UTF-8 that a field may become before it is harmless. */
enum { DECODED_MAX = 4 * SHOW_FIELD_MAX };

/* What a field is written with. */
struct view {
    const struct charset_more *more;
    struct buffer *out;
};

static void put_decoded(const struct view *v, struct text t)
{
    struct buffer words;
    buffer_init(&words, DECODED_MAX);
    words_decode(v->more, t, &words);
    harmless_line(v->out, buffer_as_text(&words));
    buffer_clear(&words);
}

/* Whether a name could be taken for an address, or for the end of one. */
static bool needs_quotes(struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if (text_is_one_of(name.at[i], "<>@,;:\""))
            return true;
    return false;
}

static void put_quoted(struct buffer *out, struct text name)
{
    buffer_byte(out, '"');
    while (name.len) {
        struct text piece;
        bool quote = text_cut(&name, '"', &piece);
        harmless_line(out, piece);
        if (quote)
            buffer_text(out, T("\\\""));
    }
    buffer_byte(out, '"');
}

static bool put_name(const struct view *v, struct text written)
{
    struct buffer plain, words;
    buffer_init(&plain, SHOW_FIELD_MAX);
    buffer_init(&words, DECODED_MAX);
    bool good = mailbox_name_plain(&plain, written);
    words_decode(v->more, buffer_as_text(&plain), &words);
    struct text name = buffer_as_text(&words);
    bool quoted = needs_quotes(name);
    if (quoted)
        put_quoted(v->out, name);
    else
        harmless_line(v->out, name);
    buffer_clear(&plain);
    buffer_clear(&words);
    return good;
}

static bool put_mailbox(const struct view *v, const struct address *a, struct text name)
{
    bool good = true;
    if (name.len) {
        good = put_name(v, name);
        buffer_text(v->out, T(" <"));
    }
    harmless_line(v->out, address_text(a));
    if (name.len)
        buffer_byte(v->out, '>');
    return good;
}

/* What was written for one that has no angles: "a@b (Name)", or no address: NULL.  What stands
 * before the address stays as it is, so that no comment becomes one. */
static bool put_bare(const struct view *v, const struct address *a, struct text written)
{
    written = text_trim(written);
    while (written.len && text_is_one_of(written.at[0], ",;"))
        written = text_trim(text_skip(written, 1));
    while (written.len && text_is_one_of(written.at[written.len - 1], ",;"))
        written = text_trim(text_first(written, written.len - 1));
    size_t comment = a ? text_find(written, '(') : 0;
    if (a && !text_equal_nocase(text_trim(text_first(written, comment)), address_text(a)))
        comment = written.len;
    harmless_line(v->out, text_first(written, comment));
    put_decoded(v, text_skip(written, comment));
    return true;
}

/* The mailboxes one by one; false: it is no list of mailboxes, or no memory. */
static bool put_people(const struct view *v, struct text value)
{
    struct mailbox_list list = mailbox_list_of(value);
    struct address a;
    struct text name;
    for (bool first = true;; first = false) {
        struct text before = list.rest;
        enum mailbox_found found = mailbox_list_next_named(&list, &a, &name);
        if (found == MAILBOX_LIST_END || found == MAILBOX_LIST_MALFORMED)
            return found == MAILBOX_LIST_END && !first;
        struct text written = text_first(before, before.len - list.rest.len);
        bool angle =
            found == MAILBOX_ADDRESS && (name.len || text_find(written, '(') == written.len);
        if (!first)
            buffer_text(v->out, T(", "));
        if (!(angle ? put_mailbox(v, &a, name)
                    : put_bare(v, found == MAILBOX_ADDRESS ? &a : NULL, written)))
            return false;
    }
}

static void put_field(const struct view *v, struct text name, struct text written, bool people)
{
    char line[SHOW_FIELD_MAX];
    struct text value = text_trim(header_unfold(written, line, sizeof line));
    buffer_text(v->out, name);
    buffer_text(v->out, T(": "));
    size_t at = v->out->len;
    if (!people || !put_people(v, value)) {
        v->out->len = at;
        put_decoded(v, value);
    }
    if (written.len > sizeof line + 2)
        buffer_text(v->out, T(" ..."));
    buffer_byte(v->out, '\n');
}

bool show_header(struct text message, const struct charset_more *more, struct buffer *out)
{
    static const struct {
        struct text name;
        bool people;
    } wanted[] = {
        { TEXT("From"), true },  { TEXT("To"), true },       { TEXT("Cc"), true },
        { TEXT("Date"), false }, { TEXT("Subject"), false },
    };
    const struct view v = { .more = more, .out = out };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct text rest = message;
        struct header_field f;
        /* One that stands twice is shown twice: readers differ in which of them they take. */
        for (unsigned shown = 0; shown < 5 && header_next(&rest, &f);) {
            if (!text_equal_nocase(f.name, wanted[i].name))
                continue;
            put_field(&v, wanted[i].name, f.value, wanted[i].people);
            shown++;
        }
    }
    return !out->failed;
}
