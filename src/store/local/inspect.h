/* inspect.h - DATA as somebody sees it who changes nothing and holds no lock. */
#ifndef STORE_LOCAL_INSPECT_H
#define STORE_LOCAL_INSPECT_H

#include "store/local/index.h"

struct inspection {
    struct disk *disk;
    struct index *index;      /* NULL: there is none yet */
    struct journal *journal;  /* from inspect_journal(), else NULL */
    uint8_t uuid[INDEX_UUID]; /* of the journal; zeros: there is none yet */
};

bool inspect_open(const char *path, struct inspection *, struct error *);
/* The same without the index, for whoever reads the journal alone. */
bool inspect_open_disk(const char *path, struct inspection *, struct error *);
bool inspect_journal(struct inspection *, struct error *);
void inspect_close(struct inspection *);

#endif
