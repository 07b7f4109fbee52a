/* book.h - lab.json: what a lab is, for programs, and for its next start.
 *
 *   {"folder": "...", "dns": "127.0.0.1:2053",
 *    "servers": [{"host": "mx.a.test", "address": "127.0.0.2", "config": "...", "log": "...",
 *                 "ports": {"smtp": 2525, "pop3": 2110}, "entrance": 2525, "fault": "none",
 *                 "domains": ["a.test"],
 *                 "users": [{"address": "alice@a.test", "password": "..."}]}]}
 *
 * `entrance` is the port where people hand in mail: that of smtp, unless a fault stands before it.
 */
#ifndef LAB_BOOK_H
#define LAB_BOOK_H

#include "lab/plan.h"

#include <jansson.h>

/* NULL: memory is short. */
json_t *book_make(const struct lab_plan *);
/* Writes DIR/lab.json (0600), all or nothing. */
bool book_write(const struct lab_plan *, struct error *);

/* DIR/lab.json of an earlier start; *out is NULL when there is none.  ERROR_DAMAGED. */
bool book_read(const char *folder, json_t **out, struct error *);
/* Its hosts and domains, for a plan that has none. */
bool book_add_domains(const json_t *, struct lab_plan *, struct error *);
/* Its passwords, for the users of the plan whom it knows. */
void book_take_passwords(const json_t *, struct lab_plan *);

#endif
