/* ledger_report.c - what became of the recipients elsewhere: what came there, and what their
 * senders were told.
 *
 * Each ends in one way: it has come, or the sender is told that it never will, and that only when
 * somebody said so for good.  Whoever sends as <> is told nothing.
 */
#include "base/check.h"
#include "sim/ledger_inner.h"
#include "sim/node.h"
#include "sim/zone.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { UNDER_WAY_US = 5 * 60 * 1000 * 1000 };

/* --- What may have happened --- */

static bool was_lied_to(const struct letter *letter, const char *address)
{
    return zone_has_lied(world_now()->zone, letter->host, ledger_domain_of(text_of(address)),
                         letter->begun_us);
}

static const struct node *node_of(const struct letter *letter)
{
    return world_now()->hosts[letter->host].node;
}

bool copy_may_fail(const struct copy *c)
{
    if (c->alias[0])
        return true;
    return c->kind == COPY_REMOTE && (node_expires(node_of(c->letter)) || c->letter->requires_tls ||
                                      was_lied_to(c->letter, c->box->address) ||
                                      letter_may_be_dropped(c->letter, c->box->address));
}

bool copy_is_promised(const struct copy *c)
{
    return !c->refused && (c->taken || !c->alias[0]);
}

/* Whether somebody may have said so for good, although there is such a recipient. */
static bool was_refused_somewhere(const struct copy *c)
{
    return c->alias[0] || was_lied_to(c->letter, c->box->address);
}

/* Nobody is told of a report that does not reach him. */
static bool is_surely_told(const struct letter *letter)
{
    return letter->sender_box &&
           (letter->sender_box->host ||
            (!was_lied_to(letter, letter->sender) && !node_expires(node_of(letter))));
}

bool copy_ended_otherwise(const struct copy *c)
{
    return c->told || letter_may_be_dropped(c->letter, copy_address(c)) ||
           (copy_may_fail(c) && !is_surely_told(c->letter));
}

/* --- Reports --- */

/* Goes on to the next line that begins with these words. */
static bool go_to_line(struct text *rest, struct text words)
{
    struct text line;
    while (rest->len && !text_starts(*rest, words))
        text_cut(rest, '\n', &line);
    return rest->len > 0;
}

/* ... and past the words. */
static bool find_line(struct text *rest, struct text words)
{
    bool found = go_to_line(rest, words);
    *rest = text_skip(*rest, found ? words.len : 0);
    return found;
}

static struct doomed *find_doomed(struct letter *letter, struct text address)
{
    for (unsigned i = 0; i < letter->doomed_count; i++)
        if (text_equal_nocase(text_of(letter->doomed[i].address), address))
            return &letter->doomed[i];
    return NULL;
}

static struct copy *find_remote(struct letter *letter, struct text address)
{
    for (unsigned i = 0; i < letter->copy_count; i++)
        if (letter->copies[i].kind == COPY_REMOTE &&
            text_equal_nocase(text_of(copy_address(&letter->copies[i])), address))
            return &letter->copies[i];
    return NULL;
}

/* Whom a report is about: one of the letter's that are elsewhere. */
struct subject {
    struct doomed *doomed;
    struct copy *copy; /* or this one */
    struct text address, status;
};

/* Whether the letter has had this age, as far as clocks can be believed. */
static bool is_old_enough(const struct letter *letter, uint32_t seconds)
{
    const struct world *w = world_now();
    return seconds &&
           (w->faults[FAULT_CLOCK] || w->now_us - letter->begun_us >= (uint64_t)seconds * 1000000);
}

/* RFC 8689 4.2.1: nobody vouches for the host.  5.0.0: memory was short for the words. */
static bool is_unverified(const struct letter *letter, const struct subject *of)
{
    return letter->requires_tls &&
           (text_starts(of->status, T("5.7.30")) || text_starts(of->status, T("5.7.10")) ||
            (text_starts(of->status, T("5.0.0")) && world_now()->faults[FAULT_MEMORY]));
}

/* Of what was dropped while an attempt was under way its sender may still be told. */
static void tell_failure(struct letter *letter, const struct box *box, const struct subject *of)
{
    unsigned *told = of->doomed ? &of->doomed->told : &of->copy->told;
    bool expired = text_starts(of->status, T("4.4.7"));
    world_expect(CHECK_REPORT, ++*told == 1, "%s: is told twice that letter %u did not reach %.*s",
                 box->address, letter->number, TEXT_ARGS(of->address));
    world_expect(CHECK_REPORT, letter->fate != FATE_REFUSED,
                 "%s: is told what became of letter %u for %.*s, which was refused", box->address,
                 letter->number, TEXT_ARGS(of->address));
    if (expired)
        world_expect(CHECK_EXPIRED, is_old_enough(letter, node_of(letter)->expire_s),
                     "%s: letter %u to %.*s is given up before its time", box->address,
                     letter->number, TEXT_ARGS(of->address));
    else if (of->copy)
        world_expect(CHECK_TOLD, was_refused_somewhere(of->copy) || is_unverified(letter, of),
                     "%s: is told that letter %u did not reach %.*s, which nobody refused for good "
                     "(%.*s, TLS %s)",
                     box->address, letter->number, TEXT_ARGS(of->address), TEXT_ARGS(of->status),
                     letter->requires_tls ? "required" : "not required");
}

static void tell_delay(const struct letter *letter, const struct box *box, const struct subject *of)
{
    unsigned *warned = of->doomed ? &of->doomed->warned : &of->copy->warned;
    world_expect(CHECK_WARNED, ++*warned == 1, "%s: is told twice that letter %u to %.*s waits",
                 box->address, letter->number, TEXT_ARGS(of->address));
    world_expect(CHECK_WARNED, is_old_enough(letter, node_of(letter)->warn_s),
                 "%s: is told too soon that letter %u to %.*s waits", box->address, letter->number,
                 TEXT_ARGS(of->address));
}

static void tell(struct letter *letter, const struct box *box, struct text group,
                 struct subject *of)
{
    struct text rest = group;
    of->doomed = find_doomed(letter, of->address);
    of->copy = of->doomed ? NULL : find_remote(letter, of->address);
    world_expect(CHECK_REPORT, (of->doomed || of->copy) && letter->sender_box == box,
                 "%s: is told that letter %u could not go to %.*s", box->address, letter->number,
                 TEXT_ARGS(of->address));
    if (!of->doomed && !of->copy)
        return;
    if (find_line(&rest, T("Status: ")))
        of->status = text_first(rest, text_find(rest, '\r'));
    if (!find_line(&group, T("Action: ")))
        return;
    if (text_starts(group, T("failed")))
        tell_failure(letter, box, of);
    else if (text_starts(group, T("delayed")))
        tell_delay(letter, box, of);
}

/* RFC 3464 2: a group for each recipient. */
static void read_groups(struct letter *letter, const struct box *box, struct text rest)
{
    struct text address;
    while (find_line(&rest, T("Final-Recipient: rfc822;"))) {
        struct text group = rest;
        text_cut(&rest, '\r', &address);
        tell(letter, box, group, &(struct subject){ .address = text_trim(address) });
    }
}

bool ledger_is_report(struct text message)
{
    return go_to_line(&message, T("Final-Recipient: "));
}

struct copy *ledger_read_report(struct ledger *l, struct box *box, const char *uidl,
                                struct text message)
{
    struct copy *known = ledger_find(l, box, uidl);
    uint64_t hash = XXH3_64bits(message.at, message.len);
    struct text rest = message;
    if (known) {
        world_expect(CHECK_OCTETS, known->hash == hash, "%s: report %s is not what it was",
                     box->address, uidl);
        return known;
    }
    if (!ledger_is_report(message))
        return NULL;
    struct letter *letter =
        go_to_line(&rest, T("X-Letter: ")) ? ledger_letter_named(l, rest) : NULL;
    world_expect(CHECK_REPORT, letter, "%s: report %s is about no letter of ours", box->address,
                 uidl);
    if (!letter)
        return NULL;
    world_expect(CHECK_REPORT, letter->sender[0], "%s: letter %u came from <>, and is reported",
                 box->address, letter->number);
    struct copy *c = letter_add_other(letter, box, COPY_REPORT);
    c->hash = hash;
    ledger_name_copy(l, c, uidl);
    read_groups(letter, box, message);
    return c;
}

/* --- What comes to hosts outside --- */

/* Takes the trace fields that each host on the way put in front. */
static bool skip_trace(struct text *rest)
{
    struct text line;
    bool any = false;
    while (text_starts(*rest, T("Received: ")) || (any && text_starts(*rest, T("\t")))) {
        text_cut(rest, '\n', &line);
        any = true;
    }
    return any;
}

/* One that was brought before and whose taker's reply was lost comes again, octet for octet. */
static void report_arrived(struct ledger *l, const struct arrival *a, struct text octets)
{
    char uidl[UIDL_MAX];
    snprintf(uidl, sizeof uidl, "r%016llx", (unsigned long long)XXH3_64bits(octets.at, octets.len));
    if (ledger_find(l, a->box, uidl))
        world_expect(CHECK_ONCE, ledger_may_lose_replies(), "%s: report %s came twice",
                     a->box->address, uidl);
    else if (!ledger_read_report(l, a->box, uidl, octets))
        world_expect(CHECK_REPORT, false, "%s: what came from <> is no report", a->box->address);
}

/* What is on its way when somebody holds the queue still arrives. */
static void expect_not_held(const struct letter *letter)
{
    const struct node *n = node_of(letter);
    if (letter->fate == FATE_ACCEPTED && letter->decided_us < n->held_us)
        world_expect(CHECK_STEERED, world_time_us() - n->held_us < UNDER_WAY_US,
                     "letter %u is held, and arrives elsewhere", letter->number);
}

static void letter_arrived(struct ledger *l, struct letter *letter, const struct arrival *a,
                           struct text octets)
{
    char uidl[UIDL_MAX];
    struct copy *c = letter_copy_for(letter, a->box);
    letter_expect_right(letter, c, a->box, octets);
    if (!c)
        return;
    expect_not_held(letter);
    if (letter->requires_tls)
        world_expect(CHECK_SECURE, a->is_required, "%s: letter %u requires TLS, and came without",
                     a->box->address, letter->number);
    snprintf(uidl, sizeof uidl, "a%llu", (unsigned long long)++l->arrivals);
    ledger_take(l, c, uidl);
}

void ledger_arrived(struct ledger *l, const struct arrival *a)
{
    struct text octets = a->message;
    bool traced = skip_trace(&octets);
    struct letter *letter =
        text_starts(octets, T("X-Letter: ")) ? ledger_letter_named(l, octets) : NULL;
    trace_words("%s: %s arrives", a->box->address, letter ? "a letter" : "a report");
    world_expect(CHECK_TRACE,
                 (traced || !letter) && strcmp(letter ? letter->sender : "", a->sender) == 0,
                 "%s: what stands in front of what came from <%s> is not as it should be",
                 a->box->address, a->sender);
    if (letter)
        letter_arrived(l, letter, a, octets);
    else
        report_arrived(l, a, octets);
}

/* --- The end --- */

static void close_copy(const struct copy *c)
{
    const struct letter *letter = c->letter;
    bool came = c->uidl[0];
    world_expect(CHECK_OUTCOME, came || copy_ended_otherwise(c),
                 "letter %u neither reached %s, nor was that told to <%s>", letter->number,
                 copy_address(c), letter->sender);
    world_expect(CHECK_OUTCOME, !came || !c->told || letter_may_come_twice(c),
                 "letter %u reached %s, and <%s> is told that it did not", letter->number,
                 copy_address(c), letter->sender);
}

void letter_close_elsewhere(const struct letter *letter)
{
    for (unsigned i = 0; i < letter->copy_count; i++)
        if (letter->copies[i].kind == COPY_REMOTE && copy_is_promised(&letter->copies[i]))
            close_copy(&letter->copies[i]);
    for (unsigned i = 0; i < letter->doomed_count && is_surely_told(letter); i++)
        if (letter->doomed[i].taken && !letter_may_be_dropped(letter, letter->doomed[i].address))
            world_expect(CHECK_REPORT, letter->doomed[i].told == 1,
                         "%s: nobody said that letter %u did not reach %s", letter->sender,
                         letter->number, letter->doomed[i].address);
}
