/* index_lines.c - the index as sorted lines of text, and rows that contradict each other.
 *
 * The lines are the checker of the whole store (store rule 18): those of an index that was rebuilt
 * from the journal must equal those of the live one.  So they tell all that users and peers can
 * ever see, and nothing of how or where it is kept.
 */
#include "store/local/index_inner.h"

#include "base/escape.h"

#include <stdlib.h>

enum { LINE_OCTETS_MAX = 2 * 1024 * 1024 };

/* In the order of their first words, so that the whole is sorted as text.  Each gives columns that
 * its printer knows; purged mailboxes are gone. */
enum section { TOMBSTONES, MAILBOXES, PLACEMENTS, QUEUED, RECIPIENTS, SECTIONS };

static const char *const section_sql[SECTIONS] = {
    [MAILBOXES] = "SELECT id, uid_validity, uid_next, modseq, count, octets, opened_ms, address"
                  " FROM mailbox WHERE purged = 0 ORDER BY id",
    [PLACEMENTS] = "SELECT mailbox, uid, message, modseq, flags, octets, facts, placed_ms, prefix"
                   " FROM placement WHERE mailbox NOT IN (SELECT mailbox FROM leftover)"
                   " ORDER BY mailbox, uid",
    [QUEUED] = "SELECT id, waiting, arrived_ms, octets, facts, received, line_longest, envelope,"
               " sender, ret, envid FROM message WHERE waiting > 0 ORDER BY id",
    [RECIPIENTS] = "SELECT message, number, generation, state, held, warned, attempts, due, notify,"
                   " address, domain, orcpt, last FROM recipient WHERE orphan = 0"
                   " AND (state = 0 OR segment >= max(?1, (SELECT oldest FROM meta)))"
                   " ORDER BY message, number",
    [TOMBSTONES] = "SELECT mailbox, uid, modseq FROM tombstone"
                   " WHERE mailbox NOT IN (SELECT id FROM mailbox WHERE purged = 1)"
                   " AND segment >= max(?1, (SELECT oldest FROM meta))"
                   " ORDER BY mailbox, uid",
};

struct index_lines {
    struct index *index;
    sqlite3_stmt *statements[SECTIONS];
    enum section section;
    struct buffer line;
};

bool index_lines_open(struct index *index, uint64_t oldest, struct index_lines **out,
                      struct error *error)
{
    *out = NULL;
    struct index_lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    lines->index = index;
    buffer_init(&lines->line, LINE_OCTETS_MAX);
    for (int i = 0; i < SECTIONS; i++) {
        if (sqlite3_prepare_v2(index->db.handle, section_sql[i], -1, &lines->statements[i], NULL) !=
            SQLITE_OK) {
            index_lines_close(&lines);
            return database_failed(&index->db, error);
        }
        if (sqlite3_bind_parameter_count(lines->statements[i]) > 0)
            bind_number(lines->statements[i], 1, oldest);
    }
    *out = lines;
    return true;
}

void index_lines_close(struct index_lines **lines_ref)
{
    struct index_lines *lines = *lines_ref;
    *lines_ref = NULL;
    if (!lines)
        return;
    for (int i = 0; i < SECTIONS; i++)
        sqlite3_finalize(lines->statements[i]);
    buffer_clear(&lines->line);
    free(lines);
}

static unsigned long long number(sqlite3_stmt *s, int column)
{
    return column_number(s, column);
}

static void print_mailbox(struct buffer *line, sqlite3_stmt *s)
{
    buffer_printf(line,
                  "mailbox %016llx uidvalidity %llu uidnext %llu modseq %llu count %llu"
                  " octets %llu opened %lld ",
                  number(s, 0), number(s, 1), number(s, 2), number(s, 3), number(s, 4),
                  number(s, 5), (long long)sqlite3_column_int64(s, 6));
    escape_text(line, column_text(s, 7));
}

static void print_placement(struct buffer *line, sqlite3_stmt *s)
{
    buffer_printf(line,
                  "placed %016llx uid %010llu message %016llx modseq %llu flags %llu octets %llu"
                  " facts %llu at %lld ",
                  number(s, 0), number(s, 1), number(s, 2), number(s, 3), number(s, 4),
                  number(s, 5), number(s, 6), (long long)sqlite3_column_int64(s, 7));
    escape_text(line, column_text(s, 8));
}

static void print_tombstone(struct buffer *line, sqlite3_stmt *s)
{
    buffer_printf(line, "expunged %016llx uid %010llu modseq %llu", number(s, 0), number(s, 1),
                  number(s, 2));
}

/* A text, in a form that shows where it ends. */
static void print_text(struct buffer *line, const char *name, struct text text)
{
    buffer_printf(line, " %s %zu ", name, text.len);
    escape_text(line, text);
}

static void print_queued(struct buffer *line, sqlite3_stmt *s)
{
    buffer_printf(line,
                  "queued %016llx waiting %llu at %lld octets %llu facts %llu received %llu"
                  " longest %llu envelope %llu",
                  number(s, 0), number(s, 1), (long long)sqlite3_column_int64(s, 2), number(s, 3),
                  number(s, 4), number(s, 5), number(s, 6), number(s, 7));
    print_text(line, "sender", column_text(s, 8));
    print_text(line, "ret", column_text(s, 9));
    print_text(line, "envid", column_text(s, 10));
}

static void print_recipient(struct buffer *line, sqlite3_stmt *s)
{
    buffer_printf(line,
                  "recipient %016llx number %010llu generation %llu state %llu held %llu"
                  " warned %llu attempts %llu due %lld notify %llu",
                  number(s, 0), number(s, 1), number(s, 2), number(s, 3), number(s, 4),
                  number(s, 5), number(s, 6), (long long)sqlite3_column_int64(s, 7), number(s, 8));
    print_text(line, "address", column_text(s, 9));
    print_text(line, "domain", column_text(s, 10));
    print_text(line, "orcpt", column_text(s, 11));
    print_text(line, "last", column_text(s, 12));
}

static void (*const printers[SECTIONS])(struct buffer *, sqlite3_stmt *) = {
    [MAILBOXES] = print_mailbox,    [PLACEMENTS] = print_placement, [QUEUED] = print_queued,
    [RECIPIENTS] = print_recipient, [TOMBSTONES] = print_tombstone,
};

/* To the next row; false in *row_out behind the last. */
static bool advance(struct index_lines *lines, bool *row_out, struct error *error)
{
    *row_out = false;
    for (; lines->section < SECTIONS; lines->section++) {
        if (!database_step(&lines->index->db, lines->statements[lines->section], row_out, error))
            return false;
        if (*row_out)
            return true;
    }
    return true;
}

static bool print_row(struct index_lines *lines, struct text *line_out, struct error *error)
{
    lines->line.len = 0;
    printers[lines->section](&lines->line, lines->statements[lines->section]);
    if (lines->line.failed)
        return error_set(error, ERROR_TEMPORARY, "out of memory");
    *line_out = buffer_as_text(&lines->line);
    return true;
}

bool index_lines_next(struct index_lines *lines, struct text *line_out, struct error *error)
{
    bool row;
    *line_out = (struct text){ NULL, 0 };
    return advance(lines, &row, error) && (!row || print_row(lines, line_out, error));
}

static bool columns_equal(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    if (sqlite3_column_type(a, column) == SQLITE_INTEGER)
        return column_number(a, column) == column_number(b, column);
    return text_equal(column_text(a, column), column_text(b, column));
}

/* Whether both stand on rows that print the same. */
static bool rows_equal(const struct index_lines *a, const struct index_lines *b)
{
    sqlite3_stmt *x = a->statements[a->section], *y = b->statements[b->section];
    bool equal = a->section == b->section;
    for (int i = 0; equal && i < sqlite3_column_count(x); i++)
        equal = columns_equal(x, y, i);
    return equal;
}

bool index_lines_next_difference(struct index_lines *a, struct index_lines *b,
                                 struct text *line_a_out, struct text *line_b_out,
                                 struct error *error)
{
    bool row_a, row_b;
    *line_a_out = *line_b_out = (struct text){ NULL, 0 };
    do {
        if (!advance(a, &row_a, error) || !advance(b, &row_b, error))
            return false;
    } while (row_a && row_b && rows_equal(a, b));
    return (!row_a || print_row(a, line_a_out, error)) &&
           (!row_b || print_row(b, line_b_out, error));
}

/* --- Contradictions --- */

/* Each finds rows that must not be; its first column is the sentence. */
static const char *const contradictions[] = {
    "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    "SELECT printf('mailbox %016llx counts %d messages and %lld octets, and holds %d and %lld',"
    " m.id, m.count, m.octets, count(p.uid), ifnull(sum(p.octets), 0))"
    " FROM mailbox m LEFT JOIN placement p ON p.mailbox = m.id WHERE m.purged = 0 GROUP BY m.id"
    " HAVING m.count <> count(p.uid) OR m.octets <> ifnull(sum(p.octets), 0)",
    "SELECT printf('mailbox %016llx gives uid %d again, which it has given', m.id, m.uid_next)"
    " FROM mailbox m WHERE m.uid_next <= (SELECT max(uid) FROM placement WHERE mailbox = m.id)"
    " OR m.uid_next <= (SELECT max(uid) FROM tombstone WHERE mailbox = m.id)",
    "SELECT printf('mailbox %016llx was never opened', id) FROM mailbox"
    " WHERE uid_validity = 0 AND purged = 0",
    "SELECT printf('mailbox %016llx uid %d: its mailbox is not known', mailbox, uid)"
    " FROM placement WHERE mailbox NOT IN (SELECT id FROM mailbox)",
    "SELECT printf('mailbox %016llx uid %d: message %016llx is not known', p.mailbox, p.uid,"
    " p.message) FROM placement p LEFT JOIN message m ON m.id = p.message WHERE m.id IS NULL",
    "SELECT printf('mailbox %016llx uid %d: does not lie where message %016llx lies', p.mailbox,"
    " p.uid, p.message) FROM placement p JOIN message m ON m.id = p.message"
    " WHERE (p.segment, p.offset, p.unit_octets, p.content_at) <>"
    " (m.segment, m.offset, m.unit_octets, m.content_at)",
    "SELECT printf('mailbox %016llx uid %d was expunged and is still there', p.mailbox, p.uid)"
    " FROM placement p JOIN tombstone t ON t.mailbox = p.mailbox AND t.uid = p.uid",
    "SELECT printf('message %016llx counts %d placements and has %d', m.id, m.placements,"
    " ifnull(p.n, 0)) FROM message m LEFT JOIN (SELECT message, count(*) n FROM placement"
    " GROUP BY message) p ON p.message = m.id WHERE m.placements <> ifnull(p.n, 0)",
    "SELECT printf('message %016llx counts %d waiting recipients and has %d', m.id, m.waiting,"
    " ifnull(r.n, 0)) FROM message m LEFT JOIN (SELECT message, count(*) n FROM recipient"
    " WHERE state = 0 AND orphan = 0 GROUP BY message) r ON r.message = m.id"
    " WHERE m.waiting <> ifnull(r.n, 0)",
    "SELECT printf('message %016llx waits for recipient %d and is not known', r.message, r.number)"
    " FROM recipient r LEFT JOIN message m ON m.id = r.message"
    " WHERE r.state = 0 AND r.orphan = 0 AND m.id IS NULL",
    "SELECT printf('domain %s counts %d rows, the first due at %lld, and has %d, the first at "
    "%lld',"
    " d.name, d.waiting, d.due, ifnull(r.n, 0), ifnull(r.due, 0)) FROM queue_domain d"
    " LEFT JOIN (SELECT domain, count(*) n, min(due) due FROM recipient"
    " WHERE state = 0 AND held = 0 AND orphan = 0 GROUP BY domain) r ON r.domain = d.name"
    " WHERE d.waiting <> ifnull(r.n, 0) OR d.due IS NOT r.due",
    "SELECT DISTINCT printf('domain %s has rows and is not known', domain) FROM recipient"
    " WHERE state = 0 AND held = 0 AND orphan = 0"
    " AND domain NOT IN (SELECT name FROM queue_domain)",
};

static bool report(struct index *index, const char *sql,
                   void (*finding)(void *owner, const char *words), void *owner,
                   struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(index->db.handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return database_failed(&index->db, error);
    bool row, ok;
    while ((ok = database_step(&index->db, statement, &row, error)) && row)
        finding(owner, (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return ok;
}

bool index_verify(struct index *index, void (*finding)(void *owner, const char *words), void *owner,
                  struct error *error)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++)
        if (!report(index, contradictions[i], finding, owner, error))
            return false;
    return true;
}
