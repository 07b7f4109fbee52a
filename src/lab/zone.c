/* zone.c - the records of a little internet: one list, looked through from its start. */
#include "lab/zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_OCTETS = 2048, TTL_S = 60 /* unless the line says so */ };

struct zones {
    ldns_rr_list *records;
};

bool zones_new(struct zones **out, struct error *error)
{
    struct zones *z = calloc(1, sizeof *z);
    if (z)
        z->records = ldns_rr_list_new();
    *out = z;
    if (z && z->records)
        return true;
    zones_free(out);
    return error_set(error, ERROR_TEMPORARY, "memory is short");
}

void zones_free(struct zones **zones)
{
    struct zones *z = *zones;
    if (!z)
        return;
    ldns_rr_list_deep_free(z->records);
    free(z);
    *zones = NULL;
}

bool zones_add(struct zones *z, const char *line, struct error *error)
{
    ldns_rr *record = NULL;
    ldns_status status = ldns_rr_new_frm_str(&record, line, TTL_S, NULL, NULL);
    if (status != LDNS_STATUS_OK)
        return error_set(error, ERROR_USAGE, "not a record: %.200s: %s", line,
                         ldns_get_errorstr_by_id(status));
    bool there = ldns_rr_list_contains_rr(z->records, record);
    bool full = ldns_rr_list_rr_count(z->records) >= ZONE_RECORDS_MAX;
    if (!there && !full && ldns_rr_list_push_rr(z->records, record))
        return true;
    ldns_rr_free(record);
    return there || error_set(error, ERROR_TEMPORARY, "no room for the record: %.200s", line);
}

bool zones_addf(struct zones *z, struct error *error, const char *format, ...)
{
    char line[LINE_MAX_OCTETS];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof line)
        return error_set(error, ERROR_USAGE, "the record is too long: %.200s", line);
    return zones_add(z, line, error);
}

/* --- Looking up --- */

static const ldns_rr *record_at(const struct zones *z, size_t at)
{
    return ldns_rr_list_rr(z->records, at);
}

static bool is_at_or_below(const ldns_rdf *name, const ldns_rdf *top)
{
    return ldns_dname_compare(name, top) == 0 || ldns_dname_is_subdomain(name, top);
}

const ldns_rr *zones_soa(const struct zones *z, const ldns_rdf *name, ldns_rr_type type)
{
    const ldns_rr *nearest = NULL;
    unsigned labels = 0;
    bool above = type == LDNS_RR_TYPE_DS && ldns_dname_label_count(name) > 0;
    for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++) {
        const ldns_rr *rr = record_at(z, i);
        const ldns_rdf *top = ldns_rr_owner(rr);
        if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || !is_at_or_below(name, top) ||
            (above && ldns_dname_compare(name, top) == 0))
            continue;
        if (!nearest || ldns_dname_label_count(top) > labels) {
            nearest = rr;
            labels = ldns_dname_label_count(top);
        }
    }
    return nearest;
}

const ldns_rr *zones_next(const struct zones *z, const ldns_rdf *name, ldns_rr_type type,
                          size_t *at)
{
    while (*at < ldns_rr_list_rr_count(z->records)) {
        const ldns_rr *rr = record_at(z, (*at)++);
        bool wanted = type == LDNS_RR_TYPE_ANY || ldns_rr_get_type(rr) == type;
        if (wanted && ldns_dname_compare(ldns_rr_owner(rr), name) == 0)
            return rr;
    }
    return NULL;
}

bool zones_has_name(const struct zones *z, const ldns_rdf *name)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++)
        if (is_at_or_below(ldns_rr_owner(record_at(z, i)), name))
            return true;
    return false;
}
