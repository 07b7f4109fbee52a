/* ledger.c - the book in which the soak writes what the server has promised. */
#include "ledger.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { WRONGS_SHOWN = 100 };

struct copy {
    uint32_t since; /* the ledger's time of its state */
    uint32_t seen;  /* the number of the visit */
    uint8_t state;  /* enum copy_state */
    uint8_t box;
};

struct letter_entry {
    uint32_t octets;
    uint32_t generation;
    uint8_t count;
    struct copy copies[LEDGER_COPIES];
};

/* The letters that may be in a box: all that are not NEVER or GONE, and some that are. */
struct box {
    uint32_t *letters;
    size_t count, room;
    uint32_t visits;
};

struct ledger {
    pthread_mutex_t mutex;
    unsigned near, boxes_used;
    uint32_t time; /* one more with each change */
    uint32_t generation;
    uint32_t letters; /* the number of the newest */
    struct ledger_figures figures;
    struct box boxes[LEDGER_BOXES_MAX];
    struct letter_entry *entries;
};

static const char *const state_words[] = {
    [COPY_NEVER] = "never", [COPY_OPEN] = "open",       [COPY_DUE] = "due",
    [COPY_KEPT] = "kept",   [COPY_LEAVING] = "leaving", [COPY_GONE] = "gone",
};

struct ledger *ledger_new(unsigned near, unsigned far)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    /* Of its pages those are taken that are written to. */
    void *entries = mmap(NULL, LEDGER_LETTERS_MAX * sizeof *l->entries, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (entries == MAP_FAILED) {
        free(l);
        return NULL;
    }
    l->entries = entries;
    l->near = near;
    l->boxes_used = near + far;
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

void ledger_free(struct ledger **ledger)
{
    struct ledger *l = *ledger;
    *ledger = NULL;
    if (!l)
        return;
    for (unsigned i = 0; i < l->boxes_used; i++)
        free(l->boxes[i].letters);
    munmap(l->entries, LEDGER_LETTERS_MAX * sizeof *l->entries);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

bool ledger_is_far(const struct ledger *l, uint8_t box)
{
    return box >= l->near;
}

void ledger_set_generation(struct ledger *l, uint32_t generation)
{
    pthread_mutex_lock(&l->mutex);
    l->generation = generation;
    pthread_mutex_unlock(&l->mutex);
}

uint32_t ledger_generation(struct ledger *l)
{
    pthread_mutex_lock(&l->mutex);
    uint32_t generation = l->generation;
    pthread_mutex_unlock(&l->mutex);
    return generation;
}

static void say_wrong(struct ledger *l, const char *format, va_list args)
{
    if (l->figures.wrong++ >= WRONGS_SHOWN)
        return;
    flockfile(stderr);
    fputs("wrong: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void wrong(struct ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct ledger *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_wrong(l, format, args);
    va_end(args);
}

void ledger_wrong(struct ledger *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&l->mutex);
    say_wrong(l, format, args);
    pthread_mutex_unlock(&l->mutex);
    va_end(args);
}

static bool is_waiting(enum copy_state state)
{
    return state != COPY_NEVER && state != COPY_GONE;
}

static void move(struct ledger *l, struct copy *copy, enum copy_state state)
{
    l->figures.waiting += is_waiting(state) - is_waiting(copy->state);
    l->figures.due += (state == COPY_DUE) - (copy->state == COPY_DUE);
    copy->state = (uint8_t)state;
    copy->since = ++l->time;
}

static void put_into_box(struct ledger *l, uint8_t number, uint32_t letter)
{
    struct box *box = &l->boxes[number];
    if (box->count == box->room) {
        size_t room = box->room ? 2 * box->room : 1024;
        uint32_t *letters = realloc(box->letters, room * sizeof *letters);
        if (!letters) {
            fputs("soakload: no memory for the ledger\n", stderr);
            abort(); /* a ledger with holes would accuse nobody of anything */
        }
        box->letters = letters;
        box->room = room;
    }
    box->letters[box->count++] = letter;
}

uint32_t ledger_begin(struct ledger *l, const uint8_t *boxes, unsigned count)
{
    pthread_mutex_lock(&l->mutex);
    uint32_t letter = l->letters + 1 < LEDGER_LETTERS_MAX ? ++l->letters : 0;
    if (letter) {
        struct letter_entry *entry = &l->entries[letter];
        entry->count = (uint8_t)count;
        for (unsigned i = 0; i < count; i++)
            entry->copies[i].box = boxes[i];
        l->figures.letters++;
    }
    pthread_mutex_unlock(&l->mutex);
    return letter;
}

void ledger_ended(struct ledger *l, uint32_t letter, size_t octets, uint32_t generation)
{
    struct letter_entry *entry = &l->entries[letter];
    pthread_mutex_lock(&l->mutex);
    entry->octets = (uint32_t)octets;
    entry->generation = generation;
    for (unsigned i = 0; i < entry->count; i++) {
        move(l, &entry->copies[i], COPY_OPEN);
        put_into_box(l, entry->copies[i].box, letter);
    }
    l->figures.unanswered++;
    pthread_mutex_unlock(&l->mutex);
}

static void copy_accepted(struct ledger *l, uint32_t letter, struct copy *copy)
{
    if (copy->state == COPY_OPEN)
        move(l, copy, ledger_is_far(l, copy->box) ? COPY_DUE : COPY_KEPT);
    else if (copy->state == COPY_NEVER)
        wrong(l, "letter %08" PRIx32 " for box %u was accepted, and was not there after a restart",
              letter, copy->box);
}

static void copy_refused(struct ledger *l, uint32_t letter, struct copy *copy)
{
    if (copy->state != COPY_OPEN && copy->state != COPY_NEVER)
        wrong(l, "letter %08" PRIx32 " for box %u was refused, and was there (%s)", letter,
              copy->box, state_words[copy->state]);
    else if (copy->state == COPY_OPEN)
        move(l, copy, COPY_NEVER);
}

void ledger_answered(struct ledger *l, uint32_t letter, unsigned accepted)
{
    struct letter_entry *entry = &l->entries[letter];
    pthread_mutex_lock(&l->mutex);
    for (unsigned i = 0; i < entry->count; i++) {
        if (accepted & 1u << i)
            copy_accepted(l, letter, &entry->copies[i]);
        else
            copy_refused(l, letter, &entry->copies[i]);
    }
    l->figures.unanswered--;
    l->figures.accepted += accepted != 0;
    l->figures.accepted_octets += accepted ? entry->octets : 0;
    pthread_mutex_unlock(&l->mutex);
}

void ledger_visit(struct ledger *l, uint8_t box, struct visit *out)
{
    pthread_mutex_lock(&l->mutex);
    *out = (struct visit){
        .box = box,
        .number = ++l->boxes[box].visits,
        .began = l->time,
        .generation = l->generation,
    };
    pthread_mutex_unlock(&l->mutex);
}

static struct copy *copy_in(struct letter_entry *entry, uint8_t box)
{
    for (unsigned i = 0; i < entry->count; i++) {
        if (entry->copies[i].box == box)
            return &entry->copies[i];
    }
    return NULL;
}

/* A server that was killed between a yes from elsewhere and the note of it sends again. */
static bool came_again(struct ledger *l, struct copy *copy, uint32_t letter)
{
    if (ledger_is_far(l, copy->box)) {
        l->figures.twice++;
        return true;
    }
    wrong(l, "letter %08" PRIx32 " is in box %u %s", letter, copy->box,
          copy->state == COPY_GONE ? "again, and was deleted" : "twice");
    return false;
}

static bool see(struct ledger *l, const struct visit *visit, uint32_t letter)
{
    struct letter_entry *entry = &l->entries[letter];
    struct copy *copy = letter <= l->letters ? copy_in(entry, visit->box) : NULL;
    if (!copy) {
        wrong(l, "letter %08" PRIx32 " is in box %u, and was not for it", letter, visit->box);
        return false;
    }
    if (copy->seen == visit->number || copy->state == COPY_GONE)
        return came_again(l, copy, letter);
    copy->seen = visit->number;
    if (copy->state == COPY_NEVER) {
        wrong(l, "letter %08" PRIx32 " is in box %u, and was refused, or was not there before",
              letter, visit->box);
        return false;
    }
    if (copy->state != COPY_KEPT)
        move(l, copy, COPY_KEPT);
    return true;
}

bool ledger_seen(struct ledger *l, const struct visit *visit, uint32_t letter)
{
    pthread_mutex_lock(&l->mutex);
    l->figures.read++;
    bool is_right = letter && letter < LEDGER_LETTERS_MAX && see(l, visit, letter);
    pthread_mutex_unlock(&l->mutex);
    return is_right;
}

static void move_some(struct ledger *l, const struct visit *visit, const uint32_t *letters,
                      size_t count, enum copy_state state)
{
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < count; i++) {
        struct copy *copy = copy_in(&l->entries[letters[i]], visit->box);
        if (copy->state != state)
            move(l, copy, state);
    }
    if (state == COPY_GONE)
        l->figures.deleted += count;
    pthread_mutex_unlock(&l->mutex);
}

void ledger_leaving(struct ledger *l, const struct visit *visit, const uint32_t *letters,
                    size_t count)
{
    move_some(l, visit, letters, count, COPY_LEAVING);
}

void ledger_deleted(struct ledger *l, const struct visit *visit, const uint32_t *letters,
                    size_t count)
{
    move_some(l, visit, letters, count, COPY_GONE);
}

/* A copy that the visit did not find; what is said of it holds since before the visit. */
static void miss(struct ledger *l, const struct visit *visit, uint32_t letter, struct copy *copy)
{
    struct letter_entry *entry = &l->entries[letter];
    bool is_lost = copy->state == COPY_KEPT || (copy->state == COPY_DUE && visit->is_last);
    if (is_lost) {
        wrong(l, "letter %08" PRIx32 " of %" PRIu32 " octets was %s, and is not in box %u", letter,
              entry->octets, copy->state == COPY_KEPT ? "there" : "accepted", visit->box);
        move(l, copy, COPY_GONE);
    } else if (copy->state == COPY_LEAVING) {
        move(l, copy, COPY_GONE);
    } else if (copy->state == COPY_OPEN && entry->generation < visit->generation &&
               (visit->is_last || !ledger_is_far(l, visit->box))) {
        move(l, copy, COPY_NEVER);
    }
}

void ledger_visited(struct ledger *l, const struct visit *visit)
{
    struct box *box = &l->boxes[visit->box];
    size_t left = 0;
    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < box->count; i++) {
        uint32_t letter = box->letters[i];
        struct copy *copy = copy_in(&l->entries[letter], visit->box);
        if (copy->seen != visit->number && copy->since <= visit->began)
            miss(l, visit, letter, copy);
        if (is_waiting(copy->state))
            box->letters[left++] = letter;
    }
    box->count = left;
    pthread_mutex_unlock(&l->mutex);
}

struct ledger_figures ledger_figures(struct ledger *l)
{
    pthread_mutex_lock(&l->mutex);
    struct ledger_figures figures = l->figures;
    pthread_mutex_unlock(&l->mutex);
    return figures;
}
