/* watch.c - a folder whose changes one wants to hear of. */
#include "run/watch.h"

#include "run/loop_inner.h"

#include <stdlib.h>

struct watch {
    uv_fs_event_t handle;
    void (*changed)(void *owner);
    void *owner;
};

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct watch *w = handle->data;
    (void)name, (void)events, (void)status; /* whatever it is, the owner looks for himself */
    w->changed(w->owner);
}

static void free_watch(uv_handle_t *handle)
{
    free(handle->data);
}

bool watch_folder(struct loop *loop, const char *path, void (*changed)(void *owner), void *owner,
                  struct watch **out)
{
    struct watch *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w || uv_fs_event_init(&loop->uv, &w->handle) != 0) {
        free(w);
        return false;
    }
    w->handle.data = w;
    w->changed = changed;
    w->owner = owner;
    *out = w;
    if (uv_fs_event_start(&w->handle, on_event, path, 0) == 0)
        return true;
    watch_close(out);
    return false;
}

void watch_close(struct watch **watch)
{
    if (*watch)
        uv_close((uv_handle_t *)&(*watch)->handle, free_watch);
    *watch = NULL;
}
