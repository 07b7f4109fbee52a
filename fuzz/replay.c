/* replay.c - runs a fuzz target over files or folders given by name, or over standard input,
 * without libFuzzer.
 *
 * Built with AFL++'s compiler it takes one input after the other from AFL++, in one process: no
 * target keeps anything.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef __AFL_COMPILER
#pragma clang diagnostic ignored "-Wshorten-64-to-32" /* in AFL++'s own macros */
__AFL_FUZZ_INIT();
#endif

static void fail(const char *name)
{
    perror(name);
    exit(1);
}

static unsigned replay_pack(const uint8_t *data, size_t size)
{
    enum { LENGTH = 4 };
    unsigned count = 0;
    while (size >= LENGTH) {
        size_t len = data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
        if (len > size - LENGTH)
            break;
        uint8_t *input = malloc(len + 1); /* of its own size: reading past its end is seen */
        if (!input)
            fail("memory");
        memcpy(input, data + LENGTH, len);
        LLVMFuzzerTestOneInput(input, len);
        free(input);
        data += LENGTH + len;
        size -= LENGTH + len;
        count++;
    }
    if (size)
        exit(1);
    return count;
}

static bool is_pack(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".pack") == 0;
}

static unsigned replay_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file)
        fail(name);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(size + 1);
    if (!data || fread(data, 1, size, file) != size)
        fail(name);
    fclose(file);
    unsigned count = 1;
    if (is_pack(name))
        count = replay_pack(data, size);
    else
        LLVMFuzzerTestOneInput(data, size);
    free(data);
    return count;
}

#ifdef __AFL_COMPILER
enum { RUNS_OF_A_PROCESS = 1000 };

static unsigned replay_input(void)
{
    __AFL_INIT();
    unsigned count = 0;
    const uint8_t *data = __AFL_FUZZ_TESTCASE_BUF;
    while (__AFL_LOOP(RUNS_OF_A_PROCESS)) {
        LLVMFuzzerTestOneInput(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
        count++;
    }
    return count;
}
#else
static unsigned replay_input(void)
{
    enum { INPUT_MAX = 1 << 20 };
    uint8_t *data = malloc(INPUT_MAX);
    size_t size = data ? fread(data, 1, INPUT_MAX, stdin) : 0;
    if (!data || ferror(stdin))
        fail("standard input");
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}
#endif

static unsigned replay(const char *name)
{
    struct stat status;
    if (stat(name, &status) == 0 && !S_ISDIR(status.st_mode))
        return replay_file(name);
    DIR *folder = opendir(name);
    if (!folder)
        fail(name);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        count += replay(path);
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 1 ? replay_input() : 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%u inputs replayed\n", count);
    return count == 0;
}
