/* script.c - what a lab is told to do by a file, line by line. */
#include "lab/script.h"

#include "base/arena.h"
#include "lab/dialogue.h"
#include "lab/script_steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SCRIPT_OCTETS_MAX = 1 << 20,
    MEMORY_MAX = 8 << 20,
    DIALOGUE_MS = 30000,
    ASK_AGAIN_MS = 200,
};

struct script {
    struct lab_plan *plan;
    struct buffer text;
    struct arena memory; /* the steps, and what the current one says */
    struct step *steps;
    size_t count, at;
    struct loop *loop;
    struct dialogue *dialogue;
    struct timer timer;
    uint64_t deadline_ms; /* of a wait */
    void (*done)(void *owner, const struct error *why);
    void *owner;
};

static void begin_step(struct script *s);

/* --- The end of a step --- */

static void fail(struct script *s, const char *what, struct text words)
{
    struct error why;
    const struct step *step = &s->steps[s->at];
    while (words.len > 0 && (words.at[words.len - 1] == '\n' || words.at[words.len - 1] == '\r'))
        words.len--;
    error_set(&why, ERROR_REFUSED, "line %u: %.*s: %s%.*s", step->line,
              TEXT_ARGS(text_first(step->words, 120)), what, TEXT_ARGS(text_first(words, 200)));
    s->done(s->owner, &why);
}

static void succeed(struct script *s)
{
    printf("ok %.*s\n", TEXT_ARGS(s->steps[s->at].words));
    fflush(stdout);
    s->at++;
    begin_step(s);
}

static void wait_more(struct script *s, uint64_t ms)
{
    if (!loop_timer_start(s->loop, &s->timer, loop_now_ms(s->loop) + ms))
        fail(s, "memory is short", T(""));
}

/* How many messages "+OK 3 1200" speaks of. */
static bool counted(struct text answer, uint64_t *count_out)
{
    struct text word;
    return text_word(&answer, &word) && text_word(&answer, &word) && text_to_u64(word, count_out);
}

/* Whatever came of asking, it is asked again until the time is over: the maildrop may be in use. */
static void look_at_count(struct script *s, enum dialogue_end how, struct text words)
{
    uint64_t count;
    if (how == DIALOGUE_DONE && counted(words, &count) && count == s->steps[s->at].number)
        succeed(s);
    else if (loop_now_ms(s->loop) >= s->deadline_ms)
        fail(s, "not so, but ", words);
    else
        wait_more(s, ASK_AGAIN_MS);
}

static void look_at_refusal(struct script *s, enum dialogue_end how, struct text words)
{
    if (how == DIALOGUE_REFUSED && text_starts(words, T("5")))
        succeed(s);
    else
        fail(s, "not refused: ", words);
}

static bool holds(struct text all, struct text part)
{
    for (; all.len >= part.len; all = text_skip(all, 1))
        if (text_starts(all, part))
            return true;
    return false;
}

/* With the line ends of this system. */
static void print_lines(struct text words)
{
    struct text line;
    while (text_cut(&words, '\n', &line)) {
        if (line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        printf("%.*s\n", TEXT_ARGS(line));
    }
}

static void dialogue_ended(void *owner, enum dialogue_end how, struct text words)
{
    struct script *s = owner;
    const struct step *step = &s->steps[s->at];
    s->dialogue = NULL;
    if (step->verb == STEP_WAIT)
        look_at_count(s, how, words);
    else if (step->verb == STEP_REFUSED)
        look_at_refusal(s, how, words);
    else if (how != DIALOGUE_DONE)
        fail(s, "", words);
    else if (step->verb == STEP_EXPECT && !holds(words, step->rest))
        fail(s, "that is not in the message", T(""));
    else {
        if (step->verb == STEP_POP)
            print_lines(words);
        succeed(s);
    }
}

/* --- The beginning of a step --- */

static void start_dialogue(struct script *s)
{
    struct dialogue_script d = { .timeout_ms = DIALOGUE_MS, .done = dialogue_ended, .owner = s };
    if (step_exchanges(s->plan, &s->steps[s->at], &s->memory, &d))
        s->dialogue = dialogue_start(s->loop, &d);
    if (!s->dialogue)
        fail(s, "memory is short", T(""));
}

static void on_timer(struct timer *timer)
{
    struct script *s = OWNER_OF(timer, struct script, timer);
    if (s->steps[s->at].verb == STEP_PAUSE)
        succeed(s);
    else
        start_dialogue(s);
}

static void begin_step(struct script *s)
{
    if (s->at == s->count) {
        s->done(s->owner, NULL);
        return;
    }
    const struct step *step = &s->steps[s->at];
    s->deadline_ms = loop_now_ms(s->loop) + step->seconds * 1000;
    wait_more(s, step->verb == STEP_PAUSE ? step->seconds * 1000 : 0);
}

void script_start(struct script *s, struct loop *loop,
                  void (*done)(void *owner, const struct error *why), void *owner)
{
    s->loop = loop;
    s->done = done;
    s->owner = owner;
    s->timer.fire = on_timer;
    begin_step(s);
}

/* --- Reading --- */

static bool slurp(const char *name, struct buffer *out, struct error *error)
{
    bool is_input = text_equal(text_of(name), T("-"));
    FILE *file = is_input ? stdin : fopen(name, "r");
    if (!file)
        return error_system(error, ERROR_USAGE, errno, "cannot read %s", name);
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && buffer_append(out, piece, got))
        continue;
    bool ok = !ferror(file) && !out->failed;
    if (!is_input)
        fclose(file);
    return ok || error_set(error, ERROR_USAGE, "%s: cannot be read, or is over 1M", name);
}

static size_t lines_of(struct text text)
{
    size_t count = 1;
    struct text line;
    while (text_cut(&text, '\n', &line))
        count++;
    return count;
}

static bool parse(struct script *s, const char *name, struct error *error)
{
    struct text rest = buffer_as_text(&s->text), line;
    s->steps = arena_take(&s->memory, lines_of(rest) * sizeof *s->steps);
    if (!s->steps)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    bool more;
    unsigned number = 0;
    do {
        struct error why;
        more = text_cut(&rest, '\n', &line);
        struct step *step = &s->steps[s->count];
        step->line = ++number;
        line = text_trim(line);
        if (line.len == 0 || line.at[0] == '#')
            continue;
        if (!step_parse(s->plan, line, step, &why))
            return error_set(error, ERROR_USAGE, "%s:%u: %s", name, number, why.words);
        s->count++;
    } while (more);
    return true;
}

bool script_read(struct lab_plan *plan, const char *file, struct script **out, struct error *error)
{
    struct script *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    s->plan = plan;
    buffer_init(&s->text, SCRIPT_OCTETS_MAX);
    arena_init(&s->memory, MEMORY_MAX);
    if (slurp(file, &s->text, error) && parse(s, file, error))
        return true;
    script_free(out);
    return false;
}

void script_free(struct script **script)
{
    struct script *s = *script;
    if (!s)
        return;
    if (s->loop)
        loop_timer_stop(s->loop, &s->timer);
    dialogue_cancel(&s->dialogue);
    buffer_clear(&s->text);
    arena_reset(&s->memory);
    free(s);
    *script = NULL;
}
