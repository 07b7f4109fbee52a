/* mime_value.c - the words and parameters of Content-Type and Content-Disposition.
 *
 * First the parameters are cut into pieces as they stand, then pieces of one name are joined
 * (RFC 2231 3) and decoded.  Every step goes forward over the value, so the time is linear in it
 * but for the joining, which is bounded by MIME_PIECES_MAX.  Nothing here converts character sets.
 */
#include "mail/mime_value.h"

#include "mail/header.h"
#include "mail/transfer.h"

#include <string.h>

/* One parameter as it stands; slices of the value. */
struct piece {
    struct text name;  /* without asterisks */
    size_t first;      /* the first piece of this name, in whatever form; itself if it is */
    uint64_t hash;     /* of the name, so that few are compared */
    struct text value; /* between the quotes */
    int index;         /* of a continuation; NO_INDEX */
    bool extended;     /* an asterisk ends the name: %XX, and a charset in the first one */
    bool quoted;
};

enum { NO_INDEX = -1 };

struct pieces {
    struct piece at[MIME_PIECES_MAX];
    size_t count;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 2045 5.1; octets over 0x7F are let pass, as senders write them. */
static bool is_token(char c)
{
    return (uint8_t)c > ' ' && c != 0x7F && !text_is_one_of(c, "()<>@,;:\\\"/[]?=");
}

static struct text take_token(struct text *rest)
{
    size_t len = 0;
    while (len < rest->len && is_token(rest->at[len]))
        len++;
    struct text token = text_first(*rest, len);
    *rest = text_skip(*rest, len);
    return token;
}

static bool take_octet(struct text *rest, char octet)
{
    if (rest->len == 0 || rest->at[0] != octet)
        return false;
    *rest = text_skip(*rest, 1);
    return true;
}

/* What stands between the quotes, the first of which is taken; all when the second is missing. */
static struct text take_quoted(struct text *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '"')
        len += rest->at[len] == '\\' ? 2 : 1;
    struct text inside = text_first(*rest, len);
    *rest = text_skip(*rest, len + 1);
    return inside;
}

static struct text trim_spaces(struct text t)
{
    while (t.len && is_space(t.at[t.len - 1]))
        t.len--;
    return t;
}

/* A token; where more follows than one ("filename=my file.pdf"), all up to the semicolon. */
static struct text take_plain(struct text *rest)
{
    struct text all = *rest;
    struct text token = take_token(rest);
    header_skip_space(rest);
    if (rest->len == 0 || rest->at[0] == ';')
        return token;
    *rest = text_skip(all, text_find(all, ';'));
    return trim_spaces(text_first(all, all.len - rest->len));
}

/* "name*3*" into its parts; what has no such form is a name as it stands. */
static void split_name(struct text written, struct piece *p)
{
    p->name = written;
    p->index = NO_INDEX;
    struct text rest = written, base;
    if (!text_cut(&rest, '*', &base) || base.len == 0)
        return;
    if (rest.len == 0) {
        p->name = base;
        p->extended = true;
        return;
    }
    bool extended = rest.at[rest.len - 1] == '*';
    uint64_t index;
    if (!text_to_u64(text_first(rest, rest.len - extended), &index) || index >= MIME_PIECES_MAX)
        return;
    p->name = base;
    p->index = (int)index;
    p->extended = extended;
}

/* Goes to the next semicolon and takes the parameter behind it.  False: no (whole) parameter. */
static bool take_piece(struct text *rest, struct piece *p)
{
    header_skip_space(rest);
    *rest = text_skip(*rest, text_find(*rest, ';'));
    take_octet(rest, ';');
    header_skip_space(rest);
    struct text name = take_token(rest);
    header_skip_space(rest);
    if (name.len == 0 || !take_octet(rest, '='))
        return false;
    header_skip_space(rest);
    *p = (struct piece){ .quoted = take_octet(rest, '"') };
    split_name(name, p);
    p->value = p->quoted ? take_quoted(rest) : take_plain(rest);
    return true;
}

/* Finds the first piece with the name of the last one. */
static void join_name(struct pieces *all)
{
    struct piece *last = &all->at[all->count];
    last->hash = text_hash_nocase(last->name, 0);
    last->first = 0;
    while (last->first < all->count && (all->at[last->first].hash != last->hash ||
                                        !text_equal_nocase(all->at[last->first].name, last->name)))
        last->first++;
}

static void take_pieces(struct text rest, struct pieces *all)
{
    all->count = 0;
    while (rest.len && all->count < MIME_PIECES_MAX) {
        if (!take_piece(&rest, &all->at[all->count]))
            continue;
        join_name(all);
        all->count++;
    }
}

/* Appends the piece's octets at `to`, which has room for all of them. */
static char *put_piece(char *to, const struct piece *p, struct text value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        bool more = i + 1 < value.len;
        if (p->quoted && c == '\\' && more)
            c = value.at[++i];
        else if (p->quoted && (c == '\r' || c == '\n'))
            continue; /* RFC 5322 3.2.4: a fold's line end is no part of the text */
        else if (p->extended && c == '%' && i + 2 < value.len &&
                 text_hex_value(value.at[i + 1]) >= 0 && text_hex_value(value.at[i + 2]) >= 0) {
            c = (char)(text_hex_value(value.at[i + 1]) * 16 + text_hex_value(value.at[i + 2]));
            i += 2;
        }
        *to++ = c;
    }
    return to;
}

/* RFC 2231 4: charset'language'value; both may be empty.  Without both quotes it is all value. */
static struct text cut_charset(struct text value, struct mime_param *out)
{
    struct text rest = value, charset, language;
    if (!text_cut(&rest, '\'', &charset) || !text_cut(&rest, '\'', &language))
        return value;
    out->charset = charset;
    out->language = language;
    return rest;
}

/* The piece of this name and index, in its extended form if there are two; NULL. */
static const struct piece *find_piece(const struct pieces *all, size_t first, int index)
{
    const struct piece *found = NULL;
    for (size_t i = first; i < all->count; i++) {
        const struct piece *p = &all->at[i];
        if (p->index == index && p->first == first && (!found || (p->extended && !found->extended)))
            found = p;
    }
    return found;
}

/* The pieces of one name, in order, up to the first that is missing; how many. */
static size_t gather(const struct pieces *all, size_t first,
                     const struct piece *found[MIME_PIECES_MAX])
{
    const struct piece *single = find_piece(all, first, NO_INDEX);
    const struct piece *beginning = find_piece(all, first, 0);
    if (single && (single->extended || !beginning)) {
        found[0] = single;
        return 1;
    }
    size_t count = 0;
    for (const struct piece *p = beginning; p; p = find_piece(all, first, (int)count))
        found[count++] = p;
    return count;
}

static bool join(struct arena *a, const struct pieces *all, size_t first, struct mime_param *out)
{
    const struct piece *found[MIME_PIECES_MAX];
    size_t count = gather(all, first, found), room = 0;
    for (size_t i = 0; i < count; i++)
        room += found[i]->value.len;
    char *to = arena_take(a, room ? room : 1);
    if (!to || !arena_text(a, all->at[first].name, &out->name))
        return false;
    out->value.at = to;
    for (size_t i = 0; i < count; i++) {
        struct text value = found[i]->value;
        if (i == 0 && found[i]->extended)
            value = cut_charset(value, out);
        to = put_piece(to, found[i], value);
    }
    out->value.len = (size_t)(to - out->value.at);
    return arena_text(a, out->charset, &out->charset) &&
           arena_text(a, out->language, &out->language);
}

static bool read_params(struct arena *a, struct text rest, struct mime_value *out)
{
    struct pieces all;
    take_pieces(rest, &all);
    if (all.count == 0)
        return true;
    out->params = arena_take(a, sizeof *out->params *
                                    (all.count < MIME_PARAMS_MAX ? all.count : MIME_PARAMS_MAX));
    if (!out->params)
        return false;
    for (size_t i = 0; i < all.count && out->param_count < MIME_PARAMS_MAX; i++) {
        const struct piece *found[MIME_PIECES_MAX];
        if (all.at[i].first != i || gather(&all, i, found) == 0)
            continue;
        if (!join(a, &all, i, &out->params[out->param_count]))
            return false;
        out->param_count++;
    }
    return true;
}

bool mime_type_read(struct arena *a, struct text value, struct mime_value *out)
{
    *out = (struct mime_value){ 0 };
    header_skip_space(&value);
    struct text word = take_token(&value);
    header_skip_space(&value);
    bool slash = take_octet(&value, '/');
    header_skip_space(&value);
    struct text sub = take_token(&value);
    if (word.len == 0 || !slash || sub.len == 0)
        return true;
    return arena_text(a, word, &out->word) && arena_text(a, sub, &out->sub) &&
           read_params(a, value, out);
}

bool mime_disposition_read(struct arena *a, struct text value, struct mime_value *out)
{
    *out = (struct mime_value){ 0 };
    header_skip_space(&value);
    struct text word = take_token(&value);
    if (word.len == 0)
        return true;
    return arena_text(a, word, &out->word) && read_params(a, value, out);
}

struct text mime_word(struct text value)
{
    header_skip_space(&value);
    return take_token(&value);
}

const struct mime_param *mime_param(const struct mime_value *v, struct text name)
{
    for (size_t i = 0; i < v->param_count; i++)
        if (text_equal_nocase(v->params[i].name, name))
            return &v->params[i];
    return NULL;
}

bool mime_is(const struct mime_value *v, struct text word, struct text sub)
{
    return text_equal_nocase(v->word, word) && (sub.len == 0 || text_equal_nocase(v->sub, sub));
}
