/* domain.c - domain names as they stand in addresses: letters, digits, hyphens, and IDNA 2008.
 *
 * A name in ASCII never goes through libidn2: A-labels are taken as they are, since the DNS knows
 * what exists.  What libidn2 makes of a U-label is checked like any other name, because its mapping
 * (UTS 46) can turn characters into dots, brackets and spaces.
 */
#include "mail/domain.h"

#include "base/escape.h"

#include <idn2.h>
#include <string.h>

enum { LABEL_OCTETS_MAX = 63 }; /* RFC 1035 2.3.4 */

static bool is_let_dig(char c)
{
    return text_is_letter(c) || text_is_digit(c) || c == '_';
}

size_t domain_length(struct text t)
{
    size_t len = 0;
    while (len < t.len && (is_let_dig(t.at[len]) || t.at[len] == '-' || t.at[len] == '.' ||
                           (uint8_t)t.at[len] >= 0x80))
        len++;
    return len;
}

static enum address_verdict check_label(struct text label)
{
    if (label.len == 0 || !is_let_dig(label.at[0]) || !is_let_dig(label.at[label.len - 1]))
        return ADDRESS_SYNTAX;
    for (size_t i = 0; i < label.len; i++)
        if (!is_let_dig(label.at[i]) && label.at[i] != '-')
            return ADDRESS_SYNTAX;
    return label.len > LABEL_OCTETS_MAX ? ADDRESS_TOO_LONG : ADDRESS_OK;
}

static enum address_verdict ascii_canonical(struct text name, char out[ADDRESS_DOMAIN_MAX + 1])
{
    struct text rest = name, label;
    bool more;
    do {
        more = text_cut(&rest, '.', &label);
        enum address_verdict verdict = check_label(label);
        if (verdict != ADDRESS_OK)
            return verdict;
    } while (more && rest.len); /* a dot at the very end is dropped */
    if (more)
        name.len--;
    if (name.len > ADDRESS_DOMAIN_MAX)
        return ADDRESS_TOO_LONG;
    for (size_t i = 0; i < name.len; i++)
        out[i] = text_lower(name.at[i]);
    out[name.len] = 0;
    return ADDRESS_OK;
}

static enum address_verdict idn_verdict(int result)
{
    switch (result) {
    case IDN2_OK:
        return ADDRESS_OK;
    case IDN2_MALLOC:
        return ADDRESS_NO_MEMORY;
    case IDN2_TOO_BIG_DOMAIN:
    case IDN2_TOO_BIG_LABEL:
        return ADDRESS_TOO_LONG;
    default:
        return ADDRESS_BAD_IDN;
    }
}

static enum address_verdict idn_canonical(struct text name, char out[ADDRESS_DOMAIN_MAX + 1])
{
    if (!utf8_valid(name))
        return ADDRESS_SYNTAX;
    if (name.len > ADDRESS_DOMAIN_MAX)
        return ADDRESS_TOO_LONG;
    uint8_t terminated[ADDRESS_DOMAIN_MAX + 1], *a_labels;
    memcpy(terminated, name.at, name.len);
    terminated[name.len] = 0;
    enum address_verdict verdict =
        idn_verdict(idn2_lookup_u8(terminated, &a_labels, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL));
    if (verdict != ADDRESS_OK)
        return verdict;
    verdict = ascii_canonical(text_of((const char *)a_labels), out);
    idn2_free(a_labels);
    return verdict == ADDRESS_SYNTAX ? ADDRESS_BAD_IDN : verdict;
}

enum address_verdict domain_canonical(struct text name, char out[ADDRESS_DOMAIN_MAX + 1],
                                      bool *utf8_out)
{
    for (size_t i = 0; i < name.len; i++)
        if ((uint8_t)name.at[i] >= 0x80) {
            *utf8_out = true;
            return idn_canonical(name, out);
        }
    return ascii_canonical(name, out);
}
