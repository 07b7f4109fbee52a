/* delivered.c - to whom a message says that it was delivered before. */
#include "mail/delivered.h"

#include <string.h>

/* Where the reader stands in a line; zero is the start of the message. */
enum {
    READ_LINE_START,
    READ_NAME,       /* all of this line so far matches */
    READ_COLON,      /* the name is complete: white space or the colon */
    READ_VALUE,      /* behind the colon */
    READ_REST,       /* nothing of interest before the next line */
    READ_CR,         /* a CR at the start of a line */
    READ_HEADER_OVER /* behind the empty line */
};

static const char name[] = "delivered-to";
enum { NAME_LEN = sizeof name - 1 };

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

/* A key holds no line feed, since an address holds no control character. */
static void keep_value(struct delivered *d)
{
    struct text value = { d->value, d->value_len };
    struct address_key key;
    size_t before = d->keys.len;
    if (value.len > sizeof d->value)
        return;
    if (value.len && value.at[value.len - 1] == '\r')
        value.len--;
    if (!key_of(text_trim(value), &key))
        return;
    if (!buffer_text(&d->keys, address_key_text(&key)) || !buffer_byte(&d->keys, '\n'))
        d->keys.len = before;
}

static uint8_t take_name(struct delivered *d, char octet)
{
    if (text_lower(octet) != name[d->matched])
        return READ_REST;
    return ++d->matched == NAME_LEN ? READ_COLON : READ_NAME;
}

/* The state behind one octet, which is no LF. */
static uint8_t take_octet(struct delivered *d, char octet)
{
    switch (d->state) {
    case READ_LINE_START:
        d->matched = 0;
        return octet == '\r' ? READ_CR : take_name(d, octet);
    case READ_NAME:
        return take_name(d, octet);
    case READ_COLON:
        d->value_len = 0;
        return octet == ':' ? READ_VALUE : octet == ' ' || octet == '\t' ? READ_COLON : READ_REST;
    case READ_VALUE:
        if (d->value_len < sizeof d->value)
            d->value[d->value_len] = octet;
        if (d->value_len <= sizeof d->value)
            d->value_len++;
        return READ_VALUE;
    default:
        return READ_REST;
    }
}

static void end_line(struct delivered *d)
{
    if (d->state == READ_VALUE)
        keep_value(d);
    bool empty = d->state == READ_LINE_START || d->state == READ_CR;
    d->state = empty ? READ_HEADER_OVER : READ_LINE_START;
}

void delivered_read(struct delivered *d, struct bytes b)
{
    size_t i = 0;
    while (i < b.len && d->state != READ_HEADER_OVER) {
        if (d->state == READ_REST) {
            const uint8_t *lf = memchr(b.at + i, '\n', b.len - i);
            if (!lf)
                return;
            i = (size_t)(lf - b.at);
        }
        char octet = (char)b.at[i++];
        if (octet == '\n')
            end_line(d);
        else
            d->state = take_octet(d, octet);
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
