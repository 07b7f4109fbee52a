/* segment.c - the files of the journal: names, making, taking into use, opening.
 *
 * Never writes into a segment that another start began, and knows nothing of batches.
 */
#include "store/local/segment.h"

#include "run/clock.h"
#include "run/entropy.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZERO_PAGE = 4096,
    ZERO_PAGES = 256,                   /* one write of 1 MB */
    WRITEBACK_OCTETS = 4 * 1024 * 1024, /* so that the sync at the end holds up nobody for long */
    READ_OCTETS = 64 * 1024,
    LIST_MAX = 1 << 20, /* segments; 64 TB of mail */
};

static const _Alignas(ZERO_PAGE) uint8_t zeros[ZERO_PAGE];

void segment_name(uint64_t number, char out[SEGMENT_NAME_MAX])
{
    snprintf(out, SEGMENT_NAME_MAX, "journal/%08" PRIu64 ".seg", number);
}

uint64_t segment_number(const char *name)
{
    uint64_t number;
    char whole[SEGMENT_NAME_MAX];
    struct text t = text_of(name);
    if (t.len < 12 || !text_to_u64(text_first(t, t.len - 4), &number) || number > INT64_MAX)
        return 0;
    /* Only the one way of writing it: 8 digits, more only where needed. */
    segment_name(number, whole);
    return text_equal(text_skip(text_of(whole), sizeof "journal/" - 1), t) ? number : 0;
}

/* --- Listing --- */

struct listing {
    struct segment_list *out;
    size_t room;
    bool short_of_memory;
};

static void found_file(void *owner, const char *name)
{
    struct listing *l = owner;
    struct segment_list *list = l->out;
    uint64_t number = segment_number(name);
    if (number == 0 || l->short_of_memory)
        return;
    if (list->count == l->room) {
        size_t room = l->room ? l->room * 2 : 16;
        uint64_t *numbers =
            room <= LIST_MAX ? realloc(list->numbers, room * sizeof *numbers) : NULL;
        if (!numbers) {
            l->short_of_memory = true;
            return;
        }
        list->numbers = numbers;
        l->room = room;
    }
    list->numbers[list->count++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A folder has no order of its own. */
bool segment_list_read(struct disk *disk, struct segment_list *out, struct error *e)
{
    struct listing l = { .out = out };
    *out = (struct segment_list){ 0 };
    if (!disk_list(disk, "journal", found_file, &l, e))
        return false;
    if (l.short_of_memory)
        return error_set(e, ERROR_TEMPORARY, "memory is short: the journal has too many segments");
    if (out->count)
        qsort(out->numbers, out->count, sizeof *out->numbers, compare_numbers);
    return true;
}

void segment_list_clear(struct segment_list *list)
{
    free(list->numbers);
    *list = (struct segment_list){ 0 };
}

/* --- Making --- */

static bool write_zeros(struct disk_file *file, uint64_t octets, struct error *e)
{
    struct iovec pages[ZERO_PAGES];
    for (size_t i = 0; i < ZERO_PAGES; i++)
        pages[i] = (struct iovec){ (void *)(uintptr_t)zeros, ZERO_PAGE };
    for (uint64_t at = 0; at < octets;) {
        uint64_t left = (octets - at) / ZERO_PAGE;
        int count = left < ZERO_PAGES ? (int)left : ZERO_PAGES;
        if (!disk_file_write(file, at, pages, count, e))
            return false;
        at += (uint64_t)count * ZERO_PAGE;
        if (at % WRITEBACK_OCTETS == 0)
            disk_file_writeback(file, at - WRITEBACK_OCTETS, WRITEBACK_OCTETS);
    }
    return true;
}

/* Past the kernel's memory, if that can be: nobody reads these zeros, and the pages that would hold
 * them come when they are written over. */
static bool fill(struct disk_file *file, uint64_t octets, struct error *e)
{
    if (disk_file_set_direct(file, true)) {
        bool done = write_zeros(file, octets, e);
        if (!disk_file_set_direct(file, false))
            return error_set(e, ERROR_TEMPORARY, "a new segment cannot be written to");
        if (done)
            return true;
    }
    return write_zeros(file, octets, e);
}

bool segment_make(struct disk *disk, uint64_t number, uint64_t octets, struct segment *out,
                  struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    octets = format_align(octets);
    *out = (struct segment){ .octets = octets, .header = { .number = number, .octets = octets } };
    if (!disk_file_open(disk, name, DISK_CREATE, &out->file, e))
        return false;
    if (fill(out->file, octets, e) && disk_file_sync(out->file, e) &&
        disk_sync_directory(disk, "journal", e))
        return true;
    /* What stays behind is recognised as never used at the next start. */
    segment_close(out);
    disk_unlink(disk, name, NULL);
    return false;
}

bool segment_begin(struct segment *s, const uint8_t *uuid, const struct journal_position *previous,
                   uint64_t oldest, struct error *e)
{
    uint8_t page[FILE_HEADER];
    s->header.oldest = oldest;
    s->header.created_ms = clock_wall_ms();
    s->header.previous = *previous;
    entropy_fill(s->header.key.secret, FORMAT_SECRET);
    segment_header_encode(&s->header, uuid, page);
    struct iovec twice[] = { { page, sizeof page }, { page, sizeof page } };
    return disk_file_write(s->file, 0, twice, 2, e) && disk_file_sync(s->file, e);
}

/* --- Opening --- */

/* The better of two states: what one copy knows for certain counts. */
static void read_header(struct segment *s, const uint8_t *uuid)
{
    uint8_t page[FILE_HEADER];
    uint64_t number = s->header.number;
    s->state = HEADER_BAD;
    s->unread = false;
    for (uint64_t at = 0; at < SEGMENT_START && s->state == HEADER_BAD; at += FILE_HEADER) {
        size_t got;
        if (!disk_file_read(s->file, at, page, sizeof page, &got, NULL))
            s->unread = true;
        else if (got == sizeof page)
            s->state = segment_header_decode(page, uuid, &s->header);
    }
    /* A file under another's name is not what its name says. */
    if (s->state == HEADER_GOOD && s->header.number != number)
        s->state = HEADER_BAD;
    s->header.number = number;
}

bool segment_open(struct disk *disk, uint64_t number, enum disk_mode mode, const uint8_t *uuid,
                  struct segment *out, struct error *e)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(number, name);
    *out = (struct segment){ .header = { .number = number } };
    if (!disk_file_open(disk, name, mode, &out->file, e))
        return false;
    if (!disk_file_size(out->file, &out->octets, e)) {
        segment_close(out);
        return false;
    }
    read_header(out, uuid);
    return true;
}

void segment_close(struct segment *s)
{
    disk_file_close(&s->file);
}

/* --- Octets --- */

static uint64_t octets_of(const struct iovec *parts, size_t count)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < count; i++)
        octets += parts[i].iov_len;
    return octets;
}

bool segment_write(struct disk_file *file, uint64_t offset, const struct iovec *parts, size_t count,
                   struct error *e)
{
    while (count) {
        size_t some = count < IOV_MAX ? count : IOV_MAX;
        if (!disk_file_write(file, offset, parts, (int)some, e))
            return false;
        offset += octets_of(parts, some);
        parts += some;
        count -= some;
    }
    return true;
}

bool segment_read(struct disk_file *file, uint64_t offset, struct iovec to, size_t *read_out,
                  uint64_t *bad_out)
{
    if (disk_file_read(file, offset, to.iov_base, to.iov_len, read_out, NULL))
        return true;
    bool all = true;
    uint8_t *at = to.iov_base;
    *read_out = 0;
    for (size_t got, wanted; *read_out < to.iov_len; *read_out += got) {
        uint64_t from = offset + *read_out;
        wanted = ZERO_PAGE - from % ZERO_PAGE;
        if (wanted > to.iov_len - *read_out)
            wanted = to.iov_len - *read_out;
        if (disk_file_read(file, from, at + *read_out, wanted, &got, NULL)) {
            if (got < wanted) {
                *read_out += got;
                break;
            }
            continue;
        }
        memset(at + *read_out, 0, wanted);
        got = wanted;
        if (all)
            *bad_out = from;
        all = false;
    }
    return all;
}

bool segment_is_zero(struct disk_file *file, uint64_t from)
{
    uint8_t window[READ_OCTETS];
    for (size_t got = sizeof window; got == sizeof window; from += got) {
        if (!disk_file_read(file, from, window, sizeof window, &got, NULL))
            return false;
        /* All octets are zero if the first is and each equals the next. */
        if (got && (window[0] != 0 || memcmp(window, window + 1, got - 1) != 0))
            return false;
    }
    return true;
}
