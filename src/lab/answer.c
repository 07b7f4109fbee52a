/* answer.c - one DNS query in, its reply out. */
#include "lab/answer.h"

enum {
    HEADER_OCTETS = 12,
    PLAIN_OCTETS = 512, /* in a datagram without EDNS (RFC 1035 4.2.1) */
    ALIASES_MAX = 8,    /* CNAMEs followed for one question */
    FLAG_QR = 0x80,
    FLAGS_KEPT = 0x79, /* opcode and RD of the third octet */
};

struct answering {
    const struct zones *zones;
    const ldns_pkt *query;
    ldns_pkt *reply;
    bool no_memory;
};

/* --- Filling the reply --- */

static void push(struct answering *a, ldns_pkt_section section, const ldns_rr *rr)
{
    ldns_rr *copy = ldns_rr_clone(rr);
    if (copy && ldns_pkt_push_rr(a->reply, section, copy))
        return;
    ldns_rr_free(copy);
    a->no_memory = true;
}

/* RFC 2308 3: the SOA says how long "no" holds, which is the smaller of its TTL and minimum. */
static void push_denial(struct answering *a, const ldns_rdf *name, ldns_rr_type type)
{
    const ldns_rr *soa = zones_soa(a->zones, name, type);
    ldns_rr *copy = soa ? ldns_rr_clone(soa) : NULL;
    if (!copy) {
        a->no_memory |= soa != NULL;
        return;
    }
    uint32_t minimum = ldns_rdf2native_int32(ldns_rr_rdf(copy, 6));
    if (ldns_rr_ttl(copy) > minimum)
        ldns_rr_set_ttl(copy, minimum);
    if (ldns_pkt_push_rr(a->reply, LDNS_SECTION_AUTHORITY, copy))
        return;
    ldns_rr_free(copy);
    a->no_memory = true;
}

/* The name of a host in the record's data, whose addresses are asked for next; NULL: none. */
static const ldns_rdf *host_in(const ldns_rr *rr)
{
    switch (ldns_rr_get_type(rr)) {
    case LDNS_RR_TYPE_NS:
        return ldns_rr_rdf(rr, 0);
    case LDNS_RR_TYPE_MX:
        return ldns_rr_rdf(rr, 1);
    case LDNS_RR_TYPE_SRV:
        return ldns_rr_rdf(rr, 3);
    default:
        return NULL;
    }
}

static void push_addresses(struct answering *a, const ldns_rdf *host)
{
    static const ldns_rr_type types[] = { LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA };
    for (size_t i = 0; host && i < sizeof types / sizeof *types; i++) {
        size_t at = 0;
        for (const ldns_rr *rr; (rr = zones_next(a->zones, host, types[i], &at));)
            if (!ldns_rr_list_contains_rr(ldns_pkt_additional(a->reply), rr))
                push(a, LDNS_SECTION_ADDITIONAL, rr);
    }
}

/* --- The answer itself --- */

static bool push_records(struct answering *a, const ldns_rdf *name, ldns_rr_type type)
{
    bool any = false;
    size_t at = 0;
    for (const ldns_rr *rr; (rr = zones_next(a->zones, name, type, &at)); any = true) {
        push(a, LDNS_SECTION_ANSWER, rr);
        push_addresses(a, host_in(rr));
    }
    return any;
}

/* RFC 1034 4.3.2 step 3, on a table without delegations.  The code is that of the last name (RFC
 * 6604 3). */
static ldns_pkt_rcode answer_question(struct answering *a, const ldns_rr *question)
{
    const ldns_rdf *name = ldns_rr_owner(question);
    ldns_rr_type type = ldns_rr_get_type(question);
    if (!zones_soa(a->zones, name, type))
        return LDNS_RCODE_REFUSED;
    ldns_pkt_set_aa(a->reply, true);
    for (unsigned i = 0; i < ALIASES_MAX; i++) {
        size_t at = 0;
        if (push_records(a, name, type))
            return LDNS_RCODE_NOERROR;
        const ldns_rr *alias = zones_next(a->zones, name, LDNS_RR_TYPE_CNAME, &at);
        if (!alias) {
            push_denial(a, name, type);
            return zones_has_name(a->zones, name) ? LDNS_RCODE_NOERROR : LDNS_RCODE_NXDOMAIN;
        }
        push(a, LDNS_SECTION_ANSWER, alias);
        name = ldns_rr_rdf(alias, 0);
    }
    return LDNS_RCODE_SERVFAIL;
}

/* Which queries are answered at all. */
static ldns_pkt_rcode answer(struct answering *a)
{
    const ldns_pkt *q = a->query;
    if (ldns_pkt_get_opcode(q) != LDNS_PACKET_QUERY)
        return LDNS_RCODE_NOTIMPL;
    if (ldns_rr_list_rr_count(ldns_pkt_question(q)) != 1)
        return LDNS_RCODE_FORMERR;
    const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(q), 0);
    ldns_rr_class class = ldns_rr_get_class(question);
    if (class != LDNS_RR_CLASS_IN && class != LDNS_RR_CLASS_ANY)
        return LDNS_RCODE_REFUSED;
    switch (ldns_rr_get_type(question)) {
    case LDNS_RR_TYPE_AXFR:
    case LDNS_RR_TYPE_IXFR:
        return LDNS_RCODE_REFUSED;
    case LDNS_RR_TYPE_OPT:
        return LDNS_RCODE_FORMERR;
    default:
        return answer_question(a, question);
    }
}

/* --- The message --- */

/* What every reply to this query has; NULL when memory is short. */
static ldns_pkt *begin_reply(const ldns_pkt *query)
{
    ldns_pkt *reply = ldns_pkt_new();
    if (!reply)
        return NULL;
    ldns_pkt_set_id(reply, ldns_pkt_id(query));
    ldns_pkt_set_qr(reply, true);
    ldns_pkt_set_opcode(reply, ldns_pkt_get_opcode(query));
    ldns_pkt_set_rd(reply, ldns_pkt_rd(query));
    ldns_pkt_set_ra(reply, ldns_pkt_rd(query));
    ldns_pkt_set_cd(reply, ldns_pkt_cd(query));
    if (ldns_pkt_edns(query)) {
        ldns_pkt_set_edns_udp_size(reply, ANSWER_EDNS_OCTETS);
        ldns_pkt_set_edns_do(reply, ldns_pkt_edns_do(query));
    }
    const ldns_rr_list *questions = ldns_pkt_question(query);
    ldns_rr *question =
        ldns_rr_list_rr_count(questions) == 1 ? ldns_rr_clone(ldns_rr_list_rr(questions, 0)) : NULL;
    if (question && !ldns_pkt_push_rr(reply, LDNS_SECTION_QUESTION, question))
        ldns_rr_free(question);
    return reply;
}

/* Appends the message; false when it is too long, or memory is short. */
static bool put(const ldns_pkt *reply, size_t octets_max, struct buffer *out)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    bool ok = ldns_pkt2wire(&wire, reply, &len) == LDNS_STATUS_OK && len <= octets_max &&
              buffer_append(out, wire, len);
    LDNS_FREE(wire);
    return ok;
}

/* RFC 2181 9: addresses that were only added may be missing without a word. */
static void drop_additional(ldns_pkt *reply)
{
    ldns_rr_list *empty = ldns_rr_list_new();
    if (!empty)
        return;
    ldns_rr_list_deep_free(ldns_pkt_additional(reply));
    ldns_pkt_set_additional(reply, empty);
    ldns_pkt_set_arcount(reply, 0);
}

/* Everything, or what must be said, or that a stream has more room. */
static bool put_what_fits(struct answering *a, size_t octets_max, struct buffer *out)
{
    if (put(a->reply, octets_max, out))
        return true;
    drop_additional(a->reply);
    if (put(a->reply, octets_max, out))
        return true;
    ldns_pkt *cut = begin_reply(a->query);
    if (!cut)
        return false;
    ldns_pkt_set_aa(cut, ldns_pkt_aa(a->reply));
    ldns_pkt_set_tc(cut, true);
    bool ok = put(cut, octets_max, out);
    ldns_pkt_free(cut);
    return ok;
}

/* RFC 6891 6.2.3: smaller than 512 means 512. */
static size_t room_for(const ldns_pkt *query, enum answer_by by)
{
    if (by == ANSWER_BY_STREAM)
        return ANSWER_OCTETS_MAX;
    size_t asked = ldns_pkt_edns(query) ? ldns_pkt_edns_udp_size(query) : PLAIN_OCTETS;
    return asked < PLAIN_OCTETS         ? PLAIN_OCTETS
           : asked > ANSWER_EDNS_OCTETS ? ANSWER_EDNS_OCTETS
                                        : asked;
}

/* A reply of nothing but a header, for what cannot be read or when memory is short. */
static bool put_header(struct bytes query, ldns_pkt_rcode code, struct buffer *out)
{
    uint8_t header[HEADER_OCTETS] = { query.at[0], query.at[1],
                                      (uint8_t)((query.at[2] & FLAGS_KEPT) | FLAG_QR),
                                      (uint8_t)code };
    return buffer_append(out, header, sizeof header);
}

static bool answer_packet(struct answering *a, enum answer_by by, struct buffer *out)
{
    a->reply = begin_reply(a->query);
    if (!a->reply)
        return false;
    /* RFC 6891 6.1.3: BADVERS is 16, of which the lower four bits stand in the header. */
    if (ldns_pkt_edns_version(a->query) > 0)
        ldns_pkt_set_edns_extended_rcode(a->reply, 1);
    else
        ldns_pkt_set_rcode(a->reply, (uint8_t)answer(a));
    bool ok = !a->no_memory && put_what_fits(a, room_for(a->query, by), out);
    ldns_pkt_free(a->reply);
    return ok;
}

bool answer_query(const struct zones *zones, struct bytes query, enum answer_by by,
                  struct buffer *reply)
{
    ldns_pkt *packet = NULL;
    /* Never a reply to a reply: two servers would talk for ever. */
    if (query.len < HEADER_OCTETS || query.at[2] & FLAG_QR)
        return false;
    ldns_status status = ldns_wire2pkt(&packet, query.at, query.len);
    if (status != LDNS_STATUS_OK)
        return put_header(
            query, status == LDNS_STATUS_MEM_ERR ? LDNS_RCODE_SERVFAIL : LDNS_RCODE_FORMERR, reply);
    struct answering a = { .zones = zones, .query = packet };
    bool ok = answer_packet(&a, by, reply) || put_header(query, LDNS_RCODE_SERVFAIL, reply);
    ldns_pkt_free(packet);
    return ok;
}
