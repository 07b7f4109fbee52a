/* wire.c - the protocol log of one session. */
#include "run/wire.h"

void wire_init(struct wire *w, struct log *log, struct text session, enum wire_level level)
{
    *w = (struct wire){ .log = log, .session = session, .level = level };
    buffer_init(&w->lines[LOG_SERVER], WIRE_LINE_MAX);
    buffer_init(&w->lines[LOG_CLIENT], WIRE_LINE_MAX);
}

void wire_clear(struct wire *w)
{
    buffer_wipe(&w->lines[LOG_SERVER]);
    buffer_wipe(&w->lines[LOG_CLIENT]);
}

/* Passwords stand behind PASS, and behind the mechanism's name of AUTH.  Returns whether there was
 * one. */
static bool log_client_line(struct wire *w, struct text line)
{
    struct text rest = line, verb, mechanism;
    bool secret = true;
    char masked[64];
    struct buffer out = buffer_over(masked, sizeof masked);
    text_word(&rest, &verb);
    if (text_equal_nocase(verb, T("PASS"))) {
        line = T("PASS ***");
    } else if (text_equal_nocase(verb, T("AUTH")) && text_word(&rest, &mechanism) &&
               text_trim(rest).len > 0) {
        buffer_printf(&out, "AUTH %.*s ***", TEXT_ARGS(text_first(mechanism, 32)));
        line = buffer_as_text(&out);
    } else {
        secret = false;
    }
    log_protocol(w->log, w->session, LOG_CLIENT, line);
    return secret;
}

/* Returns whether it was a secret's. */
static bool log_words(struct wire *w, enum log_from from, enum wire_kind kind, struct text line)
{
    if (from == LOG_CLIENT && kind == WIRE_WORDS)
        return log_client_line(w, line);
    log_protocol(w->log, w->session, from, kind == WIRE_SECRET ? T("***") : line);
    return kind == WIRE_SECRET;
}

/* A whole line, or a piece of a long one. */
static void log_piece(struct wire *w, enum log_from from, enum wire_kind kind)
{
    struct text line = buffer_as_text(&w->lines[from]);
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (!w->hides[from])
        w->hides[from] = log_words(w, from, kind, line);
    buffer_wipe(&w->lines[from]);
}

static void end_line(struct wire *w, enum log_from from, enum wire_kind kind)
{
    log_piece(w, from, kind);
    w->hides[from] = false;
}

void wire_add(struct wire *w, enum log_from from, enum wire_kind kind, struct bytes bytes)
{
    if (!wire_is_on(w) || (kind == WIRE_BODY && w->level != WIRE_ALL))
        return;
    struct text rest = text_of_bytes(bytes), piece;
    while (rest.len) {
        bool ended = text_cut(&rest, '\n', &piece);
        while (piece.len > WIRE_LINE_MAX - w->lines[from].len) {
            size_t fits = WIRE_LINE_MAX - w->lines[from].len;
            buffer_text(&w->lines[from], text_first(piece, fits));
            piece = text_skip(piece, fits);
            log_piece(w, from, kind);
        }
        buffer_text(&w->lines[from], piece);
        if (ended)
            end_line(w, from, kind);
    }
}

void wire_add_output(struct wire *w, enum log_from from, enum wire_kind kind, struct bytes output)
{
    if (!wire_is_on(w) || output.len <= w->logged)
        return;
    wire_add(w, from, kind, (struct bytes){ output.at + w->logged, output.len - w->logged });
    w->logged = output.len;
}

void wire_drained(struct wire *w, size_t count)
{
    w->logged -= count < w->logged ? count : w->logged;
}
