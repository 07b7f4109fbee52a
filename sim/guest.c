/* guest.c - a program that runs beside the server: its thread, and whose turn it is. */
#include "sim/guest.h"

#include "base/check.h"

#include <pthread.h>
#include <stdlib.h>

enum turn { TURN_WORLD, TURN_GUEST };

struct guest {
    struct host *host;
    void (*work)(void *owner);
    void *owner;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    enum turn turn;
    bool dead, over;
};

static void await(struct guest *g, enum turn turn)
{
    while (g->turn != turn)
        pthread_cond_wait(&g->turned, &g->mutex);
}

static void give(struct guest *g, enum turn turn)
{
    g->turn = turn;
    pthread_cond_signal(&g->turned);
}

static void *run(void *argument)
{
    struct guest *g = argument;
    world_enter(g->host->world);
    pthread_mutex_lock(&g->mutex);
    await(g, TURN_GUEST);
    g->work(g->owner);
    g->over = true;
    give(g, TURN_WORLD);
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

struct guest *guest_new(struct host *host, void (*work)(void *owner), void *owner)
{
    struct guest *g = calloc(1, sizeof *g);
    CHECK(g);
    g->host = host;
    g->work = work;
    g->owner = owner;
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->turned, NULL);
    CHECK(pthread_create(&g->thread, NULL, run, g) == 0);
    return g;
}

bool guest_step(struct guest *g)
{
    struct world *w = g->host->world;
    struct host *before = w->current;
    CHECK(!g->over && !w->guest);
    w->guest = g;
    w->current = g->host;
    pthread_mutex_lock(&g->mutex);
    give(g, TURN_GUEST);
    await(g, TURN_WORLD);
    pthread_mutex_unlock(&g->mutex);
    w->current = before;
    w->guest = NULL;
    return !g->over;
}

/* The mutex is held: it is the guest's turn. */
void guest_pause(void)
{
    struct guest *g = world_now()->guest;
    if (!g || g->dead)
        return;
    give(g, TURN_WORLD);
    await(g, TURN_GUEST);
}

void guest_die(struct guest *g)
{
    g->dead = true;
}

void guest_kill(struct guest *g)
{
    g->dead = true;
    while (!g->over)
        guest_step(g);
}

bool guest_is_dead(const struct guest *g)
{
    return g->dead;
}

void guest_free(struct guest **guest)
{
    struct guest *g = *guest;
    *guest = NULL;
    if (!g)
        return;
    CHECK(g->over);
    pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->turned);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}
