/* vfs.h - SQLite on a simulated disk. */
#ifndef SIM_VFS_H
#define SIM_VFS_H

#include <stdbool.h>

/* Once in a process: makes it SQLite's only file system. */
bool vfs_set_up(void);

#endif
