/* late.c - loading a library, and finding what is called of it.
 *
 * Nothing here is ever unloaded: threads of a library may live as long as the process.
 */
#include "run/late.h"

#include <dlfcn.h>
#include <string.h>

bool late_load(const char *soname, enum late_how how, const struct late_call *calls, size_t count,
               void *out, struct error *e)
{
    int flags = RTLD_NOW | RTLD_LOCAL | (how == LATE_FIND ? RTLD_NOLOAD : 0);
    void *library = dlopen(soname, flags);
    if (!library) {
        const char *why = dlerror(); /* NULL when it was only not loaded */
        return error_set(e, ERROR_TEMPORARY, "the library %s cannot be loaded: %s", soname,
                         why ? why : "it is too late");
    }
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, calls[i].name);
        if (!found)
            return error_set(e, ERROR_TEMPORARY, "the library %s has no %s", soname, calls[i].name);
        memcpy((char *)out + calls[i].at, &found, sizeof found);
    }
    return true;
}
