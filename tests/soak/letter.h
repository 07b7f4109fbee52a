/* letter.h - the letters of the soak: each is made of its number alone, so that whoever reads one
 * can tell every octet of it without having kept any.
 */
#ifndef SOAK_LETTER_H
#define SOAK_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any letter, and what servers put in front of it. */
enum { LETTER_ROOM = (5 << 20) + (64 << 10) };

/* Numbers that follow from a first one. */
struct chance {
    uint64_t state;
};

uint64_t chance_next(struct chance *);
/* From 0 to `below` - 1. */
uint32_t chance_below(struct chance *, uint32_t below);
bool chance_one_in(struct chance *, uint32_t count);

/* What all letters of a run are cut from. */
struct letter_mill {
    uint64_t seed;
    char *text;       /* of printable octets */
    char *eight_bits; /* of UTF-8 beyond ASCII */
};

bool letter_mill_init(struct letter_mill *, uint64_t seed);
void letter_mill_clear(struct letter_mill *);

/* The letter of this number, from its first field to the line with its checksum: 200 octets to
 * 5 MB.  `out` has LETTER_ROOM octets; returns how many it has. */
size_t letter_write(const struct letter_mill *, uint32_t number, char *out);

/* Finds the letter in a message, behind what servers have put in front; NULL when there is none or
 * when something else stands in front. */
const char *letter_find(const struct letter_mill *, const char *message, size_t len,
                        uint32_t *number_out);

#endif
