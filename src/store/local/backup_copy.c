/* backup_copy.c - one file of a store into a backup, or of a backup into a store.
 *
 * A disk that begins to die cannot read some pages, and then a backup is wanted most.  They are
 * taken from the copy that the folder holds already, when it is of the same file; or else filled
 * with words that no checksum takes for good, and the folder is marked.  Whoever reads such a
 * backup meets damage there, never zeros that would pass for the end of a segment.
 */
#include "store/local/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = JOURNAL_ALIGN, PIECE = 1024 * 1024 };

static const char filler[32] = "This page could not be read. -- ";

struct copying {
    struct disk_file *from, *to;
    struct disk_file *older;    /* an earlier copy of the same file, or NULL */
    struct backup_holes *holes; /* NULL: a page that cannot be read is a failure */
    uint64_t lost;              /* octets of this file */
    uint8_t *room;              /* of a piece */
};

/* --- Files that are the same --- */

static bool read_page(struct disk_file *file, uint64_t at, uint8_t page[PAGE])
{
    size_t got = 0;
    return disk_file_read(file, at, page, PAGE, &got, NULL) && got == PAGE;
}

/* They have the same header, which holds a secret of its own, as far as it can be read. */
static bool is_same(struct disk_file *a, struct disk_file *b)
{
    uint8_t ours[PAGE], theirs[PAGE];
    bool same = false;
    for (uint64_t at = 0; at < SEGMENT_START; at += PAGE) {
        if (!read_page(a, at, ours) || !read_page(b, at, theirs))
            continue;
        if (memcmp(ours, theirs, PAGE) != 0)
            return false;
        same = true;
    }
    return same;
}

bool backup_is_copied(const struct backup *b, const char *name, uint64_t limit)
{
    struct disk_file *ours = NULL, *theirs = NULL;
    uint64_t octets = 0, copied = 0;
    bool same = disk_exists(b->to, name) && disk_file_open(b->from, name, DISK_READ, &ours, NULL) &&
                disk_file_open(b->to, name, DISK_READ, &theirs, NULL) &&
                disk_file_size(ours, &octets, NULL) && disk_file_size(theirs, &copied, NULL) &&
                copied == (octets < limit ? octets : limit) && is_same(ours, theirs);
    disk_file_close(&ours);
    disk_file_close(&theirs);
    return same;
}

/* --- Copying --- */

static bool is_filler(const uint8_t *at, size_t len)
{
    size_t i = 0;
    while (i < len && at[i] == (uint8_t)filler[i % sizeof filler])
        i++;
    return i == len;
}

/* One page, or what the file has of it, by whatever way. */
static void save_page(struct copying *c, uint64_t at, uint8_t *to, size_t len)
{
    size_t got = 0;
    if (disk_file_read(c->from, at, to, len, &got, NULL) && got == len)
        return;
    if (c->older && disk_file_read(c->older, at, to, len, &got, NULL) && got == len &&
        !is_filler(to, len))
        return;
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)filler[i % sizeof filler];
    c->lost += len;
}

static bool copy_piece(struct copying *c, uint64_t at, size_t len, struct error *e)
{
    size_t got = len;
    if (!disk_file_read(c->from, at, c->room, len, &got, e)) {
        if (!c->holes)
            return false;
        got = len;
        for (size_t done = 0; done < len; done += PAGE)
            save_page(c, at + done, c->room + done, len - done < PAGE ? len - done : PAGE);
    }
    struct iovec part = { c->room, got };
    return got == 0 || disk_file_write(c->to, at, &part, 1, e);
}

static bool copy_octets(struct copying *c, uint64_t octets, struct error *e)
{
    c->room = malloc(PIECE);
    if (!c->room)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    bool ok = true;
    for (uint64_t at = 0; ok && at < octets; at += PIECE)
        ok = copy_piece(c, at, octets - at < PIECE ? (size_t)(octets - at) : PIECE, e);
    free(c->room);
    return ok && disk_file_sync(c->to, e);
}

/* The mark stands before a file with a hole takes its name. */
static bool note_holes(struct disk *to, const struct copying *c, const char *name, struct error *e)
{
    struct disk_file *file = NULL;
    if (c->lost == 0)
        return true;
    if (c->holes->octets == 0)
        snprintf(c->holes->first, sizeof c->holes->first, "%s", name);
    c->holes->octets += c->lost;
    if (disk_exists(to, BACKUP_HOLES))
        return true;
    bool ok = disk_file_open(to, BACKUP_HOLES, DISK_CREATE, &file, e);
    disk_file_close(&file);
    return ok && disk_sync_directory(to, ".", e);
}

static void open_older(struct disk *to, const char *name, struct copying *c)
{
    if (!c->holes || !disk_exists(to, name) ||
        !disk_file_open(to, name, DISK_READ, &c->older, NULL))
        return;
    if (!is_same(c->from, c->older))
        disk_file_close(&c->older);
}

bool backup_copy_file(const struct backup *b, const char *name, uint64_t limit,
                      uint64_t *copied_out, struct error *e)
{
    char part[BACKUP_NAME_MAX];
    struct copying c = { .holes = b->copied ? &b->copied->holes : NULL };
    uint64_t octets = 0;
    snprintf(part, sizeof part, "%s.part", name);
    *copied_out = 0;
    if (!disk_unlink_if_there(b->to, part, e))
        return false;
    bool ok = disk_file_open(b->from, name, DISK_READ, &c.from, e) &&
              disk_file_size(c.from, &octets, e) &&
              disk_file_open(b->to, part, DISK_CREATE, &c.to, e);
    if (ok)
        open_older(b->to, name, &c);
    ok = ok && copy_octets(&c, octets < limit ? octets : limit, e) &&
         disk_file_size(c.to, copied_out, e);
    disk_file_close(&c.from);
    disk_file_close(&c.to);
    disk_file_close(&c.older);
    return ok && note_holes(b->to, &c, name, e) && disk_rename(b->to, part, name, e);
}
