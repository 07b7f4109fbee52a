/* test_damage.c - octets are lost, and come back: what a start may not spoil meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "store_world.h"

#include "run/disk.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ALICE = 0x1111,
    BOB = 0x2222,
    CAROL = 0x3333,
    LARGE = 3 * 1024 * 1024,
    PATH = SCRATCH_PATH + 300
};

/* --- A disk that cannot read some pages --- */

enum { FILES_MAX = 64 };

static struct {
    char path[PATH]; /* how the name of the file ends; "": all can be read */
    uint64_t from, to;
    const struct disk_file *files[FILES_MAX]; /* of that name */
    int refused;
} bad;

bool __real_disk_file_open(struct disk *, const char *, enum disk_mode, struct disk_file **,
                           struct error *);
bool __wrap_disk_file_open(struct disk *, const char *, enum disk_mode, struct disk_file **,
                           struct error *);
bool __wrap_disk_file_open(struct disk *d, const char *name, enum disk_mode mode,
                           struct disk_file **out, struct error *e)
{
    if (!__real_disk_file_open(d, name, mode, out, e))
        return false;
    size_t len = strlen(name), whole = strlen(bad.path);
    for (int i = 0; i < FILES_MAX && whole > len; i++) {
        if (strcmp(bad.path + whole - len, name) != 0 || bad.files[i])
            continue;
        bad.files[i] = *out;
        break;
    }
    return true;
}

void __real_disk_file_close(struct disk_file **);
void __wrap_disk_file_close(struct disk_file **);
void __wrap_disk_file_close(struct disk_file **file)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (bad.files[i] == *file)
            bad.files[i] = NULL;
    __real_disk_file_close(file);
}

bool __real_disk_file_read(struct disk_file *, uint64_t, void *, size_t, size_t *, struct error *);
bool __wrap_disk_file_read(struct disk_file *, uint64_t, void *, size_t, size_t *, struct error *);
bool __wrap_disk_file_read(struct disk_file *file, uint64_t offset, void *to, size_t len,
                           size_t *read_out, struct error *e)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (bad.files[i] != file || offset >= bad.to || offset + len <= bad.from)
            continue;
        bad.refused++;
        return error_system(e, ERROR_TEMPORARY, EIO, "cannot read %s", bad.path);
    }
    return __real_disk_file_read(file, offset, to, len, read_out, e);
}

/* From now on; only files that are opened later. */
static void make_bad(const char *path, uint64_t from, uint64_t to)
{
    snprintf(bad.path, sizeof bad.path, "%s", path);
    bad.from = from;
    bad.to = to;
    bad.refused = 0;
}

static void heal(void)
{
    bad.path[0] = 0;
    memset(bad.files, 0, sizeof bad.files);
}

/* --- A segment's file, as it was --- */

struct image {
    char path[PATH];
    uint8_t *octets;
    size_t len;
};

static bool image_read(struct image *i)
{
    FILE *file = fopen(i->path, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    i->len = (size_t)ftell(file);
    rewind(file);
    i->octets = malloc(i->len + 1);
    assert_non_null(i->octets);
    assert_int_equal(fread(i->octets, 1, i->len, file), i->len);
    fclose(file);
    return true;
}

static void image_write(const struct image *i)
{
    FILE *file = fopen(i->path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(i->octets, 1, i->len, file), i->len);
    assert_int_equal(fclose(file), 0);
}

/* Where the n-th message of the segment says whose it is, in its changes; 0: nowhere. */
static size_t image_find(const struct image *i, int n)
{
    static const char words[] = "Delivered-To: ";
    const uint8_t *at = i->octets;
    for (; at; at++) {
        at = memmem(at, i->len - (size_t)(at - i->octets), words, sizeof words - 1);
        if (!at || n-- == 0)
            break;
    }
    return at ? (size_t)(at - i->octets) : 0;
}

/* The newest segment that has mail; to be freed. */
static struct image newest_with_mail(const struct world *w)
{
    struct image best = { .octets = NULL }, i;
    char folder[PATH - 260];
    snprintf(folder, sizeof folder, "%s/journal", w->path);
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(i.path, sizeof i.path, "%s/%s", folder, e->d_name);
        if (!strstr(e->d_name, ".seg") || !image_read(&i))
            continue;
        bool better = image_find(&i, 0) > 0 && strcmp(i.path, best.path) > 0;
        free(better ? best.octets : i.octets);
        if (better)
            best = i;
    }
    closedir(d);
    assert_non_null(best.octets);
    return best;
}

/* --- Helpers --- */

static int count_large(const struct world *w)
{
    char folder[PATH];
    int count = 0;
    snprintf(folder, sizeof folder, "%s/journal/large", w->path);
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count - 2;
}

static void rebuild(struct world *w)
{
    if (!store_rebuild(w->path, NULL, NULL, &w->error))
        fail_msg("%s", w->error.words);
}

static void has_one(struct world *w, mailbox_id mailbox, unsigned seed)
{
    struct maildrop_read r = world_list(w, mailbox);
    assert_int_equal(r.count, 1);
    assert_true(world_reads_back(w, &r.entries[0], seed));
    maildrop_read_clear(&r);
}

/* --- Large bodies stay while the journal lacks something --- */

/* One bit of a large message's frame. */
static void bend_frame(struct image *i)
{
    i->octets[image_find(i, 1)] ^= 1;
}

/* Both copies of the header: nothing of the segment can be read. */
static void bend_headers(struct image *i)
{
    memset(i->octets, 0xA5, 2 * 4096);
}

static void lose_and_find_again(struct world *w, void (*bend)(struct image *), bool by_hand)
{
    assert_int_equal(world_deliver(w, ALICE, 1, 5000), STORE_STORED);
    assert_int_equal(world_deliver(w, BOB, 2, LARGE), STORE_STORED);
    struct image whole = newest_with_mail(w), bent = whole;
    assert_int_equal(world_deliver(w, CAROL, 3, 5000), STORE_STORED);
    world_reopen(w);
    assert_int_equal(world_deliver(w, CAROL, 4, 5000), STORE_STORED);
    world_close(w);
    free(whole.octets);
    assert_true(image_read(&whole));
    bent.octets = malloc(whole.len);
    assert_non_null(bent.octets);
    memcpy(bent.octets, whole.octets, whole.len);
    bend(&bent);
    image_write(&bent);
    if (by_hand)
        rebuild(w);
    else
        unlink(strcat(strcpy(bent.path, w->path), "/index.db"));
    assert_true(world_open(w)); /* this start, and all later ones */
    world_reopen(w);
    world_close(w);
    assert_int_equal(count_large(w), 1);

    image_write(&whole);
    rebuild(w);
    assert_true(world_open(w));
    has_one(w, ALICE, 1);
    has_one(w, BOB, 2);
    /* Whole again: from now on it is kept clean as ever. */
    struct image orphan = whole;
    snprintf(orphan.path, sizeof orphan.path, "%s/journal/large/%s", w->path, "0000000000007");
    image_write(&orphan);
    assert_int_equal(count_large(w), 2);
    world_reopen(w);
    assert_int_equal(count_large(w), 1);
    free(bent.octets);
    free(whole.octets);
}

static void test_a_large_body_outlives_its_frame(void **state)
{
    lose_and_find_again(*state, bend_frame, true);
}

static void test_a_large_body_outlives_its_segment(void **state)
{
    lose_and_find_again(*state, bend_headers, false);
}

/* --- Uids are not given again under the same uidvalidity --- */

static void copy_index(const struct world *w, const char *from, const char *to)
{
    static const char *const names[] = { "index.db", "index.db-wal", "index.db-shm" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct image file;
        snprintf(file.path, sizeof file.path, "%s%s/%s", w->path, from, names[i]);
        if (access(file.path, F_OK) == 0 && image_read(&file)) {
            unlink(file.path);
            snprintf(file.path, sizeof file.path, "%s%s/%s", w->path, to, names[i]);
            image_write(&file);
            free(file.octets);
        }
    }
}

static uint32_t uid_validity_of(struct world *w, mailbox_id mailbox)
{
    struct maildrop_read r = world_list(w, mailbox);
    uint32_t validity = r.uid_validity;
    maildrop_read_clear(&r);
    return validity;
}

/* After a power cut the index may lag: what is lost then is lost behind its position. */
static void test_a_loss_that_the_index_has_not_seen(void **state)
{
    struct world *w = *state;
    assert_int_equal(world_deliver(w, ALICE, 1, 5000), STORE_STORED);
    uint32_t before = uid_validity_of(w, ALICE);
    char kept[PATH];
    snprintf(kept, sizeof kept, "%s/journal/large/kept", w->path);
    assert_int_equal(mkdir(kept, 0700), 0);
    world_close(w);
    copy_index(w, "", "/journal/large/kept");
    assert_true(world_open(w));
    for (unsigned i = 2; i < 5; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 5000), STORE_STORED);
    world_close(w);
    copy_index(w, "/journal/large/kept", "");
    assert_int_equal(rmdir(kept), 0);
    struct image bent = newest_with_mail(w);
    bend_frame(&bent);
    image_write(&bent);
    free(bent.octets);
    assert_true(world_open(w));
    assert_true(world_told(w, "every mailbox has a new uidvalidity"));
    uint32_t after = uid_validity_of(w, ALICE);
    assert_true(after > before);
    world_reopen(w); /* once is enough */
    assert_int_equal(uid_validity_of(w, ALICE), after);
}

/* --- Pages that the disk cannot read --- */

enum { PAGE = 4096, FRAMES = 3 };

static bool exists(const struct world *w, const char *name)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s", w->path, name);
    return access(path, F_OK) == 0;
}

struct findings {
    char words[8192];
    size_t len;
};

static void add_finding(void *owner, bool is_trouble, const char *words)
{
    struct findings *f = owner;
    if (is_trouble && f->len < sizeof f->words)
        f->len += (size_t)snprintf(f->words + f->len, sizeof f->words - f->len, "%s\n", words);
}

/* The check goes on to its end, and says whose mail cannot be read; that can be none. */
static void check_names(struct world *w, const char *whose)
{
    struct findings f = { .len = 0 };
    uint64_t findings = 0;
    if (!store_verify(w->path, add_finding, &f, &findings, &w->error))
        fail_msg("%s", w->error.words);
    assert_true(findings > 0);
    if (whose && !strstr(f.words, whose))
        fail_msg("%s", f.words);
}

static void is_whole_again(struct world *w, struct image *before)
{
    struct image after = *before;
    heal();
    assert_true(image_read(&after));
    assert_true(after.len >= before->len || image_find(&after, FRAMES - 1) > 0);
    assert_memory_equal(after.octets, before->octets, after.len);
    free(after.octets);
    world_close(w);
    rebuild(w);
    assert_true(world_open(w));
    struct maildrop_read r = world_list(w, ALICE);
    assert_int_equal(r.count, FRAMES);
    for (unsigned i = 0; i < FRAMES; i++)
        assert_true(world_reads_back(w, &r.entries[i], i));
    maildrop_read_clear(&r);
}

/* Each page of the segment that mail was last written to, one after the other, with the index and
 * without it: the server starts, and when the page can be read again everything is there. */
static void start_with_bad_page(struct world *w, uint64_t at, bool with_index)
{
    for (unsigned i = 0; i < FRAMES; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 5000), STORE_STORED);
    struct maildrop_read r;
    world_close(w);
    struct image before = newest_with_mail(w);
    if (!with_index) {
        copy_index(w, "", "/journal/large"); /* away */
        assert_false(exists(w, "index.db"));
    }
    make_bad(before.path, at, at + PAGE);
    if (!world_open(w))
        fail_msg("offset %d: %s", (int)at, w->error.words);
    assert_true(bad.refused > 0 || with_index || at == PAGE); /* the header's second copy */
    r = world_list(w, ALICE);
    /* Only an index that is made now can lack some of it. */
    assert_true(r.count == FRAMES || (!with_index && at >= 2 * PAGE));
    maildrop_read_clear(&r);
    assert_int_equal(world_deliver(w, BOB, 7, 100), STORE_STORED);
    world_reopen(w);
    world_close(w);
    if (at >= 2 * PAGE)
        check_names(w, with_index ? "in mailbox someone@a.test" : NULL);
    assert_true(world_open(w));
    is_whole_again(w, &before);
    free(before.octets);
}

static void test_a_start_with_a_page_that_cannot_be_read(void **state)
{
    struct world *w = *state;
    void *fresh = w;
    for (uint64_t page = 0; page < 8; page++) {
        for (int with_index = 0; with_index < 2; with_index++) {
            assert_int_equal(world_set_up(&fresh), 0);
            start_with_bad_page(fresh, page * PAGE, with_index);
            assert_int_equal(world_tear_down(&fresh), 0);
        }
    }
}

/* --- The newest segment is missing, and comes back too late --- */

/* What the next start began without it does not know its batches: that is said. */
static void test_a_segment_that_comes_back_too_late(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < FRAMES; i++)
        assert_int_equal(world_deliver(w, ALICE, i, 5000), STORE_STORED);
    world_close(w);
    struct image segment = newest_with_mail(w);
    assert_int_equal(unlink(segment.path), 0);
    assert_true(world_open(w));
    assert_true(world_told(w, "every mailbox has a new uidvalidity"));
    assert_int_equal(world_deliver(w, BOB, 7, 5000), STORE_STORED);
    world_close(w);
    image_write(&segment);
    check_names(w, "begun without them");
    rebuild(w);
    check_names(w, "begun without them");
    assert_true(exists(w, "journal.damaged"));
    assert_true(world_open(w));
    has_one(w, BOB, 7);
    free(segment.octets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_large_body_outlives_its_frame, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_body_outlives_its_segment, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_loss_that_the_index_has_not_seen, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_start_with_a_page_that_cannot_be_read, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_segment_that_comes_back_too_late, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
