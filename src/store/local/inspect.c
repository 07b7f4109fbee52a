/* inspect.c - the store for the command line: listing and showing, with or without a running
 * server.  Reads only; blocks. */
#include "store/local/inspect.h"

#include "store/local/store_inner.h"
#include "store/maildrop.h"

bool inspect_open(const char *path, struct inspection *in, struct error *error)
{
    *in = (struct inspection){ 0 };
    if (!disk_open(path, false, &in->disk, error))
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
    if (!journal_find_uuid(in->disk, in->uuid, &found, error))
        return false;
    struct journal_options options = { .disk = in->disk, .store_uuid = in->uuid };
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

bool store_each_message(const char *path, mailbox_id mailbox,
                        bool (*each)(void *owner, const struct maildrop_entry *), void *owner,
                        struct error *error)
{
    struct inspection in;
    struct message_caller caller = { .each = each, .owner = owner };
    if (!inspect_open(path, &in, error))
        return false;
    bool ok = !in.index || each_message(in.index, mailbox, &caller, error);
    inspect_close(&in);
    return ok;
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

static bool show(struct inspection *in, const struct maildrop_entry *entry,
                 bool (*piece)(void *owner, struct bytes), void *owner, struct error *error)
{
    struct unit_place place = { entry->place.segment, entry->place.offset,
                                entry->place.frame_octets, entry->place.content_at };
    struct unit_reader *reader = NULL;
    bool would_block;
    bool ok = inspect_journal(in, error) &&
              unit_open(in->journal, entry->message, &place, false, &would_block, &reader, error);
    if (ok && piece(owner, bytes_of_text(entry->prefix)))
        ok = give_content(reader, piece, owner, error);
    unit_close(&reader);
    return ok;
}

bool store_show_message(const char *path, const struct maildrop_entry *entry,
                        bool (*piece)(void *owner, struct bytes), void *owner, struct error *error)
{
    struct inspection in;
    if (!inspect_open(path, &in, error))
        return false;
    bool ok = show(&in, entry, piece, owner, error);
    inspect_close(&in);
    return ok;
}
