/* world.h - a folder for a test, and files in it. */
#ifndef TESTS_FOLDER_WORLD_H
#define TESTS_FOLDER_WORLD_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
    char folder[64];
    char path[256]; /* world_path() */
};

static inline void world_open(struct world *w)
{
    snprintf(w->folder, sizeof w->folder, "/tmp/godwit-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
}

static inline const char *world_path(struct world *w, const char *name)
{
    snprintf(w->path, sizeof w->path, "%s/%s", w->folder, name);
    return w->path;
}

static inline int world_remove(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    (void)s;
    (void)kind;
    (void)f;
    return remove(path);
}

static inline void world_close(struct world *w)
{
    nftw(w->folder, world_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* How many names are in the folder. */
static inline size_t world_count(struct world *w, const char *name)
{
    size_t count = 0;
    DIR *d = opendir(world_path(w, name));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return count;
}

static inline void world_write(struct world *w, const char *name, const char *mode,
                               const char *text)
{
    FILE *f = fopen(world_path(w, name), mode);
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* What the file holds, terminated; in a static-sized room of the caller's. */
enum { WORLD_READ_MAX = 1 << 16 };
static inline const char *world_read(struct world *w, const char *name, char out[WORLD_READ_MAX])
{
    FILE *f = fopen(world_path(w, name), "r");
    assert_non_null(f);
    size_t got = fread(out, 1, WORLD_READ_MAX - 1, f);
    out[got] = 0;
    fclose(f);
    return out;
}

#endif
