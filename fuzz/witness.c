/* witness.c - what a server promised in its conversations, and whether it was kept. */
#include "witness.h"

#include "base/check.h"

#include <string.h>

enum { CONTENT_MAX = 1 << 22 };

/* --- What was said and heard --- */

/* A line off the front, without its end; false: it has none. */
static bool take_line(struct text *rest, struct text *line)
{
    if (text_find(*rest, '\n') == rest->len)
        return false;
    text_cut(rest, '\n', line);
    if (line->len && line->at[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* A whole reply, its last line; false: there is none. */
static bool take_reply(struct text *heard, struct text *reply)
{
    uint64_t code, first = 0;
    do {
        if (!take_line(heard, reply))
            return false;
        CHECK(reply->len >= 4 && text_to_u64(text_first(*reply, 3), &code));
        CHECK(code >= 200 && code < 600);
        CHECK(first == 0 || code == first);
        CHECK(reply->at[3] == ' ' || reply->at[3] == '-');
        first = code;
    } while (reply->at[3] == '-');
    return true;
}

/* Content up to its end, with the dots as they were (RFC 5321 4.5.2); false: it has no end. */
static bool take_data(struct text *rest, struct buffer *out)
{
    bool begins = true;
    for (size_t i = 0; i < rest->len; i++) {
        char c = rest->at[i];
        if (begins && c == '.' && text_starts(text_skip(*rest, i + 1), T("\r\n"))) {
            *rest = text_skip(*rest, i + 3);
            return true;
        }
        if (!(begins && c == '.'))
            CHECK(buffer_byte(out, (uint8_t)c));
        begins = c == '\n' && i > 0 && rest->at[i - 1] == '\r';
    }
    return false;
}

/* --- SMTP --- */

/* A conversation as it is walked through. */
struct walk {
    struct witness *witness;
    struct text said, heard, reply;
    bool amends, binary;
    unsigned recipients;
    bool is_local;
    struct buffer chunks; /* so far */
};

static bool code_is(const struct walk *w, const char *code)
{
    return text_starts(w->reply, text_of(code));
}

static bool is_said(struct text line, struct text words)
{
    for (; line.len >= words.len; line = text_skip(line, 1))
        if (text_starts_nocase(line, words))
            return true;
    return false;
}

static bool has_bare_end(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        bool after_cr = i > 0 && t.at[i - 1] == '\r';
        bool before_lf = i + 1 < t.len && t.at[i + 1] == '\n';
        if ((t.at[i] == '\n' && !after_cr) || (t.at[i] == '\r' && !before_lf))
            return true;
    }
    return false;
}

/* The body alone, if the header may have been changed; nothing, if all of it may. */
static struct text kept_part(const struct walk *w, struct text content)
{
    if (w->binary || (w->amends && has_bare_end(content)))
        return T("");
    while (w->amends && content.len && !text_starts(content, T("\r\n\r\n")))
        content = text_skip(content, 1);
    return content;
}

static void promised(struct walk *w, struct text content)
{
    static const struct text words = TEXT("250 2.0.0 accepted as ");
    if (!code_is(w, "250"))
        return;
    CHECK(text_starts(w->reply, words));
    CHECK(w->recipients > 0);
    struct text id = text_skip(w->reply, words.len);
    CHECK(id.len == MESSAGE_ID_TEXT);
    CHECK(w->witness->count < WITNESS_PROMISES_MAX);
    struct promise *p = &w->witness->promises[w->witness->count++];
    *p = (struct promise){ .recipients = w->recipients, .is_local = w->is_local };
    memcpy(p->id, id.at, id.len);
    buffer_init(&p->content, CONTENT_MAX);
    CHECK(buffer_text(&p->content, kept_part(w, content)));
    if (p->content.len && p->content.at[p->content.len - 1] != '\n')
        CHECK(buffer_text(&p->content, T("\r\n"))); /* of a chunk: a message ends with CRLF */
}

static void transaction_ends(struct walk *w)
{
    w->recipients = 0;
    w->is_local = w->binary = false;
    w->chunks.len = 0;
}

/* What its reply, which has come, makes of the envelope. */
static void note_envelope(struct walk *w, struct text line)
{
    struct text verb;
    text_word(&line, &verb);
    if (!code_is(w, "250"))
        return;
    if (text_equal_nocase(verb, T("RCPT"))) {
        w->recipients++;
        w->is_local |= is_said(line, T("@d1.test"));
    } else if (text_equal_nocase(verb, T("MAIL"))) {
        transaction_ends(w);
        w->binary = is_said(line, T("BINARYMIME"));
    } else if (text_equal_nocase(verb, T("RSET")) || text_equal_nocase(verb, T("EHLO")) ||
               text_equal_nocase(verb, T("HELO"))) {
        transaction_ends(w);
    }
}

/* BDAT with a size: its octets, then its reply.  False: one of them is not there. */
static bool walk_chunk(struct walk *w, uint64_t size, bool last)
{
    if (size > w->said.len)
        return false;
    CHECK(buffer_append(&w->chunks, w->said.at, (size_t)size));
    w->said = text_skip(w->said, (size_t)size);
    if (!take_reply(&w->heard, &w->reply))
        return false;
    if (last)
        promised(w, buffer_as_text(&w->chunks));
    if (last || !code_is(w, "250"))
        transaction_ends(w);
    return true;
}

static bool walk_data(struct walk *w)
{
    struct buffer content;
    buffer_init(&content, CONTENT_MAX);
    bool ended = take_data(&w->said, &content) && take_reply(&w->heard, &w->reply);
    if (ended)
        promised(w, buffer_as_text(&content));
    transaction_ends(w);
    buffer_clear(&content);
    return ended;
}

static bool is_chunk(struct text line, uint64_t *size, bool *last)
{
    struct text verb, word;
    text_cut(&line, ' ', &verb);
    if (!text_equal_nocase(verb, T("BDAT")) || !text_word(&line, &word) || !text_to_u64(word, size))
        return false;
    *last = text_word(&line, &word) && text_equal_nocase(word, T("LAST"));
    return true;
}

/* A command with all that belongs to it; false: the conversation ends within. */
static bool walk_on(struct walk *w)
{
    struct text line;
    uint64_t size;
    bool last, is_answer = code_is(w, "334");
    if (!take_line(&w->said, &line))
        return false;
    if (!is_answer && is_chunk(line, &size, &last))
        return walk_chunk(w, size, last);
    if (!take_reply(&w->heard, &w->reply))
        return false;
    if (code_is(w, "354"))
        return walk_data(w);
    w->amends |= code_is(w, "235"); /* who has logged in submits mail, on any port */
    if (!is_answer)
        note_envelope(w, line);
    return true;
}

/* Ends of messages in what nobody answered: at most so many were taken. */
static unsigned count_ends(struct text said)
{
    struct text line;
    unsigned count = 0;
    while (said.len) {
        text_cut(&said, '\n', &line);
        count += text_starts(line, T(".")) || is_said(line, T("LAST"));
    }
    return count;
}

void witness_smtp(struct witness *w, struct text said, struct text heard, bool amends)
{
    struct walk walk = { .witness = w, .said = said, .heard = heard, .amends = amends };
    struct text before = said;
    buffer_init(&walk.chunks, CONTENT_MAX);
    if (!take_reply(&walk.heard, &walk.reply))
        return;
    while (!code_is(&walk, "221") && !code_is(&walk, "421")) {
        before = walk.said;
        if (!walk_on(&walk)) {
            w->doubts += count_ends(before);
            break;
        }
    }
    struct text rest;
    if (take_reply(&walk.heard, &rest))
        CHECK(text_starts(rest, T("421"))); /* the end of a session, and no reply to a command */
    CHECK(walk.heard.len == 0);
    buffer_clear(&walk.chunks);
}

/* --- POP3 --- */

void witness_pop3(struct witness *w, struct text said, struct text heard)
{
    struct text line, verb;
    unsigned count = 0;
    bool quits = false;
    CHECK(heard.len == 0 || text_starts(heard, T("+OK")) || text_starts(heard, T("-ERR")));
    while (take_line(&said, &line)) {
        text_word(&line, &verb);
        count += text_equal_nocase(verb, T("DELE"));
        quits |= text_equal_nocase(verb, T("QUIT"));
    }
    w->removals += quits ? count : 0;
}

/* --- What is there --- */

void witness_copy(struct witness *w, message_id message, struct text whole)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct promise *p = w->promises;
    message_id_print(message, id);
    while (p < w->promises + w->count && strcmp(p->id, id) != 0)
        p++;
    if (p == w->promises + w->count) {
        w->strangers +=
            !text_starts(whole, T("Return-Path: <>")); /* a report may be the server's */
        return;
    }
    struct text content = buffer_as_text(&p->content);
    CHECK(whole.len >= content.len);
    CHECK(text_equal(text_skip(whole, whole.len - content.len), content));
    CHECK(++p->found <= p->recipients);
}

void witness_end(struct witness *w)
{
    unsigned missing = 0;
    for (size_t i = 0; i < w->count; i++)
        missing += w->promises[i].is_local && w->promises[i].found == 0;
    CHECK(missing <= w->removals);
    /* One message may have come to both users. */
    CHECK(w->strangers <= 2 * w->doubts);
}

void witness_clear(struct witness *w)
{
    for (size_t i = 0; i < w->count; i++)
        buffer_clear(&w->promises[i].content);
    w->count = 0;
}
