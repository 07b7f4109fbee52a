/* mbox.c - the lines of a box: their fronts, and the fields that are the box's own. */
#include "mail/date.h"
#include "mail/header.h"
#include "mail/mbox_inner.h"

#include <string.h>

static const char from[] = "From ";
enum { FROM_OCTETS = sizeof from - 1 };

const char mbox_quotes[MBOX_QUOTES + 1] =
    ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>";

/* --- The front of a line --- */

/* So far it may be "From ". */
static bool may_be_from(const struct mbox_head *h)
{
    return memcmp(h->at, from, h->len < FROM_OCTETS ? h->len : FROM_OCTETS) == 0;
}

static bool is_known(const struct mbox_head *h, bool whole)
{
    if (h->len == 0)
        return false;
    if (h->at[h->len - 1] == '\n' || h->len == MBOX_LINE_MAX)
        return true;
    if (whole || (h->quotes == 0 && h->len == 1 && h->at[0] == '\r'))
        return false;
    return !may_be_from(h) || (h->quotes > 0 && h->len >= FROM_OCTETS);
}

/* How many of the octets may be taken before it must be asked again. */
static size_t next_length(const struct mbox_head *h, bool whole, struct bytes in)
{
    bool to_end = whole || (h->quotes == 0 && h->len >= FROM_OCTETS);
    if (!to_end)
        return 1;
    size_t room = MBOX_LINE_MAX - h->len;
    size_t len = in.len < room ? in.len : room;
    const uint8_t *lf = memchr(in.at, '\n', len);
    return lf ? (size_t)(lf - in.at) + 1 : len;
}

bool mbox_head_gather(struct mbox_head *h, bool whole, struct bytes *in)
{
    for (; in->len > 0 && h->len == 0 && in->at[0] == '>'; h->quotes++)
        *in = (struct bytes){ in->at + 1, in->len - 1 };
    while (!is_known(h, whole)) {
        if (in->len == 0)
            return false;
        size_t len = next_length(h, whole, *in);
        memcpy(h->at + h->len, in->at, len);
        h->len += len;
        *in = (struct bytes){ in->at + len, in->len - len };
    }
    return true;
}

struct text mbox_head_text(const struct mbox_head *h)
{
    return (struct text){ h->at, h->len };
}

bool mbox_head_has_from(const struct mbox_head *h)
{
    return h->len >= FROM_OCTETS && may_be_from(h);
}

enum mbox_line mbox_head_rest(const struct mbox_head *h, bool drops)
{
    bool complete = h->len > 0 && h->at[h->len - 1] == '\n';
    return complete ? MBOX_LINE_START : drops ? MBOX_LINE_DROP : MBOX_LINE_REST;
}

/* --- Lines --- */

bool mbox_is_blank(struct text line)
{
    return text_equal(line, T("\n")) || text_equal(line, T("\r\n"));
}

static bool may_be_special(uint8_t first)
{
    return first == 'F' || first == '>' || first == '\r' || first == '\n';
}

size_t mbox_plain_length(struct bytes in, bool *rest_out)
{
    size_t at = 0;
    *rest_out = false;
    while (at < in.len && !may_be_special(in.at[at])) {
        const uint8_t *lf = memchr(in.at + at, '\n', in.len - at);
        *rest_out = !lf;
        if (!lf)
            return in.len;
        at = (size_t)(lf - in.at) + 1;
    }
    return at;
}

/* --- Fields --- */

enum mbox_field mbox_field_of(struct text line, struct text *value_out)
{
    static const struct {
        struct text name;
        enum mbox_field field;
    } fields[] = {
        { TEXT("Status:"), MBOX_FIELD_STATUS },         { TEXT("X-Status:"), MBOX_FIELD_X_STATUS },
        { TEXT("Content-Length:"), MBOX_FIELD_LENGTH }, { TEXT("X-IMAP:"), MBOX_FIELD_FOLDER_DATA },
        { TEXT("X-IMAPbase:"), MBOX_FIELD_OTHER },      { TEXT("X-UID:"), MBOX_FIELD_OTHER },
        { TEXT("X-Keywords:"), MBOX_FIELD_OTHER },      { TEXT("Lines:"), MBOX_FIELD_OTHER },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct text rest = line;
        if (!text_take_nocase(&rest, fields[i].name))
            continue;
        while (rest.len && (rest.at[rest.len - 1] == '\n' || rest.at[rest.len - 1] == '\r'))
            rest.len--;
        *value_out = text_trim(rest);
        return fields[i].field;
    }
    return MBOX_FIELD_NONE;
}

bool mbox_is_kept(struct text line)
{
    struct text value;
    bool kept = false;
    while (text_take_nocase(&line, T(MBOX_KEPT)))
        kept = true;
    return kept && mbox_field_of(line, &value) != MBOX_FIELD_NONE;
}

/* --- The header --- */

/* The sender's address may have spaces. */
bool mbox_from_date(struct text line, int64_t *date_ms_out)
{
    static const struct text tail = TEXT(" remote from "); /* of UUCP */
    struct text word, words = text_skip(line, FROM_OCTETS);
    if (!text_starts(line, T("From ")))
        return false;
    while (words.len && (words.at[words.len - 1] == '\n' || words.at[words.len - 1] == '\r'))
        words.len--;
    for (size_t i = 0; i + tail.len < words.len; i++)
        if (text_starts(text_skip(words, i), tail))
            words.len = i;
    for (struct text rest = words; text_word(&rest, &word);) {
        size_t at = (size_t)(word.at - words.at);
        if (date_parse_asctime(text_skip(words, at), date_ms_out))
            return true;
    }
    return false;
}

bool mbox_is_of_header(struct text line)
{
    struct header_field field;
    int64_t ignored_ms;
    return mbox_from_date(line, &ignored_ms) || header_next(&line, &field);
}
