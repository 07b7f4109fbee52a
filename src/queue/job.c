/* job.c - one message for recipients that are reached by the same next hop, with memory of its own.
 */
#include "queue/remote.h"

#include <stdlib.h>

static bool keep_row(struct arena *memory, const struct queue_row *from, struct queue_row *to)
{
    *to = *from;
    return arena_text(memory, from->address, &to->address) &&
           arena_text(memory, from->domain, &to->domain) &&
           arena_text(memory, from->last, &to->last) && arena_text(memory, from->orcpt, &to->orcpt);
}

static bool keep_item(struct arena *memory, const struct queue_item *from, struct queue_item *to)
{
    *to = *from;
    return arena_text(memory, from->sender, &to->sender) &&
           arena_text(memory, from->envelope.ret, &to->envelope.ret) &&
           arena_text(memory, from->envelope.envid, &to->envelope.envid) &&
           arena_text(memory, from->content.prefix, &to->content.prefix);
}

static bool keep(struct queue_job *job, const struct queue_item *items, uint32_t count)
{
    job->rows = arena_take(&job->memory, count * sizeof *job->rows);
    if (!job->rows || !keep_item(&job->memory, &items[0], &job->item))
        return false;
    for (; job->row_count < count; job->row_count++)
        if (!keep_row(&job->memory, &items[job->row_count].row, &job->rows[job->row_count]))
            return false;
    job->item.row = job->rows[0];
    return true;
}

struct queue_job *job_new(const struct queue_item *items, uint32_t count)
{
    struct queue_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    list_init(&job->link);
    arena_init(&job->memory, JOB_MEMORY_MAX);
    if (!keep(job, items, count))
        job_free(&job);
    return job;
}

void job_free(struct queue_job **job)
{
    if (!*job)
        return;
    list_remove(&(*job)->link);
    arena_reset(&(*job)->memory);
    free(*job);
    *job = NULL;
}
