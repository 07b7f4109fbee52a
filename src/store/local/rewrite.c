/* rewrite.c - what compaction writes once more.  Decides nothing about segments. */
#include "store/local/rewrite.h"

#include <stdlib.h>
#include <string.h>

enum { CHANGES_OCTETS_MAX = 4 * 1024 * 1024 };

/* --- Taking a unit along --- */

static struct rewrite *rewrite_new(void)
{
    struct rewrite *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->commit.rewrite = r;
    list_init(&r->commit.link);
    buffer_init(&r->changes, CHANGES_OCTETS_MAX);
    return r;
}

void rewrite_free(struct rewrite *r)
{
    if (!r)
        return;
    buffer_clear(&r->changes);
    free(r->found);
    free(r->large_checksums);
    free(r->mailboxes);
    free(r);
}

static bool copy_checksums(struct rewrite *r, const struct unit *u)
{
    size_t count = (size_t)((u->content_octets + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK);
    r->large_checksums = malloc((count + 1) * sizeof *r->large_checksums);
    if (!r->large_checksums)
        return false;
    memcpy(r->large_checksums, u->large_checksums, count * sizeof *r->large_checksums);
    return true;
}

static bool copy_octets(struct rewrite *r, const struct unit *u)
{
    size_t content = u->large ? 0 : u->content_octets;
    r->found = malloc(u->changes.len + content + 1);
    if (!r->found)
        return false;
    memcpy(r->found, u->changes.at, u->changes.len);
    if (content > 0)
        memcpy(r->found + u->changes.len, u->content->iov_base, content);
    r->changes_octets = u->changes.len;
    r->content = (struct iovec){ r->found + u->changes.len, content };
    return true;
}

struct rewrite *rewrite_of_unit(const struct unit *u)
{
    struct rewrite *r = rewrite_new();
    if (!r)
        return NULL;
    r->message = u->message;
    r->place = u->place;
    r->content_octets = u->content_octets;
    if (copy_octets(r, u) && (!u->large || copy_checksums(r, u)))
        return r;
    rewrite_free(r);
    return NULL;
}

struct rewrite *rewrite_of_mailboxes(const mailbox_id *mailboxes, size_t count)
{
    struct rewrite *r = rewrite_new();
    if (!r)
        return NULL;
    r->mailboxes = malloc(count * sizeof *mailboxes);
    if (!r->mailboxes) {
        rewrite_free(r);
        return NULL;
    }
    memcpy(r->mailboxes, mailboxes, count * sizeof *mailboxes);
    r->mailbox_count = count;
    return r;
}

/* --- What is true now --- */

static bool say(struct rewrite *r, const struct change *change, struct error *error)
{
    return change_encode(&r->changes, change) ||
           error_set(error, ERROR_TEMPORARY, "what is known of a message is too much for a unit");
}

/* Says the unit's changes of this kind as they were found. */
static bool say_found(struct rewrite *r, enum change_kind kind, struct error *error)
{
    struct bytes rest = { r->found, r->changes_octets };
    struct change change;
    while (rest.len > 0 && change_decode(&rest, &change))
        if (change.kind == kind && !say(r, &change, error))
            return false;
    return true;
}

struct rows {
    struct rewrite *rewrite;
    uint64_t waiting;
};

static bool say_row(void *owner, const struct queue_row *row, struct error *error)
{
    struct rows *rows = owner;
    struct change change = { .kind = CHANGE_RECIPIENT, .row = *row };
    rows->waiting += row->state == QUEUE_WAITING;
    return say(rows->rewrite, &change, error);
}

/* Which of its placements there are still; one in a purged mailbox is counted, but not said. */
struct places {
    uint64_t counted, said;
};

static bool say_place(struct rewrite *r, struct index *index, struct change *change,
                      struct places *places, struct error *error)
{
    struct index_placed now;
    if (!index_find_placed(index, change->mailbox, change->uid, &now, error))
        return false;
    if (now.message != r->message)
        return true;
    places->counted++;
    const struct mailbox_row *row = index_mailbox(index, change->mailbox, error);
    if (!row)
        return false;
    if (row->purged)
        return true;
    places->said++;
    change->modseq = now.modseq;
    change->flags = now.flags;
    return say(r, change, error);
}

static bool say_places(struct rewrite *r, struct index *index, struct places *out,
                       struct error *error)
{
    struct bytes rest = { r->found, r->changes_octets };
    struct change change;
    while (rest.len > 0 && change_decode(&rest, &change))
        if (change.kind == CHANGE_PLACED && change.message == r->message &&
            !say_place(r, index, &change, out, error))
            return false;
    return true;
}

static bool say_message(struct rewrite *r, struct index *index, struct error *error)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct index_message now;
    struct rows rows = { r, 0 };
    struct places places = { 0, 0 };
    bool found = false;
    if (!index_find_message(index, r->message, &now, &found, error))
        return false;
    if (!found || !unit_place_same(&now.place, &r->place))
        return true;
    if (!say_found(r, CHANGE_MESSAGE, error) || !say_found(r, CHANGE_ENVELOPE, error) ||
        !index_each_row(index, r->message, say_row, &rows, error) ||
        !say_places(r, index, &places, error))
        return false;
    if (places.counted != now.placements || rows.waiting != now.waiting)
        return error_set(error, ERROR_REFUSED,
                         "message %s is in %llu mailboxes, of which its unit names %llu",
                         message_id_print(r->message, id).at, (unsigned long long)now.placements,
                         (unsigned long long)places.counted);
    if (places.said + rows.waiting == 0)
        r->changes.len = 0; /* a purged mailbox was the last that had it */
    return true;
}

static bool say_mailbox(struct rewrite *r, struct index *index, mailbox_id id, struct error *error)
{
    struct buffer words;
    struct change change = { .kind = CHANGE_MAILBOX, .mailbox = id };
    bool found = false;
    const struct mailbox_row *row = index_mailbox(index, id, error);
    if (!row)
        return false;
    if (!row->exists || row->purged || row->uid_validity == 0)
        return true;
    buffer_init(&words, CHANGE_WORDS_MAX);
    bool ok = index_mailbox_words(index, id, &words, &change.when_ms, &found, error);
    change.modseq = row->assign_after;
    change.uid_validity = row->uid_validity;
    change.uid_next = row->assign_uid;
    change.words = text_of_bytes(buffer_bytes(&words));
    ok = ok && (!found || say(r, &change, error));
    buffer_clear(&words);
    return ok;
}

bool rewrite_say(struct rewrite *r, struct index *index, struct error *error)
{
    r->changes.len = 0;
    r->changes.failed = false;
    if (r->message)
        return say_message(r, index, error);
    for (size_t i = 0; i < r->mailbox_count; i++)
        if (!say_mailbox(r, index, r->mailboxes[i], error))
            return false;
    return true;
}

void rewrite_fill(struct rewrite *r, struct unit *u)
{
    *u = (struct unit){
        .message = r->message,
        .content_octets = r->content_octets,
        .large = r->large_checksums != NULL,
        .large_checksums = r->large_checksums,
    };
    if (!u->large && r->message) {
        u->content = &r->content;
        u->content_count = 1;
    }
}
