/* landing_inner.h - private to the room: what each kind of landing has to do. */
#ifndef FOLDER_LANDING_INNER_H
#define FOLDER_LANDING_INNER_H

#include "folder/landing.h"

/* As in landing.h; `place` is the kind's own: landing.c makes it, zeroed, and frees it.  A message
 * that was begun and not ended is dropped by close(). */
struct landing_way {
    const char *prefix; /* in front of the path */
    size_t place_size;
    /* False: there is nothing to close. */
    bool (*open)(void *place, const char *path, struct error *);
    void (*close)(void *place);
    bool (*begin)(void *place, const struct landing_facts *, struct error *);
    bool (*add)(void *place, struct bytes, struct error *);
    bool (*end)(void *place, char name_out[LANDING_NAME_MAX], struct error *);
    void (*drop)(void *place);
    bool (*show)(void *place, struct error *);
    /* NULL: there is never anything to do, or to find. */
    bool (*lock)(void *place, struct error *);
    bool (*sync)(void *place, struct error *);
    bool (*done)(void *place, struct error *);
    enum landing_finished (*finish)(void *place, const char *name, struct error *);
    bool (*finish_end)(void *place, struct error *);
    void (*sweep)(const char *path, const char *name);
};

/* Another file than standard output, for a place that is opened. */
void landing_stream_into(void *place, int file, const char *name);

extern const struct landing_way landing_in_maildir, landing_in_mbox, landing_in_stream;

#endif
