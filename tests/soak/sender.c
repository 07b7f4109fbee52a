/* sender.c - SMTP of the soak: several letters over a connection, by DATA or BDAT, always with as
 * much in flight as the protocol allows, and with bad manners now and then.
 *
 * What the server says is written down at once; a refusal for now is the server's good right, one
 * for good is wrong.
 */
#include "worker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURSTS_MAX = 24,
    DATA_BURST_MAX = 8,
    CHUNKED_BURST_MAX = 4,
    CHUNKS_MAX = 4,
    FAR_ONE_IN = 25,      /* letters with a copy for elsewhere */
    MANNERS_ONE_IN = 250, /* letters that are not brought to a good end */
    CROWDED_REST_MS = 5,
    REFUSED_REST_MS = 20,
};

/* A letter on its way. */
struct posting {
    uint32_t letter;
    uint8_t boxes[LEDGER_COPIES];
    unsigned count;
    unsigned chunks;
    unsigned accepted; /* recipients, a bit each */
    bool is_refused;   /* something of its group, so the rest may be too */
};

/* The code of the next reply; 0 when the connection is of no use. */
static int hear(struct worker *w)
{
    const char *line;
    size_t len;
    do {
        line = link_line(&w->link, &len);
    } while (line && len > 3 && line[3] == '-');
    return line ? atoi(line) : 0;
}

/* Whether the reply to `what` says yes. */
static bool hear_yes(struct worker *w, struct posting *p, const char *what, int wanted)
{
    int code = hear(w);
    if (code == wanted)
        return true;
    w->later += code / 100 == 4;
    if (code && code / 100 != 4 && !p->is_refused)
        ledger_wrong(w->world->ledger, "%d to %s of letter %08" PRIx32, code, what, p->letter);
    p->is_refused = true;
    return false;
}

static bool is_crowded(struct worker *w)
{
    return ledger_figures(w->world->ledger).waiting > w->world->waiting_max;
}

static bool takes_far(struct worker *w)
{
    return w->world->far > 0 && chance_one_in(&w->chance, FAR_ONE_IN) &&
           ledger_figures(w->world->ledger).due < w->world->due_max;
}

/* A new letter to one box mostly, each box at most once. */
static bool draw_posting(struct worker *w, struct posting *p)
{
    const struct load_world *world = w->world;
    unsigned near = chance_one_in(&w->chance, 5) ? 1 + chance_below(&w->chance, 3) : 1;
    unsigned first = chance_below(&w->chance, world->near);
    *p = (struct posting){ 0 };
    for (unsigned i = 0; i < near && i < world->near; i++)
        p->boxes[p->count++] = (uint8_t)((first + i) % world->near);
    if (takes_far(w)) {
        unsigned far = world->near + chance_below(&w->chance, world->far);
        p->boxes[p->count < LEDGER_COPIES ? p->count++ : 0] = (uint8_t)far;
    }
    p->letter = ledger_begin(world->ledger, p->boxes, p->count);
    return p->letter != 0;
}

static void put_envelope(struct worker *w, const struct posting *p)
{
    link_printf(&w->link, "MAIL FROM:<box0@a.test> BODY=8BITMIME\r\n");
    for (unsigned i = 0; i < p->count; i++) {
        bool is_far = ledger_is_far(w->world->ledger, p->boxes[i]);
        link_printf(&w->link, "RCPT TO:<box%u@%s.test>\r\n", p->boxes[i], is_far ? "far" : "a");
    }
}

static void hear_envelope(struct worker *w, struct posting *p)
{
    hear_yes(w, p, "MAIL", 250);
    for (unsigned i = 0; i < p->count; i++) {
        if (hear_yes(w, p, "RCPT", 250))
            p->accepted |= 1u << i;
    }
}

/* The reply to the end of the content. */
static bool hear_answer(struct worker *w, struct posting *p)
{
    bool is_accepted = hear_yes(w, p, "the end", 250);
    if (w->link.state != LINK_OPEN)
        return false;
    ledger_answered(w->world->ledger, p->letter, is_accepted ? p->accepted : 0);
    return true;
}

/* Content as DATA carries it, without the final dot. */
static void put_stuffed(struct worker *w, const char *octets, size_t len)
{
    const char *at = octets, *end = octets + len, *line = octets;
    while (line < end) {
        if (*line == '.') {
            link_put(&w->link, at, (size_t)(line - at));
            link_put(&w->link, ".", 1);
            at = line;
        }
        const char *next = memchr(line, '\n', (size_t)(end - line));
        line = next ? next + 1 : end;
    }
    link_put(&w->link, at, (size_t)(end - at));
}

/* The content of a letter by DATA.  False: this one left in the middle. */
static bool put_data(struct worker *w, const struct posting *p, uint32_t generation)
{
    size_t len = letter_write(&w->world->mill, p->letter, w->letter);
    bool is_rude = chance_one_in(&w->chance, MANNERS_ONE_IN), is_cut = is_rude && len & 1;
    put_stuffed(w, w->letter, is_cut ? len / 2 : len);
    if (!is_cut) {
        link_flush(&w->link);
        ledger_ended(w->world->ledger, p->letter, len, generation);
        link_put(&w->link, ".\r\n", 3);
    }
    if (is_rude)
        link_flush(&w->link);
    return !is_rude;
}

/* Some letters, the envelope of each behind the end of the one before. */
static bool burst_by_data(struct worker *w, uint32_t generation)
{
    struct posting now, next = { 0 };
    unsigned left = 1 + chance_below(&w->chance, DATA_BURST_MAX);
    if (!draw_posting(w, &next))
        return false;
    put_envelope(w, &next);
    link_put(&w->link, "DATA\r\n", 6);
    while (left-- > 0) {
        now = next;
        hear_envelope(w, &now);
        bool goes = hear_yes(w, &now, "DATA", 354);
        if (w->link.state != LINK_OPEN || (goes && !put_data(w, &now, generation)))
            return false;
        if (left > 0) {
            if (!draw_posting(w, &next))
                return false;
            put_envelope(w, &next);
            link_put(&w->link, "DATA\r\n", 6);
        }
        if (goes && !hear_answer(w, &now))
            return false;
        if (!goes)
            worker_rest(REFUSED_REST_MS);
    }
    return true;
}

static void put_chunks(struct worker *w, struct posting *p, uint32_t generation)
{
    size_t len = letter_write(&w->world->mill, p->letter, w->letter), at = 0;
    p->chunks = 1 + chance_below(&w->chance, CHUNKS_MAX);
    for (unsigned left = p->chunks; left > 1; left--) {
        size_t chunk = chance_below(&w->chance, (uint32_t)(len - at) + 1);
        link_printf(&w->link, "BDAT %zu\r\n", chunk);
        link_put(&w->link, w->letter + at, chunk);
        at += chunk;
    }
    link_flush(&w->link);
    ledger_ended(w->world->ledger, p->letter, len, generation);
    link_printf(&w->link, "BDAT %zu LAST\r\n", len - at);
    link_put(&w->link, w->letter + at, len - at);
}

/* Some letters at once, with all their content, before any reply is read. */
static bool burst_by_chunks(struct worker *w, uint32_t generation)
{
    struct posting postings[CHUNKED_BURST_MAX];
    unsigned count = 1 + chance_below(&w->chance, CHUNKED_BURST_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (!draw_posting(w, &postings[i]))
            return false;
        put_envelope(w, &postings[i]);
        put_chunks(w, &postings[i], generation);
    }
    if (chance_one_in(&w->chance, MANNERS_ONE_IN)) {
        link_flush(&w->link);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        struct posting *p = &postings[i];
        hear_envelope(w, p);
        for (unsigned left = p->chunks; left > 1; left--)
            hear_yes(w, p, "BDAT", 250);
        if (!hear_answer(w, p))
            return false;
        if (p->is_refused)
            worker_rest(REFUSED_REST_MS);
    }
    return true;
}

static bool is_greeted(struct worker *w)
{
    int code = hear(w);
    w->later += code / 100 == 4;
    if (code != 220)
        return false;
    link_printf(&w->link, "EHLO soak.test\r\n");
    return hear(w) == 250;
}

static void leave(struct worker *w)
{
    bool says_so = chance_below(&w->chance, 4) > 0;
    if (says_so && link_printf(&w->link, "QUIT\r\n") && link_flush(&w->link) &&
        chance_one_in(&w->chance, 2))
        hear(w);
}

void sender_session(struct worker *w)
{
    if (is_crowded(w)) {
        worker_rest(CROWDED_REST_MS);
        return;
    }
    if (!worker_call(w, &w->world->smtp))
        return;
    /* Whoever took the call was started no later than now. */
    uint32_t generation = ledger_generation(w->world->ledger);
    if (!is_greeted(w)) {
        worker_hang_up(w);
        worker_rest(REFUSED_REST_MS);
        return;
    }
    bool by_chunks = chance_one_in(&w->chance, 3), goes_on = true;
    for (unsigned left = chance_below(&w->chance, BURSTS_MAX) + 1; goes_on && left > 0; left--)
        goes_on = !is_crowded(w) && (by_chunks ? burst_by_chunks : burst_by_data)(w, generation);
    if (goes_on)
        leave(w);
    worker_hang_up(w);
}
