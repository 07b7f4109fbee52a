/* confine.c - the folders of a server, for its sandbox.
 *
 * Names lead elsewhere (certbot's live to its archive): both folders count.  A reload that names
 * new folders does not reach them; what godwit reload brings along needs none.
 */
#include "serve/confine.h"

#include "run/disk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDERS_MAX = 1000 };

struct folders {
    struct sandbox_folder at[FOLDERS_MAX];
    size_t count;
};

/* Takes the path of a file. */
static void add_folder_of(struct folders *f, char *path, enum sandbox_use use)
{
    char *end = path ? strrchr(path, '/') : NULL;
    if (!end || f->count == FOLDERS_MAX) {
        free(path);
        return;
    }
    end[end == path ? 1 : 0] = 0;
    f->at[f->count++] = (struct sandbox_folder){ path, use };
}

/* Where the file is named, and where it is. */
static void add_file(struct folders *f, struct text path, enum sandbox_use use)
{
    if (path.len == 0)
        return;
    add_folder_of(f, strndup(path.at, path.len), use);
    add_folder_of(f, realpath(path.at, NULL), use);
}

static void add_folder(struct folders *f, struct text path, enum sandbox_use use)
{
    char below[PATH_MAX];
    if (path.len > 0 && snprintf(below, sizeof below, "%s/.", path.at) < (int)sizeof below)
        add_folder_of(f, strdup(below), use);
}

/* An environment that names certificates of its own (X509_get_default_cert_file_env(3)). */
static void add_trusted(struct folders *f)
{
    const char *file = getenv("SSL_CERT_FILE"), *folder = getenv("SSL_CERT_DIR");
    add_file(f, text_of(file), SANDBOX_READ);
    add_folder(f, text_of(folder), SANDBOX_READ);
}

static void add_all(struct folders *f, const struct config *config)
{
    add_file(f, config->file, SANDBOX_READ);
    for (size_t i = 0; i < config->certificate_count; i++) {
        add_file(f, config->certificates[i].certificate, SANDBOX_READ);
        add_file(f, config->certificates[i].key, SANDBOX_READ);
    }
    const struct config_login *login;
    for (size_t i = 0; (login = config_login(config, i)); i++)
        add_file(f, login->password_file, SANDBOX_READ);
    add_file(f, config->relay_ca, SANDBOX_READ);
    add_file(f, config->anchors, SANDBOX_READ);
    add_trusted(f);
    add_file(f, config->log_file, SANDBOX_LOG);
    add_file(f, config->local_socket, SANDBOX_OWN);
    add_folder(f, config->local_spool, SANDBOX_OWN);
}

/* A folder that is made later could not be allowed now. */
static void make_data(const struct config *config)
{
    struct disk *data;
    struct error ignored; /* the store will say so */
    if (disk_open(config->data.at, true, &data, &ignored))
        disk_close(&data);
}

struct sandbox_walls confine(const struct config *config)
{
    struct sandbox_walls walls = { 0 };
    struct folders *f = config->sandbox ? calloc(1, sizeof *f) : NULL;
    if (!f) {
        snprintf(walls.words, sizeof walls.words, "memory is short");
        return walls;
    }
    make_data(config);
    f->at[f->count++] = (struct sandbox_folder){ config->data.at, SANDBOX_OWN };
    add_all(f, config);
    walls = sandbox_build(f->at, f->count);
    for (size_t i = 1; i < f->count; i++)
        free((char *)f->at[i].path);
    free(f);
    return walls;
}

bool confine_words(const struct config *config, const struct sandbox_walls *walls,
                   char words_out[ERROR_WORDS_MAX])
{
    if (!config->sandbox)
        snprintf(words_out, ERROR_WORDS_MAX, "no sandbox: sandbox = false");
    else if (!walls->landlock && !walls->seccomp)
        snprintf(words_out, ERROR_WORDS_MAX, "no sandbox: %.300s", walls->words);
    else if (!walls->landlock || !walls->seccomp)
        snprintf(words_out, ERROR_WORDS_MAX, "half a sandbox, %s only: %.300s",
                 walls->landlock ? "folders" : "system calls", walls->words);
    else
        snprintf(words_out, ERROR_WORDS_MAX, "folders (Landlock, version %u) and system calls",
                 walls->landlock);
    return config->sandbox && walls->landlock && walls->seccomp;
}
