/* original.c - reads what a report may return of a stored message.
 *
 * It never returns octets that do not verify: of a message that turns out to be damaged nothing is
 * kept.
 */
#include "queue/original.h"

#include "mail/dsn.h"
#include "mail/header.h"

/* One octet more than is returned, so that a field which goes on is seen to be too long. */
enum { HEADER_READ_MAX = DSN_HEADER_MAX + 1, WHOLE_READ_MAX = ORIGINAL_WHOLE_MAX + 1 };

static void end(struct original *o, enum original_verdict verdict)
{
    content_close(&o->content);
    if (verdict != ORIGINAL_READ)
        buffer_clear(&o->text);
    o->done(o, verdict);
}

/* All that is wanted is here, or all that there is. */
static void end_read(struct original *o, bool is_all)
{
    o->is_whole &= is_all;
    if (!o->is_whole)
        o->text.len = header_length(buffer_as_text(&o->text));
    end(o, ORIGINAL_READ);
}

static void read_on(void *owner)
{
    struct original *o = owner;
    struct bytes piece;
    while (o->text.len < o->text.max) {
        enum content_state state = content_read(o->content, o->text.len, &piece, read_on, o);
        size_t room = o->text.max - o->text.len;
        switch (state) {
        case CONTENT_HERE:
            if (buffer_append(&o->text, piece.at, piece.len < room ? piece.len : room))
                continue;
            end(o, ORIGINAL_TROUBLE);
            return;
        case CONTENT_WAIT:
            return;
        case CONTENT_END:
            end_read(o, true);
            return;
        case CONTENT_DAMAGED:
            end(o, ORIGINAL_LOST);
            return;
        case CONTENT_BUSY:
            end(o, ORIGINAL_TROUBLE);
            return;
        }
    }
    end_read(o, false);
}

void original_start(struct original *o, struct store *store, struct loop *loop,
                    const struct maildrop_entry *entry, bool whole)
{
    o->is_whole = whole && entry->content_octets <= ORIGINAL_WHOLE_MAX;
    buffer_init(&o->text, o->is_whole ? WHOLE_READ_MAX : HEADER_READ_MAX);
    o->content = NULL;
    if (entry->message == 0) {
        end(o, ORIGINAL_LOST);
        return;
    }
    o->content = content_open(store, loop, entry);
    if (o->content)
        read_on(o);
    else
        end(o, ORIGINAL_TROUBLE);
}

void original_clear(struct original *o)
{
    buffer_clear(&o->text);
}
