/* sandbox.h - what this process may still do, once it has all that it needs.
 *
 * Two walls of the kernel.  Landlock: only named folders can be opened, and only some of them
 * written.  seccomp: system calls that no part of a server needs do not exist (ENOSYS); starting a
 * program and looking into another process end this one at once (SIGSYS).  Neither can be taken
 * back.  A kernel, or a container, may have none, or one of them: then the others stand.
 *
 * Built with a sanitizer there is neither: it needs calls that a server must not have.
 */
#ifndef RUN_SANDBOX_H
#define RUN_SANDBOX_H

#include "base/error.h"

enum sandbox_use {
    SANDBOX_READ, /* files are read, folders listed */
    SANDBOX_LOG,  /* ... and files are made and written */
    SANDBOX_OWN,  /* ... and renamed and removed, and sockets made */
};

/* Whatever is in it is meant, to any depth.  Folders and never files: who renews a file puts
 * another one in its place. */
struct sandbox_folder {
    const char *path;
    enum sandbox_use use;
};

/* Which walls stand, or could. */
struct sandbox_walls {
    unsigned landlock; /* its version; 0: none */
    bool seccomp;
    char words[ERROR_WORDS_MAX]; /* what is missing and why, as a sentence; "": nothing */
};

/* Before the first thread, for good: for this thread and all that it starts.  Folders that are
 * missing, or may not be reached, are left out; those that libraries need are added.  What cannot
 * be had is told in the result; the caller goes on. */
struct sandbox_walls sandbox_build(const struct sandbox_folder *, size_t count);

/* What sandbox_build() would find here; builds nothing. */
struct sandbox_walls sandbox_possible(void);

#endif
