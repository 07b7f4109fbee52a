/* words.h - what a person sees of a lab: who is there and what to type next. */
#ifndef LAB_WORDS_H
#define LAB_WORDS_H

#include "lab/plan.h"

/* To standard output.  `goes_away`: the folder is removed when the lab ends. */
void words_print(const struct lab_plan *, bool goes_away);

#endif
