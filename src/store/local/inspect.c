/* inspect.c - the store for the command line: listing and showing, with or without a running
 * server.  Reads only; blocks. */
#include "store/local/inspect.h"

#include "store/local/backup.h"
#include "store/local/store_inner.h"
#include "store/maildrop.h"

#include <stdlib.h>

bool inspect_open_disk(const char *path, struct inspection *in, struct error *error)
{
    *in = (struct inspection){ 0 };
    return disk_open(path, false, &in->disk, error);
}

bool inspect_open(const char *path, struct inspection *in, struct error *error)
{
    if (!inspect_open_disk(path, in, error))
        return false;
    if (!disk_exists(in->disk, "index.db") ||
        index_open(path, INDEX_READER, NULL, &in->index, error))
        return true;
    inspect_close(in);
    return false;
}

void inspect_close(struct inspection *in)
{
    journal_close(&in->journal);
    index_close(&in->index);
    disk_close(&in->disk);
}

bool inspect_journal(struct inspection *in, struct error *error)
{
    bool found = false;
    struct journal_extent extent = { 0 };
    if (!journal_find_uuid(in->disk, in->uuid, &found, error) ||
        (disk_exists(in->disk, BACKUP_MARK) && !backup_read_mark(in->disk, &extent, error)))
        return false;
    struct journal_options options = {
        .disk = in->disk,
        .store_uuid = in->uuid,
        .extent = &extent,
    };
    return journal_open_read(&options, &in->journal, error);
}

/* --- Mailboxes --- */

struct mailbox_caller {
    void (*each)(void *owner, const struct mailbox_summary *);
    void *owner;
};

static bool call_mailbox(void *owner, const struct index_mailbox *mailbox, struct error *error)
{
    (void)error;
    const struct mailbox_caller *caller = owner;
    struct mailbox_summary summary = {
        .mailbox = mailbox->id,
        .address = mailbox->address,
        .count = (uint32_t)mailbox->count,
        .uid_validity = mailbox->uid_validity,
        .uid_next = mailbox->uid_next,
        .octets = mailbox->octets,
    };
    caller->each(caller->owner, &summary);
    return true;
}

bool store_each_mailbox(const char *path, void (*each)(void *owner, const struct mailbox_summary *),
                        void *owner, struct error *error)
{
    struct inspection in;
    struct mailbox_caller caller = { each, owner };
    struct index_visitor visitor = { .mailbox = call_mailbox, .owner = &caller };
    if (!inspect_open(path, &in, error))
        return false;
    bool ok = !in.index || index_each_mailbox(in.index, &visitor, error);
    inspect_close(&in);
    return ok;
}

/* --- Messages of a mailbox --- */

struct message_caller {
    bool (*each)(void *owner, const struct maildrop_entry *);
    void *owner;
    bool stopped;
};

static bool call_message(void *owner, const struct index_placement *placement, struct error *error)
{
    (void)error;
    struct message_caller *caller = owner;
    struct maildrop_entry entry = maildrop_entry_of(placement);
    caller->stopped = !caller->each(caller->owner, &entry);
    return !caller->stopped;
}

static bool each_message(struct index *index, mailbox_id mailbox, struct message_caller *caller,
                         struct error *error)
{
    struct index_visitor visitor = { .placement = call_message, .owner = caller };
    struct index_mailbox found_mailbox;
    bool found;
    if (!index_find_mailbox(index, mailbox, &found_mailbox, &found, error))
        return false;
    return !found || index_each_placement(index, mailbox, 0, &visitor, error) || caller->stopped;
}

/* --- One message --- */

static bool give_content(struct unit_reader *reader, bool (*piece)(void *owner, struct bytes),
                         void *owner, struct error *error)
{
    uint64_t octets = unit_content_octets(reader);
    for (uint64_t offset = 0; offset < octets;) {
        struct bytes out;
        bool would_block;
        if (!unit_read(reader, offset, false, &would_block, &out, error))
            return false;
        if (!piece(owner, out))
            return true;
        offset += out.len;
    }
    return true;
}

static struct unit_place place_of(const struct maildrop_entry *entry)
{
    return (struct unit_place){ entry->place.segment, entry->place.offset,
                                entry->place.frame_octets, entry->place.content_at };
}

/* A message that is not where it was has been moved since it was listed, or is gone. */
static bool open_again(struct inspection *in, const struct maildrop_entry *entry,
                       struct unit_reader **out, struct error *error)
{
    char id[MESSAGE_ID_TEXT + 1];
    struct index_message message;
    struct unit_place before = place_of(entry);
    bool found = false, would_block;
    if (!index_find_message(in->index, entry->message, &message, &found, NULL))
        return false;
    if (!found)
        return error_set(error, ERROR_REFUSED, "message %s is gone",
                         message_id_print(entry->message, id).at);
    return !unit_place_same(&message.place, &before) &&
           unit_open(in->journal, entry->message, &message.place, false, &would_block, out, error);
}

static bool show(struct inspection *in, const struct maildrop_entry *entry,
                 bool (*piece)(void *owner, struct bytes), void *owner, struct error *error)
{
    struct unit_place place = place_of(entry);
    struct unit_reader *reader = NULL;
    bool would_block;
    bool ok =
        (in->journal || inspect_journal(in, error)) &&
        (unit_open(in->journal, entry->message, &place, false, &would_block, &reader, error) ||
         open_again(in, entry, &reader, error));
    if (ok && (entry->prefix.len == 0 || piece(owner, bytes_of_text(entry->prefix))))
        ok = give_content(reader, piece, owner, error);
    unit_close(&reader);
    return ok;
}

/* --- Many messages --- */

struct store_view {
    struct inspection in;
};

bool store_view_open(const char *path, struct store_view **out, struct error *error)
{
    struct store_view *view = calloc(1, sizeof *view);
    *out = NULL;
    if (!view)
        return error_set(error, ERROR_TEMPORARY, "memory is short");
    if (!inspect_open(path, &view->in, error)) {
        free(view);
        return false;
    }
    *out = view;
    return true;
}

void store_view_close(struct store_view **view_ref)
{
    struct store_view *view = *view_ref;
    *view_ref = NULL;
    if (!view)
        return;
    inspect_close(&view->in);
    free(view);
}

bool store_view_each(struct store_view *view, mailbox_id mailbox,
                     bool (*each)(void *owner, const struct maildrop_entry *), void *owner,
                     struct error *error)
{
    struct message_caller caller = { .each = each, .owner = owner };
    return !view->in.index || each_message(view->in.index, mailbox, &caller, error);
}

bool store_view_show(struct store_view *view, const struct maildrop_entry *entry,
                     bool (*piece)(void *owner, struct bytes), void *owner, struct error *error)
{
    return show(&view->in, entry, piece, owner, error);
}

/* --- A look at one thing --- */

bool store_each_message(const char *path, mailbox_id mailbox,
                        bool (*each)(void *owner, const struct maildrop_entry *), void *owner,
                        struct error *error)
{
    struct store_view *view;
    bool ok =
        store_view_open(path, &view, error) && store_view_each(view, mailbox, each, owner, error);
    store_view_close(&view);
    return ok;
}

bool store_show_message(const char *path, const struct maildrop_entry *entry,
                        bool (*piece)(void *owner, struct bytes), void *owner, struct error *error)
{
    struct store_view *view;
    bool ok =
        store_view_open(path, &view, error) && store_view_show(view, entry, piece, owner, error);
    store_view_close(&view);
    return ok;
}
