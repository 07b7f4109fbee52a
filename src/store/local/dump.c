/* dump.c - the logical facts of the index as text, or of one that is made from the journal alone.
 *
 * The two must be equal at any time (store rule 18): whatever is tried on a store, this is how it
 * is judged.
 */
#include "store/local/inspect.h"
#include "store/local/replay.h"
#include "store/local/scratch.h"

#include "store/store.h"

bool scratch_index(struct inspection *in, struct replay *r, struct index **out, struct error *error)
{
    if ((!in->journal && !inspect_journal(in, error)) ||
        !index_open(NULL, INDEX_SCRATCH, in->uuid, out, error))
        return false;
    r->index = *out;
    return replay_rest(r, in->journal, error);
}

static bool write_lines(struct index *index, struct buffer *out, struct error *error)
{
    struct index_lines *lines = NULL;
    if (!index_lines_open(index, 0, &lines, error))
        return false;
    struct text line;
    bool ok;
    while ((ok = index_lines_next(lines, &line, error)) && line.at) {
        if (buffer_text(out, line) && buffer_byte(out, '\n'))
            continue;
        ok = error_set(error, ERROR_TEMPORARY, "there is no room for the dump");
        break;
    }
    index_lines_close(&lines);
    return ok;
}

static bool dump_rebuilt(struct inspection *in, struct buffer *out, struct error *error)
{
    struct replay r = { 0 };
    struct index *scratch = NULL;
    bool ok = scratch_index(in, &r, &scratch, error) && write_lines(scratch, out, error);
    index_close(&scratch);
    return ok;
}

bool store_dump(const char *path, bool rebuild, struct buffer *out, struct error *error)
{
    struct inspection in;
    if (rebuild ? !inspect_open_disk(path, &in, error) : !inspect_open(path, &in, error))
        return false;
    bool ok =
        rebuild ? dump_rebuilt(&in, out, error) : !in.index || write_lines(in.index, out, error);
    inspect_close(&in);
    return ok;
}
