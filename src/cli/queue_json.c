/* queue_json.c - the queue as JSON Lines: one message a line, its recipients in it.
 *
 * What is printed is not kept: a queue may be longer than memory.
 */
#include "cli/out.h"
#include "cli/queue.h"

struct writing {
    struct queue_view *view;
    uint64_t shown;
    json_t *recipients; /* of the message that is being read; NULL: none is */
    json_t *message;    /* the rest of it */
    message_id id;
    bool all_held;
};

static json_t *message_of(const struct queue_view *view, const struct queue_item *item)
{
    char id[MESSAGE_ID_TEXT + 1], arrived[OUT_TIME_MAX], expires[OUT_TIME_MAX];
    message_id_print(item->row.message, id);
    return json_pack("{s:s,s:o,s:I,s:s,s:s}", "id", id, "sender", out_said(item->sender), "size",
                     (json_int_t)item->facts.octets, "arrived", out_time(item->arrived_ms, arrived),
                     "expires", out_time(queue_expires_ms(view, item), expires));
}

static json_t *recipient_of(const struct queue_row *row)
{
    char next[OUT_TIME_MAX];
    return json_pack("{s:o,s:s,s:o,s:I,s:o}", "address", out_said(row->address), "state",
                     queue_state_name(row->held), "next",
                     row->held ? json_null() : json_string(out_time(row->due_ms, next)), "attempts",
                     (json_int_t)row->attempts, "last", out_said(row->last));
}

/* The message that was being read is complete. */
static void flush(struct writing *w)
{
    if (!w->recipients)
        return;
    bool ok =
        w->message &&
        json_object_set_new(w->message, "state", json_string(queue_state_name(w->all_held))) == 0 &&
        json_object_set(w->message, "recipients", w->recipients) == 0 &&
        out_json(json_incref(w->message));
    w->view->failed |= !ok;
    json_decref(w->recipients);
    json_decref(w->message);
    w->recipients = w->message = NULL;
}

static bool add(void *owner, const struct queue_item *item)
{
    struct writing *w = owner;
    if (!w->recipients || w->id != item->row.message) {
        flush(w);
        w->recipients = json_array();
        w->message = message_of(w->view, item);
        w->id = item->row.message;
        w->all_held = true;
    }
    w->shown++;
    w->all_held &= item->row.held;
    w->view->failed |= json_array_append_new(w->recipients, recipient_of(&item->row)) != 0;
    return !w->view->failed;
}

bool queue_print_json(struct queue_view *view, uint64_t *shown_out, struct error *e)
{
    struct writing w = { .view = view };
    bool ok = queue_view_each(view, add, &w, e);
    flush(&w);
    *shown_out = w.shown;
    return ok;
}
