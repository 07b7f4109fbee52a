/* values.c - how each kind of value is read, checked against its row, and stored.
 *
 * Readers know nothing of the file; draft_problem() puts file, line and name in front of the words.
 */
#include "config/values.h"

#include "base/check.h"
#include "config/draft.h"
#include "config/nearest.h"
#include "config/units.h"

#include <inttypes.h>
#include <string.h>

static void *field(const struct setting *s, void *target)
{
    return (char *)target + s->offset;
}

static bool store_text(struct draft *d, const struct setting *s, struct text value, void *target)
{
    struct text kept;
    CHECK(s->size == sizeof kept);
    if (!draft_text(d, value, &kept))
        return false;
    memcpy(field(s, target), &kept, sizeof kept);
    return true;
}

/* Fields of numbers are as wide as they need to be. */
static void store_number(const struct setting *s, uint64_t value, void *target)
{
    uint8_t narrow8 = (uint8_t)value;
    uint16_t narrow16 = (uint16_t)value;
    uint32_t narrow32 = (uint32_t)value;
    const void *from = s->size == 1   ? (const void *)&narrow8
                       : s->size == 2 ? (const void *)&narrow16
                       : s->size == 4 ? (const void *)&narrow32
                                      : (const void *)&value;
    CHECK(s->size == 1 || s->size == 2 || s->size == 4 || s->size == 8);
    memcpy(field(s, target), from, s->size);
}

static bool in_range(const struct setting *s, uint64_t value)
{
    return (value >= s->min && value <= s->max) || (value == 0 && s->zero);
}

bool value_text(struct draft *d, const struct setting *s, struct text value, void *target)
{
    return store_text(d, s, value, target);
}

bool value_secret(struct draft *d, const struct setting *s, struct text value, void *target)
{
    return store_text(d, s, value, target);
}

bool value_name(struct draft *d, const struct setting *s, struct text value, void *target)
{
    if (value.len == 0)
        return draft_problem(d, "it is empty");
    return store_text(d, s, value, target);
}

bool value_path(struct draft *d, const struct setting *s, struct text value, void *target)
{
    if (value.len == 0)
        return s->min ? draft_problem(d, "it is empty") : store_text(d, s, value, target);
    if (value.at[0] == '/')
        return store_text(d, s, value, target);
    while (text_starts(value, T("./")))
        value = text_skip(value, 2);
    struct buffer path;
    buffer_init(&path, CONFIG_FILE_MAX);
    buffer_text(&path, d->folder);
    buffer_text(&path, value);
    bool ok = path.failed ? draft_no_memory(d) : store_text(d, s, buffer_as_text(&path), target);
    buffer_clear(&path);
    return ok;
}

bool value_place(struct draft *d, const struct setting *s, struct text value, void *target)
{
    if (value.len == 0)
        return draft_problem(d, "it is empty: write a path, auto or off");
    if (text_equal(value, T("off")))
        return store_text(d, s, T(""), target);
    return text_equal(value, T("auto")) ? store_text(d, s, value, target)
                                        : value_path(d, s, value, target);
}

bool value_domain(struct draft *d, const struct setting *s, struct text value, void *target)
{
    char name[ADDRESS_DOMAIN_MAX + 1] = "";
    enum address_verdict verdict = ADDRESS_OK;
    if (value.len)
        verdict = address_parse_domain(value, name);
    if (verdict != ADDRESS_OK)
        return draft_bad_name(d, "domain name", value, verdict);
    return store_text(d, s, text_of(name), target);
}

bool value_address(struct draft *d, const struct setting *s, struct text value, void *target)
{
    struct address address;
    if (value.len == 0)
        return store_text(d, s, value, target);
    enum address_verdict verdict = address_parse(value, ADDRESS_UTF8, &address);
    if (verdict != ADDRESS_OK)
        return draft_bad_name(d, "mail address", value, verdict);
    return store_text(d, s, address_text(&address), target);
}

bool value_hop(struct draft *d, const struct setting *s, struct text value, void *target)
{
    struct endpoint endpoint;
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct text rest = value, host;
    uint64_t port = 25;
    bool has_port = text_cut(&rest, ':', &host);
    if (value.len == 0 || endpoint_parse_address(value, &endpoint) ||
        endpoint_parse(value, &endpoint))
        return store_text(d, s, value, target);
    if (address_parse_domain(host, name) != ADDRESS_OK)
        return draft_problem(d,
                             "\"%s\" is no host[:port]: write mail.example.org, "
                             "mail.example.org:587, 192.0.2.1:25 or [2001:db8::1]:25",
                             shown(value).words);
    if (has_port && (!text_to_u64(rest, &port) || port == 0 || port > 65535))
        return draft_problem(d, "\"%s\": a port is a number from 1 to 65535", shown(value).words);
    return store_text(d, s, value, target);
}

bool value_size(struct draft *d, const struct setting *s, struct text value, void *target)
{
    uint64_t octets;
    char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    enum units_verdict verdict = size_parse(value, &octets);
    if (verdict != UNITS_OK)
        return draft_problem(d, "\"%s\" is no size: %s; write 65536, 64K, 50M or 1G",
                             shown(value).words, units_problem(verdict));
    if (!in_range(s, octets))
        return draft_problem(d, "\"%s\" is out of range: from %s to %s%s", shown(value).words,
                             size_print(s->min, least).at, size_print(s->max, most).at,
                             s->zero ? ", or 0 for none" : "");
    store_number(s, octets, target);
    return true;
}

/* A duration within the row's range. */
static bool read_duration(struct draft *d, const struct setting *s, struct text value,
                          uint64_t *out)
{
    char least[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];
    enum units_verdict verdict = duration_parse(value, out);
    if (verdict != UNITS_OK)
        return draft_problem(d, "\"%s\" is no duration: %s; write 30s, 5m, 1h30m, 4d or 2w",
                             shown(value).words, units_problem(verdict));
    if (!in_range(s, *out))
        return draft_problem(d, "\"%s\" is out of range: from %s to %s%s", shown(value).words,
                             duration_print(s->min, least).at, duration_print(s->max, most).at,
                             s->zero ? ", or 0 for none" : "");
    return true;
}

bool value_duration(struct draft *d, const struct setting *s, struct text value, void *target)
{
    uint64_t ms;
    if (!read_duration(d, s, value, &ms))
        return false;
    store_number(s, ms, target);
    return true;
}

bool value_count(struct draft *d, const struct setting *s, struct text value, void *target)
{
    uint64_t count;
    const char *reason = value.len == 0               ? "it is empty"
                         : value.at[0] == '-'         ? "it is negative"
                         : text_to_u64(value, &count) ? NULL
                                                      : "it is no whole number";
    if (reason)
        return draft_problem(d, "\"%s\" cannot be: %s", shown(value).words, reason);
    if (!in_range(s, count))
        return draft_problem(d, "%s is out of range: from %" PRIu64 " to %" PRIu64 "%s",
                             shown(value).words, s->min, s->max, s->zero ? ", or 0 for none" : "");
    store_number(s, count, target);
    return true;
}

bool value_switch(struct draft *d, const struct setting *s, struct text value, void *target)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
    struct nearest nearest = nearest_to(value);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        nearest_offer(&nearest, words[i]);
        if (text_equal_nocase(value, text_of(words[i]))) {
            store_number(s, i % 2, target);
            return true;
        }
    }
    return draft_problem(d, "\"%s\" is neither true nor false; nearest: %s", shown(value).words,
                         nearest.name);
}

bool value_choice(struct draft *d, const struct setting *s, struct text value, void *target)
{
    char word[32] = "", best[32] = "";
    struct text rest = text_of(s->choice), choice;
    struct nearest nearest = nearest_to(value);
    size_t distance = SIZE_MAX;
    for (uint64_t i = 0; text_word(&rest, &choice); i++) {
        if (text_equal(choice, value)) {
            store_number(s, i, target);
            return true;
        }
        CHECK(choice.len < sizeof word);
        memcpy(word, choice.at, choice.len);
        word[choice.len] = 0;
        nearest = nearest_to(value);
        nearest_offer(&nearest, word);
        if (nearest.distance < distance) {
            distance = nearest.distance;
            memcpy(best, word, sizeof best);
        }
    }
    return draft_problem(d, "\"%s\" is none of: %s; nearest: %s", shown(value).words, s->choice,
                         best);
}

bool value_ban(struct draft *d, const struct setting *s, struct text value, void *target)
{
    struct config *config = target;
    uint64_t ms = 0;
    config->ban = !text_equal(value, T("off"));
    if (config->ban && !read_duration(d, s, value, &ms))
        return false;
    config->ban_ms = ms;
    return true;
}

bool value_listener(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)s;
    (void)target;
    struct draft_listener item = { .listener = { .role = d->role, .written = true },
                                   .line = d->line };
    if (!endpoint_parse(value, &item.listener.endpoint))
        return draft_problem(d,
                             "\"%s\" is no IP:port; write 192.0.2.1:25 or [2001:db8::1]:25, port "
                             "1 to 65535",
                             shown(value).words);
    return buffer_append(&d->listeners, &item, sizeof item) || draft_no_memory(d);
}

static bool add_network(struct draft *d, struct text value, struct buffer *list)
{
    struct network network;
    if (!network_parse(value, &network))
        return draft_problem(d,
                             "\"%s\" is no network; write 192.0.2.0/24, 192.0.2.1 or "
                             "[2001:db8::]/32, no bits set behind the prefix",
                             shown(value).words);
    return buffer_append(list, &network, sizeof network) || draft_no_memory(d);
}

bool value_trusted(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)s;
    (void)target;
    return add_network(d, value, &d->trusted);
}

bool value_allow(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)s;
    (void)target;
    return add_network(d, value, &d->allowed);
}

bool value_account(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)s;
    (void)target;
    struct text kept;
    if (value.len == 0)
        return draft_problem(d, "an empty name is nobody's");
    return draft_text(d, value, &kept) &&
           (buffer_append(&d->accounts, &kept, sizeof kept) || draft_no_memory(d));
}

bool value_retry(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)target;
    uint64_t ms;
    if (!read_duration(d, s, value, &ms))
        return false;
    return buffer_append(&d->retry, &ms, sizeof ms) || draft_no_memory(d);
}

bool value_resolver(struct draft *d, const struct setting *s, struct text value, void *target)
{
    (void)s;
    (void)target;
    struct endpoint endpoint;
    if (!endpoint_parse(value, &endpoint)) {
        if (!endpoint_parse_address(value, &endpoint))
            return draft_problem(d,
                                 "\"%s\" is no IP[:port]; write 127.0.0.1, 127.0.0.1:5353 or "
                                 "[::1]:53",
                                 shown(value).words);
        endpoint.port = 53;
    }
    return buffer_append(&d->resolvers, &endpoint, sizeof endpoint) || draft_no_memory(d);
}
