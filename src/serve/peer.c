/* peer.c - who counts as one peer. */
#include "serve/peer.h"

#include <stdio.h>
#include <string.h>

enum { V4_PEER = 32, V4_NETWORK = 24, V6_PEER = 64, V6_NETWORK = 48 };

static struct peer_key key_of(const struct endpoint *e, unsigned v4_bits, unsigned v6_bits)
{
    bool six = e->family == NET_IPV6;
    struct peer_key key = { .family = (uint8_t)e->family,
                            .bits = (uint8_t)(six ? v6_bits : v4_bits) };
    memcpy(key.octets, e->octets, key.bits / 8u);
    return key;
}

struct peer_key peer_key(const struct endpoint *e)
{
    return key_of(e, V4_PEER, V6_PEER);
}

struct peer_key peer_network(const struct endpoint *e)
{
    return key_of(e, V4_NETWORK, V6_NETWORK);
}

bool peer_equal(const struct peer_key *a, const struct peer_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

uint64_t peer_hash(const struct peer_key *key, uint64_t secret)
{
    return text_hash((struct text){ (const char *)key, sizeof *key }, secret);
}

struct text peer_print(const struct peer_key *key, char out[PEER_TEXT_MAX])
{
    char address[ENDPOINT_TEXT_MAX];
    struct endpoint e = { .family = (enum net_family)key->family };
    memcpy(e.octets, key->octets, sizeof e.octets);
    endpoint_print_address(&e, address);
    bool whole = key->family == NET_IPV4 && key->bits == V4_PEER;
    int len = whole ? snprintf(out, PEER_TEXT_MAX, "%s", address)
                    : snprintf(out, PEER_TEXT_MAX, "%s/%u", address, key->bits);
    return (struct text){ out, (size_t)len };
}

bool peer_parse(struct text words, struct endpoint *out)
{
    struct network network;
    if (endpoint_parse_address(words, out))
        return true;
    if (!network_parse(words, &network) ||
        network.prefix != (network.base.family == NET_IPV6 ? V6_PEER : V4_PEER))
        return false;
    *out = network.base;
    return true;
}
