/* medium.c - a simulated disk: names and folders, crashes, and faults by chance.
 *
 * The octets of a file are inode.c.
 */
#include "sim/medium.h"

#include "base/check.h"
#include "sim/inode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 1 << 16 };

/* --- Faults that every call may have --- */

bool medium_is_gone(const struct medium *m)
{
    return m->host->dead;
}

/* Whether the process, or the machine, ends in this very call. */
static bool ends_here(const struct medium *m)
{
    if (!fault_strikes(FAULT_IN_DISK_CALL, world_now()->weather.disk_crash))
        return false;
    host_die(m->host, "dies in a call of the disk");
    return true;
}

bool medium_ends_before(const struct medium *m)
{
    return ends_here(m);
}

bool medium_ends_after(const struct medium *m)
{
    return ends_here(m);
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
    CHECK(m->change_count < CHANGES_MAX);
    m->changes[m->change_count++] = *c;
    if (c->node)
        c->node->links++;
    apply(&m->seen, c);
}

int medium_sync_folder(struct medium *m, const char *folder)
{
    if (medium_is_gone(m) || medium_ends_before(m))
        return EIO;
    if (fault_strikes(FAULT_SYNC_ERROR, world_now()->weather.sync_error))
        return EIO;
    for (size_t i = 0; i < m->change_count;) {
        if (!is_in(m->changes[i].name, folder)) {
            i++;
            continue;
        }
        apply(&m->surface, &m->changes[i]);
        forget_change(m, i);
    }
    return medium_ends_after(m) ? EIO : 0;
}

static struct change change_of(enum change_kind kind, const char *name, struct inode *node)
{
    struct change c = { .kind = kind, .node = node };
    snprintf(c.name, sizeof c.name, "%s", name);
    return c;
}

/* --- Names, as programs use them --- */

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
    if (medium_is_gone(m) || medium_ends_before(m))
        return EIO;
    if (medium_has_folder(m, name))
        return EEXIST;
    struct change c = change_of(CHANGE_MAKE, name, NULL);
    change(m, &c);
    return 0;
}

int medium_unlink(struct medium *m, const char *name)
{
    if (medium_is_gone(m) || medium_ends_before(m))
        return EIO;
    size_t at = find(&m->seen, name);
    if (at == m->seen.count || !m->seen.at[at].node)
        return ENOENT;
    struct change c = change_of(CHANGE_REMOVE, name, m->seen.at[at].node);
    change(m, &c);
    return medium_ends_after(m) ? EIO : 0;
}

int medium_rename(struct medium *m, const char *from, const char *to)
{
    if (medium_is_gone(m) || medium_ends_before(m))
        return EIO;
    size_t at = find(&m->seen, from);
    if (at == m->seen.count)
        return ENOENT;
    struct change c = change_of(CHANGE_RENAME, from, m->seen.at[at].node);
    snprintf(c.to, sizeof c.to, "%s", to);
    change(m, &c);
    return medium_ends_after(m) ? EIO : 0;
}

int medium_list(struct medium *m, const char *folder, void (*found)(void *owner, const char *name),
                void *owner)
{
    if (medium_is_gone(m))
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

int medium_open(struct medium *m, const char *name, struct inode **out)
{
    *out = NULL;
    if (medium_is_gone(m))
        return EIO;
    size_t at = find(&m->seen, name);
    if (at == m->seen.count || !m->seen.at[at].node)
        return ENOENT;
    *out = m->seen.at[at].node;
    (*out)->opens++;
    return 0;
}

int medium_make(struct medium *m, const char *name, struct inode **out)
{
    char folder[MEDIUM_NAME_MAX];
    *out = NULL;
    if (medium_is_gone(m) || medium_ends_before(m))
        return EIO;
    folder_of(name, folder);
    if (!medium_has_folder(m, folder))
        return ENOENT;
    if (find(&m->seen, name) < m->seen.count)
        return EEXIST;
    struct inode *node = inode_new(m);
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

/* --- Its life --- */

struct medium *medium_new(struct host *host, uint64_t capacity)
{
    struct medium *m = calloc(1, sizeof *m);
    CHECK(m);
    m->host = host;
    m->capacity = capacity;
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
    free(m);
}
