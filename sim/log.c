/* log.c - run/log.h in the simulated world: the log is a part of the trace.
 *
 * Every event goes into its hash; words are put together only when somebody looks.
 */
#include "run/log.h"

#include "base/escape.h"
#include "sim/ledger.h"
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

enum { LINE_OCTETS = 500 };

bool log_new(const struct log_options *options, struct log **out, struct error *e)
{
    (void)options;
    (void)e;
    *out = (struct log *)(void *)world_current();
    return true;
}

bool log_start(struct log *log, struct error *e)
{
    (void)log;
    (void)e;
    return true;
}

void log_free(struct log **log)
{
    *log = NULL;
}

bool log_reopen(struct log *log, const struct log_options *options, struct error *e)
{
    (void)log;
    (void)options;
    (void)e;
    return true;
}

void log_use_ring(struct log *log, unsigned ring)
{
    (void)log;
    (void)ring;
}

static void show_event(struct text session, const char *event, struct log_fields fields)
{
    char room[LINE_OCTETS];
    struct buffer line = buffer_over(room, sizeof room);
    buffer_printf(&line, "%.*s %s", TEXT_ARGS(session), event);
    for (size_t i = 0; i < fields.count; i++) {
        buffer_printf(&line, " %s=\"", fields.at[i].name);
        escape_text(&line, fields.at[i].value);
        buffer_byte(&line, '"');
    }
    trace_show("%.*s", TEXT_ARGS(buffer_as_text(&line)));
}

void log_event(struct log *log, enum log_level level, struct text session, const char *event,
               struct log_fields fields)
{
    (void)log;
    (void)level;
    trace_hash(event, strlen(event));
    for (size_t i = 0; i < fields.count; i++)
        trace_hash(fields.at[i].value.at, fields.at[i].value.len);
    if (strcmp(event, "dropped") == 0)
        ledger_dropped(world_now()->ledger, world_current()->number, fields.at[0].value,
                       fields.at[2].value);
    if (trace_is_shown())
        show_event(session, event, fields);
}

void log_protocol(struct log *log, struct text session, enum log_from from, struct text words)
{
    char room[LINE_OCTETS];
    struct buffer line = buffer_over(room, sizeof room);
    (void)log;
    if (!trace_is_shown())
        return;
    escape_text(&line, text_first(words, LINE_OCTETS / 4));
    trace_show("%.*s %s %.*s", TEXT_ARGS(session), from == LOG_SERVER ? "->" : "<-",
               TEXT_ARGS(buffer_as_text(&line)));
}
