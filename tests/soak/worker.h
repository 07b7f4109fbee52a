/* worker.h - what each thread of the load has, and what it does again and again. */
#ifndef SOAK_WORKER_H
#define SOAK_WORKER_H

#include "ledger.h"
#include "letter.h"
#include "link.h"

/* What all share, and nobody changes. */
struct load_world {
    struct ledger *ledger;
    struct letter_mill mill;
    struct sockaddr_in smtp, pop, far_pop;
    unsigned near, far;   /* boxes: box0@a.test ..., and behind them boxN@far.test ... */
    uint32_t waiting_max; /* copies that are not read yet: senders rest above */
    uint32_t due_max;     /* the same of copies that go elsewhere */
};

struct worker {
    const struct load_world *world;
    struct chance chance;
    struct link link;
    char *letter, *message; /* LETTER_ROOM each */
    uint32_t *numbers;      /* of the letters in the box that is visited */
    size_t number_room;

    _Atomic uint64_t later; /* answers that put it off; counted by this one alone */
};

bool worker_init(struct worker *, const struct load_world *, uint64_t seed);
void worker_clear(struct worker *);
/* Connects; false after a moment when there is nobody. */
bool worker_call(struct worker *, const struct sockaddr_in *to);
/* The end of a session that broke, or that an answer has ended. */
void worker_hang_up(struct worker *);
void worker_rest(unsigned ms);

/* A connection over which some letters are sent, or a moment's rest. */
void sender_session(struct worker *);
/* The box is read and, unless this is the last visit, mostly emptied; false: not wholly read. */
bool reader_visit(struct worker *, uint8_t box, bool is_last);

#endif
