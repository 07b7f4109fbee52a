/* medium.h - a simulated disk: what the kernel shows of it, and what would survive a power cut.
 *
 * Every file has two faces.  Programs see the kernel's; the surface gets a page when it is synced,
 * or by chance before.  A power cut leaves of each page that was written and not synced the old
 * one, the new one, or sectors of both; of names that were made, renamed or removed in a folder
 * that was not synced, some.  A sync that fails forgets which pages it should have written, as
 * Linux does: the next one succeeds, and they are still not on the surface.
 *
 * run/disk.h (disk.c) and SQLite (vfs.c) both stand on it.  All functions return 0 or an errno
 * value; when the host is dead, EIO, and nothing happens.
 */
#ifndef SIM_MEDIUM_H
#define SIM_MEDIUM_H

#include "sim/world.h"

#include <stddef.h>
#include <sys/uio.h>

enum { MEDIUM_NAME_MAX = 96, MEDIUM_PAGE = 4096 };

struct medium;
struct inode;

/* `is_data`: of a server; else of copies that are made of that. */
struct medium *medium_new(struct host *, uint64_t capacity, bool is_data);
void medium_free(struct medium **);

/* Names are relative to the host's DATA; "." is that folder. */
bool medium_has_folder(const struct medium *, const char *name);
int medium_make_folder(struct medium *, const char *name);
int medium_sync_folder(struct medium *, const char *name);
int medium_unlink(struct medium *, const char *name);
int medium_rename(struct medium *, const char *from, const char *to);
bool medium_has(const struct medium *, const char *name);
/* Calls `found` with the last part of each name in the folder. */
int medium_list(struct medium *, const char *folder, void (*found)(void *owner, const char *name),
                void *owner);
/* Calls `found` for each file, with its whole name and its length. */
void medium_each_file(const struct medium *,
                      void (*found)(void *owner, const char *name, uint64_t octets), void *owner);
uint64_t medium_free_octets(const struct medium *);
/* For a phase: so much is left, or what there is. */
void medium_set_capacity(struct medium *, uint64_t octets);

/* An open file stays until it is let go, whatever becomes of its name.  `make` EEXIST: it must be
 * new.  An inode that has no name is made by medium_scratch(). */
int medium_open(struct medium *, const char *name, struct inode **out);
int medium_make(struct medium *, const char *name, struct inode **out);
struct inode *medium_scratch(struct medium *);
void medium_let_go(struct inode **);

uint64_t inode_size(const struct inode *);
/* Everything or an errno value; then nothing is known about the range. */
int inode_write(struct inode *, uint64_t offset, const struct iovec *, size_t count);
int inode_read(struct inode *, uint64_t offset, void *to, size_t len, size_t *read_out);
int inode_sync(struct inode *);
int inode_truncate(struct inode *, uint64_t octets);
/* Whatever else belongs to a file: SQLite's locks. */
void **inode_annex(struct inode *);
/* Its folder, for whoever syncs it. */
const char *inode_folder(const struct inode *, char out[MEDIUM_NAME_MAX]);

/* After the process has gone: the kernel keeps everything, or the power was cut. */
void medium_power_cut(struct medium *);
/* All of it, synced, on a disk in the place of that one. */
void medium_copy(const struct medium *, struct medium **to);
/* These octets of a file become others, on the surface too. */
void medium_damage(struct medium *, const char *name, uint64_t from, uint64_t octets);
/* Octets that are not on the surface, for the trace. */
uint64_t medium_unsynced(const struct medium *);

#endif
