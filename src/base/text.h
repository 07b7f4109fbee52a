/* text.h - text and bytes as pointer and length.
 *
 * Both are plain values that borrow: they own nothing, are not terminated, and live as long as
 * what they point into.  An empty text may have any pointer, NULL too.  Case never means more than
 * ASCII here.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at;
    size_t len;
};

struct bytes {
    const uint8_t *at;
    size_t len;
};

/* A text constant, usable in initializers of static tables. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
/* The same as an expression. */
#define T(literal)      ((struct text)TEXT(literal))
/* For printf's "%.*s". */
#define TEXT_ARGS(text) (int)(text).len, (text).at ? (text).at : ""

/* A text over a terminated string that this program made; NULL gives the empty text. */
struct text text_of(const char *string);
struct bytes bytes_of_text(struct text);
struct text text_of_bytes(struct bytes);

bool text_equal(struct text, struct text);
bool text_equal_nocase(struct text, struct text);
/* Orders by octets, a prefix first: negative, 0, positive. */
int text_compare(struct text, struct text);
bool text_starts(struct text, struct text prefix);
bool text_starts_nocase(struct text, struct text prefix);
bool text_ends_nocase(struct text, struct text suffix);

/* The text without its first `count` octets (at most all of them). */
struct text text_skip(struct text, size_t count);
/* The first `count` octets (at most all of them). */
struct text text_first(struct text, size_t count);
/* Without spaces and tabs at both ends. */
struct text text_trim(struct text);

/* Where `octet` first stands; the length when it does not. */
size_t text_find(struct text, char octet);
/* Splits *rest at the first `octet`: *head_out gets what stands before, *rest what stands behind.
 * Without the octet: false, *head_out gets all and *rest becomes empty. */
bool text_cut(struct text *rest, char octet, struct text *head_out);
/* Takes the next word off *rest: skips spaces and tabs, gives the octets up to the next one.
 * False when only white space was left. */
bool text_word(struct text *rest, struct text *word_out);
/* Takes `prefix` off the front of *rest without regard to case; false, and no change, otherwise. */
bool text_take_nocase(struct text *rest, struct text prefix);

/* The whole text as a decimal number; false on anything but digits, on none, and over 2^64-1. */
bool text_to_u64(struct text, uint64_t *value_out);

/* The same of 1 to 16 hexadecimal digits, in either case. */
bool text_hex_to_u64(struct text, uint64_t *value_out);

/* Writes the number at `to` in decimal, with zeros in front up to so many digits, and returns where
 * it ends; TEXT_DIGITS_MAX octets are enough for any.  Nothing terminates it. */
enum { TEXT_DIGITS_MAX = 20 };
char *text_put_u64(char *to, uint64_t value, unsigned digits_min);

/* The octet in lower case if it is an ASCII capital letter. */
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
/* What a hexadecimal digit stands for, in either case; -1: it is none. */
static inline int text_hex_value(char c)
{
    if (text_is_digit(c))
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static inline bool text_is_letter(char c)
{
    return text_lower(c) >= 'a' && text_lower(c) <= 'z';
}
/* A space or a tab, as text_trim() and text_word() have it. */
static inline bool text_is_blank(char c)
{
    return c == ' ' || c == '\t';
}
/* Whether the octet is one of these.  NUL never is, which strchr() would find at the end of any. */
static inline bool text_is_one_of(char c, const char *these)
{
    return c != 0 && strchr(these, c) != NULL;
}

/* No octet over 0x7F. */
bool text_is_ascii(struct text);

/* A 64-bit hash for tables in memory.  `key` is the process's own secret: peers choose the text. */
uint64_t text_hash(struct text, uint64_t key);
uint64_t text_hash_nocase(struct text, uint64_t key);

#endif
