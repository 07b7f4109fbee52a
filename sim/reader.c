/* reader.c - a peer that fetches mail by POP3: lists, reads what it has not seen, deletes, and
 * leaves with QUIT, without, or in the middle.
 *
 * What it lists and reads goes to the ledger, which knows what should be there.
 */
#include "base/check.h"
#include "sim/peer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS_MAX = 4096,
    ITEMS_FIRST = 32,
    POP3_PORT = 110,
    MESSAGE_MAX = 8 << 20,
    AT_ONCE_MAX = 12
};

enum phase { GREETING, USER, PASS, STAT, UIDL, LIST, READING, DELETING, RESETTING, QUITTING };

struct item {
    char uidl[UIDL_MAX];
    uint64_t octets;
    struct copy *copy; /* NULL: not known yet */
    bool deleted;
};

struct reader {
    struct peer peer;
    struct box *box;
    enum phase phase;
    uint32_t rude;
    uint64_t listing, asked_us;
    struct item *items;
    size_t count, room; /* of items */
    size_t stat_count;
    uint64_t stat_octets;
    bool in_lines;          /* of a reply that has several */
    size_t asked, answered; /* READING, DELETING: items, in order */
    size_t at_once;
    struct buffer message;
    uint64_t octets; /* of it, as they came */
};

/* --- Its end --- */

static struct reader *reader_of(struct peer *p)
{
    return OWNER_OF(p, struct reader, peer);
}

static void parting(struct peer *p)
{
    struct reader *r = reader_of(p);
    for (size_t i = 0; i < r->count && r->phase < QUITTING; i++)
        if (r->items[i].deleted && r->items[i].copy)
            r->items[i].copy->spared = true;
}

static void clear(struct peer *p)
{
    struct reader *r = reader_of(p);
    buffer_clear(&r->message);
    free(r->items);
    free(r);
}

static bool goes_away(struct reader *r)
{
    if (!chance_of(r->rude))
        return false;
    event_in(&r->peer.leaves, chance_below(4) ? 0 : chance_below(100000));
    return true;
}

/* --- Asking --- */

static void say(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    peer_vsay(&r->peer, format, args);
    va_end(args);
}

/* Then readers read everything and delete nothing. */
static bool is_audit(void)
{
    return world_now()->drained;
}

/* From now on what it has deleted may be gone. */
static void quit(struct reader *r)
{
    r->phase = QUITTING;
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].deleted && r->items[i].copy)
            r->items[i].copy->removal = COPY_IN_DOUBT;
    say(r, "QUIT\r\n");
}

static void after_deleting(struct reader *r)
{
    if (chance_below(12) == 0 && !is_audit()) {
        r->phase = RESETTING;
        say(r, "RSET\r\n");
    } else {
        quit(r);
    }
}

static bool wants(const struct reader *r, const struct item *item)
{
    if (r->phase == READING)
        return !item->copy || is_audit() || chance_below(20) == 0;
    return item->copy && (world_now()->weather.tidy || chance_below(10) > 0);
}

static void go_on(struct reader *r);

static void end_phase(struct reader *r)
{
    r->asked = r->answered = 0;
    if (r->phase == READING) {
        ledger_end_listing(r->box, r->listing, r->asked_us);
        r->phase = DELETING;
        if (!is_audit() && (world_now()->weather.tidy || chance_below(4))) {
            go_on(r);
            return;
        }
    }
    after_deleting(r);
}

/* Skips what is not wanted. */
static void go_on(struct reader *r)
{
    while (r->asked < r->count && r->asked - r->answered < r->at_once) {
        struct item *item = &r->items[r->asked];
        if (!wants(r, item)) {
            if (r->asked != r->answered)
                return; /* answers come in order: skip when they have come */
            r->asked++;
            r->answered++;
            continue;
        }
        r->asked++;
        if (r->phase == READING)
            say(r, "RETR %zu\r\n", r->asked);
        else
            say(r, "DELE %zu\r\n", r->asked);
        item->deleted |= r->phase == DELETING;
    }
    if (r->answered == r->count)
        end_phase(r);
}

/* --- Hearing --- */

static bool take_number(struct text *rest, uint64_t *out)
{
    struct text word;
    return text_word(rest, &word) && text_to_u64(word, out);
}

static struct item *add_item(struct reader *r)
{
    if (r->count == r->room) {
        r->room = r->room ? r->room * 2 : ITEMS_FIRST;
        r->items = realloc(r->items, r->room * sizeof *r->items);
        CHECK(r->items);
    }
    struct item *item = &r->items[r->count++];
    *item = (struct item){ 0 };
    return item;
}

static void hear_item(struct reader *r, struct text line)
{
    struct text rest = line;
    uint64_t number = 0, octets = 0;
    bool ok = take_number(&rest, &number);
    rest = text_trim(rest);
    if (r->phase == UIDL && ok && number == r->count + 1 && number <= ITEMS_MAX) {
        struct item *item = add_item(r);
        snprintf(item->uidl, sizeof item->uidl, "%.*s", TEXT_ARGS(rest));
        item->copy = ledger_find(r->peer.town->ledger, r->box, item->uidl);
        if (item->copy)
            ledger_listed(item->copy, r->listing);
        return;
    }
    ok = ok && r->phase == LIST && number >= 1 && number <= r->count && take_number(&rest, &octets);
    world_expect(CHECK_ORDER, ok, "%s: this line is not of a listing: %.*s", r->box->address,
                 TEXT_ARGS(line));
    if (ok)
        r->items[number - 1].octets = octets;
}

static void hear_message(struct reader *r)
{
    struct item *item = &r->items[r->answered++];
    world_expect(CHECK_SIZES, item->octets == r->octets,
                 "%s: LIST says %llu octets of %s, and RETR gives %llu", r->box->address,
                 (unsigned long long)item->octets, item->uidl, (unsigned long long)r->octets);
    struct copy *copy =
        ledger_read(r->peer.town->ledger, r->box, item->uidl, buffer_as_text(&r->message));
    if (copy && !item->copy)
        ledger_listed(copy, r->listing);
    item->copy = copy;
    r->message.len = 0;
    r->octets = 0;
    go_on(r);
}

static void check_sizes(const struct reader *r)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < r->count; i++)
        octets += r->items[i].octets;
    world_expect(CHECK_SIZES, r->count == r->stat_count && octets == r->stat_octets,
                 "%s: STAT says %zu and %llu octets, UIDL and LIST %zu and %llu", r->box->address,
                 r->stat_count, (unsigned long long)r->stat_octets, r->count,
                 (unsigned long long)octets);
}

/* A line of many; the dot ends them. */
static void hear_line(struct reader *r, struct text line)
{
    if (!text_equal(line, T("."))) {
        if (line.len && line.at[0] == '.')
            line = text_skip(line, 1);
        if (r->phase != READING) {
            hear_item(r, line);
            return;
        }
        buffer_text(&r->message, line);
        buffer_text(&r->message, T("\r\n"));
        r->octets += line.len + 2;
        return;
    }
    r->in_lines = false;
    if (r->phase == UIDL) {
        r->phase = LIST;
        say(r, "LIST\r\n");
    } else if (r->phase == LIST) {
        check_sizes(r);
        r->phase = READING;
        go_on(r);
    } else {
        hear_message(r);
    }
}

static void hear_quit(struct reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].deleted && r->items[i].copy)
            ledger_removed(r->items[i].copy);
}

static void forget_deletions(struct reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->items[i].deleted = false;
}

static void hear_stat(struct reader *r, struct text rest)
{
    uint64_t count = 0;
    bool ok = take_number(&rest, &count) && take_number(&rest, &r->stat_octets);
    r->stat_count = (size_t)count;
    world_expect(CHECK_ORDER, ok, "%s: STAT says nonsense", r->box->address);
    r->phase = UIDL;
    say(r, "UIDL\r\n");
}

/* Whoever is refused goes, and comes another time. */
static void hear_ok(struct reader *r, struct text rest)
{
    switch (r->phase) {
    case GREETING:
        r->phase = USER;
        say(r, "USER %s\r\n", r->box->address);
        break;
    case USER:
        r->phase = PASS;
        r->asked_us = world_time_us();
        say(r, "PASS " TOWN_PASSWORD "\r\n");
        break;
    case PASS:
        r->phase = STAT;
        say(r, "STAT\r\n");
        break;
    case STAT:
        hear_stat(r, rest);
        break;
    case UIDL:
    case LIST:
    case READING:
        r->in_lines = true;
        break;
    case DELETING:
        r->answered++;
        go_on(r);
        break;
    case RESETTING:
        forget_deletions(r);
        quit(r);
        break;
    case QUITTING:
        hear_quit(r);
        r->peer.town->audit_done = true;
        break;
    }
}

/* In the audit there is one reader at a time. */
static void expect_free(const struct reader *r, struct text line)
{
    const struct town *t = r->peer.town;
    if (t->free_from_us && world_time_us() > t->free_from_us)
        world_expect(CHECK_LOCK, !text_starts(line, T("-ERR [IN-USE]")),
                     "%s: it is in use, and nobody is there", r->box->address);
}

static void heard(struct peer *p, struct text line)
{
    struct reader *r = reader_of(p);
    if (event_is_set(&r->peer.leaves))
        return;
    if (r->in_lines) {
        hear_line(r, line);
        return;
    }
    trace_show("%s hears: %.*s", p->who, TEXT_ARGS(line));
    bool ok = text_starts(line, T("+OK")), no = text_starts(line, T("-ERR"));
    world_expect(
        CHECK_ORDER,
        ok || (no && (r->phase < STAT || r->phase == QUITTING ||
                      text_starts(line, T("-ERR [SYS/")) || text_starts(line, T("-ERR [IN-USE]")))),
        "%s: no reply to what was asked: %.*s", r->box->address, TEXT_ARGS(line));
    if (r->phase == PASS)
        expect_free(r, line);
    if (goes_away(r))
        return;
    if (ok)
        hear_ok(r, text_skip(line, 3));
    else if (r->phase != QUITTING)
        event_in(&r->peer.leaves, 0);
}

void reader_start(struct town *town, struct box *box)
{
    static const struct peer_kind kind = { heard, parting, clear };
    char who[PEER_WHO_MAX];
    struct reader *r = calloc(1, sizeof *r);
    CHECK(r);
    r->box = box;
    r->rude = world_now()->weather.rude / 2;
    r->at_once = (size_t)chance_from(1, AT_ONCE_MAX);
    r->listing = ledger_begin_listing(town->ledger);
    buffer_init(&r->message, MESSAGE_MAX);
    snprintf(who, sizeof who, "reader of %s", box->address);
    peer_came(&r->peer, town, &kind, who);
    struct endpoint from = town_address(), to = town->world->hosts[box->host].address;
    to.port = POP3_PORT;
    talk_start(&r->peer.talk, town->loop, &from, &to);
}
