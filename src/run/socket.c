/* socket.c - what streams and listeners need of sockets: their options and addresses. */
#include "run/stream_inner.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

enum { KEEPALIVE_IDLE_S = 60, KEEPALIVE_INTERVAL_S = 15, KEEPALIVE_PROBES = 4 };

void socket_tune(int socket)
{
    static const struct {
        int level, name, value;
    } options[] = {
        { IPPROTO_TCP, TCP_NODELAY, 1 },
        { SOL_SOCKET, SO_KEEPALIVE, 1 },
        { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
        { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
        { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES },
    };
    /* None of them is worth a connection: a failure is no reason to refuse anything. */
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        setsockopt(socket, options[i].level, options[i].name, &options[i].value,
                   sizeof options[i].value);
}

struct endpoint endpoint_of_socket(const struct sockaddr_storage *address)
{
    struct endpoint e = { 0 };
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        e.family = NET_IPV4;
        memcpy(e.octets, &in->sin_addr, 4);
        e.port = ntohs(in->sin_port);
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        e.family = mapped ? NET_IPV4 : NET_IPV6;
        memcpy(e.octets, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        e.port = ntohs(in6->sin6_port);
    }
    return e;
}

socklen_t endpoint_to_socket(const struct endpoint *e, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (e->family == NET_IPV4) {
        struct sockaddr_in *in = (void *)out;
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, e->octets, 4);
        in->sin_port = htons(e->port);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)out;
    in6->sin6_family = AF_INET6;
    memcpy(&in6->sin6_addr, e->octets, 16);
    in6->sin6_port = htons(e->port);
    return sizeof *in6;
}
