/* fuzz_lab_dns.c - any octets as a query to the lab's DNS: silence, or a reply that is well formed,
 * belongs to the query and fits. */
#include "base/check.h"
#include "lab/answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zones *make_zones(void)
{
    static const char *const lines[] = {
        ". 60 IN SOA ns.lab.invalid. hostmaster.lab.invalid. 1 60 60 60 60",
        ". 60 IN NS ns.lab.invalid.",
        "ns.lab.invalid. 60 IN A 127.0.0.1",
        "a.test. 60 IN SOA ns.lab.invalid. hostmaster.lab.invalid. 1 60 60 60 60",
        "a.test. 60 IN MX 10 mx.a.test.",
        "mx.a.test. 60 IN A 127.0.0.2",
        "a.test. 60 IN TXT \"v=spf1 mx -all\"",
        "_pop3._tcp.a.test. 60 IN SRV 0 1 2110 mx.a.test.",
        "www.a.test. 60 IN CNAME mx.a.test.",
        "loop.a.test. 60 IN CNAME loop.a.test.",
    };
    struct zones *zones;
    struct error error;
    CHECK(zones_new(&zones, &error));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(zones_add(zones, lines[i], &error));
    return zones;
}

static void check_reply(struct bytes query, struct bytes reply, size_t octets_max)
{
    CHECK(reply.len >= 12 && reply.len <= octets_max);
    CHECK(reply.at[0] == query.at[0] && reply.at[1] == query.at[1]);
    CHECK(reply.at[2] & 0x80);
    ldns_pkt *packet = NULL;
    CHECK(ldns_wire2pkt(&packet, reply.at, reply.len) == LDNS_STATUS_OK);
    ldns_pkt_free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zones *zones;
    if (!zones)
        zones = make_zones();
    uint8_t *copy = malloc(size > 0 ? size : 1); /* so that reading past the end is seen */
    CHECK(copy);
    for (size_t i = 0; i < size; i++)
        copy[i] = data[i];
    struct bytes query = { copy, size };
    struct buffer reply;
    buffer_init(&reply, ANSWER_OCTETS_MAX);
    if (answer_query(zones, query, ANSWER_BY_DATAGRAM, &reply))
        check_reply(query, buffer_bytes(&reply), ANSWER_EDNS_OCTETS);
    buffer_clear(&reply);
    if (answer_query(zones, query, ANSWER_BY_STREAM, &reply))
        check_reply(query, buffer_bytes(&reply), ANSWER_OCTETS_MAX);
    buffer_clear(&reply);
    free(copy);
    return 0;
}
