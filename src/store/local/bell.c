/* bell.c - how a lane calls somebody on a loop who may be gone by then. */
#include "store/local/bell.h"

#include "base/list.h"

#include <stdatomic.h>
#include <stdlib.h>

struct bell {
    struct post post;
    struct loop *loop;
    void (*heard)(void *owner); /* NULL: freed by its owner while it was ringing */
    void *owner;
    atomic_bool ringing;
};

struct bell *bell_new(struct loop *loop, void (*heard)(void *owner), void *owner)
{
    struct bell *bell = calloc(1, sizeof *bell);
    if (!bell)
        return NULL;
    bell->loop = loop;
    bell->heard = heard;
    bell->owner = owner;
    return bell;
}

void bell_free(struct bell **bell_ref)
{
    struct bell *bell = *bell_ref;
    *bell_ref = NULL;
    if (!bell)
        return;
    if (atomic_load(&bell->ringing))
        bell->heard = NULL;
    else
        free(bell);
}

static void arrive(struct post *post)
{
    struct bell *bell = OWNER_OF(post, struct bell, post);
    if (!bell->heard) {
        free(bell);
        return;
    }
    atomic_store(&bell->ringing, false);
    bell->heard(bell->owner);
}

void bell_ring(struct bell *bell)
{
    if (atomic_exchange(&bell->ringing, true))
        return; /* the one on its way will do */
    bell->post.run = arrive;
    loop_post(bell->loop, &bell->post);
}
