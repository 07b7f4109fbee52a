/* tls_required.c - whether a message's header says "TLS-Required: No". */
#include "mail/tls_required.h"

#include <string.h>

/* Where the reader stands in a line; zero is the start of the message. */
enum {
    READ_LINE_START,
    READ_NAME,  /* all of this line so far matches */
    READ_COLON, /* the name is complete: white space or the colon */
    READ_VALUE, /* behind the colon */
    READ_FOLD,  /* at the start of a line behind the value, which may go on there */
    READ_REST,  /* nothing of interest before the next line */
    READ_CR,    /* a CR at the start of a line */
    READ_OVER   /* behind the empty line, or behind the field */
};

static const char name[] = "tls-required";
enum { NAME_LEN = sizeof name - 1 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static uint8_t take_name(struct tls_required *t, char octet)
{
    if (text_lower(octet) != name[t->matched])
        return READ_REST;
    return ++t->matched == NAME_LEN ? READ_COLON : READ_NAME;
}

/* One more octet than there is room for says enough of any longer value. */
static void keep(struct tls_required *t, char octet)
{
    if (is_blank(octet) || octet == '\r') {
        t->gap = t->len > 0;
        return;
    }
    if (t->gap || t->len >= sizeof t->value)
        t->len = sizeof t->value + 1;
    else
        t->value[t->len++] = octet;
}

/* The state behind one octet, which is no LF. */
static uint8_t take_octet(struct tls_required *t, char octet)
{
    switch (t->state) {
    case READ_LINE_START:
        t->matched = 0;
        return octet == '\r' ? READ_CR : take_name(t, octet);
    case READ_NAME:
        return take_name(t, octet);
    case READ_COLON:
        return octet == ':' ? READ_VALUE : is_blank(octet) ? READ_COLON : READ_REST;
    case READ_FOLD:
        return is_blank(octet) ? READ_VALUE : READ_OVER;
    case READ_VALUE:
        keep(t, octet);
        return READ_VALUE;
    default:
        return READ_REST;
    }
}

static void end_line(struct tls_required *t)
{
    if (t->state == READ_VALUE)
        t->state = READ_FOLD;
    else if (t->state == READ_LINE_START || t->state == READ_CR || t->state == READ_FOLD)
        t->state = READ_OVER;
    else
        t->state = READ_LINE_START;
    t->gap = t->len > 0;
}

void tls_required_read(struct tls_required *t, struct bytes b)
{
    size_t i = 0;
    while (i < b.len && t->state != READ_OVER) {
        if (t->state == READ_REST) {
            const uint8_t *lf = memchr(b.at + i, '\n', b.len - i);
            if (!lf)
                return;
            i = (size_t)(lf - b.at);
        }
        char octet = (char)b.at[i++];
        if (octet == '\n')
            end_line(t);
        else
            t->state = take_octet(t, octet);
    }
}

bool tls_required_says_no(const struct tls_required *t)
{
    return t->len == sizeof t->value &&
           text_equal_nocase((struct text){ t->value, sizeof t->value }, T("no"));
}
