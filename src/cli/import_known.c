/* import_known.c - which messages a mailbox has already, by their octets.
 *
 * No state is kept between imports: the mailbox itself is what is compared with.  A message counts
 * as a reader gets it, its own prefix (Return-Path, Delivered-To) included, so that an export that
 * is imported again adds nothing.  Only messages of the length that is asked for are read, each
 * once; SHA-256 tells them apart, since strangers write them.
 */
#include "cli/import.h"

#include "base/arena.h"
#include "store/maildrop.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 1 << 30, PREFIXES_MAX = 1 << 30 };

struct item {
    struct maildrop_entry entry;
    bool is_digested;
    uint8_t digest[DIGEST_OCTETS];
    size_t taken; /* of the first of a run of equals: how many of them */
};

struct known {
    struct store_view *view;
    struct digest *digest;
    struct arena prefixes;
    struct buffer buffer;
    struct item *items; /* in the buffer, in order of octets; within, once digested, of digest */
    size_t count;
    bool failed;
};

static int by_octets(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->entry.octets, y = ((const struct item *)b)->entry.octets;
    return x < y ? -1 : x > y;
}

static int by_digest(const void *a, const void *b)
{
    return memcmp(((const struct item *)a)->digest, ((const struct item *)b)->digest,
                  DIGEST_OCTETS);
}

static bool add_item(void *owner, const struct maildrop_entry *entry)
{
    struct known *k = owner;
    struct item item = { .entry = *entry };
    k->failed = !arena_text(&k->prefixes, entry->prefix, &item.entry.prefix) ||
                !buffer_append(&k->buffer, &item, sizeof item);
    return !k->failed;
}

bool known_open(const char *data, mailbox_id mailbox, struct known **out, struct error *e)
{
    struct known *k = *out = calloc(1, sizeof *k);
    if (!k)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    arena_init(&k->prefixes, PREFIXES_MAX);
    buffer_init(&k->buffer, ITEMS_MAX);
    k->digest = digest_new();
    bool ok =
        store_view_open(data, &k->view, e) && store_view_each(k->view, mailbox, add_item, k, e);
    if (ok && (k->failed || !k->digest))
        ok = error_set(e, ERROR_TEMPORARY, "memory is short");
    k->items = (void *)k->buffer.at;
    k->count = k->buffer.len / sizeof *k->items;
    if (ok && k->count > 0)
        qsort(k->items, k->count, sizeof *k->items, by_octets);
    if (!ok)
        known_close(out);
    return ok;
}

void known_close(struct known **known)
{
    struct known *k = *known;
    *known = NULL;
    if (!k)
        return;
    store_view_close(&k->view);
    if (k->digest)
        digest_free(&k->digest);
    buffer_clear(&k->buffer);
    arena_reset(&k->prefixes);
    free(k);
}

/* --- Digests --- */

static bool add_piece(void *owner, struct bytes piece)
{
    digest_add(owner, piece);
    return true;
}

/* One that is gone or damaged is no message that we have: its digest fits nothing. */
static bool digest_item(struct known *k, struct item *item, struct error *e)
{
    digest_begin(k->digest);
    bool ok = store_view_show(k->view, &item->entry, add_piece, k->digest, e);
    digest_end(k->digest, item->digest);
    item->is_digested = true;
    if (ok)
        return true;
    if (e->kind == ERROR_DAMAGED)
        cli_warn("%s; it does not count as imported", e->words);
    memset(item->digest, 0, sizeof item->digest);
    return e->kind == ERROR_DAMAGED || e->kind == ERROR_REFUSED;
}

static bool digest_run(struct known *k, struct item *run, size_t count, struct error *e)
{
    if (run->is_digested)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!digest_item(k, &run[i], e))
            return false;
    qsort(run, count, sizeof *run, by_digest);
    return true;
}

/* --- Asking --- */

/* Where the first item stands that is not before `wanted`. */
static size_t lower_bound(const struct item *items, size_t count, const struct item *wanted,
                          int (*compare)(const void *, const void *))
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        bool before = compare(&items[low + half], wanted) < 0;
        low += before ? half + 1 : 0;
        count = before ? count - half - 1 : half;
    }
    return low;
}

static struct item *find_run(const struct known *k, uint64_t octets, size_t *count_out)
{
    struct item wanted = { .entry = { .octets = octets } };
    size_t from = lower_bound(k->items, k->count, &wanted, by_octets), to = from;
    wanted.entry.octets++;
    to = from + lower_bound(k->items + from, k->count - from, &wanted, by_octets);
    *count_out = to - from;
    return &k->items[from];
}

bool known_take(struct known *k, uint64_t octets, const uint8_t digest[DIGEST_OCTETS],
                bool *there_out, struct error *e)
{
    struct item wanted;
    size_t count = 0;
    *there_out = false;
    struct item *run = k->count > 0 ? find_run(k, octets, &count) : NULL;
    if (count == 0)
        return true;
    if (!digest_run(k, run, count, e))
        return false;
    memcpy(wanted.digest, digest, DIGEST_OCTETS);
    size_t at = lower_bound(run, count, &wanted, by_digest);
    if (at == count || by_digest(&run[at], &wanted) != 0)
        return true;
    size_t next = at + run[at].taken;
    *there_out = next < count && by_digest(&run[next], &wanted) == 0;
    run[at].taken += *there_out;
    return true;
}
