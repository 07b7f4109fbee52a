/* failure.c - why something that a user asked for did not happen. */
#include "agent/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

bool failure_set(struct failure *f, enum failure_kind kind, const char *format, ...)
{
    va_list arguments;
    f->kind = kind;
    va_start(arguments, format);
    vsnprintf(f->words, sizeof f->words, format, arguments);
    va_end(arguments);
    return false;
}

bool failure_of(struct failure *f, const struct error *e)
{
    static const enum failure_kind kinds[] = {
        [ERROR_NONE] = FAILURE_NONE,      [ERROR_TEMPORARY] = FAILURE_LATER,
        [ERROR_REFUSED] = FAILURE_DENIED, [ERROR_USAGE] = FAILURE_USAGE,
        [ERROR_CONFIG] = FAILURE_CONFIG,  [ERROR_DAMAGED] = FAILURE_DATA,
    };
    return failure_set(f, kinds[e->kind], "%s", e->words);
}

/* One row a kind. */
static const struct {
    enum error_kind error;
    int sysexit;
} rows[] = {
    [FAILURE_NONE] = { ERROR_NONE, EX_OK },
    [FAILURE_USAGE] = { ERROR_USAGE, EX_USAGE },
    [FAILURE_DATA] = { ERROR_REFUSED, EX_DATAERR },
    [FAILURE_NO_INPUT] = { ERROR_REFUSED, EX_NOINPUT },
    [FAILURE_NO_USER] = { ERROR_REFUSED, EX_NOUSER },
    [FAILURE_NO_HOST] = { ERROR_REFUSED, EX_NOHOST },
    [FAILURE_REFUSED] = { ERROR_REFUSED, EX_UNAVAILABLE },
    [FAILURE_CREATE] = { ERROR_REFUSED, EX_CANTCREAT },
    [FAILURE_WRITE] = { ERROR_TEMPORARY, EX_IOERR },
    [FAILURE_LATER] = { ERROR_TEMPORARY, EX_TEMPFAIL },
    [FAILURE_PROTOCOL] = { ERROR_REFUSED, EX_PROTOCOL },
    [FAILURE_DENIED] = { ERROR_REFUSED, EX_NOPERM },
    [FAILURE_CONFIG] = { ERROR_CONFIG, EX_CONFIG },
    [FAILURE_INTERRUPTED] = { ERROR_REFUSED, EX_UNAVAILABLE },
};

bool failure_to_error(const struct failure *f, struct error *e)
{
    return error_set(e, rows[f->kind].error, "%s", f->words);
}

int failure_sysexit(enum failure_kind kind)
{
    return rows[kind].sysexit;
}
