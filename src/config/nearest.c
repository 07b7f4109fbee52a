/* nearest.c - edit distance (insert, delete, replace, without regard to case), one row kept. */
#include "config/nearest.h"

enum { NAME_MAX_OCTETS = 32 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(struct text a, struct text b)
{
    size_t row[NAME_MAX_OCTETS + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = text_lower(a.at[i - 1]) == text_lower(b.at[j - 1]);
            size_t replaced = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

void nearest_offer(struct nearest *n, const char *name)
{
    size_t distance = edit_distance(text_first(n->word, NAME_MAX_OCTETS),
                                    text_first(text_of(name), NAME_MAX_OCTETS));
    if (!n->name || distance < n->distance) {
        n->name = name;
        n->distance = distance;
    }
}
