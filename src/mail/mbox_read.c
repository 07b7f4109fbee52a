/* mbox_read.c - messages out of a box.
 *
 * What of a message lies in the input as it is goes out as a slice of it; only the fronts of lines
 * that may mean something are held, MBOX_LINE_MAX octets at the most.  Nothing is ever lost: what
 * is not understood is text of a message.
 */
#include "mail/mbox_inner.h"

#include <string.h>

void mbox_reader_init(struct mbox_reader *r)
{
    memset(r, 0, sizeof *r);
}

void mbox_reader_end(struct mbox_reader *r)
{
    r->ended = true;
}

/* --- From_ lines --- */

static bool is_from_line(const struct mbox_reader *r, struct text line, struct mbox_facts *out)
{
    *out = (struct mbox_facts){ 0 };
    out->dated = mbox_from_date(line, &out->date_ms);
    return out->dated ||
           (text_starts(line, T("From ")) && (r->any_from || r->place == MBOX_AT_FRONT));
}

/* --- What goes out --- */

static bool give(struct bytes *owed, struct bytes *out)
{
    *out = *owed;
    *owed = (struct bytes){ NULL, 0 };
    return out->len > 0;
}

static bool give_owed(struct mbox_reader *r, struct bytes *out)
{
    if (give(&r->owed_blank, out))
        return true;
    if (r->owed_quotes == 0)
        return give(&r->owed, out);
    size_t len = r->owed_quotes < MBOX_QUOTES ? (size_t)r->owed_quotes : MBOX_QUOTES;
    r->owed_quotes -= len;
    *out = (struct bytes){ (const uint8_t *)mbox_quotes, len };
    return true;
}

/* The empty line before was the message's. */
static void owe_blank(struct mbox_reader *r)
{
    r->owed_blank = r->blank;
    r->blank = (struct bytes){ NULL, 0 };
}

static void owe_head(struct mbox_reader *r, uint64_t quotes)
{
    owe_blank(r);
    r->owed_quotes = quotes;
    r->owed = bytes_of_text(mbox_head_text(&r->head));
}

/* --- What a line is --- */

static void begin_message(struct mbox_reader *r)
{
    r->any_from |= r->place == MBOX_AT_FRONT && !r->next.dated;
    r->facts = r->next;
    r->blank = (struct bytes){ NULL, 0 };
    r->may_be_data = r->place == MBOX_AT_FRONT;
    r->place = MBOX_IN_HEADER;
    r->is_claimed = r->may_fold = r->dropping = r->has_data = r->says_data = false;
    r->turn = MBOX_NO_TURN;
}

static void take_field(struct mbox_reader *r, enum mbox_field field, struct text value)
{
    switch (field) {
    case MBOX_FIELD_STATUS:
        r->facts.flags |= mail_flags_read(MAIL_LETTERS_STATUS, value);
        break;
    case MBOX_FIELD_X_STATUS:
        r->facts.flags |= mail_flags_read(MAIL_LETTERS_X_STATUS, value);
        break;
    case MBOX_FIELD_LENGTH:
        r->is_claimed = text_to_u64(value, &r->claimed) && r->claimed <= INT64_MAX;
        break;
    case MBOX_FIELD_FOLDER_DATA:
        r->has_data = true;
        break;
    default:
        break;
    }
}

static void hold_blank(struct mbox_reader *r, struct text line)
{
    static const uint8_t ends[] = "\r\n";
    owe_blank(r);
    r->blank = (struct bytes){ ends + 2 - line.len, line.len };
}

/* How UW IMAP names what it keeps: that other messages have an X-IMAP means nothing. */
static bool is_of_data(struct text line)
{
    return text_take_nocase(&line, T("Subject:")) &&
           text_starts(text_trim(line), T("DON'T DELETE THIS MESSAGE"));
}

static void take_header_field(struct mbox_reader *r, struct text line)
{
    struct text value = { 0 };
    enum mbox_field field = mbox_field_of(line, &value);
    r->may_fold = true;
    r->dropping = field != MBOX_FIELD_NONE;
    r->says_data |= is_of_data(line);
    take_field(r, field, value);
    r->facts.folder_data = r->may_be_data && r->has_data && r->says_data;
}

/* A line of the header that is not quoted; *drops_out: it is the box's. */
static void take_header_line(struct mbox_reader *r, bool *drops_out)
{
    struct text line = mbox_head_text(&r->head);
    bool folds = r->may_fold && line.len > 0 && text_is_blank(line.at[0]);
    if (mbox_is_blank(line)) {
        r->place = MBOX_IN_BODY;
        r->looking = r->is_claimed;
        hold_blank(r, line);
        return;
    }
    if (!folds && mbox_is_of_header(line))
        take_header_field(r, line);
    else if (!folds)
        r->place = MBOX_IN_BODY;
    *drops_out = r->place == MBOX_IN_HEADER && r->dropping;
    if (*drops_out)
        return;
    owe_head(r, 0);
    if (r->place == MBOX_IN_HEADER && mbox_is_kept(line))
        r->owed = bytes_of_text(text_skip(line, sizeof MBOX_KEPT - 1));
}

/* One quote is the box's, before "From ". */
static void take_quoted_line(struct mbox_reader *r)
{
    owe_head(r, r->head.quotes - mbox_head_has_from(&r->head));
    if (r->place == MBOX_IN_HEADER && !mbox_is_of_header(mbox_head_text(&r->head)))
        r->place = MBOX_IN_BODY;
    r->may_fold = true;
    r->dropping = false;
}

static void take_body_line(struct mbox_reader *r)
{
    struct text line = mbox_head_text(&r->head);
    if (mbox_is_blank(line))
        hold_blank(r, line);
    else
        owe_head(r, 0);
}

/* The line's front is known.  Empty lines before the first message are passed by.  False: this is
 * no box. */
static bool take_head(struct mbox_reader *r)
{
    struct mbox_head *h = &r->head;
    bool drops = false, ok = true;
    if (h->quotes > 0 && r->place != MBOX_AT_FRONT) {
        take_quoted_line(r);
    } else if (h->quotes == 0 && is_from_line(r, mbox_head_text(h), &r->next)) {
        r->turn = r->place == MBOX_AT_FRONT ? MBOX_BEGINS : MBOX_ENDS;
        drops = true;
    } else if (r->place == MBOX_AT_FRONT) {
        ok = h->quotes == 0 && mbox_is_blank(mbox_head_text(h));
    } else if (r->place == MBOX_IN_HEADER) {
        take_header_line(r, &drops);
    } else {
        take_body_line(r);
    }
    r->line = (uint8_t)mbox_head_rest(h, drops);
    h->quotes = h->len = 0;
    return ok;
}

/* --- Lengths that a message claims to have --- */

void mbox_reader_found(struct mbox_reader *r, bool known, struct bytes found)
{
    struct text there = text_of_bytes(found), line;
    struct mbox_facts ignored;
    r->looking = false;
    if (text_starts(there, T("\r\n")) || text_starts(there, T("\n")))
        there = text_skip(there, there.at[0] == '\r' ? 2 : 1);
    text_cut(&there, '\n', &line);
    if (!known || (line.len > 0 && !is_from_line(r, line, &ignored)))
        return;
    if (line.len == 0 && there.len > 0)
        return;
    owe_blank(r);
    r->place = MBOX_IN_COUNTED;
    r->body_left = r->claimed;
}

/* --- Reading --- */

static struct bytes take(struct bytes *in, size_t len)
{
    struct bytes out = { in->at, len };
    *in = (struct bytes){ in->at + len, in->len - len };
    return out;
}

/* Octets that need no looking at: true with a slice. */
static bool take_counted(struct mbox_reader *r, struct bytes *in, struct bytes *out)
{
    size_t len = in->len < r->body_left ? in->len : (size_t)r->body_left;
    r->body_left -= len;
    if (r->body_left == 0)
        r->place = MBOX_IN_BODY;
    *out = take(in, len);
    return len > 0;
}

static bool take_rest(struct mbox_reader *r, struct bytes *in, struct bytes *out)
{
    const uint8_t *lf = memchr(in->at, '\n', in->len);
    bool drops = r->line == MBOX_LINE_DROP;
    *out = take(in, lf ? (size_t)(lf - in->at) + 1 : in->len);
    if (lf)
        r->line = MBOX_LINE_START;
    return !drops;
}

static bool take_plain(struct mbox_reader *r, struct bytes *in, struct bytes *out)
{
    bool rest;
    size_t len = mbox_plain_length(*in, &rest);
    if (len > 0 && r->blank.len > 0) {
        *out = r->blank;
        r->blank = (struct bytes){ NULL, 0 };
        return true;
    }
    *out = take(in, len);
    if (rest)
        r->line = MBOX_LINE_REST;
    return len > 0;
}

/* All input is taken, and nothing is owed. */
static enum mbox_step come_to_end(struct mbox_reader *r)
{
    if (!r->ended)
        return MBOX_NEED_INPUT;
    if (r->place == MBOX_AT_FRONT)
        return MBOX_END;
    r->place = MBOX_AT_FRONT;
    return MBOX_MESSAGE_END;
}

static bool is_busy(const struct mbox_reader *r)
{
    return r->line == MBOX_LINE_START && !mbox_head_is_empty(&r->head);
}

/* Something that needs no front of a line: true with a step. */
static bool read_ahead(struct mbox_reader *r, struct bytes *in, struct bytes *out,
                       enum mbox_step *step)
{
    *step = MBOX_CONTENT;
    if (give_owed(r, out))
        return true;
    if (r->turn == MBOX_BEGINS)
        begin_message(r);
    if (r->looking || r->turn == MBOX_ENDS) {
        *step = r->looking ? MBOX_LOOK : MBOX_MESSAGE_END;
        r->turn = r->looking ? r->turn : MBOX_BEGINS;
        return true;
    }
    if (in->len == 0 && (!r->ended || !is_busy(r))) {
        *step = come_to_end(r);
        return true;
    }
    if (r->place == MBOX_IN_COUNTED)
        return take_counted(r, in, out);
    if (r->line != MBOX_LINE_START)
        return take_rest(r, in, out);
    return r->place == MBOX_IN_BODY && mbox_head_is_empty(&r->head) && take_plain(r, in, out);
}

enum mbox_step mbox_read(struct mbox_reader *r, struct bytes *in, struct bytes *out)
{
    enum mbox_step step;
    size_t before = in->len;
    while (!read_ahead(r, in, out, &step)) {
        bool whole = r->place != MBOX_IN_BODY;
        if (r->place == MBOX_IN_COUNTED || r->line != MBOX_LINE_START)
            continue;
        if ((mbox_head_gather(&r->head, whole, in) || r->ended) && !take_head(r))
            return MBOX_NO_BOX;
    }
    r->position += before - in->len;
    r->look_at = r->position + r->claimed;
    return step;
}
