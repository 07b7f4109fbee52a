/* interfaces.c - the addresses of this machine. */
#include "run/interfaces.h"

#include "run/stream_inner.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static bool is_usable(const struct ifaddrs *i)
{
    return i->ifa_addr && (i->ifa_flags & IFF_UP) &&
           (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6);
}

static struct endpoint address_of(const struct ifaddrs *i)
{
    struct sockaddr_storage address = { 0 };
    memcpy(&address, i->ifa_addr,
           i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                             : sizeof(struct sockaddr_in6));
    struct endpoint e = endpoint_of_socket(&address);
    e.port = 0;
    return e;
}

size_t interfaces_list(struct endpoint *out, size_t max)
{
    struct ifaddrs *all;
    size_t count = 0;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *i = all; i && count < max; i = i->ifa_next)
        if (is_usable(i))
            out[count++] = address_of(i);
    freeifaddrs(all);
    return count;
}
