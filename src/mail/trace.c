/* trace.c - the trace fields that this host adds: RFC 5321 4.4.
 *
 * What a peer said comes into a header here, so every octet of it that could mean something there
 * is replaced; the log has the words as they were.
 */
#include "mail/trace.h"

#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

#include <string.h>

enum { LINE_OCTETS = 78 }; /* RFC 5322 2.1.1: should be no longer */

/* A field that is folded as it grows. */
struct folded {
    struct buffer *to;
    size_t line; /* octets in this line */
    bool ok;
};

static void put(struct folded *f, struct text t)
{
    f->ok = f->ok && buffer_text(f->to, t);
    f->line += t.len;
}

static void new_line(struct folded *f)
{
    put(f, T("\r\n\t"));
    f->line = 1;
}

/* Three texts as one word, behind a space or, where it would not fit, a fold. */
static void word(struct folded *f, struct text before, struct text middle, struct text after)
{
    size_t len = before.len + middle.len + after.len;
    if (f->line > 1 && f->line + 1 + len > LINE_OCTETS)
        new_line(f);
    else if (f->line > 1)
        put(f, T(" "));
    put(f, before);
    put(f, middle);
    put(f, after);
}

static void plain_word(struct folded *f, struct text t)
{
    word(f, (struct text){ 0 }, t, (struct text){ 0 });
}

/* What a domain or an atom has (RFC 5322 3.2.3), and in brackets also what a literal has. */
static bool hello_may_have(char c, bool in_brackets)
{
    if (!in_brackets)
        return address_is_atext(c) || c == '.';
    return text_is_letter(c) || text_is_digit(c) || text_is_one_of(c, ".-:");
}

struct text trace_hello(struct text hello, char out[TRACE_HELLO_MAX])
{
    hello = text_first(hello, TRACE_HELLO_MAX);
    size_t last = hello.len - 1;
    bool in_brackets = hello.len > 2 && hello.at[0] == '[' && hello.at[last] == ']';
    for (size_t i = 0; i < hello.len; i++) {
        bool bracket = in_brackets && (i == 0 || i == last);
        out[i] = bracket || hello_may_have(hello.at[i], in_brackets) ? hello.at[i] : '?';
    }
    return (struct text){ out, hello.len };
}

/* From-domain of RFC 5321 4.4.  A session without HELO has no name but its address. */
static void put_from(struct folded *f, const struct trace_received *r)
{
    char literal[ENDPOINT_TEXT_MAX], name[TRACE_HELLO_MAX];
    struct text peer = endpoint_print_literal(&r->peer, literal);
    word(f, T("from "), r->hello.len ? trace_hello(r->hello, name) : peer, (struct text){ 0 });
    word(f, T("("), peer, T(")"));
    new_line(f);
}

/* RFC 3848 and RFC 6531 3.7.3.  After HELO it is SMTP, whatever else is true. */
static void put_with(struct folded *f, const struct trace_received *r)
{
    static const struct text names[2][4] = {
        { TEXT("ESMTP"), TEXT("ESMTPS"), TEXT("ESMTPA"), TEXT("ESMTPSA") },
        { TEXT("UTF8SMTP"), TEXT("UTF8SMTPS"), TEXT("UTF8SMTPA"), TEXT("UTF8SMTPSA") },
    };
    struct text name = names[r->utf8][r->tls + 2 * r->authenticated];
    word(f, T("with "), r->esmtp ? name : T("SMTP"), (struct text){ 0 });
}

bool trace_received(struct buffer *b, const struct trace_received *r)
{
    struct folded f = { .to = b, .ok = true };
    size_t before = b->len;
    char date[DATE_TEXT_MAX];
    bool one = r->only_recipient.len > 0;
    put(&f, T("Received:"));
    if (r->peer.family != NET_NONE)
        put_from(&f, r);
    word(&f, T("by "), r->hostname, (struct text){ 0 });
    if (r->peer.family != NET_NONE && r->peer.family != NET_LOCAL)
        put_with(&f, r);
    word(&f, T("id "), r->id, one ? (struct text){ 0 } : (struct text)TEXT(";"));
    if (one) {
        new_line(&f);
        word(&f, T("for <"), r->only_recipient, T(">;"));
    }
    plain_word(&f, date_rfc5322(r->wall_ms, r->zone_seconds, date));
    put(&f, T("\r\n"));
    if (!f.ok)
        b->len = before;
    return f.ok;
}

bool trace_delivered_to(struct buffer *b, struct text recipient)
{
    size_t before = b->len;
    bool ok = buffer_text(b, T("Delivered-To: ")) && buffer_text(b, recipient) &&
              buffer_text(b, T("\r\n"));
    if (!ok)
        b->len = before;
    return ok;
}

bool trace_prefix(struct buffer *b, struct text sender, struct text recipient)
{
    size_t before = b->len;
    bool ok = buffer_text(b, T("Return-Path: <")) && buffer_text(b, sender) &&
              buffer_text(b, T(">\r\n")) &&
              (recipient.len == 0 || trace_delivered_to(b, recipient));
    if (!ok)
        b->len = before;
    return ok;
}

/* "([192.0.2.1])", "([IPv6:2001:db8::1])" */
static bool read_peer(struct text word, struct text *literal_out, struct endpoint *out)
{
    if (word.len < 4 || !text_starts(word, T("([")) || !text_ends_nocase(word, T("])")))
        return false;
    *literal_out = text_first(text_skip(word, 1), word.len - 2);
    struct text address = text_first(text_skip(word, 2), word.len - 4);
    text_take_nocase(&address, T("IPv6:"));
    return endpoint_parse_address(address, out);
}

bool trace_origin(struct text message, struct trace_origin *out)
{
    struct header_field field;
    struct text rest, word, literal;
    *out = (struct trace_origin){ .peer.family = NET_NONE };
    if (!header_find(message, T("Received"), &field))
        return false;
    rest = text_trim(header_unfold(field.value, out->words, sizeof out->words));
    if (!text_take_nocase(&rest, T("from ")) || !text_word(&rest, &out->hello) ||
        !text_word(&rest, &word) || !read_peer(word, &literal, &out->peer)) {
        *out = (struct trace_origin){ .peer.family = NET_NONE };
        return false;
    }
    if (text_equal(out->hello, literal))
        out->hello.len = 0;
    return true;
}
