/* queue_list.c - the queue for people: by destination, then by what holds the mail up.
 *
 *   example.net: 2 recipients, next at 2026-11-21T11:40:00Z (in 4m)
 *     mx.example.net said: 450 4.2.0 greylisted
 *       0a1b2c3d4e5f6  4.1K  2026-11-21T10:58:12Z  alice@a.test
 *         bob@example.net, tried 2 times, next at 2026-11-21T11:40:00Z (in 4m)
 *
 * All of it is read before the first line, since it is sorted; --json needs no memory.
 */
#include "cli/out.h"
#include "cli/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITING_MAX = 1 << 30, TEXTS_MAX = 1 << 30 };

struct waiting {
    struct queue_row row; /* its texts, and the sender, in `texts` */
    struct text sender;
    int64_t arrived_ms;
    uint64_t octets;
};

struct listing {
    struct queue_view *view;
    struct buffer waiting; /* struct waiting */
    struct arena texts;
    struct queue_hops hops;
    message_id last;
    uint64_t messages, octets, recipients, held;
};

/* --- Reading --- */

/* Many rows share their domain and their reason with the one before. */
static bool keep(struct listing *l, struct text given, struct text before, struct text *out)
{
    if (!text_equal(given, before))
        return arena_text(&l->texts, given, out);
    *out = before;
    return true;
}

static bool add(void *owner, const struct queue_item *item)
{
    struct listing *l = owner;
    struct waiting w = { .row = item->row,
                         .arrived_ms = item->arrived_ms,
                         .octets = item->facts.octets };
    const struct waiting *before = &w;
    if (l->waiting.len)
        before = (const struct waiting *)(const void *)(l->waiting.at + l->waiting.len) - 1;
    bool same = before != &w;
    struct text none = T("");
    w.row.orcpt = none;
    bool ok = keep(l, item->row.domain, same ? before->row.domain : none, &w.row.domain) &&
              keep(l, item->row.last, same ? before->row.last : none, &w.row.last) &&
              keep(l, item->sender, same ? before->sender : none, &w.sender) &&
              arena_text(&l->texts, item->row.address, &w.row.address) &&
              buffer_append(&l->waiting, &w, sizeof w);
    if (item->row.message != l->last) {
        l->messages++;
        l->octets += item->facts.octets;
    }
    l->last = item->row.message;
    l->recipients++;
    l->held += item->row.held;
    l->view->failed |= !ok;
    return ok;
}

static int by_reason(const struct waiting *a, const struct waiting *b)
{
    int order = text_compare(a->row.domain, b->row.domain);
    if (order == 0)
        order = (a->row.held > b->row.held) - (a->row.held < b->row.held);
    return order != 0 ? order : text_compare(a->row.last, b->row.last);
}

static int in_order(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    int order = by_reason(x, y);
    if (order == 0)
        order = (x->row.message > y->row.message) - (x->row.message < y->row.message);
    return order != 0 ? order : (x->row.number > y->row.number) - (x->row.number < y->row.number);
}

/* --- Printing --- */

static void print_domain(const struct listing *l, const struct waiting *from,
                         const struct waiting *to)
{
    struct queue_hop hop;
    int64_t due_ms = INT64_MAX;
    char time[OUT_TIME_MAX], rough[OUT_ROUGH_MAX];
    for (const struct waiting *w = from; w < to; w++)
        if (!w->row.held && w->row.due_ms < due_ms)
            due_ms = w->row.due_ms;
    out_words(from->row.domain);
    fputs(": ", stdout);
    queue_print_count((uint64_t)(to - from), "recipient");
    if (due_ms == INT64_MAX)
        fputs(", all held", stdout);
    else if (queue_hops_find(&l->hops, l->view->cli->config, from->row.domain, &hop)) {
        fputs(", waiting for ", stdout);
        out_words(hop.name);
        fputs(", which is down", stdout);
    } else if (due_ms <= l->view->now_ms)
        fputs(", due now", stdout);
    else
        printf(", next at %s (in %s)", out_time(due_ms, time),
               out_rough_duration(due_ms - l->view->now_ms, rough));
    putchar('\n');
}

/* What was not tried yet shares the reason of its hop. */
static void print_untried(const struct listing *l, const struct waiting *w)
{
    struct queue_hop hop;
    fputs("not tried yet", stdout);
    if (!queue_hops_find(&l->hops, l->view->cli->config, w->row.domain, &hop) || hop.last.len == 0)
        return;
    fputs(": ", stdout);
    out_reply(hop.last);
}

static void print_reason(const struct listing *l, const struct waiting *w)
{
    fputs(w->row.held ? "  held" : "  ", stdout);
    if (w->row.held && w->row.last.len)
        fputs("; before that: ", stdout);
    if (w->row.last.len)
        out_reply(w->row.last);
    else if (!w->row.held)
        print_untried(l, w);
    putchar('\n');
}

static void print_message(const struct waiting *w)
{
    char id[MESSAGE_ID_TEXT + 1], size[OUT_ROUGH_MAX], time[OUT_TIME_MAX];
    message_id_print(w->row.message, id);
    printf("    %s  %s  %s  ", id, out_rough_size(w->octets, size), out_time(w->arrived_ms, time));
    out_words(w->sender.len ? w->sender : T("<>"));
    putchar('\n');
}

static void print_waiting(const struct listing *l)
{
    const struct waiting *all = (const void *)l->waiting.at;
    const struct waiting *end = all + l->waiting.len / sizeof *all;
    for (const struct waiting *w = all; w < end; w++) {
        bool other_domain = w == all || !text_equal(w->row.domain, w[-1].row.domain);
        bool other_reason = other_domain || by_reason(w, w - 1) != 0;
        const struct waiting *to = w;
        while (other_domain && to < end && text_equal(to->row.domain, w->row.domain))
            to++;
        if (other_domain)
            print_domain(l, w, to);
        if (other_reason)
            print_reason(l, w);
        if (other_reason || w->row.message != w[-1].row.message)
            print_message(w);
        fputs("      ", stdout);
        out_words(w->row.address);
        queue_print_when(l->view, &w->row);
        putchar('\n');
    }
}

static void print_hint(const struct listing *l)
{
    const struct waiting *all = (const void *)l->waiting.at;
    struct queue_hint hint = { 0 };
    for (size_t i = 0; i < l->waiting.len / sizeof *all; i++)
        queue_hint_add(&hint, l->view->cli->config, &all[i].row, i ? &all[i - 1].row : NULL);
    queue_hint_print(&hint, l->view->cli->config);
}

static void print_sum(const struct listing *l)
{
    char size[OUT_ROUGH_MAX];
    if (l->recipients == 0)
        return;
    queue_print_count(l->messages, "message");
    fputs(", ", stdout);
    queue_print_count(l->recipients, "recipient");
    printf(", %s", out_rough_size(l->octets, size));
    if (l->held > 0)
        printf(", %" PRIu64 " held", l->held);
    putchar('\n');
}

bool queue_print_list(struct queue_view *view, uint64_t *shown_out, struct error *e)
{
    struct listing l = { .view = view };
    buffer_init(&l.waiting, WAITING_MAX);
    arena_init(&l.texts, TEXTS_MAX);
    bool ok = queue_view_each(view, add, &l, e);
    if (ok) {
        if (l.waiting.len)
            qsort(l.waiting.at, l.waiting.len / sizeof(struct waiting), sizeof(struct waiting),
                  in_order);
        if (l.recipients)
            queue_hops_ask(view, &l.hops);
        print_waiting(&l);
        queue_hops_print(&l.hops, view);
        print_hint(&l);
        print_sum(&l);
    }
    queue_hops_clear(&l.hops);
    *shown_out = l.recipients;
    buffer_clear(&l.waiting);
    arena_reset(&l.texts);
    return ok;
}
