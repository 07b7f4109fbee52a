/* inode.h - the octets of a file on the simulated disk.  Private to medium.c and inode.c. */
#ifndef SIM_INODE_H
#define SIM_INODE_H

#include "sim/medium.h"
#include "sim/points.h"

enum { CHANGES_MAX = 4096 };

struct page;

struct inode {
    struct medium *medium;
    enum file_kind kind;
    char folder[MEDIUM_NAME_MAX];
    unsigned links; /* names, and changes of names that still wait */
    unsigned opens;
    uint64_t size, surface_size;
    struct page **seen;    /* NULL: zeros */
    struct page **surface; /* likewise */
    uint8_t *dirty;
    size_t room;                  /* of all three */
    size_t dirty_low, dirty_high; /* pages outside of [low, high) are clean */
    bool size_dirty;
    void *annex;
};

struct name {
    char name[MEDIUM_NAME_MAX];
    struct inode *node; /* NULL: a folder */
};

struct name_list {
    struct name *at;
    size_t count;
    size_t room;
};

enum change_kind { CHANGE_MAKE, CHANGE_REMOVE, CHANGE_RENAME };

struct change {
    enum change_kind kind;
    char name[MEDIUM_NAME_MAX], to[MEDIUM_NAME_MAX];
    struct inode *node;
};

struct medium {
    struct host *host;
    uint64_t capacity;
    bool is_data;
    uint64_t pages_used;
    struct page *spare_pages; /* free ones, each with the next in its octets */
    struct name_list seen, surface;
    struct change *changes;
    size_t change_count, change_room;
};

bool medium_is_gone(const struct medium *);
/* A call that changes something begins; false: the process is gone, or ends here. */
bool medium_begins(const struct medium *, struct point);
/* What it does is done; false: the process ends before it is told. */
bool medium_ends(const struct medium *, struct point);
/* A call that only looks; false: the process is gone, or it fails. */
bool medium_looks(const struct medium *, struct point);
/* Whether the call fails with this fault. */
bool medium_fails(const struct medium *, struct point, enum fault, uint32_t millionths);
/* It has failed for lack of room. */
int medium_is_full(const struct medium *, struct point);

struct inode *inode_new(struct medium *);
void inode_free_spare_pages(struct medium *);
void inode_free_if_unused(struct inode *);
void inode_power_cut(struct inode *);
/* What is seen of `from`, synced. */
void inode_copy(const struct inode *from, struct inode *to);
void inode_damage(struct inode *, uint64_t from, uint64_t octets);
uint64_t inode_unsynced(const struct inode *);

#endif
