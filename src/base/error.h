/* error.h - what went wrong in the world, as a value.
 *
 * A function that can fail for a reason outside the program returns false (or NULL) and fills a
 * struct error: its kind decides what happens next, its one sentence is for people.  The kind is
 * decided once, where the failure is seen, and never guessed from the words.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/text.h"

enum error_kind {
    ERROR_NONE,
    ERROR_TEMPORARY, /* local trouble that may pass: memory, disk, descriptors, a busy database */
    ERROR_REFUSED,   /* the answer is no: not found, already there, not allowed */
    ERROR_USAGE,     /* the caller's words are wrong: a bad address, a bad option */
    ERROR_CONFIG,    /* the configuration is wrong */
    ERROR_DAMAGED,   /* what is stored does not verify */
};

enum { ERROR_WORDS_MAX = 400 };

struct error {
    enum error_kind kind;
    char words[ERROR_WORDS_MAX]; /* one sentence: what, where, what to do; terminated */
};

/* Fills *e (which may be NULL: nobody asks) and returns false, so that a function can end with
 * `return error_set(...)`.  Words past the maximum are cut. */
bool error_set(struct error *e, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, with ": " and the system's text for the errno value `number` behind the words. */
bool error_system(struct error *e, enum error_kind kind, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#ifdef __clang_analyzer__ /* which cannot know that both always return false */
#define error_set(...)    (error_set(__VA_ARGS__), false)
#define error_system(...) (error_system(__VA_ARGS__), false)
#endif
struct text error_text(const struct error *);

#endif
