/* sender_inner.h - between sender.c, which brings mail, and sender_enter.c, which comes in. */
#ifndef SIM_SENDER_INNER_H
#define SIM_SENDER_INNER_H

#include "sim/peer.h"

enum { ASKS_MAX = 64 };

enum ask_kind {
    ASK_GREETING,
    ASK_HELLO,
    ASK_TLS,
    ASK_LOGIN,
    ASK_WRONG_LOGIN, /* with another password */
    ASK_STRANGER,    /* MAIL before the login */
    ASK_FORGED,      /* MAIL from somebody else */
    ASK_MAIL,
    ASK_KNOWN,
    ASK_UNKNOWN,
    ASK_DOOMED,
    ASK_DATA,
    ASK_TEXT,
    ASK_CHUNK,
    ASK_LAST_CHUNK,
    ASK_RESET,
    ASK_NOTHING,
    ASK_QUIT
};

struct ask {
    enum ask_kind kind;
    struct copy *copy;     /* ASK_KNOWN */
    struct doomed *doomed; /* ASK_DOOMED */
};

struct sender {
    struct peer peer;
    unsigned host;
    struct box *user; /* who submits; NULL: mail comes from outside */
    bool wants_tls, is_secure, shakes, is_in;
    bool pipelining, chunks;
    uint32_t rude; /* how likely it goes away at any reply */
    unsigned transactions;
    struct ask asks[ASKS_MAX]; /* asked, in order */
    size_t first, count;
    struct ask plan[ASKS_MAX]; /* of this transaction, still to be asked */
    size_t planned, next;
    bool is_open; /* a transaction, as far as the other end knows */
    struct letter *letter;
    struct buffer text; /* of the letter */
    size_t sent;        /* chunks: of it */
    bool mail_taken;    /* by the reply to MAIL */
    bool chunk_failed;  /* one of its was not taken: there is no transaction any more */
    bool quits;         /* there is nothing more to hear */
};

struct reply {
    unsigned code;
    struct text words;
};

/* Says a line, and awaits what answers the question. */
void sender_say(struct sender *, struct ask, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sender_expect_order(bool holds, const char *to, const struct reply *);

/* sender_enter.c.  A reply to one of the questions before the first letter. */
void sender_hear_entry(struct sender *, const struct ask *, const struct reply *);
/* The reply to MAIL from a user, or from somebody as whom he may not send. */
void sender_hear_user(struct sender *, const struct ask *, const struct reply *);

#endif
