/* landing.c - where mail lands: which kind of place is meant, and how full its window is. */
#include "folder/landing.h"

#include "base/check.h"
#include "folder/landing_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct landing {
    enum landing_kind kind;
    const struct landing_way *way;
    void *place;
    char target[LANDING_TARGET_MAX];
    size_t messages;
    uint64_t octets;
};

static const struct landing_way *const ways[] = {
    [LANDING_MAILDIR] = &landing_in_maildir,
    [LANDING_MBOX] = &landing_in_mbox,
    [LANDING_STREAM] = &landing_in_stream,
};
enum { WAYS = sizeof ways / sizeof *ways };

bool landing_parse(const char *target, enum landing_kind *out, const char **path_out,
                   struct error *e)
{
    for (size_t i = 0; i < WAYS; i++) {
        size_t len = strlen(ways[i]->prefix);
        bool whole = i == LANDING_STREAM;
        if (strncmp(target, ways[i]->prefix, len) != 0 || (whole ? target[len] : !target[len]))
            continue;
        *out = (enum landing_kind)i;
        *path_out = target + len;
        return true;
    }
    return error_set(e, ERROR_USAGE,
                     "%.100s: where to is maildir:PATH, mbox:PATH, or - for standard output",
                     target);
}

/* Another working directory must not make it another place. */
static bool name_target(struct landing *l, const char *path, struct error *e)
{
    char here[LANDING_TARGET_MAX] = "";
    bool relative = l->kind != LANDING_STREAM && path[0] != '/';
    if (relative && !getcwd(here, sizeof here))
        return error_system(e, ERROR_REFUSED, errno, "the working directory");
    int len = snprintf(l->target, sizeof l->target, "%s%s%s%s", l->way->prefix, here,
                       relative ? "/" : "", path);
    if (len < 0 || (size_t)len >= sizeof l->target || strpbrk(l->target, "\r\n"))
        return error_set(e, ERROR_REFUSED, "%.100s: no name for mail: too long, or a line end",
                         path);
    return true;
}

static struct landing *new_landing(enum landing_kind kind)
{
    struct landing *l = calloc(1, sizeof *l);
    void *place = calloc(1, ways[kind]->place_size);
    if (!l || !place) {
        free(place);
        free(l);
        return NULL;
    }
    l->kind = kind;
    l->way = ways[kind];
    l->place = place;
    return l;
}

static void free_landing(struct landing *l)
{
    free(l->place);
    free(l);
}

bool landing_open(const char *target, struct landing **out, struct error *e)
{
    enum landing_kind kind;
    const char *path;
    return landing_parse(target, &kind, &path, e) && landing_open_at(kind, path, out, e);
}

bool landing_open_at(enum landing_kind kind, const char *path, struct landing **out,
                     struct error *e)
{
    struct landing *l = new_landing(kind);
    if (!l)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (!name_target(l, path, e) || !l->way->open(l->place, path, e)) {
        free_landing(l);
        return false;
    }
    *out = l;
    return true;
}

bool landing_open_file(int file, const char *name, struct landing **out, struct error *e)
{
    if (!landing_open_at(LANDING_STREAM, "", out, e))
        return false;
    landing_stream_into((*out)->place, file, name);
    return true;
}

void landing_close(struct landing **pointer)
{
    struct landing *l = *pointer;
    if (!l)
        return;
    l->way->close(l->place);
    free_landing(l);
    *pointer = NULL;
}

enum landing_kind landing_kind(const struct landing *l)
{
    return l->kind;
}

const char *landing_target(const struct landing *l)
{
    return l->target;
}

bool landing_lock(struct landing *l, struct error *e)
{
    return !l->way->lock || l->way->lock(l->place, e);
}

bool landing_begin(struct landing *l, const struct landing_facts *facts, struct error *e)
{
    CHECK(l->messages < LANDING_WINDOW_MAX);
    return l->way->begin(l->place, facts, e);
}

bool landing_add(struct landing *l, struct bytes data, struct error *e)
{
    l->octets += data.len;
    return l->way->add(l->place, data, e);
}

bool landing_end(struct landing *l, char name_out[LANDING_NAME_MAX], struct error *e)
{
    if (!l->way->end(l->place, name_out, e))
        return false;
    l->messages++;
    return true;
}

void landing_drop(struct landing *l)
{
    l->way->drop(l->place);
}

size_t landing_messages(const struct landing *l)
{
    return l->messages;
}

bool landing_is_full(const struct landing *l)
{
    return l->messages >= LANDING_WINDOW_MAX || l->octets >= LANDING_WINDOW_OCTETS;
}

bool landing_sync(struct landing *l, struct error *e)
{
    return !l->way->sync || l->way->sync(l->place, e);
}

bool landing_show(struct landing *l, struct error *e)
{
    return l->way->show(l->place, e);
}

bool landing_done(struct landing *l, struct error *e)
{
    l->messages = 0;
    l->octets = 0;
    return !l->way->done || l->way->done(l->place, e);
}

enum landing_finished landing_finish(struct landing *l, const char *name, struct error *e)
{
    return l->way->finish ? l->way->finish(l->place, name, e) : LANDING_GONE;
}

bool landing_finish_end(struct landing *l, struct error *e)
{
    return !l->way->finish_end || l->way->finish_end(l->place, e);
}

void landing_sweep(const char *target, const char *name)
{
    enum landing_kind kind;
    const char *path;
    if (landing_parse(target, &kind, &path, NULL) && ways[kind]->sweep)
        ways[kind]->sweep(path, name);
}
