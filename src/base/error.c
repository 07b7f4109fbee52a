/* error.c - what went wrong in the world, as a value. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Here they are functions, for the analyzer too. */
#undef error_set
#undef error_system

bool error_set(struct error *e, enum error_kind kind, const char *format, ...)
{
    if (!e)
        return false;
    va_list args;
    va_start(args, format);
    e->kind = kind;
    vsnprintf(e->words, sizeof e->words, format, args);
    va_end(args);
    return false;
}

bool error_system(struct error *e, enum error_kind kind, int number, const char *format, ...)
{
    if (!e)
        return false;
    va_list args;
    va_start(args, format);
    e->kind = kind;
    vsnprintf(e->words, sizeof e->words, format, args);
    va_end(args);
    size_t len = strlen(e->words);
    char words[128];
    snprintf(e->words + len, sizeof e->words - len, ": %s",
             strerror_r(number, words, sizeof words));
    return false;
}

struct text error_text(const struct error *e)
{
    return text_of(e->words);
}
