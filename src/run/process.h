/* process.h - the process as the system sees it: users, service manager, limits. */
#ifndef RUN_PROCESS_H
#define RUN_PROCESS_H

#include "base/error.h"

struct process_user {
    unsigned uid, gid;
    char name[64];
};

/* Finds an account of the machine; ERROR_REFUSED when there is none. */
bool process_find_user(const char *name, struct process_user *out, struct error *);
/* The account with this number; the same.  Any thread; blocks. */
bool process_find_uid(unsigned uid, struct process_user *out, struct error *);
/* The account that this process runs as; ERROR_REFUSED when it has none. */
bool process_find_self(struct process_user *out, struct error *);
bool process_is_root(void);
unsigned process_uid(void);
/* Root only, before any thread: becomes the user for good, with no_new_privs. */
bool process_become(const struct process_user *, struct error *);
/* Raises the descriptor limit to its hard limit; returns what is then allowed. */
uint64_t process_raise_descriptors(void);

/* How many processors we may run on; at least 1. */
unsigned process_processors(void);

/* The service manager (sd_notify protocol, no library): does nothing without NOTIFY_SOCKET. */
void process_notify(const char *state);
/* Sockets handed over (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES): how many; the first is number 3.
 * The names, separated by ':', are borrowed. */
int process_handed_sockets(struct text *names_out);

#endif
