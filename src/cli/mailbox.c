/* mailbox.c - godwit mailbox list, show: what is stored, with or without a running server. */
#include "cli/out.h"
#include "cli/people.h"
#include "mail/flags.h"
#include "store/maildrop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- All mailboxes: the users' first, then those that have no user any more --- */

struct box {
    mailbox_id mailbox;
    uint32_t count;
    uint64_t octets;
    bool has_user;
    struct text address; /* of the account that it was opened for */
};

enum { BOXES_MAX = 1 << 30, NAMES_MAX = 1 << 30 };

struct overview {
    bool json, failed;
    struct buffer boxes; /* struct box, in order of mailbox once read */
    struct arena names;
    size_t count; /* printed */
};

static void keep_box(void *owner, const struct mailbox_summary *s)
{
    struct overview *o = owner;
    struct box box = { .mailbox = s->mailbox, .count = s->count, .octets = s->octets };
    if (!arena_text(&o->names, s->address, &box.address) ||
        !buffer_append(&o->boxes, &box, sizeof box))
        o->failed = true;
}

static int by_mailbox(const void *a, const void *b)
{
    mailbox_id x = ((const struct box *)a)->mailbox, y = ((const struct box *)b)->mailbox;
    return x < y ? -1 : x > y;
}

static void print_box(struct overview *o, struct text address, const struct box *box)
{
    char id[OUT_MAILBOX_MAX];
    out_mailbox(box->mailbox, id);
    o->count++;
    if (!o->json)
        printf("%.*s %" PRIu32 " %" PRIu64 "%s%s\n", TEXT_ARGS(address), box->count, box->octets,
               box->has_user ? "" : " without a user, mailbox ", box->has_user ? "" : id);
    else if (!out_json(json_pack("{s:o,s:s,s:I,s:I,s:b}", "address", out_text(address), "mailbox",
                                 id, "messages", (json_int_t)box->count, "octets",
                                 (json_int_t)box->octets, "user", box->has_user)))
        o->failed = true;
}

static void print_account(void *owner, const struct account *account)
{
    struct overview *o = owner;
    struct box nothing = { .mailbox = account->mailbox, .has_user = true };
    struct box *box = o->boxes.len ? bsearch(&nothing, o->boxes.at, o->boxes.len / sizeof *box,
                                             sizeof *box, by_mailbox)
                                   : NULL;
    if (box)
        box->has_user = true;
    print_box(o, account->address, box ? box : &nothing);
}

static bool read_overview(struct cli *cli, struct directory *d, struct overview *o, struct error *e)
{
    if (!d)
        return true;
    if (!store_each_mailbox(cli_data(cli), keep_box, o, e))
        return false;
    if (o->boxes.len)
        qsort(o->boxes.at, o->boxes.len / sizeof(struct box), sizeof(struct box), by_mailbox);
    if (!account_each(d, T(""), print_account, o, e))
        return false;
    const struct box *boxes = (const void *)o->boxes.at;
    for (size_t i = 0; i < o->boxes.len / sizeof *boxes; i++)
        if (!boxes[i].has_user)
            print_box(o, boxes[i].address, &boxes[i]);
    return true;
}

static enum cli_exit list_all(struct cli *cli)
{
    struct error e;
    struct directory *d = NULL;
    struct overview o = { .json = cli->json };
    buffer_init(&o.boxes, BOXES_MAX);
    arena_init(&o.names, NAMES_MAX);
    bool ok = cli_load(cli, &e) && people_open(cli, &d, &e) && read_overview(cli, d, &o, &e);
    directory_close(&d);
    buffer_clear(&o.boxes);
    arena_reset(&o.names);
    if (!ok)
        return cli_fail(&e);
    return o.failed ? cli_say(CLI_AGAIN, "memory is short: the listing is not complete") : CLI_DONE;
}

/* --- One mailbox --- */

/* The mailbox of a user; nothing stays open. */
static bool find_mailbox(struct cli *cli, mailbox_id *out, struct error *e)
{
    struct address address;
    struct directory *d = NULL;
    bool ok = cli_address(cli->words[0], &address, e) && cli_load(cli, e) &&
              people_open(cli, &d, e) && people_user(d, &address, out, e);
    directory_close(&d);
    return ok;
}

struct messages {
    bool json, failed;
    uint64_t number;
};

static json_t *flag_names(uint32_t flags)
{
    json_t *names = json_array();
    for (unsigned n = 0; names && mail_flag_name(n); n++)
        if (flags & 1u << n)
            json_array_append_new(names, json_string(mail_flag_name(n)));
    return names;
}

static bool print_message(void *owner, const struct maildrop_entry *entry)
{
    struct messages *m = owner;
    char time[OUT_TIME_MAX], id[MESSAGE_ID_TEXT + 1];
    m->number++;
    out_time(entry->arrived_ms, time);
    message_id_print(entry->message, id);
    if (!m->json)
        printf("%" PRIu64 " %" PRIu32 " %" PRIu64 " %s %s\n", m->number, entry->uid, entry->octets,
               time, id);
    else if (!out_json(json_pack("{s:s,s:I,s:I,s:I,s:s,s:o}", "id", id, "number",
                                 (json_int_t)m->number, "uid", (json_int_t)entry->uid, "octets",
                                 (json_int_t)entry->octets, "arrived", time, "flags",
                                 flag_names(entry->flags))))
        m->failed = true;
    return !m->failed;
}

static enum cli_exit list_one(struct cli *cli)
{
    struct error e;
    mailbox_id mailbox;
    struct messages m = { .json = cli->json };
    if (!find_mailbox(cli, &mailbox, &e) ||
        !store_each_message(cli_data(cli), mailbox, print_message, &m, &e))
        return cli_fail(&e);
    return m.failed ? cli_say(CLI_AGAIN, "memory is short: the listing is not complete") : CLI_DONE;
}

enum cli_exit cli_mailbox_list(struct cli *cli)
{
    return cli->word_count ? list_one(cli) : list_all(cli);
}

/* --- One message --- */

struct wanted {
    uint64_t number; /* counts down to the one that is meant */
    bool found, failed;
    struct maildrop_entry entry;
    struct arena prefix; /* which the entry points to */
};

static bool look_for_message(void *owner, const struct maildrop_entry *entry)
{
    struct wanted *w = owner;
    if (--w->number > 0)
        return true;
    w->found = true;
    w->entry = *entry;
    w->failed = !arena_text(&w->prefix, entry->prefix, &w->entry.prefix);
    return false;
}

static bool print_piece(void *owner, struct bytes piece)
{
    (void)owner;
    return fwrite(piece.at, 1, piece.len, stdout) == piece.len;
}

enum { PREFIX_MAX = 1 << 20 };

enum cli_exit cli_mailbox_show(struct cli *cli)
{
    struct error e;
    mailbox_id mailbox;
    struct wanted w = { 0 };
    if (!text_to_u64(text_of(cli->words[1]), &w.number) || w.number == 0)
        return cli_say(CLI_USAGE, "%s: a message is a number from 1 on, see godwit mailbox list",
                       cli->words[1]);
    arena_init(&w.prefix, PREFIX_MAX);
    bool ok = find_mailbox(cli, &mailbox, &e) &&
              store_each_message(cli_data(cli), mailbox, look_for_message, &w, &e);
    if (ok && !w.found)
        ok = error_set(&e, ERROR_REFUSED, "%s has no message %s", cli->words[0], cli->words[1]);
    if (ok && w.failed)
        ok = error_set(&e, ERROR_TEMPORARY, "memory is short");
    ok = ok && store_show_message(cli_data(cli), &w.entry, print_piece, NULL, &e);
    arena_reset(&w.prefix);
    return ok ? CLI_DONE : cli_fail(&e);
}
