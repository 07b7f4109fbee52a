/* fuzz_servers.c - where a user's servers are, from what he wrote and from SRV records of whoever
 * answers.
 *
 * The first octet chooses between the two.  Of SRV records each begins with an octet that says how
 * long it is.
 *
 *   - no server without a name and a port, none more than there is room for;
 *   - a server outside the domain is marked as foreign unless the answer was signed;
 *   - what is printed as HOST:PORT is read as itself.
 */
#include "agent/find.h"
#include "base/check.h"
#include "run/dns_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const struct servers *list)
{
    CHECK(list->count <= SERVERS_MAX);
    for (size_t i = 0; i < list->count; i++) {
        CHECK(list->at[i].host[0] && memchr(list->at[i].host, 0, DNS_NAME_MAX));
        CHECK(list->at[i].endpoint.port != 0);
    }
}

static void check_again(const struct servers *list, enum find_service service)
{
    char words[DNS_NAME_MAX + 16];
    struct servers again = { .count = 0 };
    struct error e;
    const struct server *s = &list->at[0];
    bool literal = s->endpoint.family == NET_IPV6;
    int len = snprintf(words, sizeof words, literal ? "[%s]:%u" : "%s:%u", s->host,
                       (unsigned)s->endpoint.port);
    CHECK(servers_add_written(&again, service, (struct text){ words, (size_t)len }, &e));
    CHECK(again.count == 1);
    CHECK(strcmp(again.at[0].host, s->host) == 0);
    CHECK(again.at[0].endpoint.port == s->endpoint.port);
}

static void check_written(enum find_service service, struct text written)
{
    struct servers list = { .count = 0 };
    struct error e = { 0 };
    if (servers_add_written(&list, service, written, &e)) {
        CHECK(list.count > 0);
        check_list(&list);
        check_again(&list, service);
    } else {
        CHECK(list.count == 0 && e.kind == ERROR_USAGE);
    }
    list.count = 0;
    servers_add_usual(&list, service, text_first(written, 300));
    check_list(&list);
}

static void check_srv(struct servers_srv *srv, struct bytes wire)
{
    struct dns_record records[DNS_RECORDS_MAX];
    struct servers list = { .count = 0 };
    uint8_t room[256];
    size_t count = 0;
    while (wire.len > 1 && count < DNS_RECORDS_MAX) {
        size_t len = wire.at[0] < wire.len - 1 ? wire.at[0] : wire.len - 1;
        struct bytes data = { wire.at + 1, len };
        count += dns_parse_record(DNS_SRV, data, room, &records[count]);
        wire = (struct bytes){ wire.at + 1 + len, wire.len - 1 - len };
    }
    servers_add_srv(&list, srv, records, count);
    check_list(&list);
    CHECK(list.count <= count);
    CHECK(!servers_are_denied(records, count) || list.count == 0);
    for (size_t i = 0; i < list.count; i++)
        CHECK(srv->secure || list.at[i].is_foreign ||
              text_ends_nocase(text_of(list.at[i].host), srv->domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum find_service service = data[0] & 1 ? FIND_POP : FIND_SMTP;
    struct servers_srv srv = { .service = service,
                               .tls_first = data[0] & 2,
                               .secure = data[0] & 4,
                               .domain = T("a.test"),
                               .seed = data[0] };
    struct bytes rest = { data + 1, size - 1 };
    if (data[0] & 8)
        check_srv(&srv, rest);
    else
        check_written(service, text_of_bytes(rest));
    return 0;
}
