/* owner.c - root never touches DATA, it becomes DATA's owner first. */
#include "run/owner.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new DATA: what root makes it belongs to the account, from its first moment on. */
static bool make_data(const struct owner_wish *wish, const struct process_user *user,
                      struct error *error)
{
    if (mkdir(wish->data, 0700) != 0)
        return error_system(error, ERROR_TEMPORARY, errno, "cannot make %s", wish->data);
    if (chown(wish->data, user->uid, user->gid) != 0)
        return error_system(error, ERROR_TEMPORARY, errno, "cannot give %s to %s", wish->data,
                            user->name);
    return true;
}

/* In a folder of root's, where nobody else could put something in between.  What is there stays as
 * it is; what cannot be made is missed by whoever wants it. */
static void make_places(const struct owner_wish *wish, const struct process_user *user)
{
    for (size_t i = 0; i < wish->place_count; i++) {
        const struct owner_place *place = &wish->places[i];
        if (mkdir(place->path, 0700) == 0 && lchown(place->path, user->uid, user->gid) == 0)
            chmod(place->path, (mode_t)place->mode);
    }
}

static struct process_user owner_of(const struct stat *status)
{
    struct process_user owner = { .uid = status->st_uid, .gid = status->st_gid };
    const struct passwd *entry = getpwuid(status->st_uid);
    if (entry)
        snprintf(owner.name, sizeof owner.name, "%s", entry->pw_name);
    else
        snprintf(owner.name, sizeof owner.name, "%u", owner.uid);
    return owner;
}

static bool choose(const struct owner_wish *wish, bool found, struct process_user *user,
                   struct error *error)
{
    struct stat status;
    bool missing = stat(wish->data, &status) != 0;
    if (missing && errno != ENOENT)
        return error_system(error, ERROR_TEMPORARY, errno, "cannot look at %s", wish->data);
    if (missing)
        return !wish->create || make_data(wish, user, error);
    struct process_user owner = owner_of(&status);
    if (wish->must_be_user && found && owner.uid != user->uid)
        return error_set(error, ERROR_CONFIG,
                         "%s belongs to %s, but the server runs as %s: chown -R %s %s, or set user",
                         wish->data, owner.name, user->name, user->name, wish->data);
    *user = owner;
    return true;
}

bool owner_become(const struct owner_wish *wish, char warning_out[ERROR_WORDS_MAX],
                  struct error *error)
{
    struct process_user user = { .name = "root" };
    warning_out[0] = 0;
    if (!process_is_root())
        return true;
    bool found = process_find_user(wish->user, &user, NULL);
    if (!found && wish->user_written)
        return error_set(
            error, ERROR_CONFIG,
            "user: there is no account \"%s\" on this machine; make it, or name another",
            wish->user);
    if (!choose(wish, found, &user, error))
        return false;
    if (!found && wish->must_be_user)
        snprintf(warning_out, ERROR_WORDS_MAX,
                 "there is no account \"%s\": staying %s, the owner of %s", wish->user, user.name,
                 wish->data);
    make_places(wish, &user);
    return user.uid == 0 || process_become(&user, error);
}

static bool look_at(const char *path, struct stat *status)
{
    char above[PATH_MAX];
    if (lstat(path, status) == 0)
        return true;
    if (errno != ENOENT || (size_t)snprintf(above, sizeof above, "%s", path) >= sizeof above)
        return false;
    return lstat(dirname(above), status) == 0;
}

bool owner_become_of(const char *path, struct error *error)
{
    struct stat status;
    if (!process_is_root())
        return true;
    if (!look_at(path, &status))
        return error_system(error, ERROR_REFUSED, errno, "%s", path);
    struct process_user user = owner_of(&status);
    return user.uid == 0 || process_become(&user, error);
}
