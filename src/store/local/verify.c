/* verify.c - everything that can be compared in a store is compared (store rules 18, 22).
 *
 * The journal with its checksums; the index with itself; each message that the index names with
 * what lies at its place; and the index with one that is made from the journal alone.  It repairs
 * nothing.  Beside a running server it judges the state at one moment.
 */
#include "store/local/backup.h"
#include "store/local/inspect.h"
#include "store/local/scratch.h"

#include "base/check.h"
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>

struct verification {
    void (*finding)(void *owner, const char *words);
    void *owner;
    uint64_t count;
    struct inspection in;
    struct journal_position until; /* of the index */
};

static void find(struct verification *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void find(struct verification *v, const char *format, ...)
{
    char words[2 * ERROR_WORDS_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    v->count++;
    if (v->finding)
        v->finding(v->owner, words);
}

static void find_words(void *owner, const char *words)
{
    find(owner, "%s", words);
}

/* What recovery would say; a torn tail is no finding. */
static void find_notice(void *owner, bool is_trouble, const char *words)
{
    if (is_trouble)
        find(owner, "%s", words);
}

/* --- The index with the journal --- */

static bool pass_unit(void *owner, const struct unit *unit, const struct journal_position *at,
                      struct error *error)
{
    (void)owner;
    (void)unit;
    (void)at;
    (void)error;
    return true;
}

static bool verify_position(struct verification *v, struct error *error)
{
    struct journal_events events = { .replay = pass_unit };
    if (!index_position(v->in.index, &v->until, error))
        return false;
    if (journal_replay(v->in.journal, &v->until, &events, error))
        return true;
    if (error->kind != ERROR_DAMAGED)
        return false;
    find(v, "%s", error->words);
    return true;
}

static bool compare_lines(struct verification *v, struct index_lines *ours,
                          struct index_lines *theirs, struct error *error)
{
    struct text a, b;
    bool ok = index_lines_next(ours, &a, error) && index_lines_next(theirs, &b, error);
    while (ok && (a.at || b.at)) {
        int order = !a.at ? 1 : !b.at ? -1 : text_compare(a, b);
        if (order < 0)
            find(v, "index.db says what the journal does not: %.*s", TEXT_ARGS(a));
        if (order > 0)
            find(v, "the journal says what index.db does not: %.*s", TEXT_ARGS(b));
        ok = (order > 0 || index_lines_next(ours, &a, error)) &&
             (order < 0 || index_lines_next(theirs, &b, error));
    }
    return ok;
}

static bool compare_with_journal(struct verification *v, struct error *error)
{
    struct replay r = { .notice = find_notice, .owner = v, .until = &v->until };
    struct index *scratch = NULL;
    struct index_lines *ours = NULL, *theirs = NULL;
    /* The index of a server that compacts may be told a moment later what does not count. */
    bool ok = scratch_index(&v->in, &r, &scratch, error) &&
              index_lines_open(v->in.index, journal_oldest(v->in.journal), &ours, error) &&
              index_lines_open(scratch, 0, &theirs, error) && compare_lines(v, ours, theirs, error);
    index_lines_close(&ours);
    index_lines_close(&theirs);
    index_close(&scratch);
    return ok;
}

/* --- Each message with what lies at its place --- */

static bool read_all(struct unit_reader *reader, struct error *error)
{
    uint64_t octets = unit_content_octets(reader);
    struct bytes out;
    bool would_block;
    for (uint64_t offset = 0; offset < octets; offset += out.len)
        if (!unit_read(reader, offset, false, &would_block, &out, error))
            return false;
    return true;
}

static bool verify_message(void *owner, const struct index_message *message, struct error *error)
{
    struct verification *v = owner;
    struct unit_reader *reader = NULL;
    bool would_block;
    bool ok = unit_open(v->in.journal, message->message, &message->place, false, &would_block,
                        &reader, error) &&
              read_all(reader, error);
    if (ok && unit_content_octets(reader) != message->octets)
        find(v, "message %016llx has %llu octets, index.db says %llu",
             (unsigned long long)message->message, (unsigned long long)unit_content_octets(reader),
             (unsigned long long)message->octets);
    unit_close(&reader);
    if (ok || error->kind != ERROR_DAMAGED)
        return ok;
    find(v, "%s", error->words);
    return true;
}

/* All in one read transaction: a server may go on. */
static bool verify_index(struct verification *v, struct error *error)
{
    struct index_visitor visitor = { .message = verify_message, .owner = v };
    return verify_position(v, error) && index_verify(v->in.index, find_words, v, error) &&
           index_each_message(v->in.index, &visitor, error) && compare_with_journal(v, error);
}

static bool verify_all(struct verification *v, struct error *error)
{
    struct error why = { 0 };
    struct replay r = { .notice = find_notice, .owner = v };
    struct index *scratch = NULL;
    if (!v->in.index) {
        struct index_visitor visitor = { .message = verify_message, .owner = v };
        if (!disk_exists(v->in.disk, BACKUP_MARK))
            find(v, "there is no index.db: it is made at the next start");
        bool ok = scratch_index(&v->in, &r, &scratch, error) &&
                  index_each_message(scratch, &visitor, error);
        index_close(&scratch);
        return ok;
    }
    bool ok = inspect_journal(&v->in, error) && index_read_begin(v->in.index, error);
    if (!ok)
        return false;
    ok = verify_index(v, &why);
    index_read_end(v->in.index);
    if (!ok && why.kind == ERROR_DAMAGED)
        find(v, "%s", why.words);
    else if (!ok)
        *error = why;
    return ok || why.kind == ERROR_DAMAGED;
}

bool store_verify(const char *path, void (*finding)(void *owner, const char *words), void *owner,
                  uint64_t *findings_out, struct error *error)
{
    struct verification v = { .finding = finding, .owner = owner };
    struct error why = { 0 };
    *findings_out = 0;
    bool ok = inspect_open(path, &v.in, &why);
    if (!ok && why.kind == ERROR_DAMAGED) {
        find(&v, "%s", why.words);
        *findings_out = v.count;
        return true;
    }
    if (!ok) {
        *error = why;
        return false;
    }
    ok = verify_all(&v, error);
    inspect_close(&v.in);
    *findings_out = v.count;
    return ok;
}
