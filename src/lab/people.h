/* people.h - the users of a lab, in the directories of its servers. */
#ifndef LAB_PEOPLE_H
#define LAB_PEOPLE_H

#include "lab/plan.h"

/* Gives every user without a password a new one, and sees that each has an account with his
 * password in the DATA of his host.  Blocks. */
bool people_settle(struct lab_plan *, struct error *);

#endif
