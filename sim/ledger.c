/* ledger.c - who was promised what, and whether it was kept. */
#include "sim/ledger_inner.h"

#include "base/check.h"
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { TABLE_FIRST = 1024 };

/* --- Memory --- */

static void *must(void *memory)
{
    CHECK(memory);
    return memory;
}

struct ledger *ledger_new(void)
{
    return must(calloc(1, sizeof(struct ledger)));
}

static void free_box(struct box *b)
{
    free(b->copies);
    free(b);
}

void ledger_free(struct ledger **ledger)
{
    struct ledger *l = *ledger;
    *ledger = NULL;
    if (!l)
        return;
    for (size_t i = 0; i < l->box_count; i++)
        free_box(l->boxes[i]);
    for (size_t i = 0; i < l->foreign_count; i++)
        free_box(l->foreign[i]);
    for (size_t i = 0; i < l->count; i++) {
        for (struct copy *c = l->letters[i]->others, *next; c; c = next) {
            next = c->next;
            free(c);
        }
        free(l->letters[i]);
    }
    free(l->letters);
    free(l->seen.at);
    free(l);
}

/* --- Boxes --- */

struct text ledger_domain_of(struct text address)
{
    return text_skip(address, text_find(address, '@') + 1);
}

static struct box *new_box(unsigned number, unsigned host, const char *address)
{
    struct box *b = must(calloc(1, sizeof *b));
    b->number = number;
    b->host = host;
    snprintf(b->address, sizeof b->address, "%s", address);
    return b;
}

struct box *ledger_add_box(struct ledger *l, unsigned host, const char *address)
{
    CHECK(l->box_count < LEDGER_BOXES_MAX);
    struct box *b = new_box((unsigned)l->box_count, host, address);
    l->boxes[l->box_count++] = b;
    return b;
}

struct box *ledger_add_foreign(struct ledger *l, const char *address)
{
    CHECK(l->foreign_count < LEDGER_BOXES_MAX);
    struct box *b = new_box((unsigned)(LEDGER_BOXES_MAX + l->foreign_count), 0, address);
    l->foreign[l->foreign_count++] = b;
    return b;
}

struct box *ledger_find_foreign(struct ledger *l, const char *address)
{
    for (size_t i = 0; i < l->foreign_count; i++)
        if (strcmp(l->foreign[i]->address, address) == 0)
            return l->foreign[i];
    return NULL;
}

struct box *ledger_foreign_at(struct ledger *l, const char *domain)
{
    struct box *b;
    do
        b = ledger_any_foreign(l);
    while (!text_equal(ledger_domain_of(text_of(b->address)), text_of(domain)));
    return b;
}

struct box *ledger_any_foreign(struct ledger *l)
{
    return l->foreign[chance_below(l->foreign_count)];
}

size_t ledger_box_count(const struct ledger *l)
{
    return l->box_count;
}

struct box *ledger_box(struct ledger *l, size_t index)
{
    return l->boxes[index];
}

struct box *ledger_any_box(struct ledger *l)
{
    return l->boxes[chance_below(l->box_count)];
}

static void box_add(struct box *b, struct copy *c)
{
    if (b->count == b->room) {
        b->room = b->room ? b->room * 2 : 16;
        b->copies = must(realloc(b->copies, b->room * sizeof *b->copies));
    }
    b->copies[b->count++] = c;
}

/* --- Letters --- */

/* Lines that mean something to a protocol are among them. */
static void add_line(struct buffer *out, uint64_t *state)
{
    static const char *const lines[] = {
        ".", "..", ".QUIT", "", "RSET", "From me", ". ", "250 2.0.0 accepted",
    };
    static const char filler[] =
        "the bar-tailed godwit flies thirteen thousand kilometres without landing once and drops "
        "nothing on the way .and shows every metre of it; ..to whoever asks for it in the end 0123";
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    unsigned kind = (unsigned)(*state >> 60);
    if (kind < sizeof lines / sizeof *lines && (*state >> 50) % 4 == 0) {
        buffer_text(out, text_of(lines[kind]));
    } else {
        size_t from = (size_t)(*state >> 40) % (sizeof filler - 1);
        size_t len = (size_t)(*state >> 33) % 76;
        for (size_t part; len; len -= part, from = 0) {
            part = sizeof filler - 1 - from < len ? sizeof filler - 1 - from : len;
            buffer_append(out, filler + from, part);
        }
    }
    buffer_text(out, T("\r\n"));
}

static void write_head(const struct letter *letter, struct buffer *out)
{
    buffer_printf(out, "X-Letter: %u\r\nFrom: <%s>\r\nSubject: letter %u\r\n", letter->number,
                  letter->sender, letter->number);
}

/* From the end of the header on. */
static void write_tail(const struct letter *letter, struct buffer *out)
{
    uint64_t state = letter->seed;
    size_t start = out->len;
    buffer_text(out, T("\r\n"));
    while (letter->head_len + (out->len - start) < letter->wish)
        add_line(out, &state);
    if (!(letter->seed & 1) && out->len - start > 64)
        out->len -= 2; /* what a last BDAT may do */
    CHECK(!out->failed);
}

void letter_write(const struct letter *letter, struct buffer *out)
{
    write_head(letter, out);
    if (letter->submitted)
        buffer_text(out, T("Bcc: <hidden@" OUTSIDE ">\r\n"));
    write_tail(letter, out);
}

static uint64_t hash_of(struct text head, struct text tail)
{
    return XXH3_64bits_withSeed(tail.at, tail.len, XXH3_64bits(head.at, head.len));
}

const char *copy_address(const struct copy *c)
{
    return c->alias[0] ? c->alias : c->box->address;
}

struct copy *letter_add_alias(struct letter *letter, struct box *box, const char *alias)
{
    struct copy *c = letter_add(letter, box);
    c->kind = COPY_REMOTE;
    snprintf(c->alias, sizeof c->alias, "%s", alias);
    return c;
}

struct letter *ledger_new_letter(struct ledger *l, const struct letter_wish *wish)
{
    static const uint32_t sizes[] = { 300, 2000, 2000, 2000, 8000, 40000 };
    struct letter *letter = must(calloc(1, sizeof *letter));
    struct buffer words;
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 256;
        l->letters = must(realloc(l->letters, l->room * sizeof(struct letter *)));
    }
    letter->number = (uint32_t)l->count;
    letter->seed = chance_u64() & ~(uint64_t)1;
    letter->seed |= wish->ended;
    letter->host = wish->host;
    letter->begun_us = world_time_us();
    letter->sender_box = wish->sender_box;
    letter->submitted = wish->submitted;
    letter->requires_tls = wish->requires_tls;
    letter->wish = 100 + chance_below(sizes[chance_below(sizeof sizes / sizeof *sizes)]);
    if (chance_below(1000) == 0)
        letter->wish += 1 << 20;
    snprintf(letter->sender, sizeof letter->sender, "%s", wish->sender);
    l->letters[l->count++] = letter;
    buffer_init(&words, LETTER_OCTETS_MAX);
    write_head(letter, &words);
    letter->head_len = words.len;
    write_tail(letter, &words);
    letter->len = words.len;
    letter->hash = hash_of(text_first(buffer_as_text(&words), letter->head_len),
                           text_skip(buffer_as_text(&words), letter->head_len));
    buffer_clear(&words);
    return letter;
}

struct copy *letter_add(struct letter *letter, struct box *box)
{
    CHECK(letter->copy_count < LETTER_COPIES_MAX);
    struct copy *c = &letter->copies[letter->copy_count++];
    *c = (struct copy){ .letter = letter, .box = box };
    c->kind = box->host == letter->host ? COPY_LOCAL : COPY_REMOTE;
    return c;
}

/* A reader may have it before its sender has the reply. */
static void was_nowhere(const struct letter *letter)
{
    for (unsigned i = 0; i < letter->copy_count; i++)
        world_expect(CHECK_REFUSED, !letter->copies[i].uidl[0],
                     "%s: letter %u is here, and its sender is told that it was refused",
                     letter->copies[i].box->address, letter->number);
}

void letter_decide(struct letter *letter, enum fate fate)
{
    if (letter->fate != FATE_OPEN)
        return;
    letter->fate = fate;
    letter->decided_us = world_time_us();
    trace_words("letter %u is %s", letter->number,
                fate == FATE_ACCEPTED  ? "accepted"
                : fate == FATE_REFUSED ? "refused"
                                       : "in doubt");
    if (fate == FATE_REFUSED) {
        was_nowhere(letter);
        return;
    }
    for (unsigned i = 0; i < letter->copy_count; i++)
        if (!letter->copies[i].refused)
            box_add(letter->copies[i].box, &letter->copies[i]);
}

/* --- Copies by UIDL --- */

static uint64_t key_of(const struct box *box, const char *uidl)
{
    return XXH3_64bits_withSeed(uidl, strlen(uidl), box->number);
}

static struct copy **place_of(struct ledger_table *t, const struct box *box, const char *uidl)
{
    size_t at = (size_t)key_of(box, uidl) & (t->room - 1);
    while (t->at[at] && (t->at[at]->box != box || strcmp(t->at[at]->uidl, uidl) != 0))
        at = (at + 1) & (t->room - 1);
    return &t->at[at];
}

static void grow(struct ledger_table *t)
{
    struct ledger_table bigger = { .room = t->room ? t->room * 2 : TABLE_FIRST, .count = t->count };
    bigger.at = must(calloc(bigger.room, sizeof *bigger.at));
    for (size_t i = 0; i < t->room; i++)
        if (t->at[i])
            *place_of(&bigger, t->at[i]->box, t->at[i]->uidl) = t->at[i];
    free(t->at);
    *t = bigger;
}

struct copy *ledger_find(struct ledger *l, const struct box *box, const char *uidl)
{
    return l->seen.room ? *place_of(&l->seen, box, uidl) : NULL;
}

static void remember(struct ledger *l, struct copy *c)
{
    if (l->seen.count * 2 >= l->seen.room)
        grow(&l->seen);
    *place_of(&l->seen, c->box, c->uidl) = c;
    l->seen.count++;
}

/* --- What RETR gave --- */

/* Takes the fields that the server put in front; what is left begins with the letter's own. */
static bool skip_front(struct text *rest, const struct box *box, struct text *sender_out)
{
    struct text line, front = *rest;
    bool delivered = false, received = false;
    *sender_out = (struct text){ 0 };
    while (!text_starts(front, T("X-Letter: "))) {
        if (!text_cut(&front, '\n', &line))
            return false;
        if (text_starts(line, T("Return-Path: <")))
            *sender_out = text_first(text_skip(line, 14), text_find(text_skip(line, 14), '>'));
        else if (text_starts(line, T("Delivered-To: ")))
            delivered =
                text_equal(text_first(text_skip(line, 14), line.len - 15), text_of(box->address));
        else if (text_starts(line, T("Received: ")))
            received = true;
        else if (!text_starts(line, T("\t")))
            return false;
    }
    *rest = front;
    return delivered && received;
}

struct letter *ledger_letter_named(struct ledger *l, struct text rest)
{
    uint64_t number;
    struct text line;
    text_cut(&rest, '\r', &line);
    if (!text_to_u64(text_skip(line, 10), &number) || number >= l->count)
        return NULL;
    return l->letters[number];
}

/* What a submitted header lacked, RFC 6409 8. */
static bool take_added(struct text *rest)
{
    struct text line;
    unsigned dates = 0, ids = 0;
    while (text_starts(*rest, T("Date: ")) || text_starts(*rest, T("Message-ID: <"))) {
        dates += rest->at[0] == 'D';
        ids += rest->at[0] == 'M';
        text_cut(rest, '\n', &line);
    }
    return dates == 1 && ids == 1;
}

/* RETR ends every message with CRLF. */
static bool has_octets_of(const struct letter *letter, struct text octets)
{
    struct text head = text_first(octets, letter->head_len);
    struct text tail = text_skip(octets, letter->head_len);
    size_t len = letter->len - letter->head_len, more = letter->seed & 1 ? 0 : 2;
    if (letter->submitted)
        world_expect(CHECK_AMENDED, take_added(&tail),
                     "letter %u was submitted without Date and Message-ID, and has not got them",
                     letter->number);
    return (tail.len == len || tail.len == len + more) &&
           hash_of(head, text_first(tail, len)) == letter->hash;
}

struct copy *letter_copy_for(struct letter *letter, const struct box *box)
{
    for (unsigned i = 0; i < letter->copy_count; i++)
        if (letter->copies[i].box == box)
            return &letter->copies[i];
    return NULL;
}

struct copy *letter_add_other(struct letter *letter, struct box *box, enum copy_kind kind)
{
    struct copy *c = must(calloc(1, sizeof *c));
    *c = (struct copy){ .kind = kind, .letter = letter, .box = box, .next = letter->others };
    letter->others = c;
    box_add(box, c);
    return c;
}

void ledger_name_copy(struct ledger *l, struct copy *c, const char *uidl)
{
    c->seen_us = world_time_us();
    snprintf(c->uidl, sizeof c->uidl, "%s", uidl);
    remember(l, c);
}

void letter_expect_right(const struct letter *letter, const struct copy *c, const struct box *box,
                         struct text octets)
{
    world_expect(CHECK_OCTETS, has_octets_of(letter, octets),
                 "%s: letter %u came as %zu octets, and has %zu, or they are others", box->address,
                 letter->number, octets.len, letter->len);
    world_expect(CHECK_REFUSED,
                 c && !c->refused && letter->fate != FATE_REFUSED &&
                     (letter->fate != FATE_OPEN || letter->offered),
                 "%s: letter %u is here, and was %s", box->address, letter->number,
                 !c ? "never for him" : "refused, or never came to its end");
}

/* Whoever sends it on may have missed the reply to its end: then it comes again, and only then. */
bool ledger_may_lose_replies(void)
{
    const struct world *w = world_now();
    static const enum fault causes[] = { FAULT_CUT, FAULT_KILL, FAULT_POWER, FAULT_STALL,
                                         FAULT_HANG_UP };
    uint64_t count = world_troubles();
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        count += w->faults[causes[i]];
    return count > 0;
}

bool letter_may_come_twice(const struct copy *c)
{
    return c->kind == COPY_REMOTE && ledger_may_lose_replies();
}

struct copy *ledger_take(struct ledger *l, struct copy *c, const char *uidl)
{
    world_expect(CHECK_ONCE, !c->uidl[0] || letter_may_come_twice(c),
                 "%s: letter %u is here as %s and as %s, and nobody missed a reply",
                 c->box->address, c->letter->number, c->uidl, uidl);
    if (c->uidl[0])
        c = letter_add_other(c->letter, c->box, COPY_TWIN);
    ledger_name_copy(l, c, uidl);
    return c;
}

/* The letter that the message is; *message is then what it has behind the fields in front. */
static struct letter *recognize(struct ledger *l, const struct box *box, const char *uidl,
                                struct text *message)
{
    struct text sender;
    bool front = skip_front(message, box, &sender);
    struct letter *letter = front ? ledger_letter_named(l, *message) : NULL;
    world_expect(CHECK_TRACE, letter && text_equal(sender, text_of(letter->sender)),
                 "%s: what stands in front of message %s is not as it should be", box->address,
                 uidl);
    return letter;
}

struct copy *ledger_read(struct ledger *l, struct box *box, const char *uidl, struct text message)
{
    struct copy *known = ledger_find(l, box, uidl);
    if (text_starts(message, T("Return-Path: <>")) && (!known || known->kind == COPY_REPORT)) {
        struct copy *report = ledger_read_report(l, box, uidl, message);
        if (report)
            return report;
    }
    struct letter *letter = recognize(l, box, uidl, &message);
    if (!letter)
        return NULL;
    struct copy *c = letter_copy_for(letter, box);
    letter_expect_right(letter, c, box, message);
    world_expect(CHECK_ONCE, !known || known->letter == letter, "%s: message %s is now letter %u",
                 box->address, uidl, letter->number);
    if (letter->requires_tls)
        world_expect(CHECK_SECURE, box->host == letter->host,
                     "%s: letter %u came by a host that nobody vouches for, and requires one",
                     box->address, letter->number);
    if (!c || known)
        return known ? known : c;
    return ledger_take(l, c, uidl);
}

struct copy *ledger_recognize(struct ledger *l, struct box *box, struct text message)
{
    if (text_starts(message, T("Return-Path: <>")) && ledger_is_report(message))
        return NULL;
    struct letter *letter = recognize(l, box, "of the store", &message);
    if (!letter)
        return NULL;
    struct copy *c = letter_copy_for(letter, box);
    letter_expect_right(letter, c, box, message);
    return c;
}

/* --- Listings --- */

uint64_t ledger_begin_listing(struct ledger *l)
{
    return ++l->listings;
}

void ledger_removed(struct copy *c)
{
    c->removal = COPY_REMOVED;
    c->removed_us = world_time_us();
}

void ledger_listed(struct copy *c, uint64_t listing)
{
    c->listing = listing;
    world_expect(CHECK_DELETED, c->removal != COPY_REMOVED,
                 "%s: letter %u was deleted and is here again as %s", c->box->address,
                 c->letter->number, c->uidl);
    c->removal = COPY_KEPT;
    if (c->letter->fate == FATE_UNKNOWN && c->kind != COPY_REPORT) {
        c->letter->fate = FATE_ACCEPTED;
        c->letter->decided_us = world_time_us();
    }
}

/* Whether the copy has to be in a listing that was asked for at this time. */
static bool is_due(const struct copy *c, uint64_t asked_us)
{
    if (c->kind != COPY_LOCAL && (!world_now()->drained || copy_may_fail(c)))
        return c->uidl[0] && c->seen_us < asked_us;
    return c->letter->fate == FATE_ACCEPTED && c->letter->decided_us < asked_us;
}

void ledger_end_listing(struct box *box, uint64_t listing, uint64_t asked_us)
{
    size_t kept = 0;
    for (size_t i = 0; i < box->count; i++) {
        struct copy *c = box->copies[i];
        if (c->listing != listing && c->removal == COPY_IN_DOUBT)
            ledger_removed(c);
        if (c->removal == COPY_REMOVED)
            continue;
        box->copies[kept++] = c;
        if (is_due(c, asked_us))
            world_expect(c->spared ? CHECK_UNDELETED : CHECK_KEPT, c->listing == listing,
                         "%s: letter %u was accepted and is not here (%s)", box->address,
                         c->letter->number, c->uidl[0] ? c->uidl : "never seen");
    }
    box->count = kept;
}

/* --- The end --- */

static void close_letter(const struct letter *letter)
{
    unsigned here = 0, missing = 0;
    for (unsigned i = 0; i < letter->copy_count; i++) {
        const struct copy *c = &letter->copies[i];
        if (copy_is_promised(c) && (c->uidl[0] || !copy_ended_otherwise(c)))
            c->uidl[0] ? here++ : missing++;
    }
    if (here + missing > 1)
        world_expect(CHECK_WHOLE, here == 0 || missing == 0,
                     "letter %u came to %u recipients and not to %u others", letter->number, here,
                     missing);
    letter_close_elsewhere(letter);
}

void ledger_close_books(struct ledger *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->letters[i]->fate == FATE_ACCEPTED)
            close_letter(l->letters[i]);
}

struct ledger_figures ledger_figures(const struct ledger *l)
{
    struct ledger_figures f = { .letters = l->count, .copies_seen = l->seen.count };
    for (size_t i = 0; i < l->count; i++) {
        const struct letter *letter = l->letters[i];
        f.accepted += letter->fate == FATE_ACCEPTED;
        f.refused += letter->fate == FATE_REFUSED;
        f.unknown += letter->fate == FATE_UNKNOWN;
        for (unsigned k = 0; k < letter->copy_count; k++) {
            f.copies_removed += letter->copies[k].removal == COPY_REMOVED;
            f.relayed += letter->copies[k].kind == COPY_REMOTE && letter->copies[k].uidl[0];
        }
        for (const struct copy *c = letter->others; c; c = c->next)
            c->kind == COPY_TWIN ? f.twins++ : f.reports++;
    }
    return f;
}
