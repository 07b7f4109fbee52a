/* screen.c - text for the user's terminal.  What others wrote moves nothing on it. */
#include "cli/screen.h"

#include "run/charset.h"

#include <stdio.h>

enum { SLICE = 8 * 1024 };

void screen_init(struct screen *s)
{
    char name[CHARSET_TERMINAL_MAX];
    struct text charset = charset_of_terminal(name);
    *s = (struct screen){ 0 };
    if (!text_equal_nocase(charset, T("UTF-8")))
        s->recoder = recoder_from_utf8(charset);
}

void screen_clear(struct screen *s)
{
    recoder_free(&s->recoder);
}

/* Slice by slice, so that no text is too long to be shown. */
void screen_text(struct screen *s, struct text text)
{
    struct buffer out;
    buffer_init(&out, RECODER_ROOM(SLICE));
    while (s->recoder && text.len) {
        out.len = 0;
        recoder_feed(s->recoder, text_first(text, SLICE), &out);
        text = text_skip(text, SLICE);
        if (text.len == 0)
            recoder_end(s->recoder, &out);
        fwrite(out.at, 1, out.len, stdout);
    }
    buffer_clear(&out);
    if (text.len)
        fwrite(text.at, 1, text.len, stdout);
}

void screen_feed(struct screen *s, struct text text)
{
    struct buffer out;
    buffer_init(&out, HARMLESS_ROOM(SLICE));
    while (text.len) {
        out.len = 0;
        harmless_feed(&s->harmless, text_first(text, SLICE), &out);
        screen_text(s, buffer_as_text(&out));
        text = text_skip(text, SLICE);
    }
    buffer_clear(&out);
}

void screen_end(struct screen *s)
{
    struct buffer out;
    buffer_init(&out, HARMLESS_ROOM(0));
    harmless_end(&s->harmless, &out);
    screen_text(s, buffer_as_text(&out));
    buffer_clear(&out);
    s->harmless = (struct harmless){ 0 };
}

void screen_line(struct screen *s, struct text line)
{
    struct buffer out;
    buffer_init(&out, HARMLESS_ROOM(line.len));
    harmless_line(&out, line);
    screen_text(s, buffer_as_text(&out));
    buffer_clear(&out);
    fputc('\n', stdout);
}

static bool take(void *context, struct bytes octets, struct error *e)
{
    screen_text(context, text_of_bytes(octets));
    return !ferror(stdout) || error_set(e, ERROR_TEMPORARY, "standard output cannot be written");
}

struct sink screen_sink(struct screen *s)
{
    return (struct sink){ s, take };
}
