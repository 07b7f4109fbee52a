/* ids.c - the names of what the store holds: how a message id is written and read. Pure. */
#include "store/ids.h"

#include <string.h>

/* No i, l, o and u: nothing that is easily taken for another, and no words. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { DIGIT_BITS = 5, DIGIT_MASK = 31 };

struct text message_id_print(message_id id, char out[MESSAGE_ID_TEXT + 1])
{
    for (size_t i = MESSAGE_ID_TEXT; i-- > 0; id >>= DIGIT_BITS)
        out[i] = digits[id & DIGIT_MASK];
    out[MESSAGE_ID_TEXT] = 0;
    return (struct text){ out, MESSAGE_ID_TEXT };
}

bool message_id_parse(struct text t, message_id *out)
{
    /* 13 digits hold 65 bits and an id has 63: the first digit is at most 7. */
    if (t.len != MESSAGE_ID_TEXT || t.at[0] < '0' || t.at[0] > '7')
        return false;
    message_id id = 0;
    for (size_t i = 0; i < t.len; i++) {
        const char *digit = memchr(digits, t.at[i], sizeof digits - 1);
        if (!digit)
            return false;
        id = id << DIGIT_BITS | (message_id)(digit - digits);
    }
    *out = id;
    return id != 0;
}
