/* settle_world.h - a post office for tests of settlements: a real store in a folder of its own, a
 * real loop, and an office that answers as the test says. */
#ifndef TESTS_QUEUE_SETTLE_WORLD_H
#define TESTS_QUEUE_SETTLE_WORLD_H

#include "tests/store/store_world.h"

#include "queue/settle.h"

enum { BRANCH_RECIPIENTS = 8, ALICE = 0x1111, BOB = 0x2222 };

/* 2026-11-21T07:41:27Z */
#define ARRIVED_MS INT64_C(1795246887000)

struct branch {
    struct world *store; /* and its loop */
    struct config *config;
    struct office office;

    /* What the office answers, and when. */
    struct office_answer answer;
    bool answers_later;
    struct post post;
    office_found *found;
    void *asker;
    char asked[400]; /* for this address */

    int held, pokes;

    /* The message that is settled. */
    struct queue_item item;
    struct settled recipients[BRANCH_RECIPIENTS];
    struct queue_row rows[BRANCH_RECIPIENTS];
    size_t count;

    int waiting, ends; /* settlements */
    enum store_verdict verdict;
    struct error error;
};

int branch_set_up(void **state);
int branch_tear_down(void **state);

/* Stores a message from this sender with a row for each of these recipients ("a@b.test"), all
 * waiting, and makes it the one that is settled; each recipient is told as failed by default.
 * False: not stored. */
bool branch_mail(struct branch *, const char *sender, struct text content,
                 const char *const *recipients);
/* Settles it, and waits until that is done.  False: not begun. */
bool branch_settle(struct branch *);

/* The mail of a mailbox: how much, and the first as a reader gets it. */
unsigned branch_count(struct branch *, mailbox_id);
struct text branch_first(struct branch *, mailbox_id, struct buffer *);
/* The same of any message. */
struct text branch_read(struct branch *, const struct maildrop_entry *, struct buffer *);
/* The rows that wait, one a line: address, attempts, state of the warning, last, notify. */
struct text branch_queue(struct branch *, struct buffer *);

/* Whether the words stand in the text. */
bool says(struct text, const char *words);

#endif
