/* remote_convert.c - a message that the next hop does not take as it is: looked at, and converted
 * as it goes.
 *
 * What a message becomes must be known before MAIL says its size, so it is read two or three times
 * before, a part in each turn of the loop; nothing of it is kept but the tree of its parts.  While
 * that goes on nothing is said, and a server that hangs up has not heard of the message.  One look
 * serves all transactions of a job.
 */
#include "queue/fit.h"
#include "queue/remote_inner.h"

#include <stdlib.h>

enum {
    PIECES_A_TURN = 8, /* of 64 KB: a millisecond or two */
    PIECE_MAX = 64 * 1024,
};

struct remote_conversion {
    struct remote *r;
    message_id message;
    enum convert_target target;
    struct convert *convert;
    enum convert_verdict verdict; /* AGAIN: it is being looked at */
    struct content *content;      /* meanwhile */
    struct timer turn;
    bool waits;        /* for the store, or the next turn */
    bool is_used;      /* the message that is being sent is what it becomes */
    uint64_t at;       /* octets of the content that were read */
    struct buffer out; /* what they became */
    uint64_t out_at;   /* where that begins in what is sent */
};

void remote_convert_clear(struct remote *r)
{
    struct remote_conversion *c = r->conversion;
    r->conversion = NULL;
    if (!c)
        return;
    loop_timer_stop(r->loop, &c->turn);
    content_close(&c->content);
    convert_free(&c->convert);
    buffer_clear(&c->out);
    free(c);
}

/* --- The look --- */

static void go_on(struct remote_conversion *c)
{
    c->waits = false;
    remote_talk_on(c->r);
}

static void content_ready(void *owner)
{
    go_on(owner);
}

static void next_turn(struct timer *timer)
{
    go_on(OWNER_OF(timer, struct remote_conversion, turn));
}

/* False: memory is short. */
static bool begin(struct remote *r, enum convert_target target)
{
    struct remote_conversion *c = r->conversion = calloc(1, sizeof *c);
    if (!c)
        return false;
    c->r = r;
    c->message = r->job->item.row.message;
    c->target = target;
    c->turn.fire = next_turn;
    buffer_init(&c->out, CONVERT_ROOM(PIECE_MAX));
    c->convert = convert_new(target);
    c->content = content_open(r->office->store, r->loop, &r->job->item.content);
    return c->convert && c->content;
}

/* The next piece of this reading. */
static enum remote_look read_piece(struct remote_conversion *c)
{
    struct bytes piece;
    switch (content_read(c->content, c->at, &piece, content_ready, c)) {
    case CONTENT_HERE:
        convert_read(c->convert, piece);
        c->at += piece.len;
        return REMOTE_LOOKED;
    case CONTENT_END:
        c->verdict = convert_read_end(c->convert);
        c->at = 0;
        return c->verdict == CONVERT_NO_MEMORY ? REMOTE_LOOK_FAILED : REMOTE_LOOKED;
    case CONTENT_WAIT:
        c->waits = true;
        return REMOTE_LOOKS;
    case CONTENT_BUSY:
        return REMOTE_LOOK_FAILED;
    case CONTENT_DAMAGED:
        break;
    }
    return REMOTE_LOOK_DAMAGE;
}

static enum remote_look look(struct remote_conversion *c)
{
    enum remote_look state = REMOTE_LOOKED;
    if (c->waits)
        return REMOTE_LOOKS;
    for (int i = 0; i < PIECES_A_TURN && c->verdict == CONVERT_AGAIN && state == REMOTE_LOOKED; i++)
        state = read_piece(c);
    if (state != REMOTE_LOOKED)
        return state;
    if (c->verdict != CONVERT_AGAIN) {
        content_close(&c->content);
        return REMOTE_LOOKED;
    }
    c->waits = loop_timer_start(c->r->loop, &c->turn, loop_now_ms(c->r->loop));
    return c->waits ? REMOTE_LOOKS : REMOTE_LOOK_FAILED;
}

static void log_failure(const struct remote *r, enum remote_look why)
{
    char id[MESSAGE_ID_TEXT + 1];
    message_id_print(r->job->item.row.message, id);
    LOG_EVENT(r->office->log, LOG_ERROR, text_of(r->session), "unreadable", { "id", text_of(id) },
              { "why", why == REMOTE_LOOK_DAMAGE ? T("the stored message is damaged")
                                                 : T("memory is short, or the store is busy") });
}

enum remote_look remote_convert_look(struct remote *r)
{
    struct fit fit = fit_of(&r->job->item, smtp_client_offers(r->machine));
    struct remote_conversion *c = r->conversion;
    if (c && (fit.way != FIT_CONVERT || c->message != r->job->item.row.message ||
              c->target != fit.target))
        remote_convert_clear(r);
    if (fit.way != FIT_CONVERT)
        return REMOTE_LOOKED;
    enum remote_look state = REMOTE_LOOK_FAILED;
    if (r->conversion || begin(r, fit.target))
        state = look(r->conversion);
    if (state == REMOTE_LOOK_FAILED || state == REMOTE_LOOK_DAMAGE) {
        log_failure(r, state);
        remote_convert_clear(r);
    }
    return state;
}

/* --- What is sent --- */

void remote_convert_describe(struct remote *r, struct smtp_client_message *m)
{
    struct fit fit = fit_of(&r->job->item, smtp_client_offers(r->machine));
    struct remote_conversion *c = r->conversion;
    m->binary = fit.way == FIT_AS_BINARY;
    if (!c)
        return;
    /* A signature that is broken helps nobody where the message may go as it is. */
    c->is_used = c->verdict == CONVERT_READY && (fit.must || !convert_has_dkim(c->convert));
    if (c->is_used) {
        m->octets = convert_octets(c->convert);
        m->eight_bit = m->eight_bit && c->target == CONVERT_TO_8BIT;
        m->dot_lines = true;
    } else if (c->verdict == CONVERT_NEVER && fit.must) {
        m->binary = fit.binary;
        m->obstacle = convert_obstacle_words(convert_obstacle(c->convert));
    }
}

bool remote_convert_knows_ascii_header(const struct remote *r)
{
    return r->conversion && !convert_has_8bit_header(r->conversion->convert);
}

bool remote_convert_is_used(const struct remote *r)
{
    return r->conversion && r->conversion->is_used;
}

static bool write_piece(struct remote_conversion *c, struct bytes piece)
{
    c->at += piece.len;
    return convert_write(c->convert, piece, &c->out);
}

enum content_state remote_convert_read(struct remote *r, struct bytes *out,
                                       void (*ready)(void *owner), void *owner)
{
    struct remote_conversion *c = r->conversion;
    if (r->read_at == 0) {
        convert_rewind(c->convert);
        c->out.len = 0;
        c->out_at = c->at = 0;
    }
    if (r->read_at > c->out_at)
        buffer_take(&c->out, (size_t)(r->read_at - c->out_at));
    c->out_at = r->read_at;
    while (c->out.len == 0) {
        struct bytes piece;
        enum content_state state = content_read(r->content, c->at, &piece, ready, owner);
        if (state == CONTENT_HERE && !write_piece(c, piece))
            return CONTENT_BUSY;
        if (state == CONTENT_END && !convert_write_end(c->convert, &c->out))
            return CONTENT_BUSY;
        if (state != CONTENT_HERE && (state != CONTENT_END || c->out.len == 0))
            return state;
    }
    *out = buffer_bytes(&c->out);
    return CONTENT_HERE;
}
