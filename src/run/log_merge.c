/* log_merge.c - the lines of several rings as one log, in the order of their time.
 *
 * A stretch remembers where the lines of each millisecond begin.  Neighbouring pieces of one
 * stretch are written with one call, those of several are gathered first.  It never looks into a
 * line.
 */
#include "run/log_inner.h"

#include <string.h>

enum { GATHERED_OCTETS = 64 * 1024 };

void log_stretch_init(struct log_stretch *s)
{
    buffer_init(&s->lines, LOG_STRETCH_OCTETS_MAX);
    s->mark_count = 0;
}

void log_stretch_mark(struct log_stretch *s, int64_t ms, size_t at)
{
    bool same = s->mark_count > 0 && s->marks[s->mark_count - 1].ms == ms;
    if (same || s->mark_count == LOG_MARKS_MAX)
        return;
    s->marks[s->mark_count].ms = ms;
    s->marks[s->mark_count++].at = at;
}

void log_stretch_empty(struct log_stretch *s, size_t octets_kept)
{
    s->mark_count = 0;
    s->lines.len = 0;
    if (s->lines.room > octets_kept)
        buffer_clear(&s->lines);
}

struct merge {
    struct log_stretch *const *stretches;
    unsigned count;
    unsigned next[LOG_RINGS_MAX]; /* mark of each */
    void (*write)(void *owner, struct bytes lines);
    void *owner;
    struct buffer gathered;
};

/* The stretch whose next lines are the oldest; NULL when there are none left. */
static const struct log_stretch *oldest(const struct merge *m, unsigned *index_out)
{
    const struct log_stretch *found = NULL;
    int64_t found_ms = 0;
    for (unsigned i = 0; i < m->count; i++) {
        const struct log_stretch *s = m->stretches[i];
        if (m->next[i] == s->mark_count || (found && s->marks[m->next[i]].ms >= found_ms))
            continue;
        found = s;
        found_ms = s->marks[m->next[i]].ms;
        *index_out = i;
    }
    return found;
}

static void flush(struct merge *m)
{
    if (m->gathered.len > 0)
        m->write(m->owner, buffer_bytes(&m->gathered));
    m->gathered.len = 0;
}

/* What does not fit is written as it lies, which is slower and as good. */
static void give(struct merge *m, struct bytes lines)
{
    if (m->gathered.len + lines.len > GATHERED_OCTETS)
        flush(m);
    if (lines.len > GATHERED_OCTETS || !buffer_append(&m->gathered, lines.at, lines.len)) {
        flush(m);
        m->gathered.failed = false;
        m->write(m->owner, lines);
    }
}

static bool is_alone(const struct merge *m, const struct log_stretch *s)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->stretches[i] != s && m->next[i] < m->stretches[i]->mark_count)
            return false;
    return true;
}

void log_merge(struct log_stretch *const *stretches, unsigned count,
               void (*write)(void *owner, struct bytes lines), void *owner)
{
    struct merge m = { .stretches = stretches, .count = count, .write = write, .owner = owner };
    const struct log_stretch *s;
    unsigned i;
    buffer_init(&m.gathered, GATHERED_OCTETS);
    while ((s = oldest(&m, &i))) {
        size_t from = s->marks[m.next[i]++].at;
        if (is_alone(&m, s))
            m.next[i] = s->mark_count;
        size_t end = m.next[i] < s->mark_count ? s->marks[m.next[i]].at : s->lines.len;
        give(&m, (struct bytes){ s->lines.at + from, end - from });
    }
    flush(&m);
    buffer_clear(&m.gathered);
}

uint64_t log_count_lines(struct bytes lines)
{
    uint64_t count = 0;
    for (size_t i = 0; i < lines.len; i++)
        count += lines.at[i] == '\n';
    return count;
}
