/* fail_sync.c - a disk that fails, for tests: preloaded before the C library.
 *
 * With the file named by FAIL_SYNC present, fdatasync and fsync fail with EIO; a file that is empty
 * is used up by one failure.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fails(void)
{
    const char *name = getenv("FAIL_SYNC");
    struct stat status;
    if (!name || stat(name, &status) != 0)
        return false;
    if (status.st_size == 0 && unlink(name) != 0)
        return false; /* another thread was faster */
    errno = EIO;
    return true;
}

int fdatasync(int file)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return fails() ? -1 : next(file);
}

int fsync(int file)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return fails() ? -1 : next(file);
}
