/* verify.c - everything that can be compared in a store is compared (store rules 18, 22).
 *
 * The journal with its checksums; the index with itself; each message that the index names with
 * what lies at its place; and the index with one that is made from the journal alone.  It repairs
 * nothing.  Beside a running server it judges the state at one moment.
 */
#include "store/local/backup.h"
#include "store/local/damage.h"
#include "store/local/inspect.h"
#include "store/local/lost.h"
#include "store/local/scratch.h"

#include "base/check.h"
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>

enum { ID_DIGITS = 16 };

struct verification {
    void (*notice)(void *owner, bool is_trouble, const char *words);
    void *owner;
    uint64_t count;
    struct inspection in;
    struct journal_position until; /* of the index */
    struct index *scratch;         /* made from the journal, up to there */
    struct lost lost;              /* messages that the index names and that cannot be read */
    uint64_t orphans;              /* large files of no message */
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
    if (v->notice)
        v->notice(v->owner, true, words);
}

static void find_words(void *owner, const char *words)
{
    find(owner, "%s", words);
}

/* What recovery would say; a torn tail is no finding. */
static void find_trouble(void *owner, bool is_trouble, const char *words)
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

static bool is_id(struct text word, message_id *out)
{
    return word.len == ID_DIGITS && text_hex_to_u64(word, out);
}

/* A fact of a message that is lost, or a sum that such messages are in. */
static bool is_explained(const struct verification *v, struct text line)
{
    bool explained = v->lost.count > 0 && text_starts(line, T("mailbox "));
    while (v->lost.count > 0 && line.len > 0 && !explained) {
        size_t len = text_find(line, ' ');
        message_id id;
        explained = is_id((struct text){ line.at, len }, &id) && lost_has(&v->lost, id);
        line = text_skip(line, len < line.len ? len + 1 : len);
    }
    return explained;
}

static void tell_difference(struct verification *v, const char *relation, struct text line)
{
    if (!is_explained(v, line))
        find(v, "%s: %.*s", relation, TEXT_ARGS(line));
}

static bool compare_lines(struct verification *v, struct index_lines *ours,
                          struct index_lines *theirs, struct error *error)
{
    struct text a, b;
    bool ok = index_lines_next_difference(ours, theirs, &a, &b, error);
    while (ok && (a.at || b.at)) {
        int order = !a.at ? 1 : !b.at ? -1 : text_compare(a, b);
        if (order < 0)
            tell_difference(v, "index.db says what the journal does not", a);
        if (order > 0)
            tell_difference(v, "the journal says what index.db does not", b);
        if (order == 0)
            ok = index_lines_next_difference(ours, theirs, &a, &b, error);
        else
            ok =
                order < 0 ? index_lines_next(ours, &a, error) : index_lines_next(theirs, &b, error);
    }
    return ok;
}

static bool compare_with_scratch(struct verification *v, struct error *error)
{
    struct index_lines *ours = NULL, *theirs = NULL;
    /* The index of a server that compacts may be told a moment later what does not count. */
    bool ok = index_lines_open(v->in.index, journal_oldest(v->in.journal), &ours, error) &&
              index_lines_open(v->scratch, 0, &theirs, error) &&
              compare_lines(v, ours, theirs, error);
    index_lines_close(&ours);
    index_lines_close(&theirs);
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

static bool read_message(struct verification *v, const struct index_message *message,
                         struct error *error)
{
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
    if (ok)
        return true;
    /* What the disk cannot read stops nobody from looking at the rest. */
    find(v, "%s", error->words);
    return lost_add(&v->lost, message->message, error);
}

/* What lies in a segment was verified when the journal was read from end to end; it is read once
 * more only when the index looks for it elsewhere.  Large messages are read here. */
static bool verify_message(void *owner, const struct index_message *message, struct error *error)
{
    struct verification *v = owner;
    struct index_message there;
    bool found = false;
    if (!index_find_message(v->scratch, message->message, &there, &found, error))
        return false;
    bool verified = found && unit_place_equal(&there.place, &message->place) &&
                    there.octets == message->octets && there.facts == message->facts &&
                    !(message->facts & INDEX_LARGE);
    if (found && !unit_place_equal(&there.place, &message->place))
        find(v, "message %016llx lies elsewhere than index.db says",
             (unsigned long long)message->message);
    return verified || read_message(v, message, error);
}

/* --- Large messages --- */

static void find_orphan(void *owner, const char *name)
{
    struct verification *v = owner;
    struct index_message message;
    message_id id;
    bool found = false;
    if (!message_id_parse(text_of(name), &id))
        v->orphans +=
            !text_ends_nocase(text_of(name), T(".part")); /* of a backup that was cut off */
    else if (index_find_message(v->scratch, id, &message, &found, NULL) && !found)
        v->orphans++;
}

static bool verify_large(struct verification *v, struct error *error)
{
    if (disk_exists(v->in.disk, "journal/large") &&
        !disk_list(v->in.disk, "journal/large", find_orphan, v, error))
        return false;
    if (v->orphans > 0 && v->notice) {
        char words[ERROR_WORDS_MAX];
        snprintf(words, sizeof words,
                 "%llu files in journal/large are of no message: of mail that is arriving, or %s",
                 (unsigned long long)v->orphans,
                 damage_is_known(v->in.disk) ? "of what the journal lacks; they stay"
                                             : "the next start removes them");
        v->notice(v->owner, false, words);
    }
    return true;
}

/* --- All of it --- */

/* The index with itself, with the journal, and with what an index made of that says. */
static bool verify_index(struct verification *v, struct error *error)
{
    struct index_visitor visitor = { .message = verify_message, .owner = v };
    struct replay r = { .notice = find_trouble, .owner = v, .until = &v->until };
    return verify_position(v, error) && index_verify(v->in.index, find_words, v, error) &&
           scratch_index(&v->in, &r, &v->scratch, error) &&
           index_each_message(v->in.index, &visitor, error) &&
           lost_tell(&v->lost, v->in.index, find_trouble, v, error) &&
           compare_with_scratch(v, error) && verify_large(v, error);
}

/* All in one read transaction: a server may go on. */
static bool verify_with_index(struct verification *v, struct error *error)
{
    struct error why = { 0 };
    if (!inspect_journal(&v->in, error) || !index_read_begin(v->in.index, error))
        return false;
    bool ok = verify_index(v, &why);
    index_read_end(v->in.index);
    if (!ok && why.kind == ERROR_DAMAGED)
        find(v, "%s", why.words);
    else if (!ok)
        *error = why;
    return ok || why.kind == ERROR_DAMAGED;
}

/* Of a backup, or with an index that is of no use: the journal alone. */
static bool verify_journal(struct verification *v, struct error *error)
{
    struct index_visitor visitor = { .message = verify_message, .owner = v };
    struct replay r = { .notice = find_trouble, .owner = v };
    return scratch_index(&v->in, &r, &v->scratch, error) &&
           index_each_message(v->scratch, &visitor, error) &&
           lost_tell(&v->lost, v->scratch, find_trouble, v, error) && verify_large(v, error);
}

/* Without an index the next start makes one. */
static bool open_for_verifying(struct verification *v, const char *path, struct error *error)
{
    struct error why = { 0 };
    bool ok = inspect_open(path, &v->in, &why);
    if (!ok && why.kind != ERROR_DAMAGED) {
        *error = why;
        return false;
    }
    if (!ok) {
        find(v, "%s; the next start makes it anew", why.words);
        return disk_open(path, false, &v->in.disk, error);
    }
    if (!v->in.index && !disk_exists(v->in.disk, BACKUP_MARK))
        find(v, "there is no index.db: it is made at the next start");
    return true;
}

bool store_verify(const char *path, void (*notice)(void *owner, bool is_trouble, const char *words),
                  void *owner, uint64_t *findings_out, struct error *error)
{
    struct verification v = { .notice = notice, .owner = owner };
    bool ok = open_for_verifying(&v, path, error) &&
              (v.in.index ? verify_with_index(&v, error) : verify_journal(&v, error));
    index_close(&v.scratch);
    inspect_close(&v.in);
    lost_clear(&v.lost);
    *findings_out = v.count;
    return ok;
}
