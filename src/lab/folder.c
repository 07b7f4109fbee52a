/* folder.c - the folder of a lab. */
#include "lab/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FOLDERS_MAX = 16 };

bool folder_add(const char *path, struct error *error)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return error_system(error, errno == ENOSPC ? ERROR_TEMPORARY : ERROR_REFUSED, errno,
                        "cannot make the folder %s", path);
}

/* Whatever is in somebody's folder is his: a lab begins in an empty one, or goes on in its own. */
static bool is_ours(const char *path, struct error *error)
{
    DIR *folder = opendir(path);
    if (!folder)
        return error_system(error, ERROR_REFUSED, errno, "cannot look into %s", path);
    bool empty = true, lab = false;
    for (struct dirent *entry; (entry = readdir(folder));) {
        lab |= strcmp(entry->d_name, "lab.json") == 0;
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(folder);
    return empty || lab ||
           error_set(error, ERROR_REFUSED, "%s is not empty and no lab: name another folder", path);
}

bool folder_enter(const char *name, char *out, size_t room, struct error *error)
{
    char path[PATH_MAX];
    if (!folder_add(name, error))
        return false;
    if (!realpath(name, path))
        return error_system(error, ERROR_REFUSED, errno, "cannot find %s", name);
    int len = snprintf(out, room, "%s", path);
    if (len < 0 || (size_t)len >= room)
        return error_set(error, ERROR_REFUSED, "the path of %s is too long", name);
    return is_ours(out, error);
}

bool folder_lock(const char *path, int *lock_out, struct error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *lock_out = fd;
        return true;
    }
    int number = errno;
    if (fd >= 0)
        close(fd);
    if (number == EWOULDBLOCK)
        return error_set(error, ERROR_REFUSED, "another lab is running in %s", path);
    return error_system(error, ERROR_REFUSED, number, "cannot lock %s", path);
}

bool folder_make(char *out, size_t room, struct error *error)
{
    const char *above = getenv("TMPDIR");
    int len = snprintf(out, room, "%s/godwit-lab-XXXXXX", above && above[0] ? above : "/tmp");
    if (len < 0 || (size_t)len >= room)
        return error_set(error, ERROR_REFUSED, "TMPDIR is too long");
    if (mkdtemp(out))
        return true;
    return error_system(error, ERROR_TEMPORARY, errno, "cannot make a folder like %s", out);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path); /* what cannot be removed is left: there is nobody to tell */
    return 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
}
