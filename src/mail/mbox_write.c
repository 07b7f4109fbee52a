/* mbox_write.c - messages into a box: mboxrd, with LF.
 *
 * The header goes out line by line, the names of fields that are the box's own with "X-Kept-"
 * before them, the flags of ours at its end; else only lines that begin like a From_ line are
 * touched.
 */
#include "mail/date.h"
#include "mail/mbox_inner.h"

#include <string.h>

enum { LINES_MAX = MBOX_SLICE_MAX + 2, SENDER_MAX = 512 };

void mbox_writer_init(struct mbox_writer *w)
{
    memset(w, 0, sizeof *w);
    buffer_init(&w->lines, LINES_MAX);
}

void mbox_writer_clear(struct mbox_writer *w)
{
    buffer_clear(&w->lines);
}

/* --- The From_ line --- */

static bool may_stand(struct text sender)
{
    for (size_t i = 0; i < sender.len; i++)
        if ((unsigned char)sender.at[i] <= ' ' || sender.at[i] == 0x7F)
            return false;
    return sender.len > 0 && sender.len <= SENDER_MAX;
}

bool mbox_write_begin(struct mbox_writer *w, struct text sender, int64_t date_ms, unsigned flags,
                      struct buffer *out)
{
    char date[DATE_TEXT_MAX];
    if (!may_stand(sender))
        sender = T("MAILER-DAEMON");
    w->flags = flags;
    w->ends = (struct line_ends){ 0 };
    w->head.quotes = w->head.len = 0;
    w->place = MBOX_IN_HEADER;
    w->line = MBOX_LINE_START;
    w->may_fold = false;
    w->ends_with_lf = true;
    return buffer_text(out, T("From ")) && buffer_text(out, sender) && buffer_byte(out, ' ') &&
           buffer_text(out, date_asctime(date_ms, date)) && buffer_byte(out, '\n');
}

/* --- Lines --- */

static bool put(struct mbox_writer *w, struct bytes octets, struct buffer *out)
{
    if (octets.len > 0)
        w->ends_with_lf = octets.at[octets.len - 1] == '\n';
    return buffer_append(out, octets.at, octets.len);
}

static bool put_flags(const struct mbox_writer *w, struct buffer *out)
{
    char letters[MAIL_LETTERS_MAX];
    struct text status = mail_flags_print(MAIL_LETTERS_STATUS, w->flags, letters);
    if (w->flags && !buffer_printf(out, "Status: %.*sO\n", TEXT_ARGS(status)))
        return false;
    struct text more = mail_flags_print(MAIL_LETTERS_X_STATUS, w->flags, letters);
    return more.len == 0 || buffer_printf(out, "X-Status: %.*s\n", TEXT_ARGS(more));
}

static bool put_head(struct mbox_writer *w, struct buffer *out)
{
    struct mbox_head *h = &w->head;
    for (uint64_t left = h->quotes + mbox_head_has_from(h); left > 0;) {
        size_t len = left < MBOX_QUOTES ? (size_t)left : MBOX_QUOTES;
        if (!put(w, (struct bytes){ (const uint8_t *)mbox_quotes, len }, out))
            return false;
        left -= len;
    }
    return put(w, bytes_of_text(mbox_head_text(h)), out);
}

/* What goes before a line of the header, or before the one that ends it.  Flags never go before
 * white space, which would be a part of them. */
static bool begin_header_line(struct mbox_writer *w, struct text line, struct buffer *out)
{
    bool quoted = w->head.quotes > 0;
    bool white = !quoted && line.len > 0 && text_is_blank(line.at[0]);
    struct text value;
    if (white && w->may_fold)
        return true;
    if (mbox_is_of_header(line)) {
        w->may_fold = true;
        bool own =
            !quoted && (mbox_field_of(line, &value) != MBOX_FIELD_NONE || mbox_is_kept(line));
        return !own || buffer_text(out, T(MBOX_KEPT));
    }
    w->place = MBOX_IN_BODY;
    return white || put_flags(w, out);
}

static bool take_head(struct mbox_writer *w, struct buffer *out)
{
    struct mbox_head *h = &w->head;
    bool ok = w->place != MBOX_IN_HEADER || begin_header_line(w, mbox_head_text(h), out);
    ok = ok && put_head(w, out);
    w->line = (uint8_t)mbox_head_rest(h, false);
    h->quotes = h->len = 0;
    return ok;
}

static bool take_rest(struct mbox_writer *w, struct bytes *in, struct buffer *out)
{
    const uint8_t *lf = memchr(in->at, '\n', in->len);
    size_t len = lf ? (size_t)(lf - in->at) + 1 : in->len;
    bool ok = put(w, (struct bytes){ in->at, len }, out);
    *in = (struct bytes){ in->at + len, in->len - len };
    if (lf)
        w->line = MBOX_LINE_START;
    return ok;
}

/* Empty lines are nothing special here. */
static bool take_plain(struct mbox_writer *w, struct bytes *in, struct buffer *out)
{
    bool rest = false;
    size_t len = mbox_plain_length(*in, &rest);
    while (len < in->len && in->at[len] == '\n' && !rest)
        len += 1 + mbox_plain_length((struct bytes){ in->at + len + 1, in->len - len - 1 }, &rest);
    bool ok = put(w, (struct bytes){ in->at, len }, out);
    *in = (struct bytes){ in->at + len, in->len - len };
    if (rest)
        w->line = MBOX_LINE_REST;
    return ok;
}

/* With LF at the ends of lines. */
static bool write_lines(struct mbox_writer *w, struct bytes in, struct buffer *out)
{
    bool ok = true;
    while (ok && in.len > 0) {
        bool fresh = mbox_head_is_empty(&w->head);
        if (w->line != MBOX_LINE_START)
            ok = take_rest(w, &in, out);
        else if (w->place == MBOX_IN_BODY && fresh && in.at[0] != 'F' && in.at[0] != '>' &&
                 in.at[0] != '\r')
            ok = take_plain(w, &in, out);
        else if (mbox_head_gather(&w->head, w->place == MBOX_IN_HEADER, &in))
            ok = take_head(w, out);
    }
    return ok;
}

bool mbox_write(struct mbox_writer *w, struct bytes octets, struct buffer *out)
{
    w->lines.len = 0;
    return line_ends_to_lf(&w->ends, octets, &w->lines) &&
           write_lines(w, buffer_bytes(&w->lines), out);
}

bool mbox_write_end(struct mbox_writer *w, struct buffer *out)
{
    w->lines.len = 0;
    if (!line_ends_to_lf_end(&w->ends, &w->lines) ||
        !write_lines(w, buffer_bytes(&w->lines), out) ||
        (!mbox_head_is_empty(&w->head) && !take_head(w, out)) ||
        (!w->ends_with_lf && !put(w, bytes_of_text(T("\n")), out)))
        return false;
    return (w->place != MBOX_IN_HEADER || put_flags(w, out)) && buffer_byte(out, '\n');
}
