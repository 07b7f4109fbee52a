/* posting.c - filling a posting in, and its content as it is sent.  The file is posting_file.c. */
#include "mail/posting.h"

#include "mail/address.h"
#include "mail/encode.h"
#include "mail/header.h"
#include "mail/mailbox_list.h"

#include <stdio.h>
#include <string.h>

/* --- Addresses --- */

static enum posting_verdict add_one(struct posting *l, struct arena *arena, struct text address)
{
    if (l->to_count == POSTING_RECIPIENTS_MAX)
        return POSTING_TOO_MANY;
    if (l->to_count == l->to_room) {
        size_t room = l->to_room ? 2 * l->to_room : 8;
        struct text *more = arena_take(arena, room * sizeof *more);
        if (!more)
            return POSTING_NO_MEMORY;
        if (l->to_count)
            memcpy(more, l->to, l->to_count * sizeof *more);
        l->to = more;
        l->to_room = room;
    }
    if (!arena_text(arena, address, &l->to[l->to_count]))
        return POSTING_NO_MEMORY;
    l->to_count++;
    return POSTING_OK;
}

/* A local part alone, as people write the users of their machine. */
static bool is_local_part(struct text t)
{
    struct address address;
    char words[ADDRESS_LOCAL_MAX + sizeof "@a"];
    if (t.len == 0 || t.len > ADDRESS_LOCAL_MAX || memchr(t.at, '@', t.len) ||
        memchr(t.at, 0, t.len))
        return false;
    int len = snprintf(words, sizeof words, "%.*s@a", TEXT_ARGS(t));
    return address_parse((struct text){ words, (size_t)len }, ADDRESS_UTF8, &address) == ADDRESS_OK;
}

/* What the list has passed by: words without an address, maybe with a comma around them. */
static struct text words_between(struct text before, struct text after)
{
    struct text rest = text_first(before, before.len - after.len), words;
    text_cut(&rest, '(', &words); /* a comment; the list has found its end */
    while (words.len && text_is_one_of(words.at[0], " \t\r\n,;"))
        words = text_skip(words, 1);
    while (words.len && text_is_one_of(words.at[words.len - 1], " \t\r\n,;"))
        words.len--;
    return words;
}

/* "Root <root>, bob": takes the first, and the comma behind it, when it is such a one. */
static bool take_named(struct text *rest, struct text *local_out)
{
    struct text all = *rest, one, name;
    text_cut(&all, ',', &one);
    one = text_trim(one);
    for (size_t i = 0; i < one.len; i++)
        if (text_is_one_of(one.at[i], "\"()\\:;@"))
            return false;
    if (one.len == 0 || one.at[one.len - 1] != '>' || !text_cut(&one, '<', &name))
        return false;
    *local_out = text_first(one, one.len - 1);
    *rest = all;
    return is_local_part(*local_out);
}

enum posting_verdict posting_add(struct posting *l, struct arena *arena, struct text addresses)
{
    struct mailbox_list list = mailbox_list_of(addresses);
    enum posting_verdict verdict = POSTING_OK;
    struct address address;
    while (verdict == POSTING_OK) {
        struct text before = list.rest, words;
        switch (mailbox_list_next(&list, &address)) {
        case MAILBOX_ADDRESS:
            verdict = add_one(l, arena, address_text(&address));
            break;
        case MAILBOX_NAME:
            words = words_between(before, list.rest);
            verdict = is_local_part(words) ? add_one(l, arena, words) : POSTING_MALFORMED;
            break;
        case MAILBOX_LIST_MALFORMED:
            verdict = take_named(&list.rest, &words) ? add_one(l, arena, words) : POSTING_MALFORMED;
            break;
        case MAILBOX_LIST_END:
            return POSTING_OK;
        }
    }
    return verdict;
}

enum posting_verdict posting_set_sender(struct posting *l, struct arena *arena, struct text address)
{
    struct posting one = { 0 };
    enum posting_verdict verdict = POSTING_OK;
    address = text_trim(address);
    if (address.len > 0 && !text_equal(address, T("<>"))) {
        verdict = posting_add(&one, arena, address);
        if (verdict == POSTING_OK && one.to_count != 1)
            verdict = POSTING_MALFORMED;
    }
    if (verdict == POSTING_OK) {
        l->has_sender = true;
        l->sender = one.to_count ? one.to[0] : T("");
    }
    return verdict;
}

/* --- The header --- */

static bool is_recipient_field(struct text name, bool resent)
{
    if (resent != text_take_nocase(&name, T("Resent-")))
        return false;
    return text_equal_nocase(name, T("To")) || text_equal_nocase(name, T("Cc")) ||
           text_equal_nocase(name, T("Bcc"));
}

static bool has_resent(struct text rest)
{
    struct header_field field;
    while (header_next(&rest, &field))
        if (is_recipient_field(field.name, true))
            return true;
    return false;
}

/* "From somebody Sat Nov 21 ...", as the first line of a message in an mbox has it. */
static struct text without_mbox_line(struct text content)
{
    struct text line;
    if (text_starts(content, T("From ")))
        text_cut(&content, '\n', &line);
    return content;
}

enum posting_verdict posting_add_header(struct posting *l, struct arena *arena,
                                        struct text *field_out)
{
    struct text rest = without_mbox_line(l->content);
    bool resent = has_resent(rest);
    struct header_field field;
    while (header_next(&rest, &field)) {
        if (!is_recipient_field(field.name, resent))
            continue;
        enum posting_verdict verdict = posting_add(l, arena, field.value);
        *field_out = field.name;
        if (verdict != POSTING_OK)
            return verdict;
    }
    return POSTING_OK;
}

enum posting_verdict posting_set_name(struct posting *l, struct arena *arena, struct text name)
{
    char words[POSTING_NAME_MAX];
    struct buffer b = buffer_over(words, sizeof words);
    name = text_first(name, sizeof words);
    for (size_t i = 0; i < name.len; i++)
        buffer_byte(&b,
                    (uint8_t)name.at[i] < ' ' || name.at[i] == 0x7F ? ' ' : (uint8_t)name.at[i]);
    return arena_text(arena, text_trim(buffer_as_text(&b)), &l->name) ? POSTING_OK
                                                                      : POSTING_NO_MEMORY;
}

bool posting_address(struct text address, struct text domain, struct arena *arena, struct text *out)
{
    char words[ADDRESS_TEXT_MAX + ADDRESS_DOMAIN_MAX];
    struct address parsed;
    struct text whole = address;
    if (is_local_part(address)) {
        int len = snprintf(words, sizeof words, "%.*s@%.*s", TEXT_ARGS(address),
                           TEXT_ARGS(text_first(domain, ADDRESS_DOMAIN_MAX)));
        whole = (struct text){ words, (size_t)len };
    }
    return address_parse(whole, ADDRESS_UTF8, &parsed) == ADDRESS_OK &&
           arena_text(arena, address_text(&parsed), out);
}

/* --- The content as it is sent --- */

/* RFC 5322 3.2.4, or RFC 2047 where that does not do. */
static bool put_name(struct buffer *b, struct text name)
{
    char room[POSTING_ADDED_MAX];
    struct buffer words = buffer_over(room, sizeof room);
    if (!text_is_ascii(name)) {
        bool ok = field_write_words(&words, T("N"), name);
        struct text value = text_skip(buffer_as_text(&words), sizeof "N: " - 1);
        return ok && buffer_text(b, text_first(value, value.len - 2));
    }
    buffer_byte(b, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"' || name.at[i] == '\\')
            buffer_byte(b, '\\');
        buffer_byte(b, (uint8_t)name.at[i]);
    }
    return buffer_byte(b, '"');
}

static bool put_from(struct buffer *b, struct text name, struct text author)
{
    return buffer_text(b, T("From: ")) && put_name(b, name) &&
           buffer_printf(b, "\r\n <%.*s>\r\n", TEXT_ARGS(author));
}

/* LF, CRLF and CR end a line alike: what ends one for some reader must end it for all. */
static struct text take_line(struct text *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '\n' && rest->at[len] != '\r')
        len++;
    struct text line = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    *rest = text_skip(*rest, text_starts(*rest, T("\r\n")) ? 2 : 1);
    return line;
}

static bool put_lines(struct buffer *b, struct text rest, struct posting_facts *facts)
{
    bool ok = true;
    while (ok && rest.len > 0) {
        struct text line = take_line(&rest);
        facts->dot_lines |= text_starts(line, T("."));
        facts->eight_bit |= !text_is_ascii(line);
        ok = buffer_text(b, line) && buffer_text(b, T("\r\n"));
    }
    return ok;
}

bool posting_content(const struct posting *l, struct text author, struct buffer *b,
                     struct posting_facts *facts)
{
    struct header_field from;
    struct text content = without_mbox_line(l->content);
    *facts = (struct posting_facts){ 0 };
    if (l->name.len > 0 && author.len > 0 && !header_find(content, T("From"), &from) &&
        !put_from(b, l->name, author))
        return false;
    facts->eight_bit |= !text_is_ascii(author);
    return put_lines(b, content, facts);
}

uint64_t posting_octets(const struct posting *l)
{
    struct text rest = without_mbox_line(l->content);
    uint64_t octets = 0;
    while (rest.len > 0)
        octets += take_line(&rest).len + sizeof "\r\n" - 1;
    return octets;
}
