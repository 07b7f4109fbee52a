/* lost.c - which messages cannot be had any more, and whose they were.
 *
 * What damage has left of a message is in different hands: its unit may still say whose it was, and
 * an index that was made before may name it.  Here that becomes sentences.  Never decides whether a
 * message is lost, and never changes anything.
 */
#include "store/local/lost.h"

#include "base/escape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { IDS_MIN = 64, SENTENCE_MAX = 2 * ERROR_WORDS_MAX };

static const struct text no_name = TEXT("(of no name)");

/* --- Sentences --- */

struct teller {
    lost_notice *notice;
    void *owner;
    struct index *index; /* that knows the names of mailboxes */
    uint64_t told;
};

/* `text` is what strangers or users wrote. */
static void tell(struct teller *t, message_id message, const char *relation, struct text text,
                 const char *rest)
{
    struct buffer words;
    char id[MESSAGE_ID_TEXT + 1];
    if (t->told++ >= LOST_TOLD_MAX || !t->notice)
        return;
    buffer_init(&words, SENTENCE_MAX);
    message_id_print(message, id);
    if (buffer_printf(&words, "lost: message %s, %s ", id, relation) && escape_text(&words, text) &&
        buffer_printf(&words, "%s", rest) && buffer_byte(&words, 0))
        t->notice(t->owner, true, (const char *)words.at);
    buffer_clear(&words);
}

/* `opened` is the name when the index may not have it yet. */
static void tell_placed(struct teller *t, const struct index_placement *p, struct text opened)
{
    struct buffer address;
    char rest[64];
    int64_t opened_ms;
    bool found = false;
    buffer_init(&address, CHANGE_WORDS_MAX);
    snprintf(rest, sizeof rest, ", uid %" PRIu32 ", %" PRIu64 " octets", p->uid, p->octets);
    if (!index_mailbox_words(t->index, p->mailbox, &address, &opened_ms, &found, NULL) || !found)
        buffer_text(&address, opened);
    tell(t, p->message, "in mailbox", buffer_as_text(&address), rest);
    buffer_clear(&address);
}

static void tell_waiting(struct teller *t, const struct queue_row *row)
{
    tell(t, row->message, "on its way to", row->address, "");
}

static void tell_rest(const struct teller *t)
{
    char words[64];
    if (t->told <= LOST_TOLD_MAX || !t->notice)
        return;
    snprintf(words, sizeof words, "lost: and %" PRIu64 " more", t->told - LOST_TOLD_MAX);
    t->notice(t->owner, true, words);
}

/* --- By what a unit says --- */

void lost_unit_tell(struct index *index, const struct unit *unit, lost_notice *notice, void *owner)
{
    struct teller t = { notice, owner, index, 0 };
    struct bytes rest = unit->changes;
    struct change change;
    struct text opened = no_name;
    while (rest.len > 0 && change_decode(&rest, &change)) {
        struct index_placement placed = { .mailbox = change.mailbox,
                                          .uid = change.uid,
                                          .message = change.message,
                                          .octets = change.facts.octets + unit->content_octets };
        if (change.kind == CHANGE_MESSAGE)
            tell(&t, change.message, "from", change.words, "");
        if (change.kind == CHANGE_MAILBOX)
            opened = change.words;
        if (change.kind == CHANGE_PLACED && change.message == unit->message)
            tell_placed(&t, &placed, opened);
        if (change.kind == CHANGE_RECIPIENT && change.row.state == QUEUE_WAITING)
            tell_waiting(&t, &change.row);
    }
    tell_rest(&t);
}

/* --- By what an index names --- */

bool lost_add(struct lost *lost, message_id id, struct error *error)
{
    if (lost->count == lost->room) {
        size_t room = lost->room ? 2 * lost->room : IDS_MIN;
        message_id *ids = realloc(lost->ids, room * sizeof *ids);
        if (!ids)
            return error_set(error, ERROR_TEMPORARY, "memory is short");
        lost->ids = ids;
        lost->room = room;
    }
    lost->ids[lost->count++] = id;
    return true;
}

void lost_clear(struct lost *lost)
{
    free(lost->ids);
    *lost = (struct lost){ 0 };
}

static int compare_ids(const void *a, const void *b)
{
    message_id x = *(const message_id *)a, y = *(const message_id *)b;
    return x < y ? -1 : x > y;
}

bool lost_has(const struct lost *lost, message_id id)
{
    return lost->count > 0 && bsearch(&id, lost->ids, lost->count, sizeof id, compare_ids);
}

/* What an index names, one thing after the other. */
struct naming {
    struct teller teller;
    struct index *before;
    const struct lost *lost; /* these only; NULL: what `now` does not explain */
    struct index *now;
};

/* Neither is the message known now, nor what became of this placement. */
static bool is_unexplained(const struct naming *n, const struct index_placement *p, bool *out,
                           struct error *error)
{
    struct index_message message;
    bool known = false, expunged = false;
    if (!index_find_message(n->now, p->message, &message, &known, error) ||
        !index_is_expunged(n->now, p->mailbox, p->uid, &expunged, error))
        return false;
    const struct mailbox_row *mailbox = index_mailbox(n->now, p->mailbox, error);
    *out = mailbox && !known && !expunged && !mailbox->purged;
    return mailbox != NULL;
}

static bool name_placement(void *owner, const struct index_placement *p, struct error *error)
{
    struct naming *n = owner;
    bool lost = n->lost && lost_has(n->lost, p->message);
    if (!n->lost && !is_unexplained(n, p, &lost, error))
        return false;
    if (lost)
        tell_placed(&n->teller, p, no_name);
    return true;
}

static bool name_waiting(void *owner, const struct queue_item *item, struct error *error)
{
    struct naming *n = owner;
    bool lost = n->lost && lost_has(n->lost, item->row.message), known = true;
    if (!n->lost && !index_knows_row(n->now, item->row.message, item->row.number, &known, error))
        return false;
    if (lost || !known)
        tell_waiting(&n->teller, &item->row);
    return true;
}

static bool name_mailbox(void *owner, const struct index_mailbox *mailbox, struct error *error)
{
    struct naming *n = owner;
    struct index_visitor visitor = { .placement = name_placement, .owner = n };
    return index_each_placement(n->before, mailbox->id, 0, &visitor, error);
}

static bool name_all(struct naming *n, struct error *error)
{
    struct index_visitor visitor = { .mailbox = name_mailbox, .queued = name_waiting, .owner = n };
    struct queue_place front = { 0 };
    bool ok = index_each_mailbox(n->before, &visitor, error) &&
              index_each_queued(n->before, &front, 0, &visitor, error);
    tell_rest(&n->teller);
    return ok;
}

bool lost_tell(struct lost *lost, struct index *index, lost_notice *notice, void *owner,
               struct error *error)
{
    struct naming n = { { notice, owner, index, 0 }, index, lost, NULL };
    if (lost->count == 0)
        return true;
    qsort(lost->ids, lost->count, sizeof *lost->ids, compare_ids);
    return name_all(&n, error);
}

bool lost_compare(struct index *before, struct index *now, lost_notice *notice, void *owner,
                  uint64_t *told_out, struct error *error)
{
    struct naming n = { { notice, owner, before, 0 }, before, NULL, now };
    bool ok = name_all(&n, error);
    *told_out = n.teller.told;
    return ok;
}
