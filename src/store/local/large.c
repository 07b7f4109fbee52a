/* large.c - messages over 1 MB: a file of their own, outside the sequence (store rule 10).
 *
 * The file exists if and only if a unit refers to it: it is whole and synced, name included, before
 * its unit is written, and what no unit refers to is removed after recovery.  Its length and its
 * checksums are in the unit; its own header has the key.
 */
#include "store/local/large.h"

#include "base/check.h"
#include "run/clock.h"
#include "run/entropy.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
    WRITEBACK_OCTETS = 4 * 1024 * 1024,
    SWEEP_MAX = 1 << 24, /* files looked at in one sweep */
};

struct large {
    struct journal *journal;
    struct disk_file *file;
    struct large_header header;
    XXH3_state_t *hasher; /* holds the block that is not full yet */
    size_t block_octets;  /* in it */
    uint64_t octets, written_back;
    uint64_t *checksums; /* of the full blocks */
    size_t count, room;
    enum { LARGE_ARRIVING, LARGE_FAILED, LARGE_FINISHED } state;
};

void large_name(message_id id, char out[LARGE_NAME_MAX])
{
    char words[MESSAGE_ID_TEXT + 1];
    snprintf(out, LARGE_NAME_MAX, "journal/large/%s", message_id_print(id, words).at);
}

/* --- While it arrives --- */

static void begin_block(struct large *l)
{
    l->block_octets = 0;
    XXH3_64bits_reset_withSecret(l->hasher, l->header.key.secret, FORMAT_SECRET);
}

static bool write_header(struct large *l, struct error *e)
{
    uint8_t page[FILE_HEADER];
    large_header_encode(&l->header, l->journal->uuid, page);
    struct iovec part = { page, sizeof page };
    return disk_file_write(l->file, 0, &part, 1, e);
}

bool large_open(struct journal *j, message_id id, struct large **out, struct error *e)
{
    char name[LARGE_NAME_MAX];
    struct large *l = *out = calloc(1, sizeof *l);
    if (l)
        l->hasher = XXH3_createState();
    if (!l || !l->hasher) {
        free(l);
        *out = NULL;
        return error_set(e, ERROR_TEMPORARY, "memory is short for a large message");
    }
    l->journal = j;
    l->header = (struct large_header){ .message = id, .created_ms = clock_wall_ms() };
    entropy_fill(l->header.key.secret, FORMAT_SECRET);
    begin_block(l);
    large_name(id, name);
    if (disk_file_open(j->disk, name, DISK_CREATE, &l->file, e) && write_header(l, e))
        return true;
    large_close(out, false);
    return false;
}

static bool end_block(struct large *l)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        uint64_t *checksums = realloc(l->checksums, room * sizeof *checksums);
        if (!checksums)
            return false;
        l->checksums = checksums;
        l->room = room;
    }
    l->checksums[l->count] = format_block_checksum(&l->header.key, l->header.message, l->count,
                                                   XXH3_64bits_digest(l->hasher));
    l->count++;
    begin_block(l);
    return true;
}

static bool add_checksums(struct large *l, struct bytes octets)
{
    while (octets.len) {
        size_t len = JOURNAL_BLOCK - l->block_octets;
        if (len > octets.len)
            len = octets.len;
        XXH3_64bits_update(l->hasher, octets.at, len);
        l->block_octets += len;
        octets = (struct bytes){ octets.at + len, octets.len - len };
        if (l->block_octets == JOURNAL_BLOCK && !end_block(l))
            return false;
    }
    return true;
}

static bool take_octets(struct large *l, struct bytes octets, struct error *e)
{
    if (octets.len > JOURNAL_LARGE_OCTETS_MAX - l->octets)
        return error_set(e, ERROR_REFUSED, "a message is larger than the store can hold");
    struct iovec part = { (void *)(uintptr_t)octets.at, octets.len };
    if (!disk_file_write(l->file, LARGE_START + l->octets, &part, 1, e))
        return false;
    l->octets += octets.len;
    if (!add_checksums(l, octets))
        return error_set(e, ERROR_TEMPORARY, "memory is short for a large message");
    if (l->octets - l->written_back >= WRITEBACK_OCTETS) {
        disk_file_writeback(l->file, LARGE_START + l->written_back, l->octets - l->written_back);
        l->written_back = l->octets;
    }
    return true;
}

bool large_write(struct large *l, struct bytes octets, struct error *e)
{
    CHECK(l->state != LARGE_FINISHED);
    if (l->state == LARGE_FAILED)
        return error_set(e, ERROR_TEMPORARY, "an earlier write of this large message failed");
    if (octets.len && !take_octets(l, octets, e)) {
        l->state = LARGE_FAILED;
        return false;
    }
    return true;
}

bool large_read(struct large *l, uint64_t offset, void *to, size_t len, size_t *read_out,
                struct error *e)
{
    CHECK(offset <= l->octets);
    if (len > l->octets - offset)
        len = (size_t)(l->octets - offset);
    if (!disk_file_read(l->file, LARGE_START + offset, to, len, read_out, e))
        return false;
    return *read_out == len ||
           error_set(e, ERROR_TEMPORARY, "a large message became shorter while it arrived");
}

bool large_finish(struct large *l, const uint64_t **checksums_out, uint64_t *octets_out,
                  struct error *e)
{
    CHECK(l->state != LARGE_FINISHED);
    if (l->state == LARGE_FAILED)
        return error_set(e, ERROR_TEMPORARY, "an earlier write of this large message failed");
    l->state = LARGE_FAILED;
    if (l->block_octets && !end_block(l))
        return error_set(e, ERROR_TEMPORARY, "memory is short for a large message");
    if (!disk_file_sync(l->file, e) || !disk_sync_directory(l->journal->disk, "journal/large", e))
        return false;
    l->state = LARGE_FINISHED;
    *checksums_out = l->checksums;
    *octets_out = l->octets;
    return true;
}

void large_close(struct large **large_ref, bool keep)
{
    struct large *l = *large_ref;
    if (!l)
        return;
    CHECK(!keep || l->state == LARGE_FINISHED);
    bool is_ours = l->file != NULL;
    disk_file_close(&l->file);
    if (is_ours && !keep)
        large_remove(l->journal, l->header.message, NULL);
    XXH3_freeState(l->hasher);
    free(l->checksums);
    free(l);
    *large_ref = NULL;
}

/* --- Afterwards --- */

bool large_file_open(struct journal *j, message_id id, struct disk_file **out,
                     struct large_header *header, struct error *e)
{
    char name[LARGE_NAME_MAX];
    uint8_t page[FILE_HEADER];
    size_t got;
    struct error trouble = { 0 };
    large_name(id, name);
    if (!disk_file_open(j->disk, name, DISK_READ, out, &trouble))
        return error_set(e, trouble.kind == ERROR_REFUSED ? ERROR_DAMAGED : ERROR_TEMPORARY, "%s",
                         trouble.words);
    if (!disk_file_read(*out, 0, page, sizeof page, &got, e)) {
        disk_file_close(out);
        return false;
    }
    if (got == sizeof page && large_header_decode(page, j->uuid, header) == HEADER_GOOD &&
        header->message == id)
        return true;
    disk_file_close(out);
    return error_set(e, ERROR_DAMAGED, "the header of %s is damaged", name);
}

bool large_remove(struct journal *j, message_id id, struct error *e)
{
    char name[LARGE_NAME_MAX];
    large_name(id, name);
    return disk_unlink(j->disk, name, e);
}

struct sweep {
    message_id *found;
    size_t count, room;
    bool short_of_memory;
};

static void found_large(void *owner, const char *name)
{
    struct sweep *s = owner;
    message_id id;
    if (s->short_of_memory || !message_id_parse(text_of(name), &id))
        return;
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        message_id *found = room <= SWEEP_MAX ? realloc(s->found, room * sizeof *found) : NULL;
        if (!found) {
            s->short_of_memory = true;
            return;
        }
        s->found = found;
        s->room = room;
    }
    s->found[s->count++] = id;
}

bool large_sweep(struct journal *j, bool (*is_referred)(void *owner, message_id), void *owner,
                 struct error *e)
{
    struct sweep s = { 0 };
    bool ok = disk_list(j->disk, "journal/large", found_large, &s, e);
    if (ok && s.short_of_memory)
        ok = error_set(e, ERROR_TEMPORARY, "memory is short for a list of the large messages");
    for (size_t i = 0; ok && i < s.count; i++)
        if (!is_referred(owner, s.found[i]))
            ok = large_remove(j, s.found[i], e);
    free(s.found);
    return ok;
}
