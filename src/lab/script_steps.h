/* script_steps.h - the verbs of a script: what each line says, and what is said for it.  Pure. */
#ifndef LAB_SCRIPT_STEPS_H
#define LAB_SCRIPT_STEPS_H

#include "base/arena.h"
#include "lab/dialogue.h"
#include "lab/plan.h"

enum step_verb { STEP_SEND, STEP_REFUSED, STEP_WAIT, STEP_EXPECT, STEP_POP, STEP_PAUSE };

struct step {
    enum step_verb verb;
    unsigned line;
    struct text words;           /* the whole line */
    struct text from, to;        /* of send and refused, as written */
    struct address address;      /* of a mailbox, or the sender's */
    const struct lab_user *user; /* whose mailbox it is */
    uint64_t number;             /* of messages, or a message's */
    uint64_t seconds;
    struct text rest; /* the subject, the text, the command */
};

/* Reads a line that is neither empty nor a comment; texts are borrowed.  ERROR_USAGE. */
bool step_parse(struct lab_plan *, struct text line, struct step *out, struct error *);
/* Fills in whom to call and what to say; texts in the arena.  False: memory is short. */
bool step_exchanges(const struct lab_plan *, const struct step *, struct arena *,
                    struct dialogue_script *);

#endif
