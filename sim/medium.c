/* medium.c - a simulated disk: names and folders, crashes, and faults by chance.
 *
 * The octets of a file are inode.c.
 */
#include "sim/medium.h"

#include "base/check.h"
#include "sim/guest.h"
#include "sim/inode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 1 << 16, CHANGES_FIRST = 32 };

static enum file_kind kind_in(const struct medium *m, const char *name)
{
    return m->is_data ? file_kind_of(name) : FILE_COPY;
}

/* --- Faults that every call may have --- */

bool medium_is_gone(const struct medium *m)
{
    const struct guest *g = m->host->world->guest;
    return g ? guest_is_dead(g) : m->host->dead;
}

static enum compaction_state compaction_of(const struct medium *m)
{
    return m->host->compaction ? m->host->compaction(m->host) : COMPACTION_RESTS;
}

static void count(const struct medium *m, struct point at, enum point_event event)
{
    points_count(&m->host->world->points, at, compaction_of(m), event);
}

/* So often that a server could not start any more, if it did not end. */
static bool is_in_focus(struct point at)
{
    const struct weather *w = &world_now()->weather;
    return w->focus_times && at.call == w->focus.call && at.file == w->focus.file;
}

static void count_strike(const struct medium *m, struct point at, enum point_event event)
{
    count(m, at, event);
    if (is_in_focus(at))
        world_now()->weather.focus_times--;
}

/* Most worlds have a kind of call that is struck more often than others, and some are rougher while
 * compaction works. */
static uint32_t likelihood_here(const struct medium *m, struct point at, uint32_t usual,
                                uint32_t in_focus)
{
    const struct weather *w = &world_now()->weather;
    if (is_in_focus(at) && in_focus)
        return in_focus;
    return usual * (compaction_of(m) != COMPACTION_RESTS ? w->rougher : 1);
}

/* Whether the process, or the machine, ends in this very call. */
static bool lives_on(const struct medium *m, struct point at)
{
    const struct weather *w = &world_now()->weather;
    if (!fault_strikes(FAULT_IN_DISK_CALL, likelihood_here(m, at, w->disk_crash, w->focus_crash)))
        return true;
    count_strike(m, at, POINT_CRASHED);
    if (m->host->world->guest)
        guest_die(m->host->world->guest);
    else
        host_die(m->host, "dies in a call of the disk");
    return false;
}

bool medium_begins(const struct medium *m, struct point at)
{
    if (medium_is_gone(m))
        return false;
    count(m, at, POINT_CALLED);
    return lives_on(m, at);
}

bool medium_ends(const struct medium *m, struct point at)
{
    return lives_on(m, at);
}

bool medium_fails(const struct medium *m, struct point at, enum fault fault, uint32_t millionths)
{
    uint32_t in_focus = world_now()->weather.focus_fails;
    if (!fault_strikes(fault, likelihood_here(m, at, millionths, in_focus)))
        return false;
    count_strike(m, at, POINT_FAILED);
    return true;
}

bool medium_looks(const struct medium *m, struct point at)
{
    if (medium_is_gone(m))
        return false;
    count(m, at, POINT_CALLED);
    return !medium_fails(m, at, FAULT_READ_ERROR, world_now()->weather.read_error);
}

int medium_is_full(const struct medium *m, struct point at)
{
    count(m, at, POINT_FAILED);
    fault_count(FAULT_NO_SPACE);
    return ENOSPC;
}

/* --- Lists of names --- */

static size_t find(const struct name_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->at[i].name, name) == 0)
            return i;
    return l->count;
}

static void add_name(struct name_list *l, const char *name, struct inode *node)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 32;
        CHECK(l->room <= NAMES_MAX);
        l->at = realloc(l->at, l->room * sizeof *l->at);
        CHECK(l->at);
    }
    struct name *n = &l->at[l->count++];
    snprintf(n->name, sizeof n->name, "%s", name);
    n->node = node;
    if (node)
        node->links++;
}

static void drop_name(struct name_list *l, size_t i)
{
    struct inode *node = l->at[i].node;
    l->at[i] = l->at[--l->count];
    if (node) {
        node->links--;
        inode_free_if_unused(node);
    }
}

static void clear_names(struct name_list *l)
{
    while (l->count)
        drop_name(l, l->count - 1);
    free(l->at);
    *l = (struct name_list){ 0 };
}

static void copy_names(const struct name_list *from, struct name_list *to)
{
    clear_names(to);
    for (size_t i = 0; i < from->count; i++)
        add_name(to, from->at[i].name, from->at[i].node);
}

/* "journal" of "journal/1.seg", "." of "lock". */
static void folder_of(const char *name, char out[MEDIUM_NAME_MAX])
{
    const char *end = strrchr(name, '/');
    if (end)
        snprintf(out, MEDIUM_NAME_MAX, "%.*s", (int)(end - name), name);
    else
        snprintf(out, MEDIUM_NAME_MAX, ".");
}

static bool is_in(const char *name, const char *folder)
{
    char own[MEDIUM_NAME_MAX];
    folder_of(name, own);
    return strcmp(own, folder) == 0;
}

/* --- Changes of names, which count when their folder is synced --- */

static void apply(struct name_list *l, const struct change *c)
{
    size_t at = find(l, c->name);
    struct inode *node = c->node;
    if (c->kind == CHANGE_MAKE) {
        if (at < l->count)
            drop_name(l, at);
        add_name(l, c->name, node);
        return;
    }
    if (at == l->count)
        return;
    node = l->at[at].node;
    if (c->kind == CHANGE_RENAME) {
        size_t old = find(l, c->to);
        if (old < l->count)
            drop_name(l, old);
        add_name(l, c->to, node);
        at = find(l, c->name);
    }
    drop_name(l, at);
}

static void forget_change(struct medium *m, size_t i)
{
    if (m->changes[i].node) {
        m->changes[i].node->links--;
        inode_free_if_unused(m->changes[i].node);
    }
    memmove(&m->changes[i], &m->changes[i + 1], (m->change_count - i - 1) * sizeof *m->changes);
    m->change_count--;
}

static void change(struct medium *m, const struct change *c)
{
    if (m->change_count == m->change_room) {
        m->change_room = m->change_room ? 2 * m->change_room : CHANGES_FIRST;
        CHECK(m->change_room <= CHANGES_MAX);
        m->changes = realloc(m->changes, m->change_room * sizeof *m->changes);
        CHECK(m->changes);
    }
    m->changes[m->change_count++] = *c;
    if (c->node)
        c->node->links++;
    apply(&m->seen, c);
}

int medium_sync_folder(struct medium *m, const char *folder)
{
    struct point at = { CALL_SYNC, FILE_FOLDER };
    if (!medium_begins(m, at))
        return EIO;
    if (medium_fails(m, at, FAULT_SYNC_ERROR, world_now()->weather.sync_error))
        return EIO;
    for (size_t i = 0; i < m->change_count;) {
        if (!is_in(m->changes[i].name, folder)) {
            i++;
            continue;
        }
        apply(&m->surface, &m->changes[i]);
        forget_change(m, i);
    }
    return medium_ends(m, at) ? 0 : EIO;
}

static struct change change_of(enum change_kind kind, const char *name, struct inode *node)
{
    struct change c = { .kind = kind, .node = node };
    snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

/* --- Names, as programs use them --- */

/* A call that changes a name begins: 0 or an errno value. */
static int begin_change(const struct medium *m, struct point at)
{
    if (!medium_begins(m, at) ||
        medium_fails(m, at, FAULT_NAME_ERROR, world_now()->weather.name_error))
        return EIO;
    return 0;
}

bool medium_has(const struct medium *m, const char *name)
{
    return !medium_is_gone(m) && find(&m->seen, name) < m->seen.count;
}

bool medium_has_folder(const struct medium *m, const char *name)
{
    size_t at = find(&m->seen, name);
    return strcmp(name, ".") == 0 || (at < m->seen.count && !m->seen.at[at].node);
}

int medium_make_folder(struct medium *m, const char *name)
{
    struct point at = { CALL_MAKE, FILE_FOLDER };
    if (begin_change(m, at))
        return EIO;
    if (medium_has_folder(m, name))
        return EEXIST;
    struct change c = change_of(CHANGE_MAKE, name, NULL);
    change(m, &c);
    return medium_ends(m, at) ? 0 : EIO;
}

int medium_unlink(struct medium *m, const char *name)
{
    struct point point = { CALL_REMOVE, kind_in(m, name) };
    if (begin_change(m, point))
        return EIO;
    size_t at = find(&m->seen, name);
    if (at == m->seen.count || !m->seen.at[at].node)
        return ENOENT;
    struct change c = change_of(CHANGE_REMOVE, name, m->seen.at[at].node);
    change(m, &c);
    return medium_ends(m, point) ? 0 : EIO;
}

int medium_rename(struct medium *m, const char *from, const char *to)
{
    struct point point = { CALL_RENAME, kind_in(m, to) };
    if (begin_change(m, point))
        return EIO;
    size_t at = find(&m->seen, from);
    if (at == m->seen.count)
        return ENOENT;
    struct change c = change_of(CHANGE_RENAME, from, m->seen.at[at].node);
    snprintf(c.to, sizeof c.to, "%s", to);
    if (c.node)
        c.node->kind = point.file;
    change(m, &c);
    return medium_ends(m, point) ? 0 : EIO;
}

int medium_list(struct medium *m, const char *folder, void (*found)(void *owner, const char *name),
                void *owner)
{
    if (!medium_looks(m, (struct point){ CALL_READ, FILE_FOLDER }))
        return EIO;
    if (!medium_has_folder(m, folder))
        return ENOENT;
    for (size_t i = 0; i < m->seen.count; i++) {
        const char *name = m->seen.at[i].name, *last = strrchr(name, '/');
        if (is_in(name, folder))
            found(owner, last ? last + 1 : name);
    }
    return 0;
}

void medium_each_file(const struct medium *m,
                      void (*found)(void *owner, const char *name, uint64_t octets), void *owner)
{
    for (size_t i = 0; i < m->seen.count; i++)
        if (m->seen.at[i].node)
            found(owner, m->seen.at[i].name, inode_size(m->seen.at[i].node));
}

int medium_open(struct medium *m, const char *name, struct inode **out)
{
    *out = NULL;
    size_t at = find(&m->seen, name);
    if (!medium_is_gone(m) && (at == m->seen.count || !m->seen.at[at].node))
        return ENOENT;
    if (!medium_looks(m, (struct point){ CALL_OPEN, kind_in(m, name) }))
        return EIO;
    *out = m->seen.at[at].node;
    (*out)->opens++;
    return 0;
}

int medium_make(struct medium *m, const char *name, struct inode **out)
{
    char folder[MEDIUM_NAME_MAX];
    struct point point = { CALL_MAKE, kind_in(m, name) };
    *out = NULL;
    if (begin_change(m, point))
        return EIO;
    folder_of(name, folder);
    if (!medium_has_folder(m, folder))
        return ENOENT;
    if (find(&m->seen, name) < m->seen.count)
        return EEXIST;
    struct inode *node = inode_new(m);
    node->kind = point.file;
    snprintf(node->folder, sizeof node->folder, "%s", folder);
    node->opens++;
    struct change c = change_of(CHANGE_MAKE, name, node);
    change(m, &c);
    *out = node;
    return 0;
}

struct inode *medium_scratch(struct medium *m)
{
    struct inode *node = inode_new(m);
    node->kind = FILE_SCRATCH;
    node->opens++;
    return node;
}

void medium_let_go(struct inode **node)
{
    struct inode *n = *node;
    *node = NULL;
    if (!n)
        return;
    CHECK(n->opens > 0);
    n->opens--;
    inode_free_if_unused(n);
}

/* --- Space --- */

uint64_t medium_free_octets(const struct medium *m)
{
    uint64_t used = m->pages_used * MEDIUM_PAGE;
    return used < m->capacity ? m->capacity - used : 0;
}

void medium_set_capacity(struct medium *m, uint64_t octets)
{
    m->capacity = octets;
}

/* --- The end of a process --- */

uint64_t medium_unsynced(const struct medium *m)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < m->seen.count; i++)
        if (m->seen.at[i].node)
            octets += inode_unsynced(m->seen.at[i].node);
    return octets;
}

void medium_power_cut(struct medium *m)
{
    while (m->change_count) {
        if (fault_strikes(FAULT_LOST_NAME, world_now()->weather.lost))
            trace_words("lost: %s %s", m->changes[0].name, m->changes[0].to);
        else
            apply(&m->surface, &m->changes[0]);
        forget_change(m, 0);
    }
    copy_names(&m->surface, &m->seen);
    for (size_t i = 0; i < m->seen.count; i++)
        if (m->seen.at[i].node)
            inode_power_cut(m->seen.at[i].node);
}

/* --- Copies, and damage --- */

void medium_copy(const struct medium *from, struct medium **to)
{
    struct host *host = from->host;
    medium_free(to);
    *to = medium_new(host, from->capacity, false);
    for (size_t i = 0; i < from->seen.count; i++) {
        const struct name *name = &from->seen.at[i];
        struct inode *node = name->node ? inode_new(*to) : NULL;
        if (node) {
            memcpy(node->folder, name->node->folder, sizeof node->folder);
            node->kind = FILE_COPY;
            inode_copy(name->node, node);
        }
        add_name(&(*to)->seen, name->name, node);
        add_name(&(*to)->surface, name->name, node);
    }
}

void medium_damage(struct medium *m, const char *name, uint64_t from, uint64_t octets)
{
    size_t at = find(&m->seen, name);
    CHECK(at < m->seen.count && m->seen.at[at].node);
    inode_damage(m->seen.at[at].node, from, octets);
}

/* --- Its life --- */

struct medium *medium_new(struct host *host, uint64_t capacity, bool is_data)
{
    struct medium *m = calloc(1, sizeof *m);
    CHECK(m);
    m->host = host;
    m->capacity = capacity;
    m->is_data = is_data;
    return m;
}

void medium_free(struct medium **medium)
{
    struct medium *m = *medium;
    *medium = NULL;
    if (!m)
        return;
    while (m->change_count)
        forget_change(m, 0);
    clear_names(&m->seen);
    clear_names(&m->surface);
    inode_free_spare_pages(m);
    free(m->changes);
    free(m);
}
