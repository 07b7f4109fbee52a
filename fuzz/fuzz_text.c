/* fuzz_text.c - what all rooms read with: base64, numbers, addresses and networks of machines, and
 * what a peer said made safe for a log.
 *
 *   - what decodes encodes to the same text, what parses prints to a form that parses to itself;
 *   - escaped text is one line of printable characters and can be turned back.
 */
#include "base/base64.h"
#include "base/check.h"
#include "base/escape.h"
#include "base/net.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ESCAPED_GROWS = 10 };

static void check_base64(struct text t)
{
    size_t len;
    struct buffer again;
    uint8_t *out = malloc(BASE64_DECODED_MAX(t.len) + 1);
    CHECK(out);
    if (base64_decode(t, out, &len)) {
        CHECK(len <= BASE64_DECODED_MAX(t.len));
        buffer_init(&again, BASE64_ENCODED(len));
        CHECK(base64_encode(&again, (struct bytes){ out, len }));
        CHECK(text_equal(buffer_as_text(&again), t));
        buffer_clear(&again);
    }
    free(out);
}

static void check_number(struct text t)
{
    uint64_t value, again;
    char out[TEXT_DIGITS_MAX];
    if (!text_to_u64(t, &value))
        return;
    char *end = text_put_u64(out, value, 1);
    CHECK(end <= out + sizeof out);
    CHECK(text_to_u64((struct text){ out, (size_t)(end - out) }, &again) && again == value);
}

static void check_endpoint(struct text t)
{
    struct endpoint e, again;
    char out[ENDPOINT_TEXT_MAX];
    if (endpoint_parse(t, &e)) {
        CHECK(e.family == NET_IPV4 || e.family == NET_IPV6);
        CHECK(endpoint_parse(endpoint_print(&e, out), &again));
        CHECK(endpoint_equal_address(&e, &again) && e.port == again.port);
    }
    if (endpoint_parse_address(t, &e)) {
        CHECK(e.port == 0);
        CHECK(endpoint_parse_address(endpoint_print_address(&e, out), &again));
        CHECK(endpoint_equal_address(&e, &again));
        CHECK(endpoint_print_literal(&e, out).len < ENDPOINT_TEXT_MAX);
    }
}

static void check_network(struct text t)
{
    struct network n;
    if (!network_parse(t, &n))
        return;
    CHECK(n.prefix <= (n.base.family == NET_IPV4 ? 32u : 128u));
    CHECK(network_contains(&n, &n.base));
}

static uint32_t hexadecimal(struct text digits)
{
    uint32_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = text_lower(digits.at[i]);
        CHECK(text_is_digit(c) || (c >= 'a' && c <= 'f'));
        value = value * 16 + (uint32_t)(text_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* Takes "\\", "\xNN" or "\u{NNNN}"; the octets that it stands for must be next in *rest. */
static struct text turn_back(struct text escaped, struct text *rest)
{
    CHECK(escaped.len >= 2 && rest->len > 0);
    if (escaped.at[1] == '\\') {
        CHECK(rest->at[0] == '\\');
        *rest = text_skip(*rest, 1);
        return text_skip(escaped, 2);
    }
    if (escaped.at[1] == 'x') {
        CHECK(escaped.len >= 4);
        CHECK(hexadecimal(text_first(text_skip(escaped, 2), 2)) == (uint8_t)rest->at[0]);
        *rest = text_skip(*rest, 1);
        return text_skip(escaped, 4);
    }
    CHECK(text_starts(escaped, T("\\u{")));
    size_t end = text_find(escaped, '}'), len = utf8_length(*rest);
    CHECK(end < escaped.len && len > 0);
    CHECK(hexadecimal(text_first(text_skip(escaped, 3), end - 3)) == utf8_code_point(*rest));
    *rest = text_skip(*rest, len);
    return text_skip(escaped, end + 1);
}

static void check_escaped(struct text t)
{
    struct buffer out;
    buffer_init(&out, ESCAPED_GROWS * t.len + 1);
    CHECK(escape_text(&out, t));
    struct text escaped = buffer_as_text(&out), rest = t;
    CHECK(utf8_valid(escaped));
    while (escaped.len) {
        CHECK((uint8_t)escaped.at[0] >= ' ' && escaped.at[0] != 0x7F);
        if (escaped.at[0] == '\\') {
            escaped = turn_back(escaped, &rest);
            continue;
        }
        CHECK(utf8_sight(utf8_code_point(escaped)) != UTF8_HIDES);
        CHECK(rest.len && rest.at[0] == escaped.at[0]);
        size_t len = utf8_length(escaped);
        CHECK(text_equal(text_first(escaped, len), text_first(rest, len)));
        escaped = text_skip(escaped, len);
        rest = text_skip(rest, len);
    }
    CHECK(rest.len == 0);
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = { (const char *)data, size };
    check_base64(t);
    check_number(t);
    check_endpoint(t);
    check_network(t);
    check_escaped(t);
    return 0;
}
