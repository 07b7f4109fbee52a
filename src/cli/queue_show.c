/* queue_show.c - all that is known of messages in the queue, for people. */
#include "cli/out.h"
#include "cli/queue.h"
#include "mail/notify.h"
#include "queue/tls_need.h"

#include <inttypes.h>
#include <stdio.h>

struct showing {
    const struct queue_view *view;
    uint64_t shown;
    message_id id; /* the message that is being read */
};

static void print_words(const char *name, struct text words)
{
    printf("%-12s", name);
    out_words(words);
    putchar('\n');
}

/* "2026-11-21T10:58:12Z (3h ago)" */
static void print_time(const struct queue_view *view, const char *name, int64_t at_ms)
{
    char time[OUT_TIME_MAX], rough[OUT_ROUGH_MAX];
    int64_t left_ms = at_ms - view->now_ms;
    out_rough_duration(left_ms < 0 ? -left_ms : left_ms, rough);
    printf("%-12s%s (%s%s%s)\n", name, out_time(at_ms, time), left_ms < 0 ? "" : "in ", rough,
           left_ms < 0 ? " ago" : "");
}

static void print_message(const struct showing *s, const struct queue_item *item)
{
    char id[MESSAGE_ID_TEXT + 1];
    if (s->shown > 0)
        putchar('\n');
    print_words("message", message_id_print(item->row.message, id));
    print_words("from", item->sender.len ? item->sender : T("<>"));
    printf("%-12s%" PRIu64 " octets\n", "size", item->facts.octets);
    print_time(s->view, "arrived", item->arrived_ms);
    print_time(s->view, "expires", queue_expires_ms(s->view, item));
    if (item->envelope.utf8)
        print_words("needs", T("SMTPUTF8"));
    if (tls_need_of(&item->envelope) != TLS_NEED_NONE)
        print_words("said", text_of(tls_need_words(tls_need_of(&item->envelope))));
    if (item->envelope.ret.len)
        print_words("RET", item->envelope.ret);
    if (item->envelope.envid.len)
        print_words("ENVID", item->envelope.envid);
}

/* RFC 3461 4.1, as it was asked for. */
static void print_notify(unsigned notify)
{
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = { { NOTIFY_NEVER, "NEVER" },
                 { NOTIFY_SUCCESS, "SUCCESS" },
                 { NOTIFY_FAILURE, "FAILURE" },
                 { NOTIFY_DELAY, "DELAY" } };
    const char *before = "";
    if (notify == NOTIFY_DEFAULT)
        return;
    printf("  %-10s", "NOTIFY");
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (notify & bits[i].bit) {
            printf("%s%s", before, bits[i].name);
            before = ",";
        }
    putchar('\n');
}

/* A reply of several lines is shown as such. */
static void print_last(struct text last)
{
    struct text line;
    const char *name = "  last";
    bool more = last.len > 0;
    while (more) {
        more = text_cut(&last, '\n', &line);
        print_words(name, line);
        name = "";
    }
}

static void print_recipient(const struct showing *s, const struct queue_row *row)
{
    print_words("to", row->address);
    printf("  %-10s%s", "state", queue_state_name(row->held));
    queue_print_when(s->view, row);
    putchar('\n');
    if (row->warned)
        puts("            the sender was told of the delay");
    print_notify(row->notify);
    if (row->orcpt.len)
        print_words("  ORCPT", row->orcpt);
    print_last(row->last);
}

static bool show(void *owner, const struct queue_item *item)
{
    struct showing *s = owner;
    if (item->row.message != s->id)
        print_message(s, item);
    print_recipient(s, &item->row);
    s->id = item->row.message;
    s->shown++;
    return true;
}

bool queue_print_all(struct queue_view *view, uint64_t *shown_out, struct error *e)
{
    struct showing s = { .view = view };
    bool ok = queue_view_each(view, show, &s, e);
    *shown_out = s.shown;
    return ok;
}
