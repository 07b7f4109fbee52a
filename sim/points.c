/* points.c - where faults of the disk may strike, and where they have.  Decides nothing. */
#include "sim/points.h"

static const char *const file_names[FILE_KINDS] = {
    [FILE_SEGMENT] = "segment",     [FILE_LARGE] = "large message", [FILE_INDEX] = "index",
    [FILE_INDEX_LOG] = "index log", [FILE_NEW_INDEX] = "new index", [FILE_DIRECTORY] = "directory",
    [FILE_CACHE] = "cache",         [FILE_SCRATCH] = "scratch",     [FILE_COPY] = "backup",
    [FILE_OTHER] = "lock or mark",  [FILE_FOLDER] = "folder",
};

static const char *const call_names[CALLS] = {
    [CALL_OPEN] = "open",     [CALL_MAKE] = "make",     [CALL_READ] = "read",
    [CALL_WRITE] = "write",   [CALL_SYNC] = "sync",     [CALL_TRUNCATE] = "truncate",
    [CALL_REMOVE] = "remove", [CALL_RENAME] = "rename",
};

static const char *const compaction_names[COMPACTION_STATES] = {
    [COMPACTION_RESTS] = "rests",     [COMPACTION_READS] = "reads",
    [COMPACTION_WRITES] = "writes",   [COMPACTION_TURNS] = "turns",
    [COMPACTION_SETTLES] = "settles", [COMPACTION_REMOVES] = "removes",
    [COMPACTION_FORGETS] = "forgets",
};

enum file_kind file_kind_of(const char *name)
{
    static const struct {
        const char *front;
        enum file_kind kind;
    } kinds[] = {
        { "journal/large/", FILE_LARGE }, { "journal/", FILE_SEGMENT },
        { "index.new", FILE_NEW_INDEX },  { "index.db-wal", FILE_INDEX_LOG },
        { "index.db", FILE_INDEX },       { "directory.db", FILE_DIRECTORY },
        { "cache.db", FILE_CACHE },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text_starts(text_of(name), text_of(kinds[i].front)))
            return kinds[i].kind;
    return FILE_OTHER;
}

void points_count(struct points *p, struct point at, enum compaction_state compaction,
                  enum point_event event)
{
    p->disk[at.file][at.call][event]++;
    p->compaction[compaction][event]++;
}

void points_add(struct points *sum, const struct points *p)
{
    for (int f = 0; f < FILE_KINDS; f++)
        for (int c = 0; c < CALLS; c++)
            for (int e = 0; e < POINT_EVENTS; e++)
                sum->disk[f][c][e] += p->disk[f][c][e];
    for (int s = 0; s < COMPACTION_STATES; s++)
        for (int e = 0; e < POINT_EVENTS; e++)
            sum->compaction[s][e] += p->compaction[s][e];
    sum->rounds += p->rounds;
    sum->segments_removed += p->segments_removed;
}

/* Reading and opening change nothing, so that nobody dies there. */
static bool may_crash(enum call_kind call)
{
    return call != CALL_READ && call != CALL_OPEN;
}

static void print_row(const uint64_t events[POINT_EVENTS], bool may_crash_there, FILE *to)
{
    fprintf(to, "%12llu", (unsigned long long)events[POINT_CALLED]);
    if (may_crash_there)
        fprintf(to, "%10llu", (unsigned long long)events[POINT_CRASHED]);
    else
        fprintf(to, "%10s", "-");
    fprintf(to, "%10llu%s%s\n", (unsigned long long)events[POINT_FAILED],
            may_crash_there && !events[POINT_CRASHED] ? "   <- nobody died there" : "",
            events[POINT_FAILED] ? "" : "   <- never failed");
}

void points_print(const struct points *p, FILE *to)
{
    fprintf(to, "calls to the disk:%21s%10s%10s\n", "made", "died in", "failed");
    for (int f = 0; f < FILE_KINDS; f++)
        for (int c = 0; c < CALLS; c++) {
            if (!p->disk[f][c][POINT_CALLED])
                continue;
            fprintf(to, "  %-9s%-16s", call_names[c], file_names[f]);
            print_row(p->disk[f][c], may_crash((enum call_kind)c), to);
        }
    fprintf(to, "compaction: %llu rounds, %llu segments removed; of these calls, while it\n",
            (unsigned long long)p->rounds, (unsigned long long)p->segments_removed);
    for (int s = 0; s < COMPACTION_STATES; s++) {
        fprintf(to, "  %-25s", compaction_names[s]);
        print_row(p->compaction[s], true, to);
    }
}
