/* mailbox_list.c - reading RFC 5322 address lists, token by token. */
#include "mail/mailbox_list.h"

#include <string.h>

/* --- Tokens (RFC 5322 3.2) --- */

enum token {
    TOKEN_ATOM,
    TOKEN_QUOTED,
    TOKEN_LITERAL,
    TOKEN_SPECIAL, /* one of "<>@,;:." */
    TOKEN_END,
    TOKEN_BAD,
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_atom(char c)
{
    return (uint8_t)c > ' ' && c != 0x7F && !text_is_one_of(c, "()<>[]:;@\\,.\"");
}

/* Takes what stands between two signs, which may be escaped; comments stand in each other. */
static bool take_between(struct text *rest, char open, char close)
{
    size_t depth = 0, i = 0;
    for (; i < rest->len; i++) {
        char c = rest->at[i];
        if (c == '\\' && i + 1 < rest->len)
            i++;
        else if (c == close && (open != close || depth > 0) && --depth == 0)
            break;
        else if (c == open)
            depth++;
        if (rest->at[i] == 0)
            return false;
    }
    if (i >= rest->len)
        return false;
    *rest = text_skip(*rest, i + 1);
    return true;
}

/* White space and comments.  False: a comment has no end. */
static bool skip_space(struct text *rest)
{
    while (rest->len > 0) {
        if (is_space(rest->at[0]))
            *rest = text_skip(*rest, 1);
        else if (rest->at[0] != '(')
            break;
        else if (!take_between(rest, '(', ')'))
            return false;
    }
    return true;
}

static bool take_atom(struct text *rest)
{
    size_t len = 0;
    while (len < rest->len && is_atom(rest->at[len]))
        len++;
    *rest = text_skip(*rest, len);
    return len > 0;
}

static enum token take_token(struct text *rest, struct text *out)
{
    enum token token;
    bool whole = true;
    if (!skip_space(rest))
        return TOKEN_BAD;
    *out = *rest;
    if (rest->len == 0)
        return TOKEN_END;
    if (rest->at[0] == '"') {
        token = TOKEN_QUOTED;
        whole = take_between(rest, '"', '"');
    } else if (rest->at[0] == '[') {
        token = TOKEN_LITERAL;
        whole = take_between(rest, '[', ']');
    } else if (text_is_one_of(rest->at[0], "<>@,;:.")) {
        token = TOKEN_SPECIAL;
        *rest = text_skip(*rest, 1);
    } else {
        token = TOKEN_ATOM;
        whole = take_atom(rest);
    }
    out->len -= rest->len;
    return whole ? token : TOKEN_BAD;
}

/* --- Mailboxes --- */

/* What was read since the last comma. */
struct reading {
    char spec[ADDRESS_PATH_MAX]; /* without white space and comments */
    size_t len;
    bool any;        /* ... or nothing yet */
    bool angle;      /* in or behind the angle brackets */
    bool closed;     /* behind them */
    bool at, quoted; /* what it has */
    bool after_word; /* the last token was one */
    bool phrase;     /* two words stand side by side: no address */
    bool too_long;
    const char *words; /* where the first one begins */
    struct text name;  /* the display name; empty until the angle */
};

static void add(struct reading *r, struct text token)
{
    if (r->len + token.len > sizeof r->spec) {
        r->too_long = true;
        return;
    }
    memcpy(r->spec + r->len, token.at, token.len);
    r->len += token.len;
}

static void add_word(struct reading *r, enum token kind, struct text token)
{
    r->phrase |= r->after_word;
    r->after_word = true;
    r->quoted |= kind != TOKEN_ATOM;
    add(r, token);
}

/* The display name is over; the sign ends it. */
static void begin_angle(struct reading *r, const char *sign)
{
    struct text name = { r->words, r->words ? (size_t)(sign - r->words) : 0 };
    while (name.len && is_space(name.at[name.len - 1]))
        name.len--;
    *r = (struct reading){ .any = true, .angle = true, .name = name };
    add(r, T("<"));
}

static enum mailbox_found found_address(const struct reading *r, struct address *out)
{
    struct text spec = { r->spec, r->len };
    enum address_verdict verdict;
    if (r->phrase || r->too_long)
        return MAILBOX_LIST_MALFORMED;
    if (r->angle)
        verdict = address_take_path(&spec, ADDRESS_UTF8, out);
    else
        verdict = address_parse(spec, ADDRESS_UTF8, out);
    return verdict == ADDRESS_OK && (!r->angle || spec.len == 0) ? MAILBOX_ADDRESS
                                                                 : MAILBOX_LIST_MALFORMED;
}

/* A comma or the end stands behind it, and it is not empty. */
static enum mailbox_found end_mailbox(const struct reading *r, struct address *out)
{
    if (r->angle)
        return r->closed ? found_address(r, out) : MAILBOX_LIST_MALFORMED;
    if (r->at)
        return found_address(r, out);
    /* What is quoted may hide an address from those who read carelessly. */
    return r->quoted ? MAILBOX_LIST_MALFORMED : MAILBOX_NAME;
}

/* A sign within a mailbox.  False: it may not stand there. */
static bool take_sign(struct reading *r, struct text sign)
{
    char c = sign.at[0];
    if (r->closed)
        return false;
    if (c == '<') {
        if (r->angle)
            return false;
        begin_angle(r, sign.at);
        return true;
    }
    if (c == '>' && !r->angle)
        return false;
    r->any = true;
    r->closed = c == '>';
    r->at |= c == '@';
    r->after_word = false;
    add(r, sign);
    return true;
}

/* The name of a group has been read. */
static bool begin_group(struct mailbox_list *list, struct reading *r)
{
    if (list->in_group || !r->any || r->at || r->angle)
        return false;
    list->in_group = true;
    *r = (struct reading){ 0 };
    return true;
}

static bool end_group(struct mailbox_list *list)
{
    bool was = list->in_group;
    list->in_group = false;
    return was;
}

/* Takes a token; true while the mailbox goes on, otherwise *end_out says how it ended. */
static bool take(struct mailbox_list *list, struct reading *r, enum mailbox_found *end_out)
{
    struct text token;
    enum token kind = take_token(&list->rest, &token);
    char sign = kind == TOKEN_SPECIAL ? token.at[0] : 0;
    bool fine = kind != TOKEN_BAD;
    bool in_route = r->angle && !r->closed; /* RFC 5322 4.4: <@a,@b:c@d> */
    *end_out = MAILBOX_LIST_MALFORMED;
    if (kind == TOKEN_ATOM || kind == TOKEN_QUOTED || kind == TOKEN_LITERAL) {
        fine = !r->closed;
        r->any = true;
        if (!r->words)
            r->words = token.at;
        add_word(r, kind, token);
    } else if (sign == ':' && !in_route) {
        fine = begin_group(list, r);
    } else if (kind == TOKEN_END || sign == ';' || (sign == ',' && !in_route)) {
        fine = sign == ';' ? end_group(list) : kind != TOKEN_END || !list->in_group;
        if (fine)
            *end_out = MAILBOX_LIST_END;
        return fine && !r->any && kind != TOKEN_END; /* an empty one is passed by (4.4) */
    } else if (fine) {
        fine = take_sign(r, token);
    }
    return fine;
}

enum mailbox_found mailbox_list_next(struct mailbox_list *list, struct address *out)
{
    struct text name;
    return mailbox_list_next_named(list, out, &name);
}

enum mailbox_found mailbox_list_next_named(struct mailbox_list *list, struct address *out,
                                           struct text *name_out)
{
    struct reading r = { 0 };
    struct mailbox_list before = *list;
    enum mailbox_found end;
    while (take(list, &r, &end))
        ;
    if (end == MAILBOX_LIST_END && r.any)
        end = end_mailbox(&r, out);
    *name_out = r.name;
    if (end == MAILBOX_LIST_MALFORMED)
        *list = before;
    return end;
}

bool mailbox_name_plain(struct buffer *b, struct text name)
{
    bool quoted = false, gap = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool line_end = c == '\r' || c == '\n'; /* of a fold, within quotes too */
        if (c == '"')
            quoted = !quoted;
        else if (line_end || (!quoted && is_space(c)))
            gap |= !quoted;
        else {
            if (quoted && c == '\\' && i + 1 < name.len)
                c = name.at[++i];
            if (gap && b->len)
                buffer_byte(b, ' ');
            gap = false;
            buffer_byte(b, (uint8_t)c);
        }
    }
    return !b->failed;
}
