/* settings.h - the configuration of each server of a lab: a file that every command takes. */
#ifndef LAB_SETTINGS_H
#define LAB_SETTINGS_H

#include "lab/plan.h"

/* Writes DIR/HOST/godwit.conf anew, makes its folder, and reads it. */
bool lab_config(const struct lab_plan *, const struct lab_host *, struct config **out,
                struct error *);

#endif
