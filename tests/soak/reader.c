/* reader.c - POP3 of the soak: a box is read to its last octet, and what is in it compared with
 * what must be; then most of it is deleted, or seems to be.
 */
#include "worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 32,      /* commands in flight */
    OLD_ONE_IN = 500, /* letters that nobody deletes */
    LEFT_ONE_IN = 10, /* letters that stay for the next visit */
    BUSY_REST_MS = 20,
    VISIT_REST_MAX_MS = 40,
};

/* How a visit ends. */
enum manners { QUITS, QUITS_WITHOUT_DELETION, HANGS_UP, RESETS, QUITS_AND_HANGS_UP };

/* The line of a reply that says yes; NULL: it says no, or the connection is of no use. */
static const char *hear_yes(struct worker *w, const char *what)
{
    size_t len;
    const char *line = link_line(&w->link, &len);
    if (!line || strncmp(line, "+OK", 3) == 0)
        return line;
    bool is_in_use = strncmp(line, "-ERR [IN-USE]", 13) == 0;
    bool is_for_now = strncmp(line, "-ERR [SYS/TEMP]", 15) == 0;
    w->later += is_for_now;
    if (!is_in_use && !is_for_now)
        ledger_wrong(w->world->ledger, "to %s the server says %.200s", what, line);
    return NULL;
}

static bool log_in(struct worker *w, uint8_t box)
{
    bool is_far = ledger_is_far(w->world->ledger, box);
    if (!worker_call(w, is_far ? &w->world->far_pop : &w->world->pop))
        return false;
    if (hear_yes(w, "the call")) {
        link_printf(&w->link, "USER box%u@%s.test\r\nPASS secret\r\n", box, is_far ? "far" : "a");
        if (hear_yes(w, "USER") && hear_yes(w, "PASS"))
            return true;
    }
    worker_hang_up(w);
    worker_rest(BUSY_REST_MS);
    return false;
}

/* A message, dots undone, into the worker's; its octets, or -1: it did not come to its end. */
static long hear_message(struct worker *w)
{
    size_t filled = 0, len;
    const char *line;
    while ((line = link_line(&w->link, &len))) {
        if (len == 1 && line[0] == '.')
            return (long)filled;
        if (len > 0 && line[0] == '.') {
            line++;
            len--;
        }
        if (len + 2 > LETTER_ROOM - filled) {
            ledger_wrong(w->world->ledger, "a message has no end after %zu octets", filled);
            return -1;
        }
        memcpy(w->message + filled, line, len);
        memcpy(w->message + filled + len, "\r\n", 2);
        filled += len + 2;
    }
    return -1;
}

/* Whether the message is a letter as it was sent; its number goes to the list. */
static bool is_as_sent(struct worker *w, uint8_t box, size_t len, uint32_t *number_out)
{
    const struct load_world *world = w->world;
    const char *letter = letter_find(&world->mill, w->message, len, number_out);
    if (!letter) {
        ledger_wrong(world->ledger, "in box %u is a message that nobody sent: %.*s", box,
                     (int)(len < 500 ? len : 500), w->message);
        return false;
    }
    size_t found = len - (size_t)(letter - w->message);
    size_t wanted = letter_write(&world->mill, *number_out, w->letter);
    if (found == wanted && memcmp(letter, w->letter, wanted) == 0)
        return true;
    size_t at = 0;
    while (at < found && at < wanted && letter[at] == w->letter[at])
        at++;
    ledger_wrong(world->ledger,
                 "letter %08" PRIx32 " in box %u has %zu octets of %zu, another one at %zu",
                 *number_out, box, found, wanted, at);
    return false;
}

static bool make_room(struct worker *w, size_t count)
{
    if (count <= w->number_room)
        return true;
    uint32_t *numbers = realloc(w->numbers, count * sizeof *numbers);
    if (numbers) {
        w->numbers = numbers;
        w->number_room = count;
    }
    return numbers != NULL;
}

static void put_commands(struct worker *w, const char *verb, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++)
        link_printf(&w->link, "%s %zu\r\n", verb, i);
}

/* Reads all messages; returns whether all came, and their octets. */
static bool read_all(struct worker *w, const struct visit *visit, size_t count,
                     uint64_t *octets_out)
{
    *octets_out = 0;
    for (size_t done = 0, sent = 0; done < count; done++) {
        if (sent - done <= WINDOW / 2 && sent < count) {
            size_t last = done + WINDOW < count ? done + WINDOW : count;
            put_commands(w, "RETR", sent + 1, last);
            sent = last;
        }
        long len = hear_yes(w, "RETR") ? hear_message(w) : -1;
        if (len < 0)
            return false;
        *octets_out += (uint64_t)len;
        if (!is_as_sent(w, visit->box, (size_t)len, &w->numbers[done]) ||
            !ledger_seen(w->world->ledger, visit, w->numbers[done]))
            w->numbers[done] = 0; /* let it lie */
    }
    return true;
}

/* What is in the box; false when not all of it could be seen. */
static bool look_at_all(struct worker *w, const struct visit *visit, size_t *count_out)
{
    size_t count;
    uint64_t said, octets;
    link_printf(&w->link, "STAT\r\n");
    const char *line = hear_yes(w, "STAT");
    if (!line || sscanf(line, "+OK %zu %" SCNu64, &count, &said) != 2 || !make_room(w, count) ||
        !read_all(w, visit, count, &octets))
        return false;
    if (octets != said)
        ledger_wrong(w->world->ledger, "STAT of box %u says %" PRIu64 ", and it has %" PRIu64,
                     visit->box, said, octets);
    ledger_visited(w->world->ledger, visit);
    *count_out = count;
    return true;
}

/* DELE of most; the list keeps these.  Returns how many. */
static size_t delete_most(struct worker *w, size_t count, bool is_far)
{
    size_t chosen = 0, deleted = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = w->numbers[i];
        if (number &&
            (is_far || (number % OLD_ONE_IN && !chance_one_in(&w->chance, LEFT_ONE_IN)))) {
            link_printf(&w->link, "DELE %zu\r\n", i + 1);
            w->numbers[chosen++] = number;
        }
        if (chosen - deleted == WINDOW || i + 1 == count) {
            for (; deleted < chosen; deleted++) {
                if (!hear_yes(w, "DELE")) {
                    link_close(&w->link); /* nobody knows how far QUIT would go */
                    return 0;
                }
            }
        }
    }
    return deleted;
}

static enum manners draw_manners(struct worker *w, bool is_far)
{
    uint32_t draw = is_far ? UINT32_MAX : chance_below(&w->chance, 16);
    return draw == 0   ? QUITS_WITHOUT_DELETION
           : draw == 1 ? HANGS_UP
           : draw == 2 ? RESETS
           : draw == 3 ? QUITS_AND_HANGS_UP
                       : QUITS;
}

static void leave(struct worker *w, const struct visit *visit, size_t count)
{
    struct ledger *ledger = w->world->ledger;
    bool is_far = ledger_is_far(ledger, visit->box);
    enum manners manners = visit->is_last ? QUITS_WITHOUT_DELETION : draw_manners(w, is_far);
    size_t deleted = manners == QUITS_WITHOUT_DELETION ? 0 : delete_most(w, count, is_far);
    if (w->link.state != LINK_OPEN || manners == HANGS_UP)
        return;
    if (manners == RESETS) {
        link_reset(&w->link);
        return;
    }
    ledger_leaving(ledger, visit, w->numbers, deleted);
    link_printf(&w->link, "QUIT\r\n");
    if (manners == QUITS_AND_HANGS_UP)
        link_flush(&w->link);
    else if (hear_yes(w, "QUIT"))
        ledger_deleted(ledger, visit, w->numbers, deleted);
}

bool reader_visit(struct worker *w, uint8_t box, bool is_last)
{
    struct visit visit;
    size_t count = 0;
    ledger_visit(w->world->ledger, box, &visit);
    visit.is_last = is_last;
    if (!log_in(w, box))
        return false;
    bool is_whole = look_at_all(w, &visit, &count);
    if (is_whole)
        leave(w, &visit, count);
    worker_hang_up(w);
    if (!is_last)
        worker_rest(chance_below(&w->chance, VISIT_REST_MAX_MS));
    return is_whole;
}
