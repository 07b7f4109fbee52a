/* dns_record.c - the data of resource records, from the wire to values.
 *
 * Pure: no system call, no allocation.  Whoever owns a domain writes these octets, so nothing in
 * them is believed: a length is compared with what is there before it is used, and a record has to
 * end where its data ends.  The library hands data over without compression (RFC 1035 4.1.4), hence
 * a pointer is malformed and no name can loop.
 */
#include "run/dns_inner.h"

#include <string.h>

enum { LABEL_MAX = 63, NAME_WIRE_MAX = 255, IPV4_OCTETS = 4, IPV6_OCTETS = 16, TLSA_FIXED = 3 };

/* What is left to read. */
struct reader {
    const uint8_t *at;
    size_t left;
};

static const uint8_t *take(struct reader *r, size_t count)
{
    if (r->left < count)
        return NULL;
    const uint8_t *at = r->at;
    r->at += count;
    r->left -= count;
    return at;
}

static bool take_u16(struct reader *r, uint16_t *out)
{
    const uint8_t *at = take(r, 2);
    if (at)
        *out = (uint16_t)(at[0] << 8 | at[1]);
    return at != NULL;
}

/* Host names as they are used (RFC 1123 2.1, and the underscore that is seen in the wild).  A dot
 * or a backslash within a label would make two different names the same text. */
static bool host_octet(char c)
{
    return (c >= 'a' && c <= 'z') || text_is_digit(c) || c == '-' || c == '_';
}

static bool append_label(char out[DNS_NAME_MAX], size_t *len, const uint8_t *label, size_t count)
{
    if (*len > 0)
        out[(*len)++] = '.';
    for (size_t i = 0; i < count; i++) {
        char c = text_lower((char)label[i]);
        if (!host_octet(c))
            return false;
        out[(*len)++] = c;
    }
    return true;
}

static bool take_name(struct reader *r, char out[DNS_NAME_MAX])
{
    size_t len = 0;
    const size_t before = r->left;
    const uint8_t *count;
    while ((count = take(r, 1)) && *count != 0) {
        const uint8_t *label = *count <= LABEL_MAX ? take(r, *count) : NULL;
        /* With the root's octet that must follow. */
        if (!label || before - r->left + 1 > NAME_WIRE_MAX)
            return false;
        if (!append_label(out, &len, label, *count))
            return false;
    }
    out[len] = '\0';
    return count != NULL;
}

static bool parse_address(struct reader *r, enum net_family family, struct dns_record *out)
{
    size_t count = family == NET_IPV4 ? IPV4_OCTETS : IPV6_OCTETS;
    const uint8_t *octets = take(r, count);
    if (!octets)
        return false;
    /* ::ffff:0:0/96 is no address of a machine in the DNS, and an endpoint never holds one. */
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (family == NET_IPV6 && memcmp(octets, mapped, sizeof mapped) == 0)
        return false;
    out->address.family = family;
    memcpy(out->address.octets, octets, count);
    return true;
}

static bool parse_mx(struct reader *r, struct dns_record *out)
{
    return take_u16(r, &out->preference) && take_name(r, out->name);
}

/* RFC 2782 */
static bool parse_srv(struct reader *r, struct dns_record *out)
{
    return take_u16(r, &out->preference) && take_u16(r, &out->weight) && take_u16(r, &out->port) &&
           take_name(r, out->name);
}

/* One or more strings (RFC 1035 3.3.14), joined without anything between them (RFC 7208 3.3). */
static bool parse_txt(struct reader *r, uint8_t *room, struct dns_record *out)
{
    size_t len = 0;
    do {
        const uint8_t *count = take(r, 1);
        const uint8_t *string = count ? take(r, *count) : NULL;
        if (!string)
            return false;
        memcpy(room + len, string, *count);
        len += *count;
    } while (r->left > 0);
    out->data = (struct bytes){ room, len };
    return true;
}

/* RFC 6698 2.1: three octets and something to compare with. */
static bool parse_tlsa(struct reader *r, uint8_t *room, struct dns_record *out)
{
    size_t len = r->left;
    if (len <= TLSA_FIXED)
        return false;
    memcpy(room, take(r, len), len);
    out->data = (struct bytes){ room, len };
    return true;
}

static bool parse(enum dns_type type, struct reader *r, uint8_t *room, struct dns_record *out)
{
    switch (type) {
    case DNS_A:
        return parse_address(r, NET_IPV4, out);
    case DNS_AAAA:
        return parse_address(r, NET_IPV6, out);
    case DNS_MX:
        return parse_mx(r, out);
    case DNS_SRV:
        return parse_srv(r, out);
    case DNS_CNAME:
    case DNS_PTR:
        return take_name(r, out->name);
    case DNS_TXT:
        return parse_txt(r, room, out);
    case DNS_TLSA:
        return parse_tlsa(r, room, out);
    }
    return false;
}

bool dns_parse_record(enum dns_type type, struct bytes data, uint8_t *room, struct dns_record *out)
{
    *out = (struct dns_record){ .preference = 0 };
    struct reader r = { data.at, data.len };
    return parse(type, &r, room, out) && r.left == 0;
}

static struct text without_last_dot(struct text name)
{
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    return name;
}

static bool label_possible(struct text label)
{
    if (label.len == 0 || label.len > LABEL_MAX)
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (label.at[i] <= ' ' || label.at[i] > '~' || label.at[i] == '\\')
            return false;
    return true;
}

bool dns_name_possible(struct text name)
{
    struct text rest = without_last_dot(name), label;
    if (rest.len == 0 || rest.len >= DNS_NAME_MAX)
        return false;
    bool more;
    do {
        more = text_cut(&rest, '.', &label);
        if (!label_possible(label))
            return false;
    } while (more);
    return true;
}

void dns_name_canonical(struct text name, char out[DNS_NAME_MAX])
{
    name = without_last_dot(name);
    out[0] = '\0';
    if (name.len >= DNS_NAME_MAX)
        return;
    for (size_t i = 0; i < name.len; i++) {
        char c = text_lower(name.at[i]);
        if (!host_octet(c) && c != '.')
            return;
    }
    for (size_t i = 0; i < name.len; i++)
        out[i] = text_lower(name.at[i]);
    out[name.len] = '\0';
}
