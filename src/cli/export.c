/* export.c - godwit export: a user's mailbox as a Maildir or an mbox.
 *
 * With or without a running server; nothing in the store changes.  A child writes the files as
 * their owner (cli/hand.h).  In a Maildir each message has a name of its own for ever, made of
 * ids: what is there already is not written again, so that an export that was cut off goes on, and
 * one that is repeated brings what is new.  An mbox has no names: it is made anew, whole or not at
 * all.
 */
#include "cli/box.h"

#include "base/arena.h"
#include "cli/out.h"
#include "cli/people.h"
#include "cli/progress.h"
#include "mail/header.h"
#include "store/maildrop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1 << 30, BASE_MAX = 80 };

struct exporting {
    struct cli *cli;
    struct box box;
    struct address address;
    mailbox_id mailbox;
    struct hand hand;
    struct hand_out out;
    struct store_view *view;
    struct arena texts;
    struct buffer names;   /* struct text: bases of names that are there, sorted */
    struct buffer entries; /* struct maildrop_entry */
    bool failed;           /* memory was short */
    uint64_t exported, there, left_out;
    struct progress progress;
};

/* --- What is there --- */

static int by_text(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

static void add_name(void *owner, struct text base)
{
    struct exporting *x = owner;
    struct text copy;
    if (!arena_text(&x->texts, base, &copy) || !buffer_append(&x->names, &copy, sizeof copy))
        x->failed = true;
}

static bool list_names(struct exporting *x, struct error *e)
{
    if (x->box.is_maildir && !box_each_name(&x->box, add_name, x, e))
        return false;
    if (x->names.len)
        qsort(x->names.at, x->names.len / sizeof(struct text), sizeof(struct text), by_text);
    return true;
}

static bool is_there(const struct exporting *x, struct text base)
{
    return x->names.len > 0 &&
           bsearch(&base, x->names.at, x->names.len / sizeof base, sizeof base, by_text);
}

static bool add_entry(void *owner, const struct maildrop_entry *entry)
{
    struct exporting *x = owner;
    struct maildrop_entry copy = *entry;
    x->failed |= !arena_text(&x->texts, entry->prefix, &copy.prefix) ||
                 !buffer_append(&x->entries, &copy, sizeof copy);
    return !x->failed;
}

static bool list_messages(struct exporting *x, struct error *e)
{
    struct directory *d = NULL;
    bool ok = people_open(x->cli, &d, e) && people_user(d, &x->address, &x->mailbox, e);
    directory_close(&d);
    if (!ok || !store_view_open(cli_data(x->cli), &x->view, e) ||
        !store_view_each(x->view, x->mailbox, add_entry, x, e))
        return false;
    return !x->failed || error_set(e, ERROR_TEMPORARY, "memory is short");
}

/* --- One message --- */

/* "1795246887.M0123456789abcB00000000deadbeefU7.godwit": when it came, which message, in which
 * mailbox, which placement of it there; 0: without the mailbox, as such names once were. */
static struct text base_of(const struct maildrop_entry *entry, mailbox_id mailbox,
                           char out[BASE_MAX])
{
    char id[MESSAGE_ID_TEXT + 1], of[OUT_MAILBOX_MAX] = "";
    message_id_print(entry->message, id);
    if (mailbox)
        out_mailbox(mailbox, of);
    int len = snprintf(out, BASE_MAX, "%" PRId64 ".M%s%s%sU%" PRIu32 ".godwit",
                       entry->arrived_ms / 1000, id, mailbox ? "B" : "", of, entry->uid);
    return (struct text){ out, (size_t)len };
}

/* The reverse-path that the placement's own prefix has. */
static struct text sender_of(const struct maildrop_entry *entry)
{
    struct header_field field;
    if (!header_find(entry->prefix, T("Return-Path"), &field))
        return T("");
    struct text path = text_trim(field.value);
    bool brackets = path.len >= 2 && path.at[0] == '<' && path.at[path.len - 1] == '>';
    return brackets ? text_first(text_skip(path, 1), path.len - 2) : T("");
}

static bool send_piece(void *owner, struct bytes piece)
{
    struct exporting *x = owner;
    return hand_send(&x->out, &(struct parcel){ .kind = PARCEL_DATA, .data = piece });
}

/* One that is gone meanwhile is no loss; a damaged one is told and left out. */
static void leave_out(struct exporting *x, const struct error *e)
{
    hand_send(&x->out, &(struct parcel){ .kind = PARCEL_DROP });
    if (e->kind == ERROR_REFUSED)
        return;
    cli_warn("%s; the message is left out", e->words);
    x->left_out++;
}

static void export_message(struct exporting *x, const struct maildrop_entry *entry)
{
    char room[BASE_MAX], old_room[BASE_MAX];
    struct error e;
    struct text base = base_of(entry, x->mailbox, room);
    if (is_there(x, base) || is_there(x, base_of(entry, 0, old_room))) {
        x->there++;
        return;
    }
    struct parcel open = { .kind = PARCEL_OPEN,
                           .date_ms = entry->arrived_ms,
                           .flags = entry->flags,
                           .words = x->box.is_maildir ? base : sender_of(entry) };
    hand_send(&x->out, &open);
    if (!store_view_show(x->view, entry, send_piece, x, &e)) {
        leave_out(x, &e);
        return;
    }
    hand_send(&x->out, &(struct parcel){ .kind = PARCEL_KEEP });
    x->exported++;
}

/* --- The command --- */

static void export_all(struct exporting *x)
{
    const struct maildrop_entry *entries = (const void *)x->entries.at;
    size_t count = x->entries.len / sizeof *entries;
    for (size_t i = 0; i < count && !x->out.gone; i++) {
        export_message(x, &entries[i]);
        progress_count(&x->progress, x->exported, x->there, i + 1, count);
    }
    hand_send(&x->out, &(struct parcel){ .kind = PARCEL_END });
    hand_flush(&x->out);
}

static bool print_counts(const struct exporting *x)
{
    if (x->box.is_stream)
        return true;
    if (x->cli->json)
        return out_json(json_pack("{s:o,s:I,s:I}", "address", out_text(address_text(&x->address)),
                                  "exported", (json_int_t)x->exported, "there",
                                  (json_int_t)x->there));
    printf("%" PRIu64 " exported, %" PRIu64 " there already\n", x->exported, x->there);
    return true;
}

/* With the child started; it ends here. */
static enum cli_exit export_mailbox(struct exporting *x)
{
    struct error e;
    hand_out_init(&x->out, x->hand.socket);
    progress_begin_count(&x->progress);
    bool ok =
        list_messages(x, &e) && (hand_go(&x->hand) || error_set(&e, ERROR_TEMPORARY, HAND_GONE));
    if (ok)
        export_all(x);
    progress_end(&x->progress);
    enum cli_exit code = hand_end(&x->hand);
    if (!ok)
        return cli_fail(&e);
    if (code == CLI_DONE && !print_counts(x))
        return cli_say(CLI_AGAIN, "memory is short");
    return code == CLI_DONE && x->left_out ? CLI_NO : code;
}

static bool prepare(struct exporting *x, struct error *e)
{
    struct cli *cli = x->cli;
    if (!cli_address(cli->words[0], &x->address, e) ||
        !box_parse(cli->words[1], false, &x->box, e) || !cli_load(cli, e) || !list_names(x, e))
        return false;
    if (x->failed)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    return hand_start(&x->hand, box_write, &x->box, e);
}

enum cli_exit cli_export(struct cli *cli)
{
    struct error e;
    struct exporting x = { .cli = cli };
    arena_init(&x.texts, LIST_MAX);
    buffer_init(&x.names, LIST_MAX);
    buffer_init(&x.entries, LIST_MAX);
    enum cli_exit code = prepare(&x, &e) ? export_mailbox(&x) : cli_fail(&e);
    store_view_close(&x.view);
    hand_out_clear(&x.out);
    arena_reset(&x.texts);
    buffer_clear(&x.names);
    buffer_clear(&x.entries);
    return code;
}
