/* import.c - godwit import: mail out of a Maildir or an mbox into a user's mailbox.
 *
 * A child reads the files as their owner (cli/hand.h); here each message is compared with what the
 * mailbox has, and what it lacks is stored.  Killed at any point, and run again, every message is
 * there exactly once.
 */
#include "cli/import.h"

#include "cli/box.h"
#include "cli/out.h"
#include "cli/people.h"
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>

struct importing {
    struct cli *cli;
    struct box box;
    struct address address;
    mailbox_id mailbox;
    struct hand hand;
    struct hand_in in;
    struct sink *sink;
    struct known *known;
    struct digest *digest;
    bool begun;      /* a message is open */
    uint64_t octets; /* of it */
    uint64_t kept, there, done, all;
    bool complete; /* the child has sent all it has */
    struct progress progress;
};

static bool open_all(struct importing *i, struct error *e)
{
    const char *data = cli_data(i->cli);
    struct directory *d = NULL;
    bool ok = people_open(i->cli, &d, e) && people_user(d, &i->address, &i->mailbox, e);
    directory_close(&d);
    if (!ok || !sink_open(data, i->mailbox, address_text(&i->address), &i->sink, e) ||
        !known_open(data, i->mailbox, &i->known, e))
        return false;
    i->digest = digest_new();
    return i->digest || error_set(e, ERROR_TEMPORARY, "memory is short");
}

static void close_all(struct importing *i)
{
    progress_end(&i->progress);
    known_close(&i->known); /* the last to close the index leaves it tidy: the store itself */
    sink_close(&i->sink);
    if (i->digest)
        digest_free(&i->digest);
    hand_in_clear(&i->in);
}

/* --- Messages --- */

static bool take_data(struct importing *i, struct bytes octets, struct error *e)
{
    if (!i->begun) {
        i->begun = true;
        i->octets = 0;
        digest_begin(i->digest);
    }
    i->octets += octets.len;
    digest_add(i->digest, octets);
    return sink_data(i->sink, octets, e);
}

static bool take_message(struct importing *i, const struct parcel *p, struct error *e)
{
    uint8_t digest[DIGEST_OCTETS];
    bool there = false;
    i->begun = false;
    digest_end(i->digest, digest);
    if (!known_take(i->known, i->octets, digest, &there, e))
        return false;
    i->there += there;
    i->kept += !there;
    return there ? sink_drop(i->sink, e) : sink_keep(i->sink, p->date_ms, p->flags, e);
}

static bool take_parcel(struct importing *i, const struct parcel *p, struct error *e)
{
    switch (p->kind) {
    case PARCEL_DATA:
        return take_data(i, p->data, e);
    case PARCEL_KEEP:
        return !i->begun || take_message(i, p, e);
    case PARCEL_DROP:
        i->begun = false;
        return sink_drop(i->sink, e);
    case PARCEL_MARK:
        i->done = p->done;
        i->all = p->all;
        progress_count(&i->progress, i->kept, i->there, i->done, i->all);
        return true;
    case PARCEL_END:
        i->complete = true;
        return true;
    default:
        return error_set(e, ERROR_TEMPORARY, "the process that reads the files sent nonsense");
    }
}

static bool take_all(struct importing *i, struct error *e)
{
    struct parcel p;
    while (!i->complete && hand_receive(&i->in, &p) != PARCEL_NEED_INPUT)
        if (!take_parcel(i, &p, e))
            return false;
    return (!i->begun || sink_drop(i->sink, e)) && sink_end(i->sink, e);
}

/* --- The command --- */

static bool print_counts(const struct importing *i)
{
    struct text address = address_text(&i->address);
    uint64_t stored = sink_stored(i->sink);
    if (i->cli->json)
        return out_json(json_pack("{s:o,s:I,s:I}", "address", out_text(address), "imported",
                                  (json_int_t)stored, "there", (json_int_t)i->there));
    printf("%" PRIu64 " imported, %" PRIu64 " there already\n", stored, i->there);
    return true;
}

/* With the child started; it ends here. */
static enum cli_exit import(struct importing *i)
{
    struct error e;
    hand_in_init(&i->in, i->hand.socket);
    progress_begin_count(&i->progress);
    bool opened = open_all(i, &e);
    bool ok = opened && (hand_go(&i->hand) || error_set(&e, ERROR_TEMPORARY, HAND_GONE)) &&
              take_all(i, &e);
    progress_end(&i->progress);
    enum cli_exit hand = hand_end(&i->hand);
    enum cli_exit code = ok ? hand : cli_fail(&e);
    if (ok && i->complete && !print_counts(i))
        code = cli_say(CLI_AGAIN, "memory is short");
    else if (opened && (!ok || !i->complete) && i->kept + i->there > 0)
        cli_say(code, "%" PRIu64 " messages are stored%s; the same command goes on",
                sink_stored(i->sink), ok ? "" : ", maybe more");
    close_all(i);
    return code;
}

enum cli_exit cli_import(struct cli *cli)
{
    struct error e;
    struct importing i = { .cli = cli };
    if (!cli_address(cli->words[0], &i.address, &e) ||
        !box_parse(cli->words[1], true, &i.box, &e) || !cli_load(cli, &e) ||
        !hand_start(&i.hand, box_read, &i.box, &e))
        return cli_fail(&e);
    return import(&i);
}
