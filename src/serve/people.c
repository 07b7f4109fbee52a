/* people.c - asking the directory from a loop, through a lane of width one. */
#include "serve/people.h"

#include "base/check.h"

#include <stdlib.h>

enum { LOOKUP_QUEUE_MAX = 20000, LOOKUP_ARENA_MAX = 2 * 1024 * 1024 };

struct people {
    struct directory *directory; /* used on the lane only */
    struct lane *lane;
    struct shared *shared;
    uint64_t seen; /* the directory's own generation when it was last asked */
};

bool people_new(const char *data_path, struct shared *shared, struct people **out,
                struct error *error)
{
    struct people *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    p->shared = shared;
    if (!directory_open(data_path, true, &p->directory, error) ||
        !directory_generation(p->directory, &p->seen, error) ||
        !lane_new("directory", 1, LOOKUP_QUEUE_MAX, &p->lane, error)) {
        people_free(&p);
        return false;
    }
    *out = p;
    return true;
}

void people_free(struct people **people)
{
    struct people *p = *people;
    if (!p)
        return;
    if (p->lane)
        lane_free(&p->lane);
    if (p->directory)
        directory_close(&p->directory);
    free(p);
    *people = NULL;
}

struct lookup *lookup_new(enum lookup_kind kind, const struct address *address)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->kind = kind;
    l->address = *address;
    arena_init(&l->arena, LOOKUP_ARENA_MAX);
    return l;
}

void lookup_free(struct lookup **lookup)
{
    if (!*lookup)
        return;
    secret_wipe(&(*lookup)->verifier, sizeof(*lookup)->verifier);
    arena_reset(&(*lookup)->arena);
    free(*lookup);
    *lookup = NULL;
}

/* Whoever changed the directory, in this process or another: the caches learn of it here too. */
static void notice_changes(struct people *p)
{
    uint64_t now;
    if (directory_generation(p->directory, &now, NULL) && now != p->seen) {
        p->seen = now;
        shared_directory_changed(p->shared);
    }
}

static void find_verifier(struct people *p, struct lookup *l)
{
    struct address_key key;
    address_key(&l->address, &key);
    bool asked = account_verifier(p->directory, address_key_text(&key), &l->verifier, &l->mailbox,
                                  &l->found, &l->resolved.error);
    l->resolved.verdict = asked ? RESOLVED : RESOLVE_TROUBLE;
}

static void lookup_run(struct job *job)
{
    struct lookup *l = OWNER_OF(job, struct lookup, job);
    struct people *p = l->people;
    const struct config *config = l->settings->config;
    notice_changes(p);
    l->generation = shared_generation(p->shared);
    switch (l->kind) {
    case LOOKUP_ADDRESS:
        l->resolved = resolve_recipient(p->directory, config, &l->address, &l->arena);
        break;
    case LOOKUP_EXPAND:
        l->expansion = resolve_expand(p->directory, config, &l->address, &l->arena);
        break;
    case LOOKUP_VERIFIER:
        find_verifier(p, l);
        break;
    }
}

static void lookup_done(struct job *job)
{
    struct lookup *l = OWNER_OF(job, struct lookup, job);
    l->done(l);
}

bool people_ask(struct people *p, struct lookup *l)
{
    CHECK(l->done != NULL);
    l->people = p;
    l->job = (struct job){ .run = lookup_run, .done = lookup_done, .home = l->home };
    return lane_submit(p->lane, &l->job);
}

static void chore_run(struct job *job)
{
    struct people_chore *chore = OWNER_OF(job, struct people_chore, job);
    chore->run(chore, chore->people->directory);
}

bool people_do(struct people *p, struct people_chore *chore)
{
    chore->people = p;
    chore->job = (struct job){ .run = chore_run };
    return lane_submit(p->lane, &chore->job);
}

static void nothing(struct job *job)
{
    (void)job;
}

void people_barrier(struct people *p, struct job *job, struct loop *home)
{
    job->run = nothing;
    job->home = home;
    lane_follow(p->lane, job);
}
