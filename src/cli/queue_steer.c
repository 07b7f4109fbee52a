/* queue_steer.c - godwit queue retry, hold, release, drop: through the running server, or, without
 * one, in the store itself.
 *
 * What is dropped is in the log, whoever does it: nothing that was accepted goes without a trace.
 */
#include "cli/queue.h"
#include "cli/remote.h"
#include "queue/steer.h"
#include "run/log.h"

#include <inttypes.h>
#include <stdio.h>

/* --- Through the server --- */

static json_t *request_of(const struct cli *cli, enum steer_op op)
{
    json_t *words = json_array();
    for (size_t i = 0; i < cli->word_count; i++)
        json_array_append_new(words, json_string(cli->words[i]));
    if (json_array_size(words) != cli->word_count) { /* not UTF-8, or memory is short */
        json_decref(words);
        return NULL;
    }
    return json_pack("{s:s,s:s,s:o}", "do", "queue", "op", steer_name(op), "selectors", words);
}

static enum remote_state ask_server(const struct cli *cli, enum steer_op op,
                                    struct steer_count *out, struct error *e)
{
    json_t *answer = NULL;
    enum remote_state state = remote_ask_for(cli_data(cli), request_of(cli, op), &answer, e);
    if (state != REMOTE_DONE)
        return state;
    out->matched = (uint64_t)json_integer_value(json_object_get(answer, "matched"));
    out->changed = (uint64_t)json_integer_value(json_object_get(answer, "changed"));
    out->busy = (uint64_t)json_integer_value(json_object_get(answer, "busy"));
    json_decref(answer);
    return state;
}

/* --- In the store --- */

struct own_steering {
    struct steer steer;
    struct log *log;
};

static void log_change(struct steer *steer, const struct queue_item *item)
{
    steer_log_dropped(OWNER_OF(steer, struct own_steering, steer)->log, item);
}

static void steered(struct steer *steer)
{
    loop_stop(steer->home);
}

static bool turn(struct own_steering *s, struct error *e)
{
    if (!loop_new(&s->steer.home, e))
        return false;
    bool started = steer_start(&s->steer, e);
    if (started)
        loop_run(s->steer.home);
    loop_free(&s->steer.home);
    if (started && !s->steer.ok)
        *e = s->steer.error;
    return started && s->steer.ok;
}

/* Memory for bodies: none arrive. */
enum { BODY_MEMORY = 1 << 20 };

static bool steer_store(struct queue_view *view, struct own_steering *s, struct error *e)
{
    const struct config *config = view->cli->config;
    struct store_options store = { .path = cli_data(view->cli), .body_memory = BODY_MEMORY };
    struct log_options log = { .file = config->log_file.len ? config->log_file.at : NULL,
                               .format = config->log_json ? LOG_JSON : LOG_TEXT,
                               .rings = 1 };
    bool ok = store_open(&store, &s->steer.store, e) && log_new(&log, &s->log, e) &&
              log_start(s->log, e) && turn(s, e);
    if (s->log)
        log_free(&s->log);
    if (s->steer.store)
        store_close(&s->steer.store);
    return ok;
}

static bool steer_alone(struct queue_view *view, enum steer_op op, struct steer_count *out,
                        struct error *e)
{
    struct own_steering s = { .steer = { .op = op,
                                         .selection = &view->selection,
                                         .now_ms = view->now_ms,
                                         .done = steered,
                                         .changed = op == STEER_DROP ? log_change : NULL } };
    bool ok = steer_store(view, &s, e);
    *out = s.steer.count;
    return ok;
}

/* --- The commands --- */

/* What has happened, and what was left as it was. */
static const struct {
    const char *done, *left;
} words[STEER_OPS] = {
    [STEER_RETRY] = { "due now", "held, see godwit queue release" },
    [STEER_HOLD] = { "held", "held already" },
    [STEER_RELEASE] = { "released", "not held" },
    [STEER_DROP] = { "dropped; nobody is told", "" },
};

static enum cli_exit tell(enum steer_op op, const struct steer_count *count)
{
    uint64_t left = count->matched - count->changed - count->busy;
    queue_print_count(count->changed, "recipient");
    printf(" %s", words[op].done);
    if (left > 0)
        printf("; left alone: %" PRIu64 ", %s", left, words[op].left);
    putchar('\n');
    if (count->busy > 0)
        return cli_say(CLI_AGAIN, "%" PRIu64 " left as they are, since they are being worked on",
                       count->busy);
    return CLI_DONE;
}

static bool steer(struct queue_view *view, enum steer_op op, struct steer_count *out,
                  struct error *e)
{
    bool there = false;
    if (!queue_view_open(view->cli, view, e) || !queue_enter(view, &there, e))
        return false;
    if (!there)
        return true;
    switch (ask_server(view->cli, op, out, e)) {
    case REMOTE_DONE:
        return true;
    case REMOTE_REFUSED:
        return false;
    case REMOTE_NOBODY:
        break;
    }
    return steer_alone(view, op, out, e);
}

/* `none`: what it is when nothing is meant. */
static enum cli_exit run(struct cli *cli, enum steer_op op, enum cli_exit none)
{
    struct error e;
    struct steer_count count = { 0 };
    struct queue_view view = { .cli = cli };
    bool ok = steer(&view, op, &count, &e);
    queue_view_close(&view);
    if (!ok)
        return cli_fail(&e);
    if (count.matched > 0)
        return tell(op, &count);
    return none == CLI_DONE ? none : cli_say(none, "nothing in the queue is meant by that");
}

enum cli_exit queue_retry_if_any(struct cli *cli)
{
    return run(cli, STEER_RETRY, CLI_DONE);
}

enum cli_exit cli_queue_retry(struct cli *cli)
{
    return run(cli, STEER_RETRY, CLI_NO);
}

enum cli_exit cli_queue_hold(struct cli *cli)
{
    return run(cli, STEER_HOLD, CLI_NO);
}

enum cli_exit cli_queue_release(struct cli *cli)
{
    return run(cli, STEER_RELEASE, CLI_NO);
}

enum cli_exit cli_queue_drop(struct cli *cli)
{
    return run(cli, STEER_DROP, CLI_NO);
}
