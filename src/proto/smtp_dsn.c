/* smtp_dsn.c - the values of the parameters of RFC 3461: RET and ENVID of MAIL, NOTIFY and ORCPT of
 * RCPT.
 *
 * What is accepted here is sent on and written into reports as it stands, so it is read strictly:
 * printable ASCII before its encoding, no control character behind it.  Addresses of the type utf-8
 * (RFC 6533) may have more.
 */
#include "proto/smtp_server_internal.h"

#include "mail/xtext.h"

#include <string.h>

enum parameter_verdict smtp_read_ret(struct transaction *tx, struct text value)
{
    static const struct text values[] = { TEXT("FULL"), TEXT("HDRS") };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (text_equal_nocase(value, values[i])) {
            tx->mail.ret = values[i];
            return PARAMETER_GOOD;
        }
    return PARAMETER_BAD;
}

/* ---- encoded values ---- */

typedef bool decoder(struct buffer *, struct text);

static enum parameter_verdict check_encoding(struct text value, decoder *decode, bool ascii)
{
    struct buffer plain;
    buffer_init(&plain, SMTP_ORCPT_MAX);
    bool good = decode(&plain, value) && !(ascii && !text_is_ascii(buffer_as_text(&plain)));
    bool short_of_memory = plain.failed;
    buffer_clear(&plain);
    if (short_of_memory)
        return PARAMETER_NO_MEMORY;
    return good ? PARAMETER_GOOD : PARAMETER_BAD;
}

enum parameter_verdict smtp_read_envid(struct transaction *tx, struct text value)
{
    if (value.len > SMTP_ENVID_MAX)
        return PARAMETER_BAD;
    memcpy(tx->envid, value.at, value.len);
    tx->mail.envid = (struct text){ tx->envid, value.len };
    return check_encoding(value, xtext_decode, true);
}

/* An address without any text would be none in a report either. */
enum parameter_verdict smtp_read_orcpt(struct transaction *tx, struct text value)
{
    struct text type, address = value;
    if (value.len > SMTP_ORCPT_MAX || !text_cut(&address, ';', &type) || !address_is_atom(type) ||
        address.len == 0)
        return PARAMETER_BAD;
    if (!text_is_ascii(value) && !tx->mail.smtputf8) /* RFC 6533 3 */
        return PARAMETER_BAD;
    tx->rcpt.orcpt = value;
    return text_equal_nocase(type, T("utf-8")) ? check_encoding(address, unitext_decode, false)
                                               : check_encoding(address, xtext_decode, true);
}

/* ---- NOTIFY ---- */

/* Each at most once, which also keeps the 28 octets of RFC 3461 4.1. */
enum parameter_verdict smtp_read_notify(struct transaction *tx, struct text value)
{
    static const struct {
        struct text word;
        unsigned bit;
    } words[] = {
        { TEXT("SUCCESS"), NOTIFY_SUCCESS },
        { TEXT("FAILURE"), NOTIFY_FAILURE },
        { TEXT("DELAY"), NOTIFY_DELAY },
    };
    struct text word;
    bool more = true;
    if (text_equal_nocase(value, T("NEVER"))) {
        tx->rcpt.notify = NOTIFY_NEVER;
        return PARAMETER_GOOD;
    }
    while (more) {
        unsigned bit = 0;
        more = text_cut(&value, ',', &word);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (text_equal_nocase(word, words[i].word))
                bit = words[i].bit;
        if (bit == 0 || tx->rcpt.notify & bit)
            return PARAMETER_BAD;
        tx->rcpt.notify |= bit;
    }
    return PARAMETER_GOOD;
}
