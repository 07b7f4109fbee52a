/* binary_body.c - a body that came with BODY=BINARYMIME on its way into the store.
 *
 *   state      what goes on                                      leaves by
 *   ARRIVING   the body is kept and scanned                      binary_body_end()
 *   READING    it is read again, until it is known what to do    WRITING, ENDED
 *   WRITING    what it becomes goes to a spool of its own        ENDED
 *   ENDED      -
 *
 * Pieces are read, converted and written as far as spools allow, some in each turn.  It decides
 * only whether there is anything to convert; what is refused for it is the session's matter.
 */
#include "serve/binary_body.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    PIECES_A_TURN = 8, /* a millisecond or two */
    STEP_MAX = 64 * 1024,
};

enum state { ARRIVING, READING, WRITING, ENDED };

struct binary_body {
    struct binary_body_options options;
    enum state state;
    enum binary_end how; /* ENDED */
    struct spool *raw;
    struct spool *lines; /* what it becomes */
    bool lines_wait;     /* they want no more for the moment */
    struct convert *convert;
    enum convert_verdict verdict;
    uint64_t at; /* octets of the raw body in this reading or the writing */
    struct buffer out;
    struct timer turn;
};

static void run(struct binary_body *);

static void lines_are_ready(void *owner)
{
    struct binary_body *b = owner;
    b->lines_wait = false;
    run(b);
}

static void raw_is_ready(void *owner)
{
    struct binary_body *b = owner;
    if (b->state == ARRIVING)
        b->options.ready(b->options.owner);
    else
        run(b);
}

static void next_turn(struct timer *timer)
{
    run(OWNER_OF(timer, struct binary_body, turn));
}

/* What will be written anew has a name of its own until then. */
struct binary_body *binary_body_new(const struct binary_body_options *options)
{
    struct binary_body *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    message_id id = options->message;
    b->options = *options;
    b->turn.fire = next_turn;
    buffer_init(&b->out, CONVERT_ROOM(STEP_MAX));
    b->convert = convert_new(CONVERT_TO_8BIT);
    if (options->to_lines)
        id = store_new_message_id(options->store);
    b->raw = spool_open(options->store, id, options->loop, raw_is_ready, b);
    if (!b->convert || !b->raw)
        binary_body_free(&b);
    return b;
}

void binary_body_free(struct binary_body **body)
{
    struct binary_body *b = *body;
    *body = NULL;
    if (!b)
        return;
    loop_timer_stop(b->options.loop, &b->turn);
    spool_close(&b->raw);
    spool_close(&b->lines);
    convert_free(&b->convert);
    buffer_clear(&b->out);
    free(b);
}

enum spool_state binary_body_append(struct binary_body *b, struct bytes octets)
{
    CHECK(b->state == ARRIVING);
    convert_read(b->convert, octets);
    return spool_append(b->raw, octets);
}

struct spool *binary_body_take(struct binary_body *b)
{
    struct spool **from = b->lines ? &b->lines : &b->raw;
    struct spool *spool = *from;
    CHECK(b->state == ENDED);
    *from = NULL;
    return spool;
}

enum convert_obstacle binary_body_obstacle(const struct binary_body *b)
{
    return convert_obstacle(b->convert);
}

static void end(struct binary_body *b, enum binary_end how)
{
    b->state = ENDED;
    b->how = how;
}

/* --- What is to be done --- */

/* The message is kept as it came; what turned out to be lines ends with one. */
static void keep(struct binary_body *b)
{
    bool is_lines = b->verdict == CONVERT_NOTHING;
    bool ok = true;
    if (is_lines && !spool_facts(b->raw)->ends_with_crlf)
        ok = spool_append(b->raw, bytes_of_text(T("\r\n"))) != SPOOL_FAILED;
    end(b, !ok ? BINARY_FAILED : is_lines ? BINARY_LINES : BINARY_KEPT);
}

static void begin_writing(struct binary_body *b)
{
    const struct binary_body_options *o = &b->options;
    b->lines = spool_open(o->store, o->message, o->loop, lines_are_ready, b);
    if (!b->lines) {
        end(b, BINARY_FAILED);
        return;
    }
    b->state = WRITING;
    if (b->verdict == CONVERT_READY)
        convert_rewind(b->convert);
}

/* A header or structure that is not lines is nobody's: even a report about it could not show it. */
static void decide(struct binary_body *b)
{
    bool never = b->verdict == CONVERT_NEVER;
    if (b->verdict == CONVERT_NO_MEMORY)
        end(b, BINARY_FAILED);
    else if (never && (b->options.to_lines || binary_body_obstacle(b) == CONVERT_STRUCTURE))
        end(b, BINARY_NOT_LINES);
    else if (b->options.to_lines)
        begin_writing(b);
    else
        keep(b);
}

/* --- The pump --- */

static void end_reading(struct binary_body *b)
{
    b->verdict = convert_read_end(b->convert);
    b->at = 0;
    if (b->verdict != CONVERT_AGAIN)
        decide(b);
}

/* Gives what was made to the new spool. */
static enum spool_state pass_on(struct binary_body *b)
{
    enum spool_state state = spool_append(b->lines, buffer_bytes(&b->out));
    b->out.len = 0;
    b->lines_wait = state == SPOOL_WAIT;
    return state;
}

static enum spool_state write(struct binary_body *b, struct bytes piece)
{
    bool done = b->verdict == CONVERT_READY ? convert_write(b->convert, piece, &b->out)
                                            : buffer_append(&b->out, piece.at, piece.len);
    return done ? pass_on(b) : SPOOL_FAILED;
}

static void end_writing(struct binary_body *b)
{
    bool done = true;
    if (b->verdict == CONVERT_READY)
        done = convert_write_end(b->convert, &b->out);
    else if (!spool_facts(b->lines)->ends_with_crlf)
        done = buffer_text(&b->out, T("\r\n"));
    end(b, done && pass_on(b) != SPOOL_FAILED ? BINARY_LINES : BINARY_FAILED);
}

/* The next piece.  SPOOL_WAIT: nothing goes on before a spool is ready. */
static enum spool_state work(struct binary_body *b)
{
    struct bytes piece;
    enum spool_state state = spool_read(b->raw, b->at, &piece);
    if (state != SPOOL_OPEN)
        return state;
    if (piece.len > STEP_MAX)
        piece.len = STEP_MAX;
    b->at += piece.len;
    if (piece.len && b->state == WRITING)
        return write(b, piece);
    if (piece.len)
        convert_read(b->convert, piece);
    else if (b->state == READING)
        end_reading(b);
    else
        end_writing(b);
    return SPOOL_OPEN;
}

static void run(struct binary_body *b)
{
    enum spool_state state = b->lines_wait ? SPOOL_WAIT : SPOOL_OPEN;
    if (b->state == ENDED)
        return;
    for (int i = 0; i < PIECES_A_TURN && b->state != ENDED && state == SPOOL_OPEN; i++)
        state = work(b);
    if (state == SPOOL_WAIT && b->state != ENDED)
        return;
    if (state == SPOOL_OPEN && b->state != ENDED &&
        loop_timer_start(b->options.loop, &b->turn, loop_now_ms(b->options.loop)))
        return;
    if (b->state != ENDED)
        end(b, BINARY_FAILED);
    loop_timer_stop(b->options.loop, &b->turn);
    b->options.ended(b->options.owner, b->how); /* who may free it */
}

bool binary_body_end(struct binary_body *b)
{
    CHECK(b->state == ARRIVING);
    b->state = READING;
    b->verdict = convert_read_end(b->convert);
    if (b->verdict == CONVERT_NO_MEMORY)
        return false;
    CHECK(b->verdict == CONVERT_AGAIN);
    return loop_timer_start(b->options.loop, &b->turn, loop_now_ms(b->options.loop));
}
