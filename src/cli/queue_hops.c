/* queue_hops.c - next hops that do not answer: only a running server knows of them. */
#include "cli/out.h"
#include "cli/queue.h"
#include "cli/remote.h"
#include "queue/route.h"

#include <stdio.h>

void queue_hops_ask(const struct queue_view *view, struct queue_hops *out)
{
    struct error ignored;
    json_t *answer = NULL;
    out->list = NULL;
    if (remote_ask_for(cli_data(view->cli), json_pack("{s:s}", "do", "hops"), &answer, &ignored) ==
        REMOTE_DONE)
        out->list = json_incref(json_object_get(answer, "hops"));
    json_decref(answer);
}

void queue_hops_clear(struct queue_hops *hops)
{
    json_decref(hops->list);
    hops->list = NULL;
}

static struct text text_in(const json_t *hop, const char *key)
{
    const json_t *value = json_object_get(hop, key);
    return (struct text){ json_string_value(value), json_string_length(value) };
}

bool queue_hops_find(const struct queue_hops *hops, const struct config *config, struct text domain,
                     struct queue_hop *out)
{
    struct route route;
    char name[ROUTE_TEXT_MAX];
    const json_t *hop;
    size_t i;
    route_for(config, domain, &route);
    struct text wanted = route_print(&route, name);
    json_array_foreach(hops->list, i, hop)
    {
        *out = (struct queue_hop){ text_in(hop, "name"), text_in(hop, "last") };
        if (text_equal(out->name, wanted))
            return true;
    }
    return false;
}

static void print_hop(const struct queue_view *view, const json_t *hop)
{
    struct text last = text_in(hop, "last");
    int64_t next_ms = json_integer_value(json_object_get(hop, "next"));
    char time[OUT_TIME_MAX], rough[OUT_ROUGH_MAX];
    fputs("down: ", stdout);
    out_words(text_in(hop, "name"));
    if (next_ms <= view->now_ms)
        fputs(", tried again now", stdout);
    else
        printf(", tried again at %s (in %s)", out_time(next_ms, time),
               out_rough_duration(next_ms - view->now_ms, rough));
    if (last.len) {
        fputs(": ", stdout);
        out_reply(last);
    }
    putchar('\n');
}

void queue_hops_print(const struct queue_hops *hops, const struct queue_view *view)
{
    const json_t *hop;
    size_t i;
    json_array_foreach(hops->list, i, hop) print_hop(view, hop);
}
