/* net.c - addresses of machines, as values. */
#include "base/net.h"

#include <arpa/inet.h>
#include <string.h>

static void unmap(struct endpoint *e)
{
    static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF };
    if (e->family != NET_IPV6 || memcmp(e->octets, mapped, sizeof mapped) != 0)
        return;
    uint8_t v4[4];
    memcpy(v4, e->octets + 12, 4);
    memset(e->octets, 0, sizeof e->octets);
    memcpy(e->octets, v4, 4);
    e->family = NET_IPV4;
}

bool endpoint_parse_address(struct text t, struct endpoint *out)
{
    if (t.len >= 2 && t.at[0] == '[' && t.at[t.len - 1] == ']')
        t = (struct text){ t.at + 1, t.len - 2 };
    char words[ENDPOINT_TEXT_MAX];
    if (t.len == 0 || t.len >= sizeof words || memchr(t.at, 0, t.len))
        return false;
    memcpy(words, t.at, t.len);
    words[t.len] = 0;
    *out = (struct endpoint){ 0 };
    if (inet_pton(AF_INET, words, out->octets) == 1) {
        out->family = NET_IPV4;
        return true;
    }
    if (inet_pton(AF_INET6, words, out->octets) != 1)
        return false;
    out->family = NET_IPV6;
    unmap(out);
    return true;
}

bool endpoint_parse(struct text t, struct endpoint *out)
{
    size_t colon = t.len;
    while (colon > 0 && t.at[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    struct text host = text_first(t, colon - 1);
    bool bracketed = host.len && host.at[0] == '[';
    uint64_t port;
    if (!bracketed && text_find(host, ':') < host.len)
        return false;
    if (!text_to_u64(text_skip(t, colon), &port) || port == 0 || port > 65535)
        return false;
    if (!endpoint_parse_address(host, out))
        return false;
    out->port = (uint16_t)port;
    return true;
}

static unsigned address_bits(const struct endpoint *e)
{
    return e->family == NET_IPV4 ? 32 : 128;
}

static bool bit(const struct endpoint *e, unsigned index)
{
    return e->octets[index / 8] >> (7 - index % 8) & 1;
}

bool network_parse(struct text t, struct network *out)
{
    struct text host;
    bool slash = text_cut(&t, '/', &host);
    if (!endpoint_parse_address(host, &out->base))
        return false;
    out->prefix = address_bits(&out->base);
    uint64_t prefix;
    if (slash) {
        if (!text_to_u64(t, &prefix) || prefix > out->prefix)
            return false;
        out->prefix = (unsigned)prefix;
    }
    for (unsigned i = out->prefix; i < address_bits(&out->base); i++)
        if (bit(&out->base, i))
            return false;
    return true;
}

bool network_contains(const struct network *n, const struct endpoint *e)
{
    if (n->base.family != e->family)
        return false;
    for (unsigned i = 0; i < n->prefix; i++)
        if (bit(&n->base, i) != bit(e, i))
            return false;
    return true;
}

bool endpoint_is_loopback(const struct endpoint *e)
{
    static const uint8_t one[16] = { [15] = 1 };
    if (e->family == NET_IPV4)
        return e->octets[0] == 127;
    return e->family == NET_IPV6 && memcmp(e->octets, one, sizeof one) == 0;
}

bool endpoint_equal_address(const struct endpoint *a, const struct endpoint *b)
{
    return a->family == b->family && memcmp(a->octets, b->octets, sizeof a->octets) == 0;
}

struct endpoint endpoint_of_user(uint32_t uid)
{
    return (struct endpoint){ .family = NET_LOCAL,
                              .octets = { (uint8_t)(uid >> 24), (uint8_t)(uid >> 16),
                                          (uint8_t)(uid >> 8), (uint8_t)uid } };
}

uint32_t endpoint_user(const struct endpoint *e)
{
    return (uint32_t)e->octets[0] << 24 | (uint32_t)e->octets[1] << 16 |
           (uint32_t)e->octets[2] << 8 | e->octets[3];
}

/* Each writes at `to` and returns where it ends.  Several endpoints are printed for a message:
 * snprintf() and inet_ntop(), which uses it, would be one of its dearer steps. */

static char *put_text(char *to, struct text t)
{
    memcpy(to, t.at, t.len);
    return to + t.len;
}

static char *put_ipv4(char *to, const uint8_t octets[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *to++ = '.';
        to = text_put_u64(to, octets[i], 1);
    }
    return to;
}

static char *put_address(char *to, const struct endpoint *e)
{
    char words[INET6_ADDRSTRLEN] = "";
    if (e->family == NET_IPV4)
        return put_ipv4(to, e->octets);
    if (e->family == NET_LOCAL)
        return text_put_u64(put_text(to, T("uid ")), endpoint_user(e), 1);
    if (e->family == NET_IPV6)
        inet_ntop(AF_INET6, e->octets, words, sizeof words);
    return put_text(to, text_of(words));
}

static struct text terminate(char *from, char *to)
{
    *to = 0;
    return (struct text){ from, (size_t)(to - from) };
}

struct text endpoint_print_address(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    return terminate(out, put_address(out, e));
}

struct text endpoint_print(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    bool brackets = e->family == NET_IPV6;
    if (e->family == NET_LOCAL)
        return endpoint_print_address(e, out);
    char *to = put_text(out, brackets ? T("[") : T(""));
    to = put_text(put_address(to, e), brackets ? T("]:") : T(":"));
    return terminate(out, text_put_u64(to, e->port, 1));
}

struct text endpoint_print_literal(const struct endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
    if (e->family == NET_LOCAL)
        return endpoint_print_address(e, out);
    char *to = put_text(out, e->family == NET_IPV6 ? T("[IPv6:") : T("["));
    return terminate(out, put_text(put_address(to, e), T("]")));
}
