/* composing.c - what send and agent give to a message that is composed. */
#include "cli/composing.h"

#include "run/clock.h"
#include "run/entropy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void draw_letters(char to[COMPOSING_UNIQUE])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[COMPOSING_UNIQUE];
    entropy_fill(random, sizeof random);
    for (size_t i = 0; i < COMPOSING_UNIQUE; i++)
        to[i] = letters[random[i] % 32];
}

void composing_identify(struct text domain, struct composing_identity *out)
{
    char unique[COMPOSING_UNIQUE];
    draw_letters(unique);
    draw_letters(out->boundary);
    out->now_ms = clock_wall_ms();
    out->zone_seconds = clock_zone_seconds(out->now_ms);
    snprintf(out->message_id, sizeof out->message_id, "<%.*s@%.*s>", COMPOSING_UNIQUE, unique,
             TEXT_ARGS(domain));
}

bool composing_from(const struct user *u, struct buffer *out)
{
    if (u->name.len == 0)
        return buffer_text(out, address_text(&u->address));
    bool ok = buffer_byte(out, '"');
    for (size_t i = 0; ok && i < u->name.len; i++) {
        char c = u->name.at[i];
        ok = ((c != '"' && c != '\\') || buffer_byte(out, '\\')) && buffer_byte(out, (uint8_t)c);
    }
    return ok && buffer_printf(out, "\" <%.*s>", TEXT_ARGS(address_text(&u->address)));
}

/* --- Attachments --- */

static bool read_attachment(void *context, uint8_t *to, size_t room, size_t *len_out,
                            struct error *e)
{
    const struct attachment *a = context;
    ssize_t count;
    do
        count = read(a->file, to, room);
    while (count < 0 && errno == EINTR);
    *len_out = count > 0 ? (size_t)count : 0;
    return count >= 0 || error_system(e, ERROR_TEMPORARY, errno, "%.300s", a->words);
}

bool attachments_init(struct attachments *a, struct arena *arena, size_t max)
{
    a->count = 0;
    a->as = arena_take(arena, (max + 1) * sizeof *a->as);
    a->files = arena_take(arena, (max + 1) * sizeof *a->files);
    return a->as && a->files;
}

void attachments_add(struct attachments *a, const char *path, const char *words, int file)
{
    struct attachment *one = &a->files[a->count];
    const char *slash = strrchr(path, '/');
    *one = (struct attachment){ .words = words, .file = file };
    a->as[a->count++] = (struct compose_file){ .name = text_of(slash ? slash + 1 : path),
                                               .context = one,
                                               .read = read_attachment };
}

void attachments_close(struct attachments *a)
{
    while (a->count)
        close(a->files[--a->count].file);
}
