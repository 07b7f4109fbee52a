/* dialogue.c - a client that says one thing after another and looks at each answer. */
#include "lab/dialogue.h"

#include "run/connect.h"

#include <stdlib.h>

struct dialogue {
    struct dialogue_script script;
    struct loop *loop;
    struct connecting *calling;
    struct stream *stream;
    struct timer limit;
    size_t at; /* the exchange whose answer comes */
    struct buffer answer, kept;
};

static void dialogue_free(struct dialogue *d)
{
    loop_timer_stop(d->loop, &d->limit);
    connect_cancel(&d->calling);
    if (d->stream)
        stream_finish(&d->stream);
    buffer_clear(&d->answer);
    buffer_clear(&d->kept);
    free(d);
}

/* The dialogue is gone afterwards. */
static void end(struct dialogue *d, enum dialogue_end how, struct text words)
{
    d->script.done(d->script.owner, how, words);
    dialogue_free(d);
}

/* --- Answers --- */

static bool is_last_line(const struct exchange *x, struct text line, bool first)
{
    bool ok = text_starts(line, T("+OK"));
    if (x->many && !(first && !ok))
        return !first && text_equal(line, T("."));
    return line.len < 4 || line.at[3] != '-' || line.at[0] == '+' || line.at[0] == '-';
}

/* The answer to the exchange, when it is complete; the server says nothing before it is asked. */
static bool is_complete(const struct exchange *x, struct text answer)
{
    struct text line;
    for (bool first = true; text_cut(&answer, '\n', &line); first = false) {
        if (line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        if (is_last_line(x, line, first))
            return true;
    }
    return false;
}

static bool say(struct dialogue *d)
{
    struct text words = d->script.exchanges[d->at].say;
    return words.len == 0 || stream_write(d->stream, bytes_of_text(words)) != STREAM_BROKEN;
}

/* The answer was as wanted: says what comes next, or that all is said.  The dialogue may be gone
 * afterwards. */
static void go_on(struct dialogue *d)
{
    if (d->at == d->script.kept) {
        d->kept = d->answer;
        buffer_init(&d->answer, DIALOGUE_ANSWER_MAX);
    }
    buffer_clear(&d->answer);
    if (++d->at == d->script.count)
        end(d, DIALOGUE_DONE, buffer_as_text(&d->kept));
    else if (!say(d))
        end(d, DIALOGUE_BROKEN, T("the connection was cut"));
}

static void on_input(void *owner, struct bytes bytes)
{
    struct dialogue *d = owner;
    if (!buffer_append(&d->answer, bytes.at, bytes.len)) {
        end(d, DIALOGUE_BROKEN, T("the answer is too long"));
        return;
    }
    const struct exchange *x = &d->script.exchanges[d->at];
    struct text answer = buffer_as_text(&d->answer);
    if (!is_complete(x, answer))
        return;
    if (!text_starts(answer, x->wanted)) {
        end(d, DIALOGUE_REFUSED, answer);
        return;
    }
    go_on(d);
}

static void on_end(void *owner, const struct error *why)
{
    end(owner, DIALOGUE_BROKEN, why ? error_text(why) : T("the server has closed the connection"));
}

static void on_drained(void *owner)
{
    (void)owner;
}

static const struct stream_events events = { on_input, on_end, on_drained };

/* --- Calling --- */

static void on_called(void *owner, struct stream *stream, const struct error *why)
{
    struct dialogue *d = owner;
    d->calling = NULL;
    d->stream = stream;
    if (!stream) {
        end(d, DIALOGUE_BROKEN, error_text(why));
        return;
    }
    stream_start(stream, &events, d);
    if (!say(d))
        end(d, DIALOGUE_BROKEN, T("the connection was cut"));
}

static void on_limit(struct timer *timer)
{
    end(OWNER_OF(timer, struct dialogue, limit), DIALOGUE_BROKEN, T("no answer in time"));
}

struct dialogue *dialogue_start(struct loop *loop, const struct dialogue_script *script)
{
    struct error ignored;
    struct dialogue *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->script = *script;
    d->loop = loop;
    buffer_init(&d->answer, DIALOGUE_ANSWER_MAX);
    buffer_init(&d->kept, DIALOGUE_ANSWER_MAX);
    d->limit.fire = on_limit;
    struct connect_options options = {
        .to = script->to, .timeout_ms = script->timeout_ms, .done = on_called, .owner = d
    };
    if (loop_timer_start(loop, &d->limit, loop_now_ms(loop) + script->timeout_ms))
        d->calling = connect_start(loop, &options, &ignored);
    if (d->calling)
        return d;
    dialogue_free(d);
    return NULL;
}

void dialogue_cancel(struct dialogue **dialogue)
{
    struct dialogue *d = *dialogue;
    *dialogue = NULL;
    if (d)
        dialogue_free(d);
}
