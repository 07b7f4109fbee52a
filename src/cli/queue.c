/* queue.c - godwit queue list, show: what waits to be sent, with or without a running server.
 *
 * Reads the index and nothing else; changes are in queue_steer.c.
 */
#include "cli/queue.h"

#include "cli/out.h"
#include "run/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* --- What is looked at --- */

bool queue_view_open(struct cli *cli, struct queue_view *view, struct error *e)
{
    *view = (struct queue_view){ .cli = cli, .now_ms = clock_wall_ms() };
    selection_init(&view->selection);
    for (size_t i = 0; i < cli->word_count; i++)
        if (!selection_add(&view->selection, text_of(cli->words[i]), e))
            return false;
    return cli_load(cli, e);
}

void queue_view_close(struct queue_view *view)
{
    selection_clear(&view->selection);
}

bool queue_enter(const struct queue_view *view, bool *there_out, struct error *e)
{
    *there_out = access(cli_data(view->cli), F_OK) == 0 || errno != ENOENT;
    return !*there_out || cli_enter_data(view->cli, false, e);
}

struct filter {
    struct queue_view *view;
    bool (*each)(void *owner, const struct queue_item *);
    void *owner;
};

static bool pass(void *owner, const struct queue_item *item)
{
    struct filter *f = owner;
    const struct selection *selection = &f->view->selection;
    if (selection->count > 0 && !selection_takes(selection, item, f->view->now_ms))
        return true;
    return f->each(f->owner, item);
}

bool queue_view_each(struct queue_view *view, bool (*each)(void *owner, const struct queue_item *),
                     void *owner, struct error *e)
{
    struct filter filter = { view, each, owner };
    bool there = false;
    if (!queue_enter(view, &there, e))
        return false;
    return !there || store_each_queued(cli_data(view->cli), pass, &filter, e);
}

/* --- Words --- */

int64_t queue_expires_ms(const struct queue_view *view, const struct queue_item *item)
{
    return item->arrived_ms + (int64_t)view->cli->config->expire_ms;
}

const char *queue_state_name(bool held)
{
    return held ? "held" : "waiting";
}

void queue_print_count(uint64_t count, const char *thing)
{
    printf("%" PRIu64 " %s%s", count, thing, count == 1 ? "" : "s");
}

void queue_print_when(const struct queue_view *view, const struct queue_row *row)
{
    char time[OUT_TIME_MAX], rough[OUT_ROUGH_MAX];
    if (row->attempts == 1)
        fputs(", tried once", stdout);
    else if (row->attempts > 1)
        printf(", tried %" PRIu32 " times", row->attempts);
    if (row->held)
        fputs(", held", stdout);
    else if (row->due_ms <= view->now_ms)
        fputs(", due now", stdout);
    else
        printf(", next at %s (in %s)", out_time(row->due_ms, time),
               out_rough_duration(row->due_ms - view->now_ms, rough));
}

/* --- The commands --- */

static enum cli_exit print_any(struct cli *cli, queue_printer *printer, uint64_t *shown_out)
{
    struct error e;
    struct queue_view view;
    *shown_out = 0;
    bool ok = queue_view_open(cli, &view, &e) && printer(&view, shown_out, &e);
    queue_view_close(&view);
    if (!ok)
        return cli_fail(&e);
    if (view.failed)
        return cli_say(CLI_AGAIN, "memory is short: the listing is not complete");
    return CLI_DONE;
}

enum cli_exit queue_list_if_any(struct cli *cli, uint64_t *shown_out)
{
    return print_any(cli, queue_print_list, shown_out);
}

static enum cli_exit print(struct cli *cli, queue_printer *printer)
{
    uint64_t shown;
    enum cli_exit code = print_any(cli, printer, &shown);
    if (code == CLI_DONE && shown == 0 && cli->word_count > 0)
        return cli_say(CLI_NO, "nothing in the queue is meant by that");
    return code;
}

enum cli_exit cli_queue_list(struct cli *cli)
{
    return print(cli, cli->json ? queue_print_json : queue_print_list);
}

enum cli_exit cli_queue_show(struct cli *cli)
{
    return print(cli, cli->json ? queue_print_json : queue_print_all);
}
