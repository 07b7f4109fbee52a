/* told.c - which recipients a report tells of, and what it says where that was left open.
 *
 * What went wrong is told by whoever tried.  That it was tried for so long, and is over, is told
 * here, since it is the same for everybody who was given up.
 */
#include "queue/told.h"

#include "mail/notify.h"

#include <inttypes.h>
#include <stdio.h>

enum { SPAN_WORDS_MAX = 32 };

/* RFC 3461 4.1.  Without NOTIFY we tell of delays too, as it lets us. */
bool settle_is_wanted(unsigned notify, enum dsn_action action)
{
    static const unsigned wanted_by[DSN_ACTIONS] = {
        [DSN_FAILED] = NOTIFY_FAILURE,    [DSN_DELAYED] = NOTIFY_DELAY,
        [DSN_DELIVERED] = NOTIFY_SUCCESS, [DSN_RELAYED] = NOTIFY_SUCCESS,
        [DSN_EXPANDED] = NOTIFY_SUCCESS,
    };
    if (notify == NOTIFY_DEFAULT)
        notify = NOTIFY_FAILURE | NOTIFY_DELAY;
    return (notify & NOTIFY_NEVER) == 0 && (notify & wanted_by[action]) != 0;
}

/* RFC 3461 6.1, RFC 5321 4.5.5: whoever sends as <> is told nothing. */
bool told_is_due(const struct settled *s, struct text sender)
{
    return s->tell && sender.len > 0 && settle_is_wanted(s->row.notify, s->told.action);
}

/* "5 days", "36 hours": in the largest unit that loses nothing. */
static void span_words(uint64_t ms, char out[SPAN_WORDS_MAX])
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
    uint64_t seconds = ms / 1000;
    size_t i = 0;
    while (seconds % units[i].seconds != 0)
        i++;
    uint64_t count = seconds / units[i].seconds;
    snprintf(out, SPAN_WORDS_MAX, "%" PRIu64 " %s%s", count, units[i].name, count == 1 ? "" : "s");
}

/* RFC 3463 3.5: 4.4.7 is "delivery time expired".  What the last attempt ended with stands behind
 * it. */
bool told_expired(struct dsn_recipient *told, uint64_t expire_ms, struct arena *memory)
{
    char span[SPAN_WORDS_MAX];
    struct buffer words;
    struct text why = told->reason;
    span_words(expire_ms, span);
    buffer_init(&words, sizeof span + 100 + why.len);
    buffer_printf(&words, "It could not be delivered within %s, and is not tried any more.", span);
    if (text_ends_nocase(why, T(".")))
        buffer_printf(&words, " %.*s", TEXT_ARGS(why));
    else if (why.len)
        buffer_printf(&words, " At the last attempt: %.*s.", TEXT_ARGS(why));
    bool done = !words.failed && arena_text(memory, buffer_as_text(&words), &told->reason);
    buffer_clear(&words);
    told->status = T("4.4.7");
    return done;
}

static bool fill_in(const struct settle_options *options, const struct settled *s,
                    uint64_t expire_ms, struct arena *memory, struct dsn_recipient *out)
{
    *out = s->told;
    if (out->final_recipient.len == 0)
        out->final_recipient = s->row.address;
    if (out->original_recipient.len == 0)
        out->original_recipient = s->row.orcpt;
    if (out->action == DSN_DELAYED && out->will_retry_until_ms == 0)
        out->will_retry_until_ms = options->item->arrived_ms + (int64_t)expire_ms;
    if (out->action == DSN_FAILED && s->row.state == QUEUE_EXPIRED)
        return told_expired(out, expire_ms, memory);
    return true;
}

bool told_gather(const struct settle_options *options, uint64_t expire_ms, struct arena *memory,
                 struct told *out)
{
    out->count = 0;
    out->recipients = arena_take(memory, options->count * sizeof *out->recipients);
    if (!out->recipients)
        return false;
    for (size_t i = 0; i < options->count; i++) {
        const struct settled *s = &options->recipients[i];
        if (told_is_due(s, options->item->sender) &&
            !fill_in(options, s, expire_ms, memory, &out->recipients[out->count++]))
            return false;
    }
    return true;
}
