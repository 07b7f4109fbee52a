/* books.c - the ledger against the whole of a store that nobody serves. */
#include "sim/books.h"

#include "base/check.h"
#include "sim/ledger.h"
#include "sim/node.h"

#include <stdlib.h>
#include <string.h>

enum { MAILBOXES_MAX = 64, MESSAGE_MAX = 8 << 20 };

struct mailbox {
    mailbox_id id;
    struct box *box;
};

struct books {
    struct node *node;
    struct books_of of;
    struct store_view *view;
    struct mailbox mailboxes[MAILBOXES_MAX];
    size_t mailbox_count;
    struct maildrop_entry *entries; /* their prefixes are copies */
    size_t count, room;
    uint64_t seen; /* messages in all */
    struct buffer message;
};

static void found_mailbox(void *owner, const struct mailbox_summary *summary)
{
    struct books *b = owner;
    struct ledger *l = b->node->ledger;
    CHECK(b->mailbox_count < MAILBOXES_MAX);
    struct mailbox *m = &b->mailboxes[b->mailbox_count++];
    *m = (struct mailbox){ .id = summary->mailbox };
    for (size_t i = 0; i < ledger_box_count(l) && !m->box; i++) {
        struct box *box = ledger_box(l, i);
        bool is_his = text_equal(text_of(box->address), summary->address);
        /* Damage may take his address away. */
        if (is_his || (box->mailbox == summary->mailbox && b->of.may_come_back))
            m->box = box;
    }
    if (m->box)
        m->box->mailbox = summary->mailbox;
    world_expect(b->of.check, m->box, "%s: %s has a mailbox of nobody: %.*s", b->node->host->name,
                 b->of.what, TEXT_ARGS(summary->address));
}

static bool found_message(void *owner, const struct maildrop_entry *entry)
{
    struct books *b = owner;
    if (b->count == b->room) {
        b->room = b->room ? b->room * 2 : 64;
        b->entries = realloc(b->entries, b->room * sizeof *b->entries);
        CHECK(b->entries);
    }
    if (b->of.any && chance_below(++b->seen) == 0)
        *b->of.any = *entry;
    struct maildrop_entry *e = &b->entries[b->count++];
    char *prefix = malloc(entry->prefix.len + 1);
    CHECK(prefix);
    memcpy(prefix, entry->prefix.at, entry->prefix.len);
    *e = *entry;
    e->prefix.at = prefix;
    return true;
}

static bool take_piece(void *owner, struct bytes piece)
{
    struct books *b = owner;
    return buffer_append(&b->message, piece.at, piece.len);
}

static void read_message(struct books *b, const struct mailbox *m, const struct maildrop_entry *e)
{
    struct error error;
    char id[MESSAGE_ID_TEXT + 1];
    b->message.len = 0;
    bool ok = store_view_show(b->view, e, take_piece, b, &error);
    if (!ok && b->of.may_lack && b->of.may_lack(b->of.owner, e->message))
        return;
    world_expect(b->of.check, ok, "%s: %s: message %s cannot be read: %s", b->node->host->name,
                 b->of.what, message_id_print(e->message, id).at, error.words);
    if (ok && m->box)
        ledger_found(b->node->ledger, m->box, e->message, buffer_as_text(&b->message));
}

static void read_mailbox(struct books *b, const struct mailbox *m)
{
    struct error error;
    bool ok = store_view_each(b->view, m->id, found_message, b, &error);
    world_expect(b->of.check, ok, "%s: %s cannot be listed: %s", b->node->host->name, b->of.what,
                 error.words);
    for (size_t i = 0; i < b->count; i++) {
        read_message(b, m, &b->entries[i]);
        free((char *)(uintptr_t)b->entries[i].prefix.at);
    }
    b->count = 0;
}

void books_compare(struct node *n, const char *path, struct books_of of)
{
    struct books b = { .node = n, .of = of };
    struct error error;
    if (!store_each_mailbox(path, found_mailbox, &b, &error) ||
        !store_view_open(path, &b.view, &error)) {
        world_fail("%s: %s cannot be read: %s", n->host->name, of.what, error.words);
        return;
    }
    buffer_init(&b.message, MESSAGE_MAX);
    ledger_begin_books(n->ledger);
    for (size_t i = 0; i < b.mailbox_count; i++)
        read_mailbox(&b, &b.mailboxes[i]);
    ledger_end_books(n->ledger, n->host->number, &of);
    buffer_clear(&b.message);
    free(b.entries);
    store_view_close(&b.view);
}
