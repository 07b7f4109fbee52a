/* check_records.c - what DNS records mean for a mail server.  Pure: asks nobody. */
#include "cli/check_records.h"

#include <stdio.h>

const char *records_reverse(const struct endpoint *e, char out[RECORDS_REVERSE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *o = e->octets;
    if (e->family == NET_IPV4) {
        snprintf(out, RECORDS_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", o[3], o[2], o[1], o[0]);
        return out;
    }
    char *at = out;
    for (size_t i = 16; i-- > 0;) {
        *at++ = digits[o[i] & 15];
        *at++ = '.';
        *at++ = digits[o[i] >> 4];
        *at++ = '.';
    }
    snprintf(at, RECORDS_REVERSE_MAX - 64, "ip6.arpa");
    return out;
}

bool records_is_private(struct text name)
{
    static const struct text reserved[] = { TEXT(".test"), TEXT(".example"), TEXT(".invalid"),
                                            TEXT(".localhost") };
    if (text_find(name, '.') == name.len)
        return true;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (text_ends_nocase(name, reserved[i]))
            return true;
    return false;
}

/* --- SPF --- */

bool records_is_spf(struct text txt)
{
    return text_take_nocase(&txt, T("v=spf1")) && (txt.len == 0 || txt.at[0] == ' ');
}

enum match { NO, YES, MAYBE };

static enum match match_network(struct text value, const struct spf_sender *s)
{
    struct network network;
    if (!network_parse(value, &network))
        return MAYBE;
    for (size_t i = 0; i < s->address_count; i++)
        if (network_contains(&network, &s->addresses[i]))
            return YES;
    return s->address_count > 0 ? NO : MAYBE;
}

/* "a", "a:host", "a/24": the addresses of a name, which are known if it is ours. */
static enum match match_host(struct text value, const struct spf_sender *s)
{
    struct text host;
    text_cut(&value, '/', &host);
    return text_equal_nocase(host.len ? host : s->domain, s->hostname) ? YES : MAYBE;
}

static enum match match_mx(struct text value, const struct spf_sender *s)
{
    struct text host;
    text_cut(&value, '/', &host);
    if (host.len > 0 && !text_equal_nocase(host, s->domain))
        return MAYBE;
    return s->is_mx ? YES : MAYBE;
}

static enum match match_all(struct text value, const struct spf_sender *s)
{
    (void)value;
    (void)s;
    return YES;
}

static const struct mechanism {
    struct text name;
    enum match (*match)(struct text value, const struct spf_sender *);
} mechanisms[] = {
    { TEXT("all"), match_all },     { TEXT("mx"), match_mx },       { TEXT("a"), match_host },
    { TEXT("ip4"), match_network }, { TEXT("ip6"), match_network },
};

/* The term without its qualifier. */
static enum match match_term(struct text term, const struct spf_sender *s)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        struct text value = term;
        if (!text_take_nocase(&value, mechanisms[i].name))
            continue;
        if (value.len > 0 && value.at[0] == ':')
            return mechanisms[i].match(text_skip(value, 1), s);
        if (value.len == 0 || value.at[0] == '/')
            return mechanisms[i].match(value, s);
    }
    /* A modifier other than redirect decides nothing ("exp=", and what is not known). */
    bool modifier = text_find(term, '=') < text_find(term, ':');
    return modifier && !text_starts_nocase(term, T("redirect=")) ? NO : MAYBE;
}

enum spf_view records_spf(struct text record, const struct spf_sender *s)
{
    struct text rest = text_skip(record, sizeof "v=spf1" - 1), term;
    bool open = false;
    while (text_word(&rest, &term)) {
        char qualifier = term.at[0];
        bool has_qualifier =
            qualifier == '+' || qualifier == '-' || qualifier == '~' || qualifier == '?';
        enum match match = match_term(text_skip(term, has_qualifier), s);
        bool passes = !has_qualifier || qualifier == '+';
        if (match == YES)
            return passes ? SPF_COVERS : open ? SPF_OPEN : SPF_MISSES;
        open |= match == MAYBE;
    }
    return open ? SPF_OPEN : SPF_MISSES;
}
