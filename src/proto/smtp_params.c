/* smtp_params.c - the arguments of MAIL, RCPT and BDAT (RFC 5321 4.1.2, 1870, 6152, 6531, 4954,
 * 3461, 8689, 3030).
 *
 * Reads text into a transaction and says what is wrong with it.  Decides nothing about senders,
 * recipients or limits: that is the business of the commands and of the driver.
 */
#include "proto/smtp_server_internal.h"

#include "mail/xtext.h"

#include <string.h>

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

static enum parameter_verdict read_size(struct transaction *tx, struct text value)
{
    if (value.len > 20) /* RFC 1870 3: 1*20DIGIT */
        return PARAMETER_BAD;
    for (size_t i = 0; i < value.len; i++)
        if (!text_is_digit(value.at[i]))
            return PARAMETER_BAD;
    if (!text_to_u64(value, &tx->mail.size))
        tx->mail.size = UINT64_MAX; /* twenty digits can say more; no limit is higher */
    return PARAMETER_GOOD;
}

static enum parameter_verdict read_body(struct transaction *tx, struct text value)
{
    if (text_equal_nocase(value, T("7BIT")))
        tx->mail.body = SMTP_BODY_7BIT;
    else if (text_equal_nocase(value, T("8BITMIME")))
        tx->mail.body = SMTP_BODY_8BITMIME;
    else if (text_equal_nocase(value, T("BINARYMIME")))
        tx->mail.body = SMTP_BODY_BINARYMIME;
    else
        return PARAMETER_BAD;
    return PARAMETER_GOOD;
}

static enum parameter_verdict read_smtputf8(struct transaction *tx, struct text value)
{
    (void)value;
    tx->mail.smtputf8 = true;
    return PARAMETER_GOOD;
}

static enum parameter_verdict read_requiretls(struct transaction *tx, struct text value)
{
    (void)value;
    tx->mail.requiretls = true;
    return PARAMETER_GOOD;
}

static bool is_mailbox(struct text t)
{
    struct address mailbox;
    return address_parse(t, ADDRESS_UTF8, &mailbox) == ADDRESS_OK;
}

/* RFC 4954 5: "<>" or a mailbox, as xtext. */
static enum parameter_verdict read_auth(struct transaction *tx, struct text value)
{
    struct buffer plain;
    tx->mail.has_auth = true;
    if (text_equal(value, T("<>")))
        return PARAMETER_GOOD;
    if (value.len > sizeof tx->auth)
        return PARAMETER_BAD;
    buffer_init(&plain, sizeof tx->auth);
    bool good = xtext_decode(&plain, value) && is_mailbox(buffer_as_text(&plain));
    bool short_of_memory = plain.failed;
    if (good) {
        memcpy(tx->auth, plain.at, plain.len);
        tx->mail.auth = (struct text){ tx->auth, plain.len };
    }
    buffer_clear(&plain);
    if (short_of_memory)
        return PARAMETER_NO_MEMORY;
    return good ? PARAMETER_GOOD : PARAMETER_BAD;
}

/* When a parameter is known at all. */
enum parameter_needs { NEEDS_NOTHING, NEEDS_EHLO, NEEDS_EHLO_IN_TLS };

struct parameter {
    struct text keyword;
    bool has_value;
    enum parameter_needs needs;
    enum parameter_verdict (*read)(struct transaction *, struct text value);
    struct reply refusal;
};

static const struct parameter mail_parameters[] = {
    { TEXT("SIZE"), true, NEEDS_NOTHING, read_size,
      REPLY_ROW(501, "5.5.4", "SIZE wants a number") },
    { TEXT("BODY"), true, NEEDS_NOTHING, read_body,
      REPLY_ROW(501, "5.5.4", "BODY is 7BIT, 8BITMIME or BINARYMIME") },
    { TEXT("SMTPUTF8"), false, NEEDS_NOTHING, read_smtputf8,
      REPLY_ROW(501, "5.5.4", "SMTPUTF8 takes no value") },
    { TEXT("AUTH"), true, NEEDS_NOTHING, read_auth,
      REPLY_ROW(501, "5.5.4", "AUTH wants an address as xtext") },
    { TEXT("RET"), true, NEEDS_EHLO, smtp_read_ret,
      REPLY_ROW(501, "5.5.4", "RET is FULL or HDRS") },
    { TEXT("ENVID"), true, NEEDS_EHLO, smtp_read_envid,
      REPLY_ROW(501, "5.5.4", "ENVID wants at most 100 octets of xtext") },
    /* RFC 8689 2: nobody may ask for it in the clear */
    { TEXT("REQUIRETLS"), false, NEEDS_EHLO_IN_TLS, read_requiretls,
      REPLY_ROW(501, "5.5.4", "REQUIRETLS takes no value") },
};

static const struct parameter rcpt_parameters[] = {
    { TEXT("NOTIFY"), true, NEEDS_EHLO, smtp_read_notify,
      REPLY_ROW(501, "5.5.4", "NOTIFY is NEVER, or any of SUCCESS,FAILURE,DELAY") },
    { TEXT("ORCPT"), true, NEEDS_EHLO, smtp_read_orcpt,
      REPLY_ROW(501, "5.5.4", "ORCPT wants type;xtext, at most 500 octets") },
};

/* The parameters that a command knows, and which of them it was given. */
struct parameters {
    const struct parameter *known;
    unsigned count; /* at most 32 */
    unsigned seen;
};
#define PARAMETERS(table) ((struct parameters){ (table), sizeof(table) / sizeof *(table), 0 })

/* RFC 5321 4.1.2: a letter or digit, then letters, digits and hyphens. */
static bool is_keyword(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.at[i];
        if (!text_is_letter(c) && !text_is_digit(c) && (c != '-' || i == 0))
            return false;
    }
    return t.len > 0;
}

static bool is_known(const struct parameter *p, const struct transaction *tx)
{
    switch (p->needs) {
    case NEEDS_NOTHING:
        return true;
    case NEEDS_EHLO:
        return tx->extended;
    case NEEDS_EHLO_IN_TLS:
        return tx->extended && tx->tls;
    }
    return false;
}

static struct reply read_value(const struct parameter *p, struct transaction *tx, struct text value)
{
    switch (p->read(tx, value)) {
    case PARAMETER_GOOD:
        return fine;
    case PARAMETER_NO_MEMORY:
        return REPLY(452, "4.3.1", "memory is short, try again");
    case PARAMETER_BAD:
        break;
    }
    return p->refusal;
}

static struct reply read_parameter(struct transaction *tx, struct text parameter,
                                   struct parameters *parameters)
{
    struct text keyword, value = parameter;
    bool has_value = text_cut(&value, '=', &keyword);
    if (!is_keyword(keyword) || text_find(value, '=') < value.len)
        return REPLY(501, "5.5.4", "a parameter is KEYWORD or KEYWORD=value");
    for (unsigned i = 0; i < parameters->count; i++) {
        const struct parameter *p = &parameters->known[i];
        if (!text_equal_nocase(keyword, p->keyword) || !is_known(p, tx))
            continue;
        if (parameters->seen & 1u << i)
            return REPLY(501, "5.5.4", "a parameter stands twice");
        parameters->seen |= 1u << i;
        if (has_value != p->has_value || (has_value && value.len == 0))
            return p->refusal;
        return read_value(p, tx, value);
    }
    return REPLY(555, "5.5.4", "unknown parameter"); /* RFC 5321 4.1.1.11 */
}

static struct reply read_parameters(struct transaction *tx, struct text words,
                                    struct parameters parameters)
{
    struct text parameter;
    struct reply refusal = fine;
    while (refusal.code == 0 && text_word(&words, &parameter))
        refusal = read_parameter(tx, parameter, &parameters);
    return refusal;
}

struct reply smtp_read_mail(struct transaction *tx, struct text arguments)
{
    struct text path;
    struct reply refusal = take_path(&reverse_path, ADDRESS_UTF8, &arguments, &tx->sender, &path);
    if (refusal.code == 0)
        refusal = read_parameters(tx, arguments, PARAMETERS(mail_parameters));
    /* Known only now: SMTPUTF8 stands behind the path that needs it. */
    if (refusal.code == 0 && !text_is_ascii(path) && !tx->mail.smtputf8)
        return refuse_path(&reverse_path, ADDRESS_NEEDS_UTF8);
    return refusal;
}

struct reply smtp_read_rcpt(struct transaction *tx, struct text arguments)
{
    struct text path;
    tx->rcpt = (struct smtp_rcpt){ 0 };
    struct reply refusal = take_path(&forward_path, tx->mail.smtputf8 ? ADDRESS_UTF8 : 0,
                                     &arguments, &tx->recipient, &path);
    if (refusal.code)
        return refusal;
    return read_parameters(tx, arguments, PARAMETERS(rcpt_parameters));
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
