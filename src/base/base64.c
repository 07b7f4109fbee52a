/* base64.c - base64 without line breaks. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool base64_encode(struct buffer *b, struct bytes in)
{
    if (in.len == 0)
        return true;
    uint8_t *to = buffer_reserve(b, BASE64_ENCODED(in.len));
    if (!to)
        return false;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t group = (uint32_t)in.at[i] << 16;
        if (left > 1)
            group |= (uint32_t)in.at[i + 1] << 8;
        if (left > 2)
            group |= in.at[i + 2];
        *to++ = (uint8_t)alphabet[group >> 18];
        *to++ = (uint8_t)alphabet[group >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)alphabet[group & 63] : '=';
    }
    b->len += BASE64_ENCODED(in.len);
    return true;
}

/* The value of a digit, or -1. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* How many of the last group's four octets are padding; -1 when the length is not whole groups. */
static int padding(struct text t)
{
    if (t.len % 4 != 0)
        return -1;
    if (t.len == 0 || t.at[t.len - 1] != '=')
        return 0;
    return t.at[t.len - 2] == '=' ? 2 : 1;
}

bool base64_decode(struct text t, uint8_t *out, size_t *len_out)
{
    int pad = padding(t);
    if (pad < 0)
        return false;
    size_t digits = t.len - (size_t)pad;
    size_t len = 0;
    uint32_t bits = 0;
    unsigned count = 0; /* of bits not yet given out: 0, 2, 4 or 6 */
    for (size_t i = 0; i < digits; i++) {
        int value = digit_value(t.at[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[len++] = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    *len_out = len;
    return bits == 0;
}
