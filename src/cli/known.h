/* known.h - the addresses that a user has written to, the last used last: a file of his. */
#ifndef CLI_KNOWN_H
#define CLI_KNOWN_H

#include "base/text.h"

enum { KNOWN_MAX = 1000, KNOWN_OCTETS_MAX = 320, STATE_PATH_MAX = 1024 };

struct known {
    char *at[KNOWN_MAX];
    size_t count;
    bool changed;
};

/* $XDG_STATE_HOME/godwit/NAME, else ~/.local/state/godwit/NAME; its folder is made.  False: there
 * is no such place, and nothing is kept. */
bool state_path(const char *name, char out[STATE_PATH_MAX]);

/* A file that is missing, or broken, gives fewer addresses. */
void known_load(struct known *, const char *path);
/* Writes the file anew if there is something new in it, and frees. */
void known_save(struct known *, const char *path);
/* The address was used. */
void known_add(struct known *, struct text address);

#endif
