/* fuzz_fetched.c - any octets as the file of what was fetched: it is understood, or left as it is;
 * and what was understood is the same when it is opened again, settled or not.
 */
#include "base/check.h"
#include "folder/fetched.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLANNED_MAX = 1 << 16 };

/* A file of this process's own, where there is no disk. */
static const char *make_file(const uint8_t *data, size_t size)
{
    static char path[64];
    if (!path[0])
        snprintf(path, sizeof path, "/dev/shm/godwit-fuzz-%d", (int)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0);
    CHECK(write(file, data, size) == (ssize_t)size);
    close(file);
    return path;
}

static bool check_name(void *owner, const char *name)
{
    size_t *count = owner;
    CHECK(name[0]);
    ++*count;
    return true;
}

/* Every word of the file that may be a uid. */
static size_t count_known(const struct fetched *f, struct text file)
{
    struct text line, word;
    size_t known = 0;
    while (text_cut(&file, '\n', &line))
        while (text_word(&line, &word))
            known += fetched_has(f, word);
    return known;
}

static void check_again(struct fetched **f, const char *path, struct text file)
{
    struct error e;
    size_t count = fetched_count(*f), open_count = fetched_open_count(*f), names = 0;
    size_t known = count_known(*f, file);
    CHECK(fetched_each_open(*f, check_name, &names) && names == open_count);
    fetched_close(f);
    CHECK(fetched_open(path, f, &e));
    CHECK(fetched_count(*f) == count);
    CHECK(fetched_open_count(*f) == open_count);
    CHECK(count_known(*f, file) == known);
}

/* Every second one is found to be here. */
static void settle(struct fetched *f)
{
    static bool here[PLANNED_MAX];
    struct error e;
    for (size_t i = 0; i < PLANNED_MAX; i++)
        here[i] = i % 2;
    CHECK(fetched_open_count(f) <= PLANNED_MAX);
    CHECK(fetched_settle(f, here, &e));
    CHECK(fetched_open_count(f) == 0);
    CHECK(fetched_add(f, T("another"), &e) && fetched_commit(f, &e));
    CHECK(fetched_has(f, T("another")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fetched *f;
    struct error e = { 0 };
    struct text file = { (const char *)data, size };
    const char *path = make_file(data, size);
    if (fetched_open(path, &f, &e)) {
        check_again(&f, path, file);
        settle(f);
        check_again(&f, path, file);
        fetched_close(&f);
    } else {
        CHECK(e.kind == ERROR_DAMAGED && e.words[0]);
    }
    unlink(path);
    return 0;
}
