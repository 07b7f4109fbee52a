/* text.c - text and bytes as pointer and length. */
#include "base/text.h"

#include "base/check.h"

#include <string.h>

struct text text_of(const char *string)
{
    return (struct text){ string, string ? strlen(string) : 0 };
}

struct bytes bytes_of_text(struct text t)
{
    return (struct bytes){ (const uint8_t *)t.at, t.len };
}

struct text text_of_bytes(struct bytes b)
{
    return (struct text){ (const char *)b.at, b.len };
}

bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool text_equal_nocase(struct text a, struct text b)
{
    return a.len == b.len && text_starts_nocase(a, b);
}

int text_compare(struct text a, struct text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.at, b.at, shorter) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool text_starts(struct text t, struct text prefix)
{
    return text_equal(text_first(t, prefix.len), prefix);
}

bool text_starts_nocase(struct text t, struct text prefix)
{
    if (t.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++)
        if (text_lower(t.at[i]) != text_lower(prefix.at[i]))
            return false;
    return true;
}

bool text_ends_nocase(struct text t, struct text suffix)
{
    return t.len >= suffix.len && text_equal_nocase(text_skip(t, t.len - suffix.len), suffix);
}

struct text text_skip(struct text t, size_t count)
{
    if (count > t.len)
        count = t.len;
    return (struct text){ count ? t.at + count : t.at, t.len - count };
}

struct text text_first(struct text t, size_t count)
{
    return (struct text){ t.at, count < t.len ? count : t.len };
}

struct text text_trim(struct text t)
{
    while (t.len && text_is_blank(t.at[0]))
        t = text_skip(t, 1);
    while (t.len && text_is_blank(t.at[t.len - 1]))
        t.len--;
    return t;
}

size_t text_find(struct text t, char octet)
{
    const char *found = t.len ? memchr(t.at, octet, t.len) : NULL;
    return found ? (size_t)(found - t.at) : t.len;
}

bool text_cut(struct text *rest, char octet, struct text *head_out)
{
    size_t at = text_find(*rest, octet);
    bool found = at < rest->len;
    *head_out = text_first(*rest, at);
    *rest = text_skip(*rest, found ? at + 1 : at);
    return found;
}

bool text_word(struct text *rest, struct text *word_out)
{
    struct text t = *rest;
    while (t.len && text_is_blank(t.at[0]))
        t = text_skip(t, 1);
    size_t n = 0;
    while (n < t.len && t.at[n] != ' ' && t.at[n] != '\t')
        n++;
    *word_out = text_first(t, n);
    *rest = text_skip(t, n);
    return n > 0;
}

bool text_take_nocase(struct text *rest, struct text prefix)
{
    if (!text_starts_nocase(*rest, prefix))
        return false;
    *rest = text_skip(*rest, prefix.len);
    return true;
}

bool text_to_u64(struct text t, uint64_t *value_out)
{
    uint64_t value = 0;
    if (t.len == 0)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        if (!text_is_digit(t.at[i]))
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(t.at[i] - '0'), &value))
            return false;
    }
    *value_out = value;
    return true;
}

bool text_hex_to_u64(struct text t, uint64_t *value_out)
{
    uint64_t value = 0;
    if (t.len == 0 || t.len > 16)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        int digit = text_hex_value(t.at[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *value_out = value;
    return true;
}

char *text_put_u64(char *to, uint64_t value, unsigned digits_min)
{
    char digits[TEXT_DIGITS_MAX];
    size_t count = 0;
    CHECK(digits_min <= TEXT_DIGITS_MAX);
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0 || count < digits_min);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

bool text_is_ascii(struct text t)
{
    unsigned all = 0;
    for (size_t i = 0; i < t.len; i++)
        all |= (uint8_t)t.at[i];
    return all < 0x80;
}

/* FNV-1a with a keyed start and a final mix: short keys, and only a secret start to guess. */
static uint64_t hash_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
}

uint64_t text_hash(struct text t, uint64_t key)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ key;
    for (size_t i = 0; i < t.len; i++)
        h = (h ^ (uint8_t)t.at[i]) * 0x100000001b3ULL;
    return hash_mix(h ^ key);
}

uint64_t text_hash_nocase(struct text t, uint64_t key)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ key;
    for (size_t i = 0; i < t.len; i++)
        h = (h ^ (uint8_t)text_lower(t.at[i])) * 0x100000001b3ULL;
    return hash_mix(h ^ key);
}
