/* backup.h - backups of a server's store, made while it serves, and what they are worth.
 *
 * Each host has a second disk, /nK/vault, that they go to.  Some are cut, with or without the
 * power. In the end the vault is restored to a third, and must have all that counted before the
 * last backup began that came to its end.
 */
#ifndef SIM_BACKUP_H
#define SIM_BACKUP_H

#include "sim/world.h"

struct guest;
struct node;

struct backup {
    struct node *node;
    struct guest *guest; /* NULL: none is under way */
    bool ok;             /* what it says itself */
    bool has_holes;      /* likewise: the disk could not read all of it */
    struct error error;
    unsigned steps_left;         /* before it is cut; 0: it is not */
    uint64_t pace_us;            /* between two calls of the disk, at most */
    uint64_t begun_us, troubles; /* when it began, and what had gone wrong by then */
    uint64_t counts_us; /* when the last one began that came to its end; 0: there was none */
    struct event next, step;
};

void backup_open(struct backup *, struct node *);
void backup_close(struct backup *);
/* The machine loses its power. */
void backup_cut(struct backup *);
/* Restores what is there, and compares it with the ledger. */
void backup_examine(struct backup *);

#endif
