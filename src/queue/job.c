/* job.c - one message for recipients that are reached by the same next hop, with memory of its own.
 */
#include "queue/remote.h"

#include <stdlib.h>
#include <string.h>

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
    job->own_count = job->row_count;
    return true;
}

struct queue_job *job_new(const struct queue_item *items, uint32_t count)
{
    struct queue_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    list_init(&job->link);
    list_init(&job->parts);
    arena_init(&job->memory, JOB_MEMORY_MAX);
    if (!keep(job, items, count))
        job_free(&job);
    return job;
}

bool job_join(struct queue_job *job, struct queue_job *other)
{
    uint32_t count = job->row_count + other->row_count;
    struct queue_row *rows =
        count <= JOB_ROWS_MAX ? arena_take(&job->memory, count * sizeof *rows) : NULL;
    if (!rows)
        return false;
    memcpy(rows, job->rows, job->row_count * sizeof *rows);
    memcpy(rows + job->row_count, other->rows, other->row_count * sizeof *rows);
    job->rows = rows;
    job->row_count = count;
    list_append(&job->parts, &other->link);
    return true;
}

void job_free(struct queue_job **job)
{
    struct list *link;
    if (!*job)
        return;
    while ((link = list_take_first(&(*job)->parts))) {
        struct queue_job *part = OWNER_OF(link, struct queue_job, link);
        job_free(&part);
    }
    list_remove(&(*job)->link);
    arena_reset(&(*job)->memory);
    free(*job);
    *job = NULL;
}
