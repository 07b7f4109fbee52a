/* smtp_params.c - the arguments of MAIL, RCPT and BDAT (RFC 5321 4.1.2, 1870, 6152, 6531, 4954,
 * 3030).
 *
 * Reads text into a transaction and says what is wrong with it.  Decides nothing about senders,
 * recipients or limits: that is the business of the commands and of the driver.
 */
#include "proto/smtp_server_internal.h"

static const struct reply fine;

/* ---- paths ---- */

struct path_rules {
    struct text keyword; /* "FROM:" */
    struct text syntax;  /* what to tell who leaves it out */
    unsigned flags;      /* of address_take_path() */
    const char *status;  /* RFC 3463 for a path that cannot be read */
};
static const struct path_rules reverse_path = { TEXT("FROM:"), TEXT("syntax: MAIL FROM:<address>"),
                                                ADDRESS_NULL, "5.1.7" };
static const struct path_rules forward_path = { TEXT("TO:"), TEXT("syntax: RCPT TO:<address>"),
                                                ADDRESS_POSTMASTER, "5.1.3" };

static struct reply refuse_path(const struct path_rules *rules, enum address_verdict verdict)
{
    struct text problem = text_of(address_problem(verdict));
    if (verdict == ADDRESS_NEEDS_UTF8) /* RFC 6531 3.5 */
        return (struct reply){ 553, "5.6.7", problem };
    return (struct reply){ 501, rules->status, problem };
}

bool smtp_has_eight_bit(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((uint8_t)t.at[i] >= 0x80)
            return true;
    return false;
}

/* Takes keyword and path off *rest.  RFC 5321 3.3 allows no space behind the colon, but it is so
 * common that it is taken everywhere.  *path_out is the path as written. */
static struct reply take_path(const struct path_rules *rules, unsigned utf8, struct text *rest,
                              struct address *out, struct text *path_out)
{
    if (!text_take_nocase(rest, rules->keyword))
        return (struct reply){ 501, "5.5.4", rules->syntax };
    *rest = *path_out = text_trim(*rest);
    enum address_verdict verdict = address_take_path(rest, rules->flags | utf8, out);
    if (verdict != ADDRESS_OK)
        return refuse_path(rules, verdict);
    path_out->len -= rest->len;
    if (rest->len && rest->at[0] != ' ')
        return REPLY(501, "5.5.4", "a space belongs between the path and a parameter");
    *rest = text_trim(*rest);
    return fine;
}

/* ---- parameters of MAIL ---- */

static bool read_size(struct transaction *tx, struct text value)
{
    if (value.len == 0 || value.len > 20) /* RFC 1870 3: 1*20DIGIT */
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!text_is_digit(value.at[i]))
            return false;
    if (!text_to_u64(value, &tx->mail.size))
        tx->mail.size = UINT64_MAX; /* twenty digits can say more; no limit is higher */
    return true;
}

/* BINARYMIME needs conversion for most next hops, is not announced, and so is refused here too. */
static bool read_body(struct transaction *tx, struct text value)
{
    if (text_equal_nocase(value, T("7BIT")))
        tx->mail.body = SMTP_BODY_7BIT;
    else if (text_equal_nocase(value, T("8BITMIME")))
        tx->mail.body = SMTP_BODY_8BITMIME;
    else
        return false;
    return true;
}

static bool read_smtputf8(struct transaction *tx, struct text value)
{
    (void)value;
    tx->mail.smtputf8 = true;
    return true;
}

static int hex_value(char c)
{
    if (text_is_digit(c))
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3461 4.  `out` has room for as many octets as the text has. */
static bool decode_xtext(struct text t, char *out, size_t *len_out)
{
    *len_out = 0;
    for (size_t i = 0; i < t.len; i++) {
        int octet = (uint8_t)t.at[i];
        if (t.at[i] == '+') {
            int high = i + 2 < t.len ? hex_value(t.at[i + 1]) : -1;
            int low = high >= 0 ? hex_value(t.at[i + 2]) : -1;
            if (low < 0)
                return false;
            octet = high * 16 + low;
            i += 2;
        }
        if (octet < ' ' || octet == 0x7F)
            return false;
        out[(*len_out)++] = (char)octet;
    }
    return true;
}

/* RFC 4954 5: "<>" or a mailbox, as xtext. */
static bool read_auth(struct transaction *tx, struct text value)
{
    struct address mailbox;
    tx->mail.has_auth = true;
    if (text_equal(value, T("<>")))
        return true;
    size_t len;
    if (value.len > sizeof tx->auth || !decode_xtext(value, tx->auth, &len))
        return false;
    tx->mail.auth = (struct text){ tx->auth, len };
    return address_parse(tx->mail.auth, ADDRESS_UTF8, &mailbox) == ADDRESS_OK;
}

static const struct parameter {
    struct text keyword;
    bool has_value;
    bool (*read)(struct transaction *, struct text value);
    struct reply refusal;
} mail_parameters[] = {
    { TEXT("SIZE"), true, read_size, REPLY_ROW(501, "5.5.4", "SIZE wants a number") },
    { TEXT("BODY"), true, read_body, REPLY_ROW(501, "5.5.4", "BODY is 7BIT or 8BITMIME") },
    { TEXT("SMTPUTF8"), false, read_smtputf8, REPLY_ROW(501, "5.5.4", "SMTPUTF8 takes no value") },
    { TEXT("AUTH"), true, read_auth, REPLY_ROW(501, "5.5.4", "AUTH wants an address as xtext") },
};
enum { MAIL_PARAMETERS = sizeof mail_parameters / sizeof *mail_parameters };

/* RFC 5321 4.1.2: a letter or digit, then letters, digits and hyphens. */
static bool is_keyword(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = text_lower(t.at[i]);
        bool letter = (c >= 'a' && c <= 'z') || text_is_digit(c);
        if (!letter && (c != '-' || i == 0))
            return false;
    }
    return t.len > 0;
}

static struct reply read_parameter(struct transaction *tx, struct text parameter, unsigned *seen)
{
    struct text keyword, value = parameter;
    bool has_value = text_cut(&value, '=', &keyword);
    if (!is_keyword(keyword) || text_find(value, '=') < value.len)
        return REPLY(501, "5.5.4", "a parameter is KEYWORD or KEYWORD=value");
    for (unsigned i = 0; i < MAIL_PARAMETERS; i++) {
        const struct parameter *p = &mail_parameters[i];
        if (!text_equal_nocase(keyword, p->keyword))
            continue;
        if (*seen & 1u << i)
            return REPLY(501, "5.5.4", "a parameter stands twice");
        *seen |= 1u << i;
        bool good = has_value == p->has_value && (!has_value || value.len) && p->read(tx, value);
        return good ? fine : p->refusal;
    }
    return REPLY(555, "5.5.4", "unknown parameter"); /* RFC 5321 4.1.1.11 */
}

struct reply smtp_read_mail(struct transaction *tx, struct text arguments)
{
    struct text path, parameter;
    struct reply refusal = take_path(&reverse_path, ADDRESS_UTF8, &arguments, &tx->sender, &path);
    if (refusal.code)
        return refusal;
    unsigned seen = 0;
    while (text_word(&arguments, &parameter)) {
        refusal = read_parameter(tx, parameter, &seen);
        if (refusal.code)
            return refusal;
    }
    /* Known only now: SMTPUTF8 stands behind the path that needs it. */
    if (smtp_has_eight_bit(path) && !tx->mail.smtputf8)
        return refuse_path(&reverse_path, ADDRESS_NEEDS_UTF8);
    return fine;
}

struct reply smtp_read_rcpt(struct transaction *tx, struct text arguments,
                            struct text *parameters_out)
{
    struct text path;
    struct reply refusal = take_path(&forward_path, tx->mail.smtputf8 ? ADDRESS_UTF8 : 0,
                                     &arguments, &tx->recipient, &path);
    if (refusal.code)
        return refusal;
    *parameters_out = arguments;
    if (arguments.len)
        return REPLY(555, "5.5.4", "unknown parameter");
    return fine;
}

enum bdat_verdict smtp_read_bdat(struct text arguments, uint64_t *size_out, bool *last_out)
{
    struct text size, last, extra;
    *last_out = false;
    if (!text_word(&arguments, &size) || !text_to_u64(size, size_out))
        return BDAT_NO_SIZE;
    if (!text_word(&arguments, &last))
        return BDAT_OK;
    *last_out = text_equal_nocase(last, T("LAST"));
    return *last_out && !text_word(&arguments, &extra) ? BDAT_OK : BDAT_BAD_WORDS;
}
