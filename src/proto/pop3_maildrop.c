/* pop3_maildrop.c - the maildrop as a session sees it: its messages, which of them are marked as
 * deleted, and their unique-ids.  Marks are a wish until QUIT; nothing here deletes anything.
 */
#include "proto/pop3_session.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pop3_maildrop_listed(struct pop3_maildrop *m, const struct pop3_message *messages)
{
    CHECK(messages != NULL || m->count == 0);
    m->listed = true;
    m->messages = messages;
    /* From here on STAT is the sum of what LIST says, whatever was told at login. */
    m->octets = 0;
    for (uint32_t i = 0; i < m->count; i++)
        m->octets += messages[i].octets;
}

static size_t bitmap_octets(const struct pop3_maildrop *m)
{
    return (size_t)m->count / 8 + 1;
}

bool pop3_maildrop_is_deleted(const struct pop3_maildrop *m, uint32_t index)
{
    CHECK(index < m->count);
    return m->deleted && (m->deleted[index / 8] >> index % 8 & 1);
}

bool pop3_maildrop_delete(struct pop3_maildrop *m, uint32_t index)
{
    CHECK(m->listed);
    CHECK(!pop3_maildrop_is_deleted(m, index));
    if (!m->deleted)
        m->deleted = calloc(1, bitmap_octets(m));
    if (!m->deleted)
        return false;
    m->deleted[index / 8] |= (uint8_t)(1u << index % 8);
    m->deleted_count++;
    m->deleted_octets += m->messages[index].octets;
    return true;
}

void pop3_maildrop_undelete(struct pop3_maildrop *m)
{
    if (m->deleted)
        memset(m->deleted, 0, bitmap_octets(m));
    m->deleted_count = 0;
    m->deleted_octets = 0;
}

bool pop3_maildrop_update(struct pop3_maildrop *m)
{
    CHECK(m->update == NULL);
    m->update = malloc(((size_t)m->deleted_count + 1) * sizeof *m->update);
    if (!m->update)
        return false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (pop3_maildrop_is_deleted(m, i))
            m->update[n++] = i;
    CHECK(n == m->deleted_count);
    return true;
}

void pop3_maildrop_clear(struct pop3_maildrop *m)
{
    free(m->deleted);
    free(m->update);
    *m = (struct pop3_maildrop){ 0 };
}

/* The message's id in the letters in which the rest of the program shows it, so that a unique-id
 * of a client can be looked up in the log; then which of its placements this is. */
struct text pop3_uidl(const struct pop3_message *message, char out[POP3_UIDL_MAX + 1])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    enum { ID_DIGITS = 13 }; /* of 5 bits: 64 and one to spare */
    uint64_t id = message->uidl_message;
    for (int i = ID_DIGITS; i-- > 0; id >>= 5)
        out[i] = digits[id & 31];
    int n = snprintf(out + ID_DIGITS, POP3_UIDL_MAX + 1 - ID_DIGITS, ".%" PRIu32,
                     message->uidl_placement);
    return (struct text){ out, ID_DIGITS + (size_t)n };
}
