/* address.c - the one reader of mail addresses: RFC 5321 4.1.2 with RFC 6531 3.3.
 *
 * Whatever names a mailbox, on the wire, the command line or in the configuration, comes through
 * here and leaves in one canonical form.  It never asks whether a mailbox exists, and never gives a
 * local part a meaning that belongs to its host.
 */
#include "mail/address.h"

#include "base/check.h"
#include "base/escape.h"
#include "base/net.h"
#include "mail/domain.h"

#include <string.h>
#include <uninorm.h>

/* What one parse carries along. */
struct reader {
    struct text rest;
    bool utf8; /* something over 0x7F was read */
};

static bool front_is(const struct reader *r, char octet)
{
    return r->rest.len && r->rest.at[0] == octet;
}

static bool take(struct reader *r, char octet)
{
    if (!front_is(r, octet))
        return false;
    r->rest = text_skip(r->rest, 1);
    return true;
}

/*
 * Local parts.
 */

/* The length of a character over 0x7F at the front of `t`, 0 when there is none.  C1 controls are
 * none: RFC 6531 gives them no use, and they steer terminals. */
static size_t utf8_character(struct text t)
{
    size_t n = utf8_length(t);
    bool c1 = n == 2 && (uint8_t)t.at[0] == 0xC2 && (uint8_t)t.at[1] < 0xA0;
    return n > 1 && !c1 ? n : 0;
}

bool address_is_atext(char c)
{
    return text_is_letter(c) || text_is_digit(c) || text_is_one_of(c, "!#$%&'*+-/=?^_`{|}~");
}

bool address_is_atom(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!address_is_atext(t.at[i]))
            return false;
    return t.len > 0;
}

/* The length of the dot-string at the front: atoms with single dots between them. */
static size_t dot_string_length(struct text t)
{
    size_t len = 0;
    bool in_atom = false;
    while (len < t.len) {
        size_t n = address_is_atext(t.at[len]) ? 1 : utf8_character(text_skip(t, len));
        if (n == 0 && !(in_atom && t.at[len] == '.'))
            break;
        in_atom = n > 0;
        len += n ? n : 1;
    }
    return in_atom ? len : 0;
}

static bool is_dot_string(struct text t)
{
    return t.len && dot_string_length(t) == t.len;
}

/* A local part without its quoting. Never longer than the path that it came from. */
struct local_part {
    char at[ADDRESS_PATH_MAX];
    size_t len;
};

static void local_add(struct local_part *l, struct text t)
{
    CHECK(t.len <= sizeof l->at - l->len);
    memcpy(l->at + l->len, t.at, t.len);
    l->len += t.len;
}

/* Behind the opening quote: qtextSMTP and quoted-pairSMTP up to the closing one. */
static bool take_quoted(struct reader *r, struct local_part *out)
{
    while (!take(r, '"')) {
        bool pair = take(r, '\\');
        if (r->rest.len == 0)
            return false;
        char c = r->rest.at[0];
        size_t n = c >= ' ' && c < 0x7F ? 1 : pair ? 0 : utf8_character(r->rest);
        if (n == 0)
            return false;
        local_add(out, text_first(r->rest, n));
        r->utf8 |= n > 1;
        r->rest = text_skip(r->rest, n);
    }
    return true;
}

static bool take_dot_string(struct reader *r, struct local_part *out)
{
    struct text words = text_first(r->rest, dot_string_length(r->rest));
    for (size_t i = 0; i < words.len; i++)
        r->utf8 |= (uint8_t)words.at[i] >= 0x80;
    local_add(out, words);
    r->rest = text_skip(r->rest, words.len);
    return words.len > 0;
}

/* Writes the local part to the front of *a, quoted only when it must be. */
static enum address_verdict put_local(struct address *a, const struct local_part *l)
{
    struct text words = { l->at, l->len };
    bool quote = !is_dot_string(words);
    size_t len = 0;
    if (quote)
        a->text[len++] = '"';
    for (size_t i = 0; i < words.len; i++) {
        if (len + 3 > sizeof a->text)
            return ADDRESS_TOO_LONG;
        if (quote && (words.at[i] == '"' || words.at[i] == '\\'))
            a->text[len++] = '\\';
        a->text[len++] = words.at[i];
        a->utf8 |= (uint8_t)words.at[i] >= 0x80;
    }
    if (quote)
        a->text[len++] = '"';
    a->len = a->local_len = (uint16_t)len;
    return len > ADDRESS_LOCAL_MAX ? ADDRESS_TOO_LONG : ADDRESS_OK;
}

static enum address_verdict take_local(struct reader *r, struct address *a)
{
    struct local_part l = { .len = 0 };
    if (!(take(r, '"') ? take_quoted(r, &l) : take_dot_string(r, &l)))
        return ADDRESS_SYNTAX;
    return put_local(a, &l);
}

/*
 * What stands behind the '@'.
 */

static enum address_verdict take_domain(struct reader *r, char out[ADDRESS_DOMAIN_MAX + 1])
{
    struct text name = text_first(r->rest, domain_length(r->rest));
    r->rest = text_skip(r->rest, name.len);
    return domain_canonical(name, out, &r->utf8);
}

/* RFC 5321 4.1.3, behind the opening bracket. */
static enum address_verdict take_literal(struct reader *r, char out[ADDRESS_DOMAIN_MAX + 1])
{
    struct text words;
    struct endpoint e;
    char literal[ENDPOINT_TEXT_MAX];
    if (!text_cut(&r->rest, ']', &words))
        return ADDRESS_SYNTAX;
    bool tagged = text_take_nocase(&words, (struct text)TEXT("IPv6:"));
    bool colons = text_find(words, ':') < words.len;
    if (text_find(words, '[') < words.len || colons != tagged || !endpoint_parse_address(words, &e))
        return ADDRESS_SYNTAX;
    struct text printed = endpoint_print_literal(&e, literal);
    memcpy(out, printed.at, printed.len + 1);
    return ADDRESS_OK;
}

static enum address_verdict take_host(struct reader *r, struct address *a)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    a->literal = take(r, '[');
    enum address_verdict verdict = a->literal ? take_literal(r, host) : take_domain(r, host);
    if (verdict != ADDRESS_OK)
        return verdict;
    size_t len = strnlen(host, sizeof host);
    CHECK(a->local_len + 1 + len <= sizeof a->text);
    a->text[a->len] = '@';
    memcpy(a->text + a->len + 1, host, len);
    a->len = (uint16_t)(a->len + 1 + len);
    return ADDRESS_OK;
}

/*
 * The whole.
 */

static enum address_verdict take_mailbox(struct reader *r, unsigned flags, struct address *a)
{
    struct text start = r->rest;
    enum address_verdict verdict = take_local(r, a);
    if (verdict != ADDRESS_OK)
        return verdict;
    if (take(r, '@'))
        return take_host(r, a);
    /* RFC 5321 4.1.1.3: the word itself, in any case, not a quoted form of it. */
    struct text written = text_first(start, start.len - r->rest.len);
    a->no_domain =
        (flags & ADDRESS_POSTMASTER) && text_equal_nocase(written, (struct text)TEXT("postmaster"));
    return a->no_domain ? ADDRESS_OK : ADDRESS_SYNTAX;
}

/* A-d-l ":" of RFC 5321 4.1.2. */
static enum address_verdict take_route(struct reader *r)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    do {
        if (!take(r, '@'))
            return ADDRESS_SYNTAX;
        enum address_verdict verdict = take_domain(r, host);
        if (verdict != ADDRESS_OK)
            return verdict;
    } while (take(r, ','));
    return take(r, ':') ? ADDRESS_OK : ADDRESS_SYNTAX;
}

/* Behind the opening bracket, the closing one included. */
static enum address_verdict take_path(struct reader *r, unsigned flags, struct address *a)
{
    if ((flags & ADDRESS_NULL) && take(r, '>'))
        return ADDRESS_OK;
    if (front_is(r, '@')) {
        enum address_verdict verdict = take_route(r);
        if (verdict != ADDRESS_OK)
            return verdict;
        flags &= ~(unsigned)ADDRESS_POSTMASTER;
    }
    enum address_verdict verdict = take_mailbox(r, flags, a);
    if (verdict == ADDRESS_OK && !take(r, '>'))
        return ADDRESS_SYNTAX;
    return verdict;
}

/* A text longer than its limit is read no further than one octet past it. */
static struct reader begin(struct text t, size_t max)
{
    return (struct reader){ .rest = text_first(t, max + 1) };
}

/* The end of every parse: what holds for paths and bare mailboxes alike. */
static enum address_verdict finish(enum address_verdict verdict, const struct reader *r,
                                   bool over_limit, unsigned flags, struct address *a)
{
    if (over_limit && (verdict == ADDRESS_OK || verdict == ADDRESS_SYNTAX) && r->rest.len == 0)
        verdict = ADDRESS_TOO_LONG;
    if (verdict == ADDRESS_OK && a->len + 2u > ADDRESS_PATH_MAX)
        verdict = ADDRESS_TOO_LONG;
    if (verdict == ADDRESS_OK && r->utf8 && !(flags & ADDRESS_UTF8))
        verdict = ADDRESS_NEEDS_UTF8;
    if (verdict != ADDRESS_OK)
        *a = (struct address){ .len = 0 };
    return verdict;
}

enum address_verdict address_take_path(struct text *rest, unsigned flags, struct address *out)
{
    struct reader r = begin(*rest, ADDRESS_PATH_MAX);
    size_t given = r.rest.len;
    *out = (struct address){ .len = 0 };
    enum address_verdict verdict = take(&r, '<') ? take_path(&r, flags, out) : ADDRESS_SYNTAX;
    verdict = finish(verdict, &r, given > ADDRESS_PATH_MAX, flags, out);
    if (verdict == ADDRESS_OK)
        *rest = text_skip(*rest, given - r.rest.len);
    return verdict;
}

enum address_verdict address_parse(struct text t, unsigned flags, struct address *out)
{
    enum { MAILBOX_MAX = ADDRESS_PATH_MAX - 2 };
    struct reader r = begin(t, MAILBOX_MAX);
    *out = (struct address){ .len = 0 };
    enum address_verdict verdict = take_mailbox(&r, flags, out);
    if (verdict == ADDRESS_OK && r.rest.len)
        verdict = ADDRESS_SYNTAX;
    return finish(verdict, &r, t.len > MAILBOX_MAX, flags, out);
}

enum address_verdict address_parse_domain(struct text t, char out[ADDRESS_DOMAIN_MAX + 1])
{
    bool utf8;
    out[0] = 0;
    if (domain_length(t) < t.len)
        return ADDRESS_SYNTAX;
    return domain_canonical(t, out, &utf8);
}

const char *address_problem(enum address_verdict verdict)
{
    static const char *const problems[] = {
        [ADDRESS_OK] = "the address is right",
        [ADDRESS_SYNTAX] = "this is not an address",
        [ADDRESS_TOO_LONG] = "the address is too long",
        [ADDRESS_NEEDS_UTF8] = "this address needs SMTPUTF8",
        [ADDRESS_BAD_IDN] = "the domain is not a valid international name",
        [ADDRESS_NO_MEMORY] = "memory is short, try again later",
    };
    CHECK((size_t)verdict < sizeof problems / sizeof *problems);
    return problems[verdict];
}

/*
 * Keys.
 */

static size_t lower_in_place(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = text_lower(at[i]);
    return len;
}

/* The local part without quotes and backslashes. */
static size_t unquote(struct text local, char *out)
{
    size_t len = 0;
    bool quoted = local.len && local.at[0] == '"';
    size_t end = local.len - quoted;
    for (size_t i = quoted; i < end; i++) {
        if (quoted && local.at[i] == '\\')
            i++;
        out[len++] = local.at[i];
    }
    return len;
}

/* To NFC (RFC 6532 3.1).  It can triple the length in UTF-8 and no more (Unicode TR 15, 12), and
 * the library needs memory of its own only for longer text than a local part. */
static size_t normalize(char *at, size_t len)
{
    uint8_t room[3 * ADDRESS_LOCAL_MAX];
    size_t used = sizeof room;
    uint8_t *result = u8_normalize(UNINORM_NFC, (const uint8_t *)at, len, room, &used);
    CHECK(result == room);
    memcpy(at, room, used);
    return used;
}

void address_key(const struct address *a, struct address_key *out)
{
    struct text domain = address_domain(a);
    size_t len = unquote(address_local(a), out->text);
    lower_in_place(out->text, len);
    if (a->utf8) /* a capital may be all that kept two characters apart, or come of one (U+212A) */
        len = lower_in_place(out->text, normalize(out->text, len));
    out->local_len = (uint16_t)len;
    if (domain.len) {
        CHECK(len + 1 + domain.len <= sizeof out->text);
        out->text[len++] = '@';
        memcpy(out->text + len, domain.at, domain.len);
    }
    out->len = (uint16_t)(len + domain.len);
}

bool address_key_without_plus(const struct address_key *k, struct address_key *out)
{
    size_t plus = text_find(address_key_local(k), '+');
    if (plus == 0 || plus == k->local_len)
        return false;
    size_t tail = k->len - k->local_len;
    memmove(out->text, k->text, plus);
    memmove(out->text + plus, k->text + k->local_len, tail);
    out->local_len = (uint16_t)plus;
    out->len = (uint16_t)(plus + tail);
    return true;
}
