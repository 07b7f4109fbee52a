/* tls_required.c - whether a message's header says "TLS-Required: No". */
#include "mail/tls_required.h"

/* One more octet than there is room for says enough of any longer value. */
static void keep(struct tls_required *t, char octet)
{
    if (octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n')
        t->gap = t->len > 0;
    else if (t->gap || t->len >= sizeof t->value)
        t->len = sizeof t->value + 1;
    else
        t->value[t->len++] = octet;
}

void tls_required_read(struct tls_required *t, struct bytes b)
{
    struct text piece;
    enum field_event event;
    while (t->fields < 2 &&
           (event = field_read(&t->reader, T("tls-required"), &b, &piece)) != FIELD_MORE) {
        t->fields += event == FIELD_BEGINS;
        for (size_t i = 0; t->fields == 1 && i < piece.len; i++)
            keep(t, piece.at[i]);
    }
}

bool tls_required_says_no(const struct tls_required *t)
{
    return t->len == sizeof t->value &&
           text_equal_nocase((struct text){ t->value, sizeof t->value }, T("no"));
}
