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

bool wire_mask(struct text *line, bool ends, char room[WIRE_MASK_MAX])
{
    struct text rest = *line, verb, mechanism;
    struct buffer out = buffer_over(room, WIRE_MASK_MAX);
    text_word(&rest, &verb);
    if (text_equal_nocase(verb, T("PASS"))) {
        *line = T("PASS ***");
        return true;
    }
    if (text_equal_nocase(verb, T("AUTH")) && text_word(&rest, &mechanism) &&
        text_trim(rest).len > 0) {
        buffer_printf(&out, "AUTH %.*s ***", TEXT_ARGS(text_first(mechanism, 32)));
        *line = buffer_as_text(&out);
        return true;
    }
    /* The verb, or the mechanism, may go on in the next piece. */
    return !ends && (rest.len == 0 || text_equal_nocase(verb, T("AUTH")));
}

/* Whether the rest of the line must be hidden. */
static bool log_words(struct wire *w, enum log_from from, enum wire_kind kind, bool ends)
{
    char room[WIRE_MASK_MAX];
    struct text line = buffer_as_text(&w->lines[from]);
    bool hides = kind == WIRE_SECRET;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (hides)
        line = T("***");
    else if (from == LOG_CLIENT && kind == WIRE_WORDS)
        hides = wire_mask(&line, ends, room);
    log_protocol(w->log, w->session, from, line);
    return hides;
}

/* A whole line, or a piece of a long one. */
static void log_piece(struct wire *w, enum log_from from, enum wire_kind kind, bool ends)
{
    if (!w->hides[from])
        w->hides[from] = log_words(w, from, kind, ends);
    buffer_wipe(&w->lines[from]);
}

static void end_line(struct wire *w, enum log_from from, enum wire_kind kind)
{
    log_piece(w, from, kind, true);
    w->hides[from] = false;
}

void wire_add(struct wire *w, enum log_from from, enum wire_kind kind, struct bytes bytes)
{
    if (!wire_is_on(w) || bytes.len == 0 || (kind == WIRE_BODY && w->level != WIRE_ALL))
        return;
    /* A chunk (RFC 3030) may end without a line end; a command goes on with no line of it. */
    if (w->is_body[from] && kind != WIRE_BODY && w->lines[from].len > 0)
        end_line(w, from, WIRE_BODY);
    w->is_body[from] = kind == WIRE_BODY;
    struct text rest = text_of_bytes(bytes), piece;
    while (rest.len) {
        bool ended = text_cut(&rest, '\n', &piece);
        while (piece.len > WIRE_LINE_MAX - w->lines[from].len) {
            size_t fits = WIRE_LINE_MAX - w->lines[from].len;
            buffer_text(&w->lines[from], text_first(piece, fits));
            piece = text_skip(piece, fits);
            log_piece(w, from, kind, false);
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
