/* points.h - where a fault of the disk may strike: each kind of call, on each kind of file, and
 * each state of compaction.  All are counted, so that one sees where nothing ever went wrong.
 */
#ifndef SIM_POINTS_H
#define SIM_POINTS_H

#include "store/store.h"

#include <stdio.h>

enum file_kind {
    FILE_SEGMENT,
    FILE_LARGE,
    FILE_INDEX,     /* index.db */
    FILE_INDEX_LOG, /* its write-ahead log */
    FILE_NEW_INDEX, /* index.new, and its journal, while it is made */
    FILE_DIRECTORY, /* directory.db with its log or journal */
    FILE_CACHE,     /* cache.db with its own */
    FILE_SCRATCH,   /* files without a name */
    FILE_COPY,      /* of a backup */
    FILE_OTHER,     /* locks and marks */
    FILE_FOLDER,
    FILE_KINDS,
};

enum call_kind {
    CALL_OPEN,
    CALL_MAKE,
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC,
    CALL_TRUNCATE,
    CALL_REMOVE,
    CALL_RENAME,
    CALLS,
};

enum point_event {
    POINT_CALLED,
    POINT_CRASHED, /* the process, or the machine, ended in it */
    POINT_FAILED,
    POINT_EVENTS,
};

struct point {
    enum call_kind call;
    enum file_kind file;
};

struct points {
    uint64_t disk[FILE_KINDS][CALLS][POINT_EVENTS];
    uint64_t compaction[COMPACTION_STATES][POINT_EVENTS]; /* calls of the disk in each */
    uint64_t rounds;                                      /* of compaction that came to their end */
    uint64_t segments_removed;
};

/* What a file is for, by its name in DATA. */
enum file_kind file_kind_of(const char *name);

void points_count(struct points *, struct point, enum compaction_state, enum point_event);
void points_add(struct points *sum, const struct points *);
/* A table; marks what was called and never struck. */
void points_print(const struct points *, FILE *to);

#endif
