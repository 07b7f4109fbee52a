/* delivered.c - to whom a message says that it was delivered before. */
#include "mail/delivered.h"

#include "mail/header.h"

#include <string.h>

void delivered_init(struct delivered *d)
{
    *d = (struct delivered){ 0 };
    buffer_init(&d->keys, DELIVERED_OCTETS_MAX);
}

void delivered_clear(struct delivered *d)
{
    buffer_clear(&d->keys);
}

static bool key_of(struct text words, struct address_key *key)
{
    struct address address;
    if (address_parse(words, ADDRESS_UTF8, &address) != ADDRESS_OK)
        return false;
    address_key(&address, key);
    return true;
}

/* The value so far, in place of what it was a line before.  A key holds no line feed, since an
 * address holds no control character. */
static void keep_value(struct delivered *d)
{
    char line[DELIVERED_VALUE_MAX];
    struct address_key key;
    d->keys.len = d->keys_before;
    if (d->value_len > sizeof d->value ||
        !key_of(header_unfold((struct text){ d->value, d->value_len }, line, sizeof line), &key))
        return;
    if (!buffer_text(&d->keys, address_key_text(&key)) || !buffer_byte(&d->keys, '\n'))
        d->keys.len = d->keys_before;
}

static void add_value(struct delivered *d, struct text piece)
{
    if (d->value_len > sizeof d->value || piece.len > sizeof d->value - d->value_len)
        d->value_len = sizeof d->value + 1;
    else {
        memcpy(d->value + d->value_len, piece.at, piece.len);
        d->value_len += piece.len;
    }
    if (piece.at[piece.len - 1] == '\n')
        keep_value(d);
}

void delivered_read(struct delivered *d, struct bytes b)
{
    struct text piece;
    enum field_event event;
    while ((event = field_read(&d->reader, T("delivered-to"), &b, &piece)) != FIELD_MORE) {
        if (event == FIELD_VALUE) {
            add_value(d, piece);
            continue;
        }
        d->keys_before = d->keys.len;
        d->value_len = 0;
    }
}

bool delivered_has(const struct delivered *d, struct text address)
{
    struct text rest = buffer_as_text(&d->keys), line;
    struct address_key key;
    if (rest.len == 0 || !key_of(address, &key))
        return false;
    while (text_cut(&rest, '\n', &line))
        if (text_equal(line, address_key_text(&key)))
            return true;
    return false;
}
