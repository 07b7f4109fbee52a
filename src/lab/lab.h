/* lab.h - godwit lab: several mail servers, their DNS and their users, in one process. */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "base/error.h"

struct lab_options {
    const char *folder;  /* NULL: one that goes away with the lab */
    const char *domains; /* as plan_add_domains(); NULL: those of the folder, or a.test,b.test */
    const char *faults;  /* "b.test=slow:2s,c.test=dead"; NULL: none */
    const char *script;  /* a file, "-" is standard input; NULL: run until a signal comes */
    bool any;            /* the first server takes mail for everybody */
    bool json;           /* say what there is as JSON */
};

/* Runs a lab until SIGINT, SIGTERM or SIGHUP, or to the end of its script.  False: it could not be
 * started, a server failed, or the script did. */
bool lab_run(const struct lab_options *, struct error *);

#endif
