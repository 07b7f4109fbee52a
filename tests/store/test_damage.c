/* test_damage.c - octets are lost, and come back: what a start may not spoil meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include "store_world.h"

#include "store/store.h"

#include <dirent.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_large_body_outlives_its_frame, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_body_outlives_its_segment, world_set_up,
                                        world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_loss_that_the_index_has_not_seen, world_set_up,
                                        world_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
