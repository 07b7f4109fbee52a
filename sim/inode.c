/* inode.c - the octets of a file on the simulated disk: pages as the kernel shows them, and as they
 * lie on the surface. */
#include "sim/inode.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, SECTORS = MEDIUM_PAGE / SECTOR };

/* A page may be both what is seen and what lies on the surface. */
struct page {
    unsigned owners;
    uint8_t at[MEDIUM_PAGE];
};

static const uint8_t zeros[MEDIUM_PAGE];

/* --- Pages --- */

/* Pages come and go all the time. */
static struct page *page_take(struct medium *m)
{
    struct page *p = m->spare_pages;
    if (p)
        memcpy(&m->spare_pages, p->at, sizeof m->spare_pages);
    else
        p = malloc(sizeof *p);
    CHECK(p);
    return p;
}

static void page_give(struct medium *m, struct page *p)
{
    memcpy(p->at, &m->spare_pages, sizeof m->spare_pages);
    m->spare_pages = p;
}

void inode_free_spare_pages(struct medium *m)
{
    while (m->spare_pages)
        free(page_take(m));
}

static struct page *page_new(struct medium *m, const struct page *copied)
{
    struct page *p = page_take(m);
    p->owners = 1;
    memcpy(p->at, copied ? copied->at : zeros, MEDIUM_PAGE);
    m->pages_used++;
    return p;
}

static void page_drop(struct medium *m, struct page **page)
{
    struct page *p = *page;
    *page = NULL;
    if (!p || --p->owners > 0)
        return;
    m->pages_used--;
    page_give(m, p);
}

static void page_share(struct medium *m, struct page *from, struct page **to)
{
    if (from)
        from->owners++;
    page_drop(m, to);
    *to = from;
}

static void make_room(struct inode *n, size_t pages)
{
    if (pages <= n->room)
        return;
    size_t room = n->room ? n->room : 16;
    while (room < pages)
        room *= 2;
    n->seen = realloc(n->seen, room * sizeof(struct page *));
    n->surface = realloc(n->surface, room * sizeof(struct page *));
    n->dirty = realloc(n->dirty, room);
    CHECK(n->seen);
    CHECK(n->surface);
    CHECK(n->dirty);
    memset(n->seen + n->room, 0, (room - n->room) * sizeof(struct page *));
    memset(n->surface + n->room, 0, (room - n->room) * sizeof(struct page *));
    memset(n->dirty + n->room, 0, room - n->room);
    n->room = room;
}

static void mark(struct inode *n, size_t page)
{
    n->dirty[page] = 1;
    if (n->dirty_low == n->dirty_high) {
        n->dirty_low = page;
        n->dirty_high = page + 1;
    }
    if (page < n->dirty_low)
        n->dirty_low = page;
    if (page >= n->dirty_high)
        n->dirty_high = page + 1;
}

/* --- Writing --- */

/* False: the disk is full. */
static bool put(struct inode *n, uint64_t offset, const uint8_t *octets, size_t len)
{
    struct medium *m = n->medium;
    while (len) {
        size_t page = (size_t)(offset / MEDIUM_PAGE), in = (size_t)(offset % MEDIUM_PAGE);
        size_t part = MEDIUM_PAGE - in < len ? MEDIUM_PAGE - in : len;
        make_room(n, page + 1);
        bool nothing = !n->seen[page] && memcmp(octets, zeros, part) == 0;
        if (!nothing && (!n->seen[page] || n->seen[page]->owners > 1)) {
            if (medium_free_octets(m) < MEDIUM_PAGE)
                return false;
            struct page *fresh = page_new(m, n->seen[page]);
            page_drop(m, &n->seen[page]);
            n->seen[page] = fresh;
        }
        if (!nothing)
            memcpy(n->seen[page]->at + in, octets, part);
        mark(n, page);
        offset += part;
        octets += part;
        len -= part;
        if (offset > n->size) {
            n->size = offset;
            n->size_dirty = true;
        }
    }
    return true;
}

static uint64_t octets_of(const struct iovec *parts, size_t count)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < count; i++)
        octets += parts[i].iov_len;
    return octets;
}

/* At most `limit` octets of it.  False: the disk is full. */
static bool put_parts(struct inode *n, uint64_t offset, const struct iovec *parts, uint64_t limit)
{
    for (; limit; parts++) {
        size_t len = parts->iov_len < limit ? parts->iov_len : (size_t)limit;
        if (!put(n, offset, parts->iov_base, len))
            return false;
        offset += len;
        limit -= len;
    }
    return true;
}

int inode_write(struct inode *n, uint64_t offset, const struct iovec *parts, size_t count)
{
    uint64_t octets = octets_of(parts, count);
    const struct weather *weather = &world_now()->weather;
    struct medium *m = n->medium;
    struct point at = { CALL_WRITE, n->kind };
    bool was_alive = !medium_is_gone(m);
    if (!medium_begins(m, at)) {
        if (was_alive && octets)
            put_parts(n, offset, parts, chance_below(octets)); /* it dies within */
        return EIO;
    }
    if (medium_fails(m, at, FAULT_WRITE_ERROR, weather->write_error)) {
        uint64_t part = octets ? chance_below(octets) : 0;
        if (part)
            fault_count(FAULT_PART_WRITTEN);
        put_parts(n, offset, parts, part);
        return chance_below(2) ? EIO : ENOSPC;
    }
    if (!put_parts(n, offset, parts, octets))
        return medium_is_full(m, at);
    return medium_ends(m, at) ? 0 : EIO;
}

static void drop_pages(struct inode *n, struct page **pages, size_t from)
{
    for (size_t i = from; i < n->room; i++)
        page_drop(n->medium, &pages[i]);
}

int inode_truncate(struct inode *n, uint64_t octets)
{
    struct medium *m = n->medium;
    struct point at = { CALL_TRUNCATE, n->kind };
    if (!medium_begins(m, at))
        return EIO;
    if (medium_fails(m, at, FAULT_NAME_ERROR, world_now()->weather.name_error))
        return EIO;
    size_t whole = (size_t)(octets / MEDIUM_PAGE), tail = (size_t)(octets % MEDIUM_PAGE);
    make_room(n, whole + 1);
    if (octets < n->size) {
        if (tail && n->seen[whole] && !put(n, octets, zeros, MEDIUM_PAGE - tail))
            return medium_is_full(m, at);
        drop_pages(n, n->seen, tail ? whole + 1 : whole);
    }
    n->size = octets;
    n->size_dirty = true;
    return medium_ends(m, at) ? 0 : EIO;
}

/* --- Reading --- */

uint64_t inode_size(const struct inode *n)
{
    return n->size;
}

int inode_read(struct inode *n, uint64_t offset, void *to, size_t len, size_t *read_out)
{
    uint8_t *at = to;
    *read_out = 0;
    struct point from = { CALL_READ, n->kind };
    if (!medium_looks(n->medium, from))
        return EIO;
    if (offset >= n->size)
        return 0;
    if (len > n->size - offset)
        len = (size_t)(n->size - offset);
    *read_out = len;
    while (len) {
        size_t page = (size_t)(offset / MEDIUM_PAGE), in = (size_t)(offset % MEDIUM_PAGE);
        size_t part = MEDIUM_PAGE - in < len ? MEDIUM_PAGE - in : len;
        const struct page *p = page < n->room ? n->seen[page] : NULL;
        memcpy(at, p ? p->at + in : zeros, part);
        at += part;
        offset += part;
        len -= part;
    }
    return 0;
}

/* --- Syncing --- */

static void forget_dirty(struct inode *n)
{
    if (n->dirty_high > n->dirty_low)
        memset(n->dirty + n->dirty_low, 0, n->dirty_high - n->dirty_low);
    n->dirty_low = n->dirty_high = 0;
}

static void reach_surface(struct inode *n)
{
    for (size_t i = n->dirty_low; i < n->dirty_high; i++)
        if (n->dirty[i])
            page_share(n->medium, n->seen[i], &n->surface[i]);
    forget_dirty(n);
    if (!n->size_dirty)
        return;
    n->surface_size = n->size;
    drop_pages(n, n->surface, (size_t)((n->size + MEDIUM_PAGE - 1) / MEDIUM_PAGE));
    n->size_dirty = false;
}

int inode_sync(struct inode *n)
{
    struct medium *m = n->medium;
    struct point at = { CALL_SYNC, n->kind };
    if (!medium_begins(m, at))
        return EIO;
    if (medium_fails(m, at, FAULT_SYNC_ERROR, world_now()->weather.sync_error)) {
        forget_dirty(n);
        return EIO;
    }
    reach_surface(n);
    return medium_ends(m, at) ? 0 : EIO;
}

/* --- The power cut --- */

static void tear(struct inode *n, size_t page)
{
    struct page *mixed = page_new(n->medium, n->surface[page]);
    const uint8_t *fresh = n->seen[page] ? n->seen[page]->at : zeros;
    for (int i = 0; i < SECTORS; i++)
        if (chance_below(2))
            memcpy(mixed->at + i * SECTOR, fresh + i * SECTOR, SECTOR);
    page_drop(n->medium, &n->surface[page]);
    n->surface[page] = mixed;
}

static void settle_page(struct inode *n, size_t page)
{
    const struct weather *weather = &world_now()->weather;
    if (n->seen[page] == n->surface[page])
        return;
    if (fault_strikes(FAULT_LOST_PAGE, weather->lost))
        return;
    if (fault_strikes(FAULT_TORN_PAGE, weather->torn))
        tear(n, page);
    else
        page_share(n->medium, n->seen[page], &n->surface[page]);
}

void inode_power_cut(struct inode *n)
{
    size_t high = n->dirty_high < n->room ? n->dirty_high : n->room;
    for (size_t i = n->dirty_low; i < high; i++)
        if (n->dirty[i])
            settle_page(n, i);
    forget_dirty(n);
    if (n->size_dirty && !fault_strikes(FAULT_LOST_PAGE, world_now()->weather.lost))
        n->surface_size = n->size;
    n->size_dirty = false;
    n->size = n->surface_size;
    size_t pages = (size_t)((n->size + MEDIUM_PAGE - 1) / MEDIUM_PAGE);
    make_room(n, pages);
    drop_pages(n, n->surface, pages);
    size_t tail = (size_t)(n->size % MEDIUM_PAGE);
    struct page *last = tail ? n->surface[pages - 1] : NULL;
    if (last)
        memset(last->at + tail, 0, MEDIUM_PAGE - tail);
    for (size_t i = 0; i < n->room; i++)
        page_share(n->medium, n->surface[i], &n->seen[i]);
}

void inode_copy(const struct inode *from, struct inode *to)
{
    make_room(to, from->room);
    for (size_t i = 0; i < from->room; i++)
        if (from->seen[i]) {
            to->seen[i] = page_new(to->medium, from->seen[i]);
            page_share(to->medium, to->seen[i], &to->surface[i]);
        }
    to->size = to->surface_size = from->size;
}

/* Each becomes any of the 255 that it was not. */
void inode_damage(struct inode *n, uint64_t from, uint64_t octets)
{
    for (uint64_t at = from; at < from + octets && at < n->size; at++) {
        size_t page = (size_t)(at / MEDIUM_PAGE);
        struct page *hit = page_new(n->medium, n->seen[page]);
        hit->at[at % MEDIUM_PAGE] ^= (uint8_t)chance_from(1, 255);
        page_drop(n->medium, &n->seen[page]);
        n->seen[page] = hit;
        page_share(n->medium, hit, &n->surface[page]);
    }
}

uint64_t inode_unsynced(const struct inode *n)
{
    uint64_t octets = 0;
    for (size_t i = n->dirty_low; i < n->dirty_high; i++)
        octets += n->dirty[i] ? MEDIUM_PAGE : 0;
    return octets;
}

/* --- Its life --- */

void **inode_annex(struct inode *n)
{
    return &n->annex;
}

const char *inode_folder(const struct inode *n, char out[MEDIUM_NAME_MAX])
{
    memcpy(out, n->folder, MEDIUM_NAME_MAX);
    return out;
}

struct inode *inode_new(struct medium *m)
{
    struct inode *n = calloc(1, sizeof *n);
    CHECK(n);
    n->medium = m;
    return n;
}

void inode_free_if_unused(struct inode *n)
{
    if (n->links || n->opens)
        return;
    drop_pages(n, n->seen, 0);
    drop_pages(n, n->surface, 0);
    free(n->seen);
    free(n->surface);
    free(n->dirty);
    free(n);
}
