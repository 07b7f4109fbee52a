/* trace.c - a conversation as people read it.  Secrets are masked here, before anybody sees a line.
 */
#include "agent/trace.h"

#include "base/base64.h"
#include "base/escape.h"
#include "run/clock.h"
#include "run/secret.h"
#include "run/wire.h"

#include <inttypes.h>
#include <stdarg.h>

void trace_begin(struct trace_session *t, const struct trace *to)
{
    *t = (struct trace_session){ .to = to };
    for (int side = TRACE_CLIENT; side <= TRACE_SERVER; side++)
        t->lines[side] = buffer_over(t->room[side], TRACE_LINE_MAX);
}

static void empty(struct buffer *line)
{
    secret_wipe(line->at, line->len);
    line->len = 0;
}

void trace_clear(struct trace_session *t)
{
    empty(&t->lines[TRACE_CLIENT]);
    empty(&t->lines[TRACE_SERVER]);
}

static void tell(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                 struct text line)
{
    t->to->line(t->to->owner, side, kind, line);
}

/* --- Lines --- */

/* Whether the rest of the line must be hidden. */
static bool tell_line(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                      bool ends)
{
    char room[WIRE_MASK_MAX];
    struct text line = buffer_as_text(&t->lines[side]);
    bool hides = kind == TRACE_SECRET;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (hides)
        line = T("***");
    else if (side == TRACE_CLIENT && kind == TRACE_WORDS)
        hides = wire_mask(&line, ends, room);
    tell(t, side, kind, line);
    return hides;
}

/* A whole line, or a piece of a long one. */
static void tell_piece(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                       bool ends)
{
    if (!t->hides[side])
        t->hides[side] = tell_line(t, side, kind, ends);
    empty(&t->lines[side]);
}

static void add_piece(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                      struct text piece)
{
    struct buffer *line = &t->lines[side];
    while (piece.len > TRACE_LINE_MAX - line->len) {
        size_t fits = TRACE_LINE_MAX - line->len;
        buffer_text(line, text_first(piece, fits));
        piece = text_skip(piece, fits);
        tell_piece(t, side, kind, false);
    }
    buffer_text(line, piece);
}

static void add_lines(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                      struct text rest)
{
    struct text piece;
    while (rest.len) {
        bool ended = text_cut(&rest, '\n', &piece);
        add_piece(t, side, kind, piece);
        if (!ended)
            return;
        tell_piece(t, side, kind, true);
        t->hides[side] = false;
    }
}

static const char *const sides[] = { [TRACE_CLIENT] = "C", [TRACE_SERVER] = "S" };

/* Content is over: what was kept back is told as a number. */
static void end_content(struct trace_session *t, enum trace_side side)
{
    uint64_t octets = t->content[side];
    t->content[side] = 0;
    if (t->lines[side].len)
        tell_piece(t, side, TRACE_CONTENT, true);
    t->hides[side] = false;
    if (octets > TRACE_CONTENT_MAX)
        trace_note(t, "%s: ... %" PRIu64 " octets more", sides[side], octets - TRACE_CONTENT_MAX);
}

static void add(struct trace_session *t, enum trace_side side, enum trace_kind kind,
                struct bytes bytes)
{
    struct text words = text_of_bytes(bytes);
    if (kind != TRACE_CONTENT) {
        if (t->content[side])
            end_content(t, side);
        add_lines(t, side, kind, words);
        return;
    }
    uint64_t before = t->content[side];
    t->content[side] += words.len;
    if (before < TRACE_CONTENT_MAX)
        add_lines(t, side, kind, text_first(words, (size_t)(TRACE_CONTENT_MAX - before)));
}

void trace_heard(struct trace_session *t, enum trace_kind kind, struct bytes bytes)
{
    if (t->to && bytes.len)
        add(t, TRACE_SERVER, kind, bytes);
}

void trace_said(struct trace_session *t, enum trace_kind kind, struct bytes output)
{
    if (!t->to || output.len <= t->said)
        return;
    struct bytes fresh = { output.at + t->said, output.len - t->said };
    t->said = output.len;
    add(t, TRACE_CLIENT, kind, fresh);
}

void trace_drained(struct trace_session *t, size_t count)
{
    t->said -= count < t->said ? count : t->said;
}

void trace_note(struct trace_session *t, const char *format, ...)
{
    char words[ERROR_WORDS_MAX];
    va_list arguments;
    if (!t->to)
        return;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    tell(t, TRACE_NOTE, TRACE_WORDS, text_of(words));
}

/* --- For people --- */

static bool is_printable(struct text words)
{
    for (size_t i = 0; i < words.len; i++)
        if (words.at[i] < ' ' || words.at[i] > '~')
            return false;
    return words.len > 0;
}

bool trace_challenge(struct text line, char out[TRACE_CHALLENGE_MAX])
{
    char decoded[TRACE_CHALLENGE_MAX];
    size_t len;
    if (!text_take_nocase(&line, T("334 ")))
        return false;
    line = text_trim(line);
    if (BASE64_DECODED_MAX(line.len) >= sizeof decoded ||
        !base64_decode(line, (uint8_t *)decoded, &len) ||
        !is_printable((struct text){ decoded, len }))
        return false;
    snprintf(out, TRACE_CHALLENGE_MAX, "%.*s", (int)len, decoded);
    return true;
}

enum { DAY_MS = 24 * 3600 * 1000, ESCAPED_MAX = 12 * TRACE_LINE_MAX };

static void print_time(FILE *to)
{
    int64_t now = clock_wall_ms();
    int64_t of_day = (now + (int64_t)clock_zone_seconds(now) * 1000) % DAY_MS;
    fprintf(to, "%02d:%02d:%02d.%03d ", (int)(of_day / 3600000), (int)(of_day / 60000 % 60),
            (int)(of_day / 1000 % 60), (int)(of_day % 1000));
}

/* A tab is a space here: it moves nothing. */
static void print_words(FILE *to, struct text line)
{
    struct buffer words;
    struct text piece;
    bool more = true;
    buffer_init(&words, ESCAPED_MAX);
    while (more) {
        more = text_cut(&line, '\t', &piece);
        escape_text(&words, piece);
        if (more)
            buffer_byte(&words, ' ');
    }
    fprintf(to, "%.*s", TEXT_ARGS(buffer_as_text(&words)));
    buffer_clear(&words);
}

void trace_print(void *file, enum trace_side side, enum trace_kind kind, struct text line)
{
    FILE *to = file;
    char meaning[TRACE_CHALLENGE_MAX];
    print_time(to);
    if (side != TRACE_NOTE)
        fprintf(to, "%s: ", sides[side]);
    print_words(to, line);
    if (side == TRACE_SERVER && kind == TRACE_WORDS && trace_challenge(line, meaning))
        fprintf(to, "   (%s)", meaning);
    fputc('\n', to);
}
