/* known.c - the addresses that a user has written to. */
#include "cli/known.h"

#include "run/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Where it is kept --- */

/* Makes the folders above the last part, as far as they are missing. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!ok)
            return false;
    }
    return true;
}

bool state_path(const char *name, char out[STATE_PATH_MAX])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len = -1;
    if (state && state[0] == '/')
        len = snprintf(out, STATE_PATH_MAX, "%s/godwit/%s", state, name);
    else if (home && home[0] == '/')
        len = snprintf(out, STATE_PATH_MAX, "%s/.local/state/godwit/%s", home, name);
    return len > 0 && len < STATE_PATH_MAX && make_folders(out);
}

/* --- The addresses --- */

static void drop(struct known *k, size_t index)
{
    free(k->at[index]);
    memmove(&k->at[index], &k->at[index + 1], (k->count - index - 1) * sizeof *k->at);
    k->count--;
}

static void add_last(struct known *k, struct text address)
{
    char *copy =
        address.len && address.len < KNOWN_OCTETS_MAX ? strndup(address.at, address.len) : NULL;
    if (!copy)
        return;
    if (k->count == KNOWN_MAX)
        drop(k, 0);
    k->at[k->count++] = copy;
}

void known_add(struct known *k, struct text address)
{
    for (size_t i = k->count; i > 0; i--)
        if (text_equal_nocase(text_of(k->at[i - 1]), address))
            drop(k, i - 1);
    add_last(k, address);
    k->changed = true;
}

void known_load(struct known *k, const char *path)
{
    enum { FILE_MAX = KNOWN_MAX * KNOWN_OCTETS_MAX };
    struct buffer file;
    bool denied;
    struct error ignored;
    struct text rest, line;
    *k = (struct known){ 0 };
    buffer_init(&file, FILE_MAX);
    if (file_read(path, &file, &denied, &ignored)) {
        rest = buffer_as_text(&file);
        while (rest.len) {
            text_cut(&rest, '\n', &line);
            add_last(k, text_trim(line));
        }
    }
    buffer_clear(&file);
}

/* Beside the old file, then in its place: a program that dies leaves one of the two. */
static void write_file(const struct known *k, const char *path)
{
    char next[STATE_PATH_MAX + 8];
    snprintf(next, sizeof next, "%s.new", path);
    FILE *to = fopen(next, "w");
    if (!to)
        return;
    for (size_t i = 0; i < k->count; i++)
        fprintf(to, "%s\n", k->at[i]);
    bool ok = ferror(to) == 0;
    ok = fclose(to) == 0 && ok;
    if (!ok || rename(next, path) != 0)
        unlink(next);
}

void known_save(struct known *k, const char *path)
{
    if (k->changed && path[0])
        write_file(k, path);
    while (k->count)
        drop(k, k->count - 1);
}
