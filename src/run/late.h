/* late.h - libraries that few commands need, loaded by who does.
 *
 * The loader's work for a library that a program is linked with is done at every start of every
 * command.  So who alone uses one has its calls as members of a struct, filled by late_load():
 *
 *     struct library { typeof(ub_ctx_create) *ctx_create; ... };
 *     static const struct late_call calls[] = { LATE_CALL(struct library, ub_, ctx_create), ... };
 */
#ifndef RUN_LATE_H
#define RUN_LATE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct late_call {
    const char *name;
    size_t at; /* where its address belongs in the struct */
};

#define LATE_CALL(type, prefix, member)                                                            \
    {                                                                                              \
#prefix #member, offsetof(type, member)                                                    \
    }

enum late_how {
    LATE_FIND, /* only what was loaded before: touches no file, so that it works in the sandbox */
    LATE_LOAD,
};

/* Fills the struct at `out`.  `soname` is the library's, with its version.  It then stays loaded
 * to the end of the process.  Any thread.  Errors: ERROR_TEMPORARY. */
bool late_load(const char *soname, enum late_how, const struct late_call *calls, size_t count,
               void *out, struct error *);

#endif
