/* box_read.c - the child of an import: messages out of a Maildir or an mbox.
 *
 * What cannot be read is told and left out, the rest goes on; in an mbox nothing can be left out,
 * so trouble ends it there.  Nothing is ever changed.
 */
#include "cli/box.h"

#include "base/arena.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/maildir.h"
#include "mail/mbox.h"
#include "run/owner.h"
#include "run/shelf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_OCTETS = 64 * 1024,
    HEAD_MAX = 64 * 1024, /* of a header that is looked at for a date */
    NAMES_MAX = 1 << 30,
};
#define MESSAGE_MAX ((uint64_t)1 << 30)

/* A message on its way. */
struct source {
    struct hand_out out;
    struct line_ends ends;
    uint64_t octets;     /* of this message, as it is sent */
    struct buffer lines; /* a slice with CRLF */
    struct buffer head;  /* the first octets */
    struct buffer input; /* of the file */
    uint64_t left_out;
    bool finished; /* all was sent */
};

static void source_init(struct source *s, int socket)
{
    memset(s, 0, sizeof *s);
    hand_out_init(&s->out, socket);
    buffer_init(&s->lines, LINE_ENDS_ROOM(READ_OCTETS));
    buffer_init(&s->head, HEAD_MAX);
    buffer_init(&s->input, READ_OCTETS);
}

static void source_clear(struct source *s)
{
    hand_out_clear(&s->out);
    buffer_clear(&s->lines);
    buffer_clear(&s->head);
    buffer_clear(&s->input);
}

/* --- One message --- */

static bool send_lines(struct source *s)
{
    s->octets += s->lines.len;
    struct parcel p = { .kind = PARCEL_DATA, .data = buffer_bytes(&s->lines) };
    return s->octets > MESSAGE_MAX || hand_send(&s->out, &p);
}

/* At most READ_OCTETS.  False: nobody reads any more, or memory is short. */
static bool add_content(struct source *s, struct bytes octets)
{
    struct text head = text_first(text_of_bytes(octets), HEAD_MAX - s->head.len);
    s->lines.len = 0;
    return buffer_text(&s->head, head) && line_ends_to_crlf(&s->ends, octets, &s->lines) &&
           send_lines(s);
}

static void begin_message(struct source *s)
{
    s->ends = (struct line_ends){ 0 };
    s->octets = 0;
    s->head.len = 0;
}

static bool drop_message(struct source *s)
{
    return hand_send(&s->out, &(struct parcel){ .kind = PARCEL_DROP });
}

/* `where`: for the words about a message that is too large. */
static bool keep_message(struct source *s, const char *where, int64_t date_ms, unsigned flags)
{
    struct parcel p = { .kind = PARCEL_KEEP, .date_ms = date_ms, .flags = flags };
    s->lines.len = 0;
    if (!line_ends_to_crlf_end(&s->ends, &s->lines) || !send_lines(s))
        return false;
    if (s->octets <= MESSAGE_MAX)
        return hand_send(&s->out, &p);
    cli_warn("%s: a message of %" PRIu64 " octets is left out: the largest may have %" PRIu64,
             where, s->octets, MESSAGE_MAX);
    s->left_out++;
    return drop_message(s);
}

static bool mark(struct source *s, uint64_t done, uint64_t all)
{
    return hand_send(&s->out, &(struct parcel){ .kind = PARCEL_MARK, .done = done, .all = all });
}

static bool finish(struct source *s)
{
    s->finished = hand_send(&s->out, &(struct parcel){ .kind = PARCEL_END }) && hand_flush(&s->out);
    return s->finished;
}

/* When a message came that says so only in its header: the uppermost Received, or Date. */
static int64_t header_date(const struct source *s)
{
    struct header_field field;
    struct text head = buffer_as_text(&s->head);
    int64_t date_ms;
    if (header_find(head, T("Received"), &field)) {
        size_t at = field.value.len;
        while (at > 0 && field.value.at[at - 1] != ';')
            at--;
        if (at > 0 && date_parse_rfc5322(text_skip(field.value, at), &date_ms))
            return date_ms;
    }
    if (header_find(head, T("Date"), &field) && date_parse_rfc5322(field.value, &date_ms))
        return date_ms;
    return 0;
}

/* --- Maildir --- */

struct found {
    struct text name; /* terminated */
    uint64_t time;
    bool is_new;
};

struct listing {
    struct arena names;
    struct buffer found; /* struct found */
    size_t hidden;
    bool is_new, failed;
    struct text wanted; /* a base; what is found is another name of it */
};

static void add_found(void *owner, const char *name)
{
    struct listing *l = owner;
    struct text copy, text = { name, strlen(name) + 1 };
    if (l->wanted.len && !text_equal(l->wanted, maildir_base(text_of(name))))
        return;
    if (!arena_text(&l->names, text, &copy)) {
        l->failed = true;
        return;
    }
    copy.len--;
    struct found found = { copy, maildir_time(copy), l->is_new };
    if (!buffer_append(&l->found, &found, sizeof found))
        l->failed = true;
}

static void count_hidden(void *owner, const char *name)
{
    (void)name;
    ((struct listing *)owner)->hidden++;
}

static int by_time(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return text_compare(x->name, y->name);
}

static bool list_messages(struct listing *l, struct shelf *folder, struct error *e)
{
    l->is_new = false;
    if (!shelf_list(folder, "cur", add_found, l, e))
        return false;
    l->is_new = true;
    if (!l->wanted.len && !shelf_list(folder, "new", add_found, l, e))
        return false;
    if (l->found.len)
        qsort(l->found.at, l->found.len / sizeof(struct found), sizeof(struct found), by_time);
    return !l->failed || error_set(e, ERROR_TEMPORARY, "memory is short");
}

struct maildir {
    struct source *s;
    struct shelf *folder;
    struct listing all, again;
    char path[MAILDIR_PATH_MAX]; /* of the file that is open */
};

static bool open_found(struct maildir *m, const struct found *found, struct shelf_file *out,
                       struct error *e)
{
    snprintf(m->path, sizeof m->path, "%s/%s", found->is_new ? "new" : "cur", found->name.at);
    return shelf_file_open(m->folder, m->path, out, e);
}

/* Opens the message, which somebody may have given other flags since it was listed. */
static bool open_message(struct maildir *m, struct found *found, struct shelf_file *out,
                         struct error *e)
{
    if (open_found(m, found, out, e))
        return true;
    arena_reset(&m->again.names);
    m->again.found.len = 0;
    m->again.wanted = maildir_base(found->name);
    if (!list_messages(&m->again, m->folder, NULL) || m->again.found.len != sizeof *found)
        return false;
    *found = *(const struct found *)(const void *)m->again.found.at;
    return open_found(m, found, out, e);
}

/* False: the end, for want of readers or memory. */
static bool read_message(struct source *s, struct shelf_file *file, unsigned flags)
{
    struct error e;
    size_t got;
    begin_message(s);
    do {
        s->input.len = 0;
        if (!shelf_file_read(file, &s->input, READ_OCTETS, &got, &e)) {
            cli_warn("%s; the message is left out", e.words);
            s->left_out++;
            return drop_message(s);
        }
        if (!add_content(s, buffer_bytes(&s->input)))
            return false;
    } while (got > 0);
    return keep_message(s, file->name, file->dated_ms, flags);
}

static bool read_messages(struct maildir *m)
{
    struct found *found = (void *)m->all.found.at;
    size_t count = m->all.found.len / sizeof *found;
    for (size_t i = 0; i < count; i++) {
        struct shelf_file file;
        struct error e;
        if (!open_message(m, &found[i], &file, &e)) {
            cli_warn("%s; the message is left out", e.words);
            m->s->left_out++;
            continue;
        }
        bool ok = read_message(m->s, &file, maildir_flags(found[i].name));
        shelf_file_close(&file);
        if (!ok || !mark(m->s, i + 1, count))
            return false;
    }
    return finish(m->s);
}

static void listing_init(struct listing *l)
{
    memset(l, 0, sizeof *l);
    arena_init(&l->names, NAMES_MAX);
    buffer_init(&l->found, NAMES_MAX);
}

static void listing_clear(struct listing *l)
{
    arena_reset(&l->names);
    buffer_clear(&l->found);
}

static bool read_maildir(struct source *s, const char *path, struct error *e)
{
    struct maildir m = { .s = s };
    if (!shelf_open(path, &m.folder, e))
        return false;
    listing_init(&m.all);
    listing_init(&m.again);
    bool ok =
        list_messages(&m.all, m.folder, e) && shelf_list_hidden(m.folder, count_hidden, &m.all, e);
    if (ok && m.all.hidden)
        cli_warn("%s has %zu folders or files with a dot in front, which are not imported; name "
                 "folders one by one",
                 path, m.all.hidden);
    if (ok)
        read_messages(&m);
    listing_clear(&m.all);
    listing_clear(&m.again);
    shelf_close(&m.folder);
    return ok;
}

/* --- mbox --- */

struct mbox_source {
    struct source *s;
    struct shelf_file *file;
    bool can_look;
    struct mbox_reader reader;
    struct bytes in;
    bool ended;
};

static bool more_input(struct mbox_source *m, struct error *e)
{
    size_t got;
    m->s->input.len = 0;
    if (!shelf_file_read(m->file, &m->s->input, READ_OCTETS, &got, e))
        return false;
    m->in = buffer_bytes(&m->s->input);
    if (got == 0)
        mbox_reader_end(&m->reader);
    return true;
}

static bool look(struct mbox_source *m, struct error *e)
{
    char room[MBOX_LINE_MAX + 2];
    struct buffer there = buffer_over(room, sizeof room);
    bool known = m->can_look && m->reader.look_at <= m->file->octets;
    if (known && !shelf_file_look(m->file, m->reader.look_at, &there, sizeof room, e))
        return false;
    mbox_reader_found(&m->reader, known, buffer_bytes(&there));
    return true;
}

static bool end_message(struct mbox_source *m)
{
    struct source *s = m->s;
    const struct mbox_facts *facts = &m->reader.facts;
    int64_t date_ms = facts->dated ? facts->date_ms : header_date(s);
    if (facts->folder_data)
        cli_warn("%s: the first message is no mail but what UW IMAP keeps there; it is passed by",
                 m->file->name);
    bool ok = facts->folder_data ? drop_message(s)
                                 : keep_message(s, m->file->name, date_ms, facts->flags);
    begin_message(s);
    return ok && mark(s, m->reader.position, m->file->octets);
}

static bool no_box(const struct mbox_source *m, struct error *e)
{
    return error_set(e, ERROR_REFUSED,
                     "%s is no mbox: its first line does not begin with \"From \"", m->file->name);
}

/* One step; false: the end of it, with *ok_out telling whether that is well. */
static bool read_step(struct mbox_source *m, bool *ok_out, struct error *e)
{
    struct bytes slice;
    switch (mbox_read(&m->reader, &m->in, &slice)) {
    case MBOX_NEED_INPUT:
        return *ok_out = more_input(m, e);
    case MBOX_LOOK:
        return *ok_out = look(m, e);
    case MBOX_NO_BOX:
        return *ok_out = no_box(m, e);
    case MBOX_CONTENT:
        return add_content(m->s, slice);
    case MBOX_MESSAGE_END:
        return end_message(m);
    case MBOX_END:
        finish(m->s);
        break;
    }
    return false;
}

static bool read_mbox_file(struct source *s, struct shelf_file *file, bool can_look,
                           struct error *e)
{
    struct mbox_source m = { .s = s, .file = file, .can_look = can_look };
    bool ok = true;
    mbox_reader_init(&m.reader);
    begin_message(s);
    while (read_step(&m, &ok, e))
        continue;
    return ok;
}

static bool read_mbox(struct source *s, const struct box *b, struct error *e)
{
    struct shelf_file file = shelf_file_stdin();
    if (b->is_stream)
        return read_mbox_file(s, &file, false, e);
    bool ok = shelf_file_at(b->path, &file, e);
    if (!ok)
        return false;
    ok = shelf_file_lock(&file, e) && read_mbox_file(s, &file, true, e);
    shelf_file_close(&file);
    return ok;
}

enum cli_exit box_read(void *owner, int socket)
{
    const struct box *b = owner;
    struct source s;
    struct error e;
    source_init(&s, socket);
    bool ok = (b->is_stream || owner_become_of(b->path, &e)) &&
              (b->is_maildir ? read_maildir(&s, b->path, &e) : read_mbox(&s, b, &e));
    hand_flush(&s.out);
    enum cli_exit code = !ok           ? cli_fail(&e)
                         : !s.finished ? CLI_AGAIN /* the command is gone, or memory is short */
                         : s.left_out  ? CLI_NO
                                       : CLI_DONE;
    source_clear(&s);
    return code;
}
