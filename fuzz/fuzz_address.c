/* fuzz_address.c - whatever parses has a canonical form that parses again, to itself. */
#include "base/check.h"
#include "base/escape.h"
#include "mail/address.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct text t, bool utf8)
{
    CHECK(utf8_valid(t));
    for (size_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.at[i];
        CHECK(c >= ' ');
        CHECK(c != 0x7F);
        CHECK(utf8 || c < 0x80);
    }
}

static void check_address(const struct address *a, unsigned flags)
{
    CHECK(a->len + 2 <= ADDRESS_PATH_MAX);
    CHECK(a->local_len <= ADDRESS_LOCAL_MAX);
    CHECK(a->local_len + (a->no_domain ? 0 : 1) + address_domain(a).len == a->len);
    check_text(address_local(a), a->utf8);
    check_text(address_domain(a), false);

    struct address again;
    struct address_key key, key_again, plain;
    CHECK(address_parse(address_text(a), flags, &again) == ADDRESS_OK);
    CHECK(text_equal(address_text(a), address_text(&again)));
    CHECK(a->local_len == again.local_len);
    CHECK(a->literal == again.literal);
    CHECK(a->utf8 == again.utf8);
    address_key(a, &key);
    address_key(&again, &key_again);
    CHECK(text_equal(address_key_text(&key), address_key_text(&key_again)));
    CHECK(key.local_len == key_again.local_len);
    check_text(address_key_text(&key), a->utf8);
    if (address_key_without_plus(&key, &plain))
        CHECK(plain.local_len > 0 && plain.len < key.len);
}

/* The same words between brackets are the same address. */
static void check_as_path(const struct address *a, unsigned flags)
{
    char path[ADDRESS_PATH_MAX + 1];
    memcpy(path + 1, a->text, a->len);
    path[0] = '<';
    path[a->len + 1] = '>';
    struct text rest = { path, a->len + 2u };
    struct address again;
    CHECK(address_take_path(&rest, flags, &again) == ADDRESS_OK);
    CHECK(rest.len == 0);
    CHECK(text_equal(address_text(a), address_text(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned flags = data[0] & (ADDRESS_NULL | ADDRESS_POSTMASTER | ADDRESS_UTF8);
    struct text whole = { (const char *)data + 1, size - 1 }, rest = whole;
    struct address a;
    if (address_take_path(&rest, flags, &a) == ADDRESS_OK) {
        CHECK(rest.at > whole.at && rest.at[-1] == '>');
        if (a.len)
            check_address(&a, flags);
    } else {
        CHECK(rest.at == whole.at && rest.len == whole.len);
        CHECK(a.len == 0);
    }
    if (address_parse(whole, flags, &a) == ADDRESS_OK) {
        check_address(&a, flags);
        check_as_path(&a, flags);
    }
    char domain[ADDRESS_DOMAIN_MAX + 1], domain_again[ADDRESS_DOMAIN_MAX + 1];
    if (address_parse_domain(whole, domain) == ADDRESS_OK) {
        check_text(text_of(domain), false);
        CHECK(address_parse_domain(text_of(domain), domain_again) == ADDRESS_OK);
        CHECK(strcmp(domain, domain_again) == 0);
    }
    return 0;
}
