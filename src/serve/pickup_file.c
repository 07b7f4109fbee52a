/* pickup_file.c - one file of the spool after the other: read, handed over, and then removed.
 *
 * Whatever is in the folder was put there by anybody.  What counts is who owns the file; the server
 * alone, in files of its own, may say whose posting it goes on with.
 */
#include "serve/pickup_inner.h"

#include "run/clock.h"
#include "run/entropy.h"
#include "run/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NAMES_MAX = 10000, /* in one look; the next look finds others */
    NAME_OCTETS = PICKUP_NAME_OCTETS,
    BAD_MAX = 100, /* that are kept to be looked at */
    HIDDEN_LIFE_MS = 24 * 60 * 60 * 1000,
    ARENA_MAX = 32 * 1024 * 1024,
};

static const char bad_prefix[] = ".bad-";

struct name {
    char at[NAME_OCTETS];
};

/* What is in the folder. */
struct names {
    struct buffer list; /* struct name */
    size_t bad;         /* how many were set aside */
};

/* One file. */
struct file {
    struct pickup_round *round;
    const char *name;
    struct dropbox_file facts;
    struct buffer octets;
    struct arena arena;
    struct posting posting;
    uint32_t uid;
    struct process_user user;
};

/* --- Log --- */

static void tell(const struct pickup_round *r, enum log_level level, const char *name,
                 const char *what)
{
    struct log *log = r->server->log;
    LOG_EVENT(log, level, T("-"), "spool", { "file", text_of(name) }, { "what", text_of(what) });
}

static void tell_error(struct pickup_round *r, const char *name, const struct error *e)
{
    r->later = true;
    tell(r, LOG_WARNING, name, e->words);
}

/* --- What is not taken --- */

static void discard(struct pickup_round *r, const char *name, const char *why)
{
    struct error e;
    if (dropbox_remove(r->box, name, &e))
        tell(r, LOG_WARNING, name, why);
}

/* Kept for a person to look at. */
static bool move_aside(struct pickup_round *r, const char *name, const char *why, struct error *e)
{
    char aside[NAME_OCTETS + sizeof bad_prefix];
    snprintf(aside, sizeof aside, "%s%s", bad_prefix, name);
    if (!dropbox_rename(r->box, name, aside, e))
        return false;
    tell(r, LOG_WARNING, aside, why);
    return true;
}

/* Likewise; what was never meant to be a posting, unless there is too much of that already. */
static void set_aside(struct file *f, struct names *names, const char *why)
{
    struct error e;
    if (names->bad++ >= BAD_MAX && !posting_begins(buffer_as_text(&f->octets)))
        discard(f->round, f->name, why);
    else if (!move_aside(f->round, f->name, why, &e))
        tell_error(f->round, f->name, &e);
}

/* --- Time --- */

static bool is_over(const struct pickup_round *r, int64_t since_ms)
{
    int64_t waited_ms = clock_wall_ms() - since_ms;
    return waited_ms >= 0 && (uint64_t)waited_ms >= r->expire_ms && !atomic_load(r->stopping);
}

/* Nothing can be done with it now, nor for how long it may wait: a person may know better. */
static void wait_with(struct file *f, struct names *names, const struct error *e)
{
    if (is_over(f->round, f->facts.changed_ms) && names->bad < BAD_MAX)
        set_aside(f, names, e->words);
    else
        tell_error(f->round, f->name, e);
}

/* Begun by a sendmail that never ended. */
static void tidy_hidden(struct pickup_round *r, const char *name)
{
    struct dropbox_file facts;
    struct error e;
    enum dropbox_verdict verdict = dropbox_look(r->box, name, &facts);
    if (verdict != DROPBOX_GONE && facts.changed_ms < clock_wall_ms() - HIDDEN_LIFE_MS)
        dropbox_remove(r->box, name, &e);
}

/* --- Who --- */

static bool is_put_off(const struct pickup_round *r, unsigned uid)
{
    for (size_t i = 0; i < r->put_off_count; i++)
        if (r->put_off[i] == uid)
            return true;
    return false;
}

static void put_off(struct pickup_round *r, unsigned uid)
{
    if (!is_put_off(r, uid) && r->put_off_count < PICKUP_PUT_OFF_MAX)
        r->put_off[r->put_off_count++] = uid;
}

/* False: not now. */
static bool know_user(struct file *f, struct names *names)
{
    struct error e;
    bool ours = f->facts.uid == process_uid();
    f->uid = ours && f->posting.has_user ? f->posting.user : f->facts.uid;
    if (process_find_uid(f->uid, &f->user, &e))
        return true;
    wait_with(f, names, &e);
    return false;
}

/* --- What takes its place --- */

/* In a file of the server's own, for the user that it names. */
static bool put_again(struct file *f, struct posting *p, struct error *e)
{
    char name[DROPBOX_NAME + 1];
    struct buffer head;
    p->has_user = true;
    if (p->since_ms == 0)
        p->since_ms = clock_wall_ms();
    dropbox_make_name(name);
    buffer_init(&head, POSTING_HEAD_MAX);
    bool ok = posting_write_head(p, text_of(name), &head) ||
              error_set(e, ERROR_TEMPORARY, "memory is short");
    struct text parts[] = { buffer_as_text(&head), p->content };
    ok = ok && dropbox_put_back(f->round->box, name, parts, 2, e);
    buffer_clear(&head);
    return ok;
}

static bool put_rest(struct file *f, const struct handover *h, size_t count, struct error *e)
{
    struct posting rest = f->posting;
    rest.to = arena_take(&f->arena, count * sizeof *rest.to);
    rest.to_count = 0;
    rest.since_ms = h->arrived_ms;
    rest.user = f->uid;
    if (!rest.to)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    for (size_t i = 0; i < f->posting.to_count; i++)
        if (h->list[i].verdict == HANDOVER_LATER)
            rest.to[rest.to_count++] = f->posting.to[i];
    return put_again(f, &rest, e);
}

/* A report that is refused goes to the postmaster, and only once; then it is for a person who looks
 * into the folder. */
static bool put_for_postmaster(struct file *f, struct error *e)
{
    static struct text const postmaster = TEXT("postmaster");
    struct posting p = f->posting;
    struct text to = postmaster;
    if (p.to_count == 1 && text_equal(p.to[0], postmaster))
        return move_aside(f->round, f->name, "not even the postmaster takes this report", e);
    p.to = &to;
    p.to_count = 1;
    p.since_ms = 0;
    p.user = process_uid();
    return put_again(f, &p, e);
}

/* The sender, as the server says. */
static bool is_not_his(const struct handover *h)
{
    for (size_t i = 0; i < h->posting->to_count; i++) {
        const struct handover_result *r = &h->list[i];
        if (r->verdict == HANDOVER_REFUSED && r->of_sender &&
            (strncmp(r->status, "5.1.", 4) == 0 || strncmp(r->status, "5.7.", 4) == 0))
            return true;
    }
    return false;
}

/* The report is the server's own, since no user may write as its postmaster.  A sender whom the
 * user may not be hears nothing of it: he himself does. */
static bool put_report(struct file *f, const struct handover *done, struct error *e)
{
    struct buffer content;
    struct posting p;
    struct handover told = *done, *h = &told;
    if (is_not_his(h))
        posting_address(h->login, h->hostname, &f->arena, &h->sender);
    bool is_report = f->posting.has_user && f->facts.uid == process_uid() && h->sender.len == 0;
    if (is_report)
        return put_for_postmaster(f, e);
    bool ok = true;
    if (handover_report(h, &content, &p)) {
        p.user = process_uid();
        ok = put_again(f, &p, e);
    } else if (content.failed) {
        ok = error_set(e, ERROR_TEMPORARY, "memory is short");
    } else {
        tell(f->round, LOG_NOTICE, f->name, "refused, and nobody wants a report");
    }
    buffer_clear(&content);
    return ok;
}

/* --- Handing over --- */

static size_t count_of(const struct handover *h, enum handover_verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < h->posting->to_count; i++)
        count += h->list[i].verdict == verdict;
    return count;
}

static void tell_refused(struct file *f, const struct handover *h)
{
    struct log *log = f->round->server->log;
    for (size_t i = 0; i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_REFUSED)
            LOG_EVENT(log, LOG_INFO, T("-"), h->list[i].expired ? "spool-expired" : "spool-refused",
                      { "file", text_of(f->name) }, { "user", text_of(f->user.name) },
                      { "to", h->list[i].address }, { "why", h->list[i].words });
}

static void give_up(const struct handover *h)
{
    for (size_t i = 0; i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_LATER) {
            h->list[i].verdict = HANDOVER_REFUSED;
            h->list[i].expired = true;
        }
}

/* Whether it is the user, or the server as a whole, and not some recipient. */
static bool concerns_user(const struct handover *h)
{
    for (size_t i = 0; i < h->posting->to_count; i++)
        if (h->list[i].verdict == HANDOVER_LATER &&
            (!h->list[i].of_recipient || strncmp(h->list[i].status, "4.7.", 4) == 0))
            return true;
    return false;
}

/* What takes its place is put there, and then it goes.  False: that is owed. */
static bool settle(struct file *f, struct pickup_owed *o)
{
    size_t later = count_of(&o->h, HANDOVER_LATER), refused = count_of(&o->h, HANDOVER_REFUSED);
    struct error e;
    o->rest = o->rest || later == 0 || put_rest(f, &o->h, later, &e);
    o->report = o->report || (o->rest && (refused == 0 || put_report(f, &o->h, &e)));
    if (o->rest && o->report && dropbox_remove(f->round->box, f->name, &e))
        return true;
    f->round->failed = true;
    tell_error(f->round, f->name, &e);
    return false;
}

static void end(struct file *f, const struct handover *h, struct pickup_owed *room)
{
    struct pickup_owed o = { .facts = f->facts, .to_count = f->posting.to_count, .h = *h };
    if (is_over(f->round, h->arrived_ms))
        give_up(h);
    size_t later = count_of(h, HANDOVER_LATER);
    tell_refused(f, h);
    f->round->later |= later > 0;
    if (later > 0 && concerns_user(h))
        put_off(f->round, f->uid);
    if (later == f->posting.to_count || settle(f, &o))
        return;
    snprintf(o.name, sizeof o.name, "%s", f->name);
    o.arena = f->arena;
    arena_init(&f->arena, ARENA_MAX);
    *room = o;
}

/* It has been handed over.  The second time a report returns the header only: for that there may be
 * room. */
static void settle_again(struct file *f, struct pickup_owed *o)
{
    f->posting.ret = T("HDRS");
    o->h.posting = &f->posting;
    o->h.login = text_of(f->user.name);
    o->h.arena = &f->arena;
    if (settle(f, o))
        pickup_owed_clear(o);
}

/* A user's own word does not count, and the time of his file is no secret. */
static int64_t since_ms(const struct file *f)
{
    bool ours = f->facts.uid == process_uid();
    return ours && f->posting.since_ms ? f->posting.since_ms : f->facts.changed_ms;
}

static void hand_over(struct file *f, struct pickup_owed *room)
{
    struct handover h = { .posting = &f->posting,
                          .login = text_of(f->user.name),
                          .arena = &f->arena,
                          .arrived_ms = since_ms(f),
                          .expire_ms = f->round->expire_ms };
    struct error e;
    int socket = pickup_connect(f->round->server, f->uid, &e);
    if (socket >= 0 && handover(&h, socket, &e)) {
        end(f, &h, room);
        return;
    }
    f->round->no_server = true;
    if (!atomic_load(f->round->stopping))
        tell_error(f->round, f->name, &e);
}

/* --- One file --- */

static void go_on_with(struct file *f)
{
    struct pickup_round *r = f->round;
    struct pickup_owed *o = pickup_owed_of(r->owed, f->name, &f->facts, f->posting.to_count);
    struct pickup_owed *room = pickup_owed_new(r->owed);
    if (o)
        settle_again(f, o);
    else if (room)
        hand_over(f, room);
    else
        r->later = true;
}

static void read_posting(struct file *f, struct names *names)
{
    const char *why;
    switch (
        posting_read(buffer_as_text(&f->octets), text_of(f->name), &f->arena, &f->posting, &why)) {
    case POSTING_OK:
        if (know_user(f, names))
            go_on_with(f);
        break;
    case POSTING_NO_MEMORY:
        f->round->later = true;
        break;
    case POSTING_MALFORMED:
    case POSTING_TOO_MANY:
        set_aside(f, names, why);
        break;
    }
}

static void take_file(struct file *f, struct names *names)
{
    struct error e;
    switch (dropbox_take(f->round->box, f->name, &f->octets, &f->facts, &e)) {
    case DROPBOX_TAKEN:
        read_posting(f, names);
        break;
    case DROPBOX_GONE:
        break;
    case DROPBOX_OTHER:
        discard(f->round, f->name, "removed: it is no file");
        break;
    case DROPBOX_LINKED:
        error_set(&e, ERROR_TEMPORARY, "it waits until it has no second name");
        wait_with(f, names, &e);
        break;
    case DROPBOX_LARGE:
        set_aside(f, names, "it is larger than a message may be");
        break;
    case DROPBOX_BUSY:
        wait_with(f, names, &e);
        break;
    }
}

static void pick_up(struct pickup_round *r, struct names *names, const char *name)
{
    struct file f = { .round = r, .name = name };
    if (dropbox_look(r->box, name, &f.facts) == DROPBOX_TAKEN && is_put_off(r, f.facts.uid)) {
        r->later = true;
        return;
    }
    buffer_init(&f.octets, (size_t)r->octets_max);
    arena_init(&f.arena, ARENA_MAX);
    take_file(&f, names);
    arena_reset(&f.arena);
    buffer_clear(&f.octets);
}

/* --- All of them --- */

static bool add_name(void *owner, const char *name)
{
    struct names *names = owner;
    struct name item = { "" };
    if (strncmp(name, bad_prefix, sizeof bad_prefix - 1) == 0) {
        names->bad++;
        return true;
    }
    if (strlen(name) >= sizeof item.at)
        return true; /* no name of ours, and none that sendmail makes */
    snprintf(item.at, sizeof item.at, "%s", name);
    return buffer_append(&names->list, &item, sizeof item);
}

static void sort_out(struct pickup_round *r, struct names *names, const char *name)
{
    if (name[0] == '.')
        tidy_hidden(r, name);
    else if (posting_is_file_name(text_of(name)))
        pick_up(r, names, name);
}

/* Before anything is handed over that could not be removed then. */
static bool may_go_on(struct pickup_round *r)
{
    struct error e;
    if (r->no_server || atomic_load(r->stopping))
        return false;
    if (dropbox_may_change(r->box, &e))
        return true;
    r->failed = true;
    tell_error(r, "", &e);
    return false;
}

/* Wherever it begins: nobody stands behind another for ever. */
static void sort_out_all(struct pickup_round *r, struct names *names)
{
    const struct name *list = (const void *)names->list.at;
    size_t count = names->list.len / sizeof *list;
    size_t first = count ? (size_t)(entropy_u64() % count) : 0;
    for (size_t i = 0; i < count && may_go_on(r); i++)
        sort_out(r, names, list[(first + i) % count].at);
}

void pickup_round(struct pickup_round *r)
{
    struct names names = { .bad = 0 };
    struct error e;
    pickup_forget(r->owed, r->box);
    buffer_init(&names.list, NAMES_MAX * sizeof(struct name));
    if (!dropbox_each(r->box, add_name, &names, &e))
        tell_error(r, "", &e);
    r->later |= names.list.failed;
    sort_out_all(r, &names);
    r->later |= r->no_server;
    buffer_clear(&names.list);
}
