/* letter.c - a message on its way from a person to a sender. */
#include "agent/letter.h"

#include "run/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void letter_init(struct letter *l)
{
    *l = (struct letter){ .begins = true, .file = -1 };
    buffer_init(&l->memory, LETTER_MEMORY_MAX);
}

void letter_clear(struct letter *l)
{
    if (l->file >= 0)
        close(l->file);
    buffer_clear(&l->memory);
    letter_init(l);
}

/* --- Writing --- */

static void look(struct letter *l, struct bytes octets)
{
    uint8_t all = 0;
    for (size_t i = 0; i < octets.len; i++) {
        uint8_t c = octets.at[i];
        all |= c;
        l->dot_lines |= l->begins && c == '.';
        l->begins = c == '\n';
    }
    l->eight_bit |= all > 0x7F;
}

static const char *folder(void)
{
    const char *written = getenv("TMPDIR");
    return written && written[0] == '/' ? written : "/tmp";
}

/* A file without a name; some file systems only have files that lose theirs. */
static int open_file(void)
{
    char name[1024];
    int file = open(folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return file;
    struct buffer b = buffer_over(name, sizeof name);
    if (!buffer_printf(&b, "%s/godwit-XXXXXX", folder()) || !buffer_byte(&b, '\0'))
        return -1;
    file = mkostemp(name, O_CLOEXEC);
    if (file >= 0)
        unlink(name);
    return file;
}

static bool move_to_file(struct letter *l)
{
    l->file = open_file();
    bool ok = l->file >= 0 && file_write_all(l->file, buffer_bytes(&l->memory));
    if (ok)
        buffer_clear(&l->memory);
    return ok;
}

static bool take(void *context, struct bytes octets, struct error *e)
{
    struct letter *l = context;
    look(l, octets);
    l->octets += octets.len;
    if (l->file < 0 && buffer_append(&l->memory, octets.at, octets.len))
        return true;
    if ((l->file >= 0 || move_to_file(l)) && file_write_all(l->file, octets))
        return true;
    return error_system(e, ERROR_TEMPORARY, errno, "the message cannot be kept in %s", folder());
}

struct sink letter_sink(struct letter *l)
{
    return (struct sink){ l, take };
}

/* --- Reading --- */

static bool read_piece(struct letter *l, uint64_t offset)
{
    l->memory.len = 0;
    uint8_t *room = buffer_reserve(&l->memory, LETTER_PIECE);
    ssize_t count;
    do
        count = room ? pread(l->file, room, LETTER_PIECE, (off_t)offset) : -1;
    while (count < 0 && room && errno == EINTR);
    l->memory.len = count > 0 ? (size_t)count : 0;
    return count > 0;
}

bool letter_read(struct letter *l, uint64_t offset, struct bytes *piece_out)
{
    if (offset >= l->octets)
        return false;
    if (l->file < 0) {
        *piece_out = (struct bytes){ l->memory.at + offset, (size_t)(l->octets - offset) };
        return true;
    }
    bool ok = read_piece(l, offset);
    *piece_out = buffer_bytes(&l->memory);
    return ok;
}
