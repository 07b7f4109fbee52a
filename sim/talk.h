/* talk.h - a peer outside: a connection that says octets and hears lines. */
#ifndef SIM_TALK_H
#define SIM_TALK_H

#include "run/connect.h"

struct talk {
    struct loop *loop;
    struct connecting *connecting;
    struct stream *stream;
    struct buffer in, out;
    bool sending;
    /* A whole line without its end; it may say, and may close. */
    void (*heard)(struct talk *, struct text line);
    /* It is over: never connected, ended or broken.  Not after talk_close(). */
    void (*ended)(struct talk *);
};

/* Somebody has called. */
void talk_take(struct talk *, struct loop *, struct stream *);
/* Calls; the first line comes by itself. */
void talk_start(struct talk *, struct loop *, const struct endpoint *from,
                const struct endpoint *to);
void talk_say(struct talk *, struct bytes);
void talk_say_text(struct talk *, struct text);
/* Says nothing more, and still hears. */
void talk_end_output(struct talk *);
void talk_close(struct talk *);

#endif
