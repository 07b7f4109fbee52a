/* fetched.c - which messages of a maildrop elsewhere are here already: a set of unique-ids in
 * memory, and the file that it is read from and appended to.
 */
#include "folder/fetched.h"

#include "base/buffer.h"
#include "base/check.h"
#include "run/entropy.h"
#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_ROOM = 4096,
    FILE_MAX = 1 << 30,
    SLOTS_MIN = 1024,  /* a power of two */
    GARBAGE_MIN = 256, /* lines that say nothing any more, before the file is written anew */
};

static const struct text first_line = TEXT("godwit fetched 1");

/* A unique-id: where its octets stand, and what is known of it. */
struct entry {
    uint64_t hash;
    uint32_t at, len; /* in words; len 0: a free slot */
    bool here, listed;
};

/* A message of the plan that is open. */
struct planned {
    uint32_t name_at, name_len, uid_at, uid_len;
};

struct fetched {
    char path[PATH_ROOM];
    int file;
    uint64_t key;
    uint64_t lines; /* in the file */
    struct buffer words;
    struct entry *slots;
    size_t slot_count, used, here_count;
    struct buffer target; /* of the plan, and of the last one */
    struct buffer last;   /* a name of the last one */
    struct planned *plan;
    size_t plan_count, plan_room;
    struct buffer pending; /* lines to append */
};

static bool short_of_memory(struct error *e)
{
    return error_set(e, ERROR_TEMPORARY, "memory is short");
}

static bool fail(const struct fetched *f, struct error *e)
{
    return error_system(e, ERROR_TEMPORARY, errno, "%.300s", f->path);
}

/* --- The set --- */

static struct text entry_text(const struct fetched *f, const struct entry *x)
{
    return (struct text){ (const char *)f->words.at + x->at, x->len };
}

static struct entry *find_slot(const struct fetched *f, struct text uid, uint64_t hash)
{
    for (size_t i = hash & (f->slot_count - 1);; i = (i + 1) & (f->slot_count - 1)) {
        struct entry *x = &f->slots[i];
        if (!x->len || (x->hash == hash && text_equal(entry_text(f, x), uid)))
            return x;
    }
}

static bool grow(struct fetched *f)
{
    size_t count = f->slot_count ? f->slot_count * 2 : SLOTS_MIN;
    struct entry *old = f->slots, *slots = calloc(count, sizeof *slots);
    size_t old_count = f->slot_count;
    if (!slots)
        return false;
    f->slots = slots;
    f->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].len)
            *find_slot(f, entry_text(f, &old[i]), old[i].hash) = old[i];
    free(old);
    return true;
}

static struct entry *find(const struct fetched *f, struct text uid)
{
    struct entry *x = f->slot_count && uid.len ? find_slot(f, uid, text_hash(uid, f->key)) : NULL;
    return x && x->len ? x : NULL;
}

static bool put_here(struct fetched *f, struct text uid)
{
    if (f->used >= FETCHED_MESSAGES_MAX || (f->used * 2 >= f->slot_count && !grow(f)))
        return false;
    uint64_t hash = text_hash(uid, f->key);
    struct entry *x = find_slot(f, uid, hash);
    if (!x->len) {
        size_t at = f->words.len;
        if (!buffer_text(&f->words, uid))
            return false;
        *x = (struct entry){ .hash = hash, .at = (uint32_t)at, .len = (uint32_t)uid.len };
        f->used++;
    }
    f->here_count += !x->here;
    x->here = true;
    return true;
}

bool fetched_is_usable(struct text uid)
{
    for (size_t i = 0; i < uid.len; i++)
        if (uid.at[i] < 0x21 || uid.at[i] > 0x7E)
            return false;
    return uid.len > 0 && uid.len <= FETCHED_UID_MAX;
}

bool fetched_has(const struct fetched *f, struct text uid)
{
    const struct entry *x = find(f, uid);
    return x && x->here;
}

size_t fetched_count(const struct fetched *f)
{
    return f->here_count;
}

/* --- The plan --- */

static bool plan_one(struct fetched *f, struct text name, struct text uid)
{
    if (f->plan_count == f->plan_room) {
        size_t room = f->plan_room ? f->plan_room * 2 : 256;
        struct planned *plan = realloc(f->plan, room * sizeof *plan);
        if (!plan)
            return false;
        f->plan = plan;
        f->plan_room = room;
    }
    struct planned *p = &f->plan[f->plan_count];
    p->name_at = (uint32_t)f->words.len;
    p->name_len = (uint32_t)name.len;
    p->uid_at = p->name_at + p->name_len + 1;
    p->uid_len = (uint32_t)uid.len;
    if (!buffer_text(&f->words, name) || !buffer_byte(&f->words, 0) || !buffer_text(&f->words, uid))
        return false;
    f->plan_count++;
    return true;
}

static struct text planned_uid(const struct fetched *f, size_t i)
{
    return (struct text){ (const char *)f->words.at + f->plan[i].uid_at, f->plan[i].uid_len };
}

/* All planned are here, or those of them that `here` says; NULL: all. */
static bool end_plan(struct fetched *f, const bool here[])
{
    for (size_t i = 0; i < f->plan_count; i++) {
        char uid[FETCHED_UID_MAX];
        struct text found = planned_uid(f, i);
        memcpy(uid, found.at, found.len); /* words may move */
        if ((!here || here[i]) && !put_here(f, (struct text){ uid, found.len }))
            return false;
    }
    f->plan_count = 0;
    return true;
}

/* --- Reading --- */

static bool set_target(struct fetched *f, struct text target)
{
    buffer_clear(&f->target);
    return buffer_text(&f->target, target);
}

static struct text planned_name(const struct fetched *f, size_t i)
{
    return (struct text){ (const char *)f->words.at + f->plan[i].name_at, f->plan[i].name_len };
}

static bool keep_last(struct fetched *f)
{
    buffer_clear(&f->last);
    return f->plan_count == 0 || buffer_text(&f->last, planned_name(f, 0));
}

/* What is told as a terminated string has no end within. */
static bool is_name(struct text name)
{
    return name.len > 0 && !memchr(name.at, 0, name.len);
}

/* False: not understood; *short_out: memory. */
static bool read_line(struct fetched *f, struct text line, bool *short_out)
{
    struct text rest = text_skip(line, 2), name;
    bool ok = true, done = true;
    if (text_equal(line, T("!")))
        ok = keep_last(f) && end_plan(f, NULL);
    else if (text_equal(line, T("-")))
        f->plan_count = 0;
    else if (text_starts(line, T("> ")))
        ok = set_target(f, rest);
    else if (text_starts(line, T("+ ")) && fetched_is_usable(rest))
        ok = put_here(f, rest);
    else if (text_starts(line, T("? ")) && text_cut(&rest, ' ', &name) && is_name(name) &&
             fetched_is_usable(rest))
        ok = plan_one(f, name, rest);
    else
        done = false;
    *short_out = !ok;
    return done;
}

static bool read_all(struct fetched *f, struct text all, size_t *whole_out, struct error *e)
{
    struct text rest = all, line;
    bool memory = false;
    *whole_out = 0;
    while (text_cut(&rest, '\n', &line)) {
        *whole_out = all.len - rest.len;
        bool first = f->lines++ == 0;
        if (first ? !text_equal(line, first_line) : !read_line(f, line, &memory))
            return error_set(e, ERROR_DAMAGED,
                             "%.300s, line %llu: not understood; without this file everything is "
                             "fetched again",
                             f->path, (unsigned long long)f->lines);
        if (memory)
            return short_of_memory(e);
    }
    return true;
}

static bool slurp(int file, struct buffer *to)
{
    ssize_t got = 1;
    while (got > 0) {
        uint8_t *at = buffer_reserve(to, 65536);
        if (!at) {
            errno = EFBIG;
            return false;
        }
        got = read(file, at, 65536);
        to->len += got > 0 ? (size_t)got : 0;
    }
    return got == 0;
}

/* What was torn off is cut off, so that the next line begins as one. */
static bool load(struct fetched *f, struct error *e)
{
    struct buffer all;
    size_t whole;
    buffer_init(&all, FILE_MAX);
    bool ok = slurp(f->file, &all) || fail(f, e);
    ok = ok && read_all(f, buffer_as_text(&all), &whole, e);
    if (ok && whole < all.len)
        ok = ftruncate(f->file, (off_t)whole) == 0 || fail(f, e);
    if (ok && f->lines == 0) {
        f->lines = 1;
        ok = (file_write_all(f->file, bytes_of_text(first_line)) &&
              file_write_all(f->file, bytes_of_text(T("\n"))) && fdatasync(f->file) == 0) ||
             fail(f, e);
    }
    buffer_clear(&all);
    return ok;
}

/* --- Opening --- */

static bool make_folders(const char *path)
{
    char folder[PATH_ROOM];
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char folder[PATH_ROOM];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* There is no such place, or it is not ours: the next time will not be better. */
static bool refuse(const struct fetched *f, struct error *e)
{
    bool lasts = errno == EISDIR || errno == ENOTDIR || errno == ENOENT || errno == EACCES ||
                 errno == EPERM || errno == EROFS || errno == ELOOP || errno == ENAMETOOLONG;
    return error_system(e, lasts ? ERROR_REFUSED : ERROR_TEMPORARY, errno, "%.300s", f->path);
}

static bool is_busy(const struct fetched *f, struct error *e)
{
    return error_set(e, ERROR_TEMPORARY, "%.300s: another godwit fetch is at it", f->path);
}

/* The lock is the file's own; who wrote it anew in the meantime has another file of that name. */
static bool open_locked(struct fetched *f, struct error *e)
{
    for (int tries = 0; tries < 10; tries++) {
        struct stat own, named;
        f->file = open(f->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (f->file < 0)
            return refuse(f, e);
        if (fstat(f->file, &own) != 0)
            return fail(f, e);
        if (!S_ISREG(own.st_mode))
            return error_set(e, ERROR_REFUSED, "%.300s is no file: nothing can be noted there",
                             f->path);
        if (flock(f->file, LOCK_EX | LOCK_NB) != 0)
            return is_busy(f, e);
        if (stat(f->path, &named) == 0 && own.st_ino == named.st_ino)
            return sync_folder(f->path) || fail(f, e);
        close(f->file);
        f->file = -1;
    }
    return is_busy(f, e);
}

bool fetched_open(const char *path, struct fetched **out, struct error *e)
{
    struct fetched *f = calloc(1, sizeof *f);
    if (!f)
        return short_of_memory(e);
    f->file = -1;
    f->key = entropy_u64();
    buffer_init(&f->words, FILE_MAX);
    buffer_init(&f->target, PATH_ROOM);
    buffer_init(&f->last, PATH_ROOM);
    buffer_init(&f->pending, FILE_MAX);
    snprintf(f->path, sizeof f->path, "%s", path);
    bool ok = strlen(path) < PATH_ROOM - 8;
    if (!ok)
        error_set(e, ERROR_REFUSED, "%.100s...: too long a name", path);
    else
        ok = make_folders(path) || refuse(f, e);
    if (!ok || !open_locked(f, e) || !load(f, e)) {
        fetched_close(&f);
        return false;
    }
    *out = f;
    return true;
}

void fetched_close(struct fetched **pointer)
{
    struct fetched *f = *pointer;
    if (!f)
        return;
    if (f->file >= 0)
        close(f->file);
    buffer_clear(&f->words);
    buffer_clear(&f->target);
    buffer_clear(&f->last);
    buffer_clear(&f->pending);
    free(f->slots);
    free(f->plan);
    free(f);
    *pointer = NULL;
}

/* --- What was left open --- */

struct text fetched_open_target(const struct fetched *f)
{
    return f->plan_count ? buffer_as_text(&f->target) : T("");
}

size_t fetched_open_count(const struct fetched *f)
{
    return f->plan_count;
}

struct text fetched_last_target(const struct fetched *f)
{
    return f->last.len ? buffer_as_text(&f->target) : T("");
}

struct text fetched_last_name(const struct fetched *f)
{
    return buffer_as_text(&f->last);
}

bool fetched_each_open(struct fetched *f, bool (*each)(void *owner, const char *name), void *owner)
{
    for (size_t i = 0; i < f->plan_count; i++)
        if (!each(owner, (const char *)f->words.at + f->plan[i].name_at))
            return false;
    return true;
}

/* --- Writing --- */

/* What could be written only in part is taken back: lines behind it must begin as lines. */
static bool write_pending(struct fetched *f, struct error *e)
{
    struct text all = buffer_as_text(&f->pending);
    off_t before = lseek(f->file, 0, SEEK_END);
    bool ok = before >= 0 && file_write_all(f->file, buffer_bytes(&f->pending)) &&
              fdatasync(f->file) == 0;
    if (!ok) {
        fail(f, e);
        if (before >= 0 && ftruncate(f->file, before) != 0)
            error_system(e, ERROR_TEMPORARY, errno, "%.300s: written in part", f->path);
    }
    for (size_t i = 0; i < all.len; i++)
        f->lines += all.at[i] == '\n';
    buffer_clear(&f->pending);
    return ok;
}

bool fetched_plan(struct fetched *f, struct text target, struct text name, struct text uid,
                  struct error *e)
{
    CHECK(fetched_is_usable(uid));
    bool same = text_equal(buffer_as_text(&f->target), target);
    if (!same && !(set_target(f, target) && buffer_text(&f->pending, T("> ")) &&
                   buffer_text(&f->pending, target) && buffer_byte(&f->pending, '\n')))
        return short_of_memory(e);
    if (!plan_one(f, name, uid) ||
        !buffer_printf(&f->pending, "? %.*s %.*s\n", TEXT_ARGS(name), TEXT_ARGS(uid)))
        return short_of_memory(e);
    return true;
}

bool fetched_write_plan(struct fetched *f, struct error *e)
{
    return write_pending(f, e);
}

bool fetched_commit(struct fetched *f, struct error *e)
{
    if (f->plan_count && !buffer_text(&f->pending, T("!\n")))
        return short_of_memory(e);
    if (f->pending.len == 0)
        return true;
    return write_pending(f, e) && (end_plan(f, NULL) || short_of_memory(e));
}

bool fetched_add(struct fetched *f, struct text uid, struct error *e)
{
    CHECK(fetched_is_usable(uid));
    return (buffer_printf(&f->pending, "+ %.*s\n", TEXT_ARGS(uid)) && put_here(f, uid)) ||
           short_of_memory(e);
}

/* --- Writing it anew --- */

static bool print_all(const struct fetched *f, struct buffer *to)
{
    bool ok = buffer_text(to, first_line) && buffer_byte(to, '\n');
    for (size_t i = 0; ok && i < f->slot_count; i++) {
        const struct entry *x = &f->slots[i];
        if (x->len && x->here)
            ok = buffer_printf(to, "+ %.*s\n", TEXT_ARGS(entry_text(f, x)));
    }
    return ok;
}

/* The new file is locked before it has the name, and the old one until it has none. */
static bool replace(struct fetched *f, struct bytes content, struct error *e)
{
    char name[PATH_ROOM + 8];
    snprintf(name, sizeof name, "%s.new", f->path);
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    bool ok = file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0 && file_write_all(file, content) &&
              fdatasync(file) == 0 && rename(name, f->path) == 0;
    if (!ok) {
        fail(f, e);
        if (file >= 0)
            close(file);
        return false;
    }
    close(f->file);
    f->file = file;
    return sync_folder(f->path) || fail(f, e);
}

static bool rewrite(struct fetched *f, struct error *e)
{
    struct buffer all;
    buffer_init(&all, FILE_MAX);
    bool ok = print_all(f, &all) || short_of_memory(e);
    ok = ok && replace(f, buffer_bytes(&all), e);
    if (ok)
        f->lines = f->here_count + 1;
    buffer_clear(&f->target); /* the new file names none */
    buffer_clear(&all);
    return ok;
}

/* What holds for all is a line; then the file still tells what there may be to sweep up. */
bool fetched_settle(struct fetched *f, const bool here[], struct error *e)
{
    size_t count = 0;
    for (size_t i = 0; i < f->plan_count; i++)
        count += here[i];
    if (count != 0 && count != f->plan_count)
        return (end_plan(f, here) || short_of_memory(e)) && rewrite(f, e);
    if (f->plan_count == 0)
        return true;
    if (!buffer_text(&f->pending, count ? T("!\n") : T("-\n")))
        return short_of_memory(e);
    return write_pending(f, e) && (end_plan(f, here) || short_of_memory(e));
}

void fetched_listing_begins(struct fetched *f)
{
    for (size_t i = 0; i < f->slot_count; i++)
        f->slots[i].listed = false;
}

void fetched_listed(struct fetched *f, struct text uid)
{
    struct entry *x = find(f, uid);
    if (x)
        x->listed = true;
}

/* The slots stay: what is not here is only not written any more.  That is written at once, since
 * the server may give the next message the id of one that is gone. */
bool fetched_prune(struct fetched *f, struct error *e)
{
    CHECK(f->plan_count == 0);
    size_t before = f->here_count;
    for (size_t i = 0; i < f->slot_count; i++) {
        struct entry *x = &f->slots[i];
        f->here_count -= x->here && !x->listed;
        x->here = x->here && x->listed;
    }
    if (f->here_count == before && f->lines < 2 * (before + 1) + GARBAGE_MIN)
        return true;
    return rewrite(f, e);
}
