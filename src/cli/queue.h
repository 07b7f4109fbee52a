/* queue.h - godwit queue: what its parts share.  Private to the command. */
#ifndef CLI_QUEUE_H
#define CLI_QUEUE_H

#include "cli/cli.h"
#include "queue/select.h"

#include <jansson.h>

/* What is looked at, and by whom. */
struct queue_view {
    struct cli *cli;
    struct selection selection;
    int64_t now_ms;
    bool failed; /* memory was short: something is missing */
};

/* Reads the words as selectors and the configuration.  The view is cleared in any case. */
bool queue_view_open(struct cli *, struct queue_view *, struct error *);
void queue_view_close(struct queue_view *);
/* Becomes DATA's owner.  *there_out: there is a DATA at all. */
bool queue_enter(const struct queue_view *, bool *there_out, struct error *);
/* Every recipient that waits and is meant, in order of message and number; without selectors all.
 * `each` returns false to stop. */
bool queue_view_each(struct queue_view *, bool (*each)(void *owner, const struct queue_item *),
                     void *owner, struct error *);

/* For mailq and sendmail -q: the commands list and retry, to whom an empty queue is no surprise.
 * *shown_out: how many recipients were listed. */
enum cli_exit queue_list_if_any(struct cli *, uint64_t *shown_out);
enum cli_exit queue_retry_if_any(struct cli *);

/* When a message is given up. */
int64_t queue_expires_ms(const struct queue_view *, const struct queue_item *);
/* "waiting" or "held". */
const char *queue_state_name(bool held);
/* ", tried 3 times, next at 2026-11-21T11:40:00Z (in 4m)" and the like, on standard output. */
void queue_print_when(const struct queue_view *, const struct queue_row *);
/* "1 message", "2 messages". */
void queue_print_count(uint64_t count, const char *thing);

/* Next hops that are down, as the running server tells; none without one. */
struct queue_hops {
    json_t *list; /* as it came; may be NULL */
};
void queue_hops_ask(const struct queue_view *, struct queue_hops *out);
void queue_hops_clear(struct queue_hops *);
struct queue_hop {
    struct text name, last; /* why it is down; borrowed from the list */
};
/* Whether the next hop of this domain is one of them. */
bool queue_hops_find(const struct queue_hops *, const struct config *, struct text domain,
                     struct queue_hop *out);
/* A line for each. */
void queue_hops_print(const struct queue_hops *, const struct queue_view *);

/* What the reasons of many recipients together may mean; zeroed at first. */
struct queue_hint {
    unsigned unreachable; /* domains none of whose hosts could be called */
    unsigned reached;     /* recipients to whom some host has said something */
};
/* Each recipient that waits, those of one domain together; `before` may be NULL. */
void queue_hint_add(struct queue_hint *, const struct config *, const struct queue_row *,
                    const struct queue_row *before);
void queue_hint_print(const struct queue_hint *, const struct config *);

/* Print all that is meant; *shown_out: recipients. */
typedef bool queue_printer(struct queue_view *, uint64_t *shown_out, struct error *);
queue_printer queue_print_list, queue_print_json, queue_print_all;

#endif
