/* descriptors.c - segments kept open for reading: a table with pins, for any thread. */
#include "store/local/descriptors.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

static struct descriptor **bucket_of(struct descriptors *d, uint64_t number)
{
    return &d->buckets[number % DESCRIPTORS_BUCKETS];
}

/* The segment, pinned, if it is in the table. */
static struct descriptor *find_locked(struct descriptors *d, uint64_t number)
{
    struct descriptor *found = *bucket_of(d, number);
    while (found && found->segment.header.number != number)
        found = found->next;
    if (found) {
        found->pins++;
        list_remove(&found->idle);
    }
    return found;
}

static void take_out_locked(struct descriptors *d, struct descriptor *one)
{
    struct descriptor **at = bucket_of(d, one->segment.header.number);
    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    list_remove(&one->idle);
    d->count--;
}

/* Takes one that nobody pins out of the table; NULL when there is none. */
static struct descriptor *take_idle_locked(struct descriptors *d)
{
    struct list *link = list_take_first(&d->idle);
    if (!link)
        return NULL;
    struct descriptor *idle = OWNER_OF(link, struct descriptor, idle);
    take_out_locked(d, idle);
    return idle;
}

static void descriptor_free(struct descriptor *one)
{
    if (one)
        segment_close(&one->segment);
    free(one);
}

void descriptors_init(struct descriptors *d, struct disk *disk, const uint8_t *uuid)
{
    *d = (struct descriptors){ .disk = disk, .uuid = uuid };
    pthread_mutex_init(&d->mutex, NULL);
    list_init(&d->idle);
}

void descriptors_clear(struct descriptors *d)
{
    for (struct descriptor *idle; (idle = take_idle_locked(d));)
        descriptor_free(idle);
    CHECK(d->count == 0);
    pthread_mutex_destroy(&d->mutex);
}

struct descriptor *descriptors_find(struct descriptors *d, uint64_t number)
{
    pthread_mutex_lock(&d->mutex);
    struct descriptor *found = find_locked(d, number);
    pthread_mutex_unlock(&d->mutex);
    return found;
}

static bool open_new(struct descriptors *d, uint64_t number, struct descriptor **out,
                     struct error *e)
{
    struct descriptor *made = calloc(1, sizeof *made);
    if (!made)
        return error_set(e, ERROR_TEMPORARY, "memory is short for reading segment %" PRIu64,
                         number);
    made->pins = 1;
    list_init(&made->idle);
    struct error trouble = { 0 };
    if (!segment_open(d->disk, number, DISK_READ, d->uuid, &made->segment, &trouble)) {
        free(made);
        /* What is not there will not come back. */
        return error_set(e, trouble.kind == ERROR_REFUSED ? ERROR_DAMAGED : ERROR_TEMPORARY, "%s",
                         trouble.words);
    }
    if (made->segment.state != HEADER_GOOD) {
        descriptor_free(made);
        return error_set(e, ERROR_DAMAGED, "the header of segment %" PRIu64 " is damaged", number);
    }
    *out = made;
    return true;
}

/* Puts it in, unless another thread was faster: then that one counts. */
static struct descriptor *put_in_locked(struct descriptors *d, struct descriptor *made,
                                        struct descriptor **spare_out)
{
    uint64_t number = made->segment.header.number;
    *spare_out = made;
    struct descriptor *found = find_locked(d, number);
    if (found)
        return found;
    *spare_out = NULL;
    if (d->count >= DESCRIPTORS_MAX && !(*spare_out = take_idle_locked(d))) {
        *spare_out = made;
        return NULL;
    }
    made->next = *bucket_of(d, number);
    *bucket_of(d, number) = made;
    d->count++;
    return made;
}

bool descriptors_open(struct descriptors *d, uint64_t number, struct descriptor **out,
                      struct error *e)
{
    struct descriptor *made, *spare;
    *out = descriptors_find(d, number);
    if (*out)
        return true;
    if (!open_new(d, number, &made, e))
        return false;
    pthread_mutex_lock(&d->mutex);
    *out = put_in_locked(d, made, &spare);
    pthread_mutex_unlock(&d->mutex);
    descriptor_free(spare);
    return *out || error_set(e, ERROR_TEMPORARY,
                             "more than %d segments of the journal are being read at once",
                             DESCRIPTORS_MAX);
}

void descriptors_unpin(struct descriptors *d, struct descriptor *one)
{
    struct descriptor *spare = NULL;
    pthread_mutex_lock(&d->mutex);
    CHECK(one->pins > 0);
    if (--one->pins == 0) {
        list_remove(&one->idle);
        list_append(&d->idle, &one->idle);
        if (one->forgotten) {
            take_out_locked(d, one);
            spare = one;
        }
    }
    pthread_mutex_unlock(&d->mutex);
    descriptor_free(spare);
}

void descriptors_forget(struct descriptors *d, uint64_t number)
{
    pthread_mutex_lock(&d->mutex);
    struct descriptor *found = find_locked(d, number);
    if (found)
        found->forgotten = true;
    pthread_mutex_unlock(&d->mutex);
    if (found)
        descriptors_unpin(d, found);
}
