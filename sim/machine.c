/* machine.c - what else a server asks of its machine: clocks, chance, files, walls, the process.
 *
 * There is one user, no service manager and no sandbox.
 */
#include "run/clock.h"
#include "run/dropbox.h"
#include "run/entropy.h"
#include "run/file.h"
#include "run/interfaces.h"
#include "run/process.h"
#include "run/sandbox.h"
#include "run/watch.h"
#include "sim/medium.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 2031-05-04, when nothing special happened. */
static const int64_t wall_begins_ms = 1935705600000;

/* --- run/clock.h --- */

uint64_t clock_monotonic_ms(void)
{
    return world_time_us() / 1000;
}

int64_t clock_wall_ms(void)
{
    const struct host *h = world_current();
    return wall_begins_ms + (int64_t)(world_time_us() / 1000) + (h ? h->wall_skew_ms : 0);
}

int clock_zone_seconds(int64_t wall_ms)
{
    (void)wall_ms;
    return 0;
}

/* --- run/entropy.h --- */

uint64_t entropy_u64(void)
{
    return chance_u64();
}

void entropy_fill(void *to, size_t len)
{
    uint8_t *at = to;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)chance_below(256);
}

/* --- run/file.h, run/watch.h --- */

bool file_read(const char *path, struct buffer *to, bool *denied_out, struct error *e)
{
    const char *name;
    struct medium *disk = world_disk_of_path(path, &name);
    struct inode *node = NULL;
    *denied_out = false;
    int number = disk ? medium_open(disk, name, &node) : ENOENT;
    uint8_t *at = number ? NULL : buffer_reserve(to, (size_t)inode_size(node));
    size_t got = 0;
    if (at)
        number = inode_read(node, 0, at, (size_t)inode_size(node), &got);
    to->len += got;
    medium_let_go(&node);
    if (number == 0 && at)
        return true;
    return error_system(e, ERROR_CONFIG, number ? number : EFBIG, "%s cannot be read", path);
}

/* Nobody renews a certificate here. */
bool watch_folder(struct loop *loop, const char *path, void (*changed)(void *owner), void *owner,
                  struct watch **out)
{
    (void)loop;
    (void)path;
    (void)changed;
    (void)owner;
    *out = NULL;
    return false;
}

void watch_close(struct watch **watch)
{
    *watch = NULL;
}

/* --- run/dropbox.h: nobody puts anything anywhere --- */

bool dropbox_open(const char *folder, bool create, struct dropbox **out, struct error *e)
{
    (void)create;
    *out = NULL;
    return error_set(e, ERROR_REFUSED, "%s: nobody leaves mail here", folder);
}

void dropbox_close(struct dropbox **box)
{
    *box = NULL;
}

bool dropbox_each(struct dropbox *box, bool (*found)(void *owner, const char *name), void *owner,
                  struct error *e)
{
    (void)box;
    (void)found;
    (void)owner;
    return error_set(e, ERROR_REFUSED, "there is no such folder");
}

enum dropbox_verdict dropbox_take(struct dropbox *box, const char *name, struct buffer *to,
                                  struct dropbox_file *file, struct error *e)
{
    (void)to;
    (void)e;
    return dropbox_look(box, name, file);
}

enum dropbox_verdict dropbox_look(struct dropbox *box, const char *name, struct dropbox_file *out)
{
    (void)box;
    (void)name;
    *out = (struct dropbox_file){ 0 };
    return DROPBOX_GONE;
}

bool dropbox_may_change(struct dropbox *box, struct error *e)
{
    return dropbox_rename(box, ".", ".", e);
}

bool dropbox_remove(struct dropbox *box, const char *name, struct error *e)
{
    return dropbox_rename(box, name, name, e);
}

bool dropbox_rename(struct dropbox *box, const char *from, const char *to, struct error *e)
{
    (void)box;
    (void)to;
    return error_set(e, ERROR_REFUSED, "there is no %s", from);
}

void dropbox_make_name(char out[DROPBOX_NAME + 1])
{
    out[0] = 0;
}

bool dropbox_put_back(struct dropbox *box, const char *name, const struct text *parts, size_t count,
                      struct error *e)
{
    (void)parts;
    (void)count;
    return dropbox_rename(box, name, name, e);
}

/* --- run/interfaces.h, run/process.h, run/sandbox.h --- */

size_t interfaces_list(struct endpoint *out, size_t max)
{
    if (max == 0)
        return 0;
    out[0] = world_current()->address;
    return 1;
}

unsigned process_uid(void)
{
    return 0;
}

bool process_find_uid(unsigned uid, struct process_user *out, struct error *e)
{
    (void)e;
    *out = (struct process_user){ .uid = uid, .name = "root" };
    return true;
}

uint64_t process_raise_descriptors(void)
{
    return 1 << 20;
}

unsigned process_processors(void)
{
    return 1;
}

void process_notify(const char *state)
{
    (void)state;
}

int process_handed_sockets(struct text *names_out)
{
    *names_out = (struct text){ 0 };
    return 0;
}

struct sandbox_walls sandbox_build(const struct sandbox_folder *folders, size_t count)
{
    (void)folders;
    (void)count;
    return (struct sandbox_walls){ 0 };
}
