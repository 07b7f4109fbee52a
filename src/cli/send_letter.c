/* send_letter.c - godwit send: a message and its recipients, of the options or of a file. */
#include "cli/composing.h"
#include "cli/send.h"
#include "mail/amend.h"
#include "mail/date.h"
#include "mail/line_ends.h"
#include "mail/posting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_MAX = 16 << 20, FROM_MAX = 1024, SLICE_MAX = 16 * 1024 };

static bool short_of_memory(struct failure *f)
{
    return failure_set(f, FAILURE_LATER, "memory is short");
}

static struct outgoing *new_outgoing(const char *name)
{
    struct outgoing *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    arena_init(&o->arena, ARENA_MAX);
    letter_init(&o->letter);
    o->name = name;
    return o;
}

void send_free(struct outgoing **pointer)
{
    struct outgoing *o = *pointer;
    if (!o)
        return;
    letter_clear(&o->letter);
    arena_reset(&o->arena);
    free(o);
    *pointer = NULL;
}

/* --- Files --- */

static bool is_standard(const char *name)
{
    return strcmp(name, "-") == 0;
}

static const char *shown(const char *name)
{
    return is_standard(name) ? "standard input" : name;
}

static bool open_file(const char *name, int *out, struct failure *f)
{
    struct stat at;
    *out = is_standard(name) ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*out < 0)
        return failure_set(f, FAILURE_NO_INPUT, "%.300s: %s", shown(name), strerror(errno));
    if (fstat(*out, &at) == 0 && S_ISDIR(at.st_mode)) {
        close(*out);
        return failure_set(f, FAILURE_NO_INPUT, "%.300s is a folder, not a file", shown(name));
    }
    return true;
}

bool send_slurp(const char *name, struct buffer *to, struct failure *f)
{
    int file;
    ssize_t got = 1;
    if (!open_file(name, &file, f))
        return false;
    while (got > 0 || (got < 0 && errno == EINTR)) {
        uint8_t *at = buffer_reserve(to, SLICE_MAX);
        got = at ? read(file, at, SLICE_MAX) : 0;
        to->len += got > 0 ? (size_t)got : 0;
    }
    int number = errno;
    close(file);
    if (got < 0)
        return failure_set(f, FAILURE_NO_INPUT, "%.300s: %s", shown(name), strerror(number));
    if (to->failed && to->len + SLICE_MAX <= to->max)
        return short_of_memory(f);
    if (to->failed)
        return failure_set(f, FAILURE_DATA, "%.300s: larger than %zu octets", shown(name), to->max);
    return true;
}

/* --- Recipients --- */

static bool take_verdict(enum posting_verdict verdict, const char *what, const char *words,
                         struct failure *f)
{
    switch (verdict) {
    case POSTING_OK:
        return true;
    case POSTING_MALFORMED:
        return failure_set(f, FAILURE_USAGE, "%s %.100s: write user@example.org", what, words);
    case POSTING_TOO_MANY:
        return failure_set(f, FAILURE_DATA, "more than %d recipients", POSTING_RECIPIENTS_MAX);
    case POSTING_NO_MEMORY:
        break;
    }
    return short_of_memory(f);
}

/* What could break a line of the conversation or of the header is refused before it is parsed. */
static bool is_one_line(const char *what, const char *words, struct failure *f)
{
    return !strpbrk(words, "\r\n") ||
           failure_set(f, FAILURE_USAGE, "%s %.100s: a line end in an address", what, words);
}

static bool add_list(struct posting *p, struct arena *arena, const char *what,
                     const struct option_list *list, struct failure *f)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_one_line(what, list->at[i], f) ||
            !take_verdict(posting_add(p, arena, text_of(list->at[i])), what, list->at[i], f))
            return false;
    return true;
}

static bool add_written(const struct send *s, struct posting *p, struct arena *arena,
                        struct failure *f)
{
    return add_list(p, arena, "--to", &s->words->to, f) &&
           add_list(p, arena, "--cc", &s->words->cc, f) &&
           add_list(p, arena, "--bcc", &s->words->bcc, f);
}

static bool is_there(const struct smtp_client_recipient *list, uint32_t count, struct text address)
{
    for (uint32_t i = 0; i < count; i++)
        if (text_equal_nocase(list[i].address, address))
            return true;
    return false;
}

/* The envelope: each recipient once, names without a domain in that of the sender. */
static bool address_it(const struct send *s, struct outgoing *o, const struct posting *p,
                       struct failure *f)
{
    struct smtp_client_message *m = &o->message;
    struct smtp_client_recipient *list = arena_take(&o->arena, (p->to_count + 1) * sizeof *list);
    if (!list)
        return short_of_memory(f);
    for (size_t i = 0; i < p->to_count; i++) {
        struct text address;
        if (!posting_address(p->to[i], address_domain(&s->user->address), &o->arena, &address))
            return failure_set(f, FAILURE_DATA, "%.*s makes no address", TEXT_ARGS(p->to[i]));
        if (is_there(list, m->recipient_count, address))
            continue;
        list[m->recipient_count++] =
            (struct smtp_client_recipient){ .address = address, .notify = s->notify };
        m->utf8 |= !text_is_ascii(address);
    }
    m->recipients = list;
    m->sender = address_text(&s->user->address);
    m->utf8 |= s->user->address.utf8;
    m->ret = s->words->ret == 1 ? T("FULL") : s->words->ret == 2 ? T("HDRS") : T("");
    return true;
}

static void describe(struct outgoing *o)
{
    o->message.octets = o->letter.octets;
    o->message.eight_bit = o->letter.eight_bit;
    o->message.dot_lines = o->letter.dot_lines;
}

/* --- A whole message --- */

/* What amend has made of what it was given so far. */
static bool pass_on(struct amend *amend, struct bytes in, struct sink to, struct error *e)
{
    struct bytes out;
    while (amend_next(amend, &in, &out))
        if (out.len && !to.write(to.context, out, e))
            return false;
    return true;
}

static bool write_whole(const struct send *s, struct outgoing *o, struct bytes raw, struct error *e)
{
    uint8_t room[LINE_ENDS_ROOM(SLICE_MAX)];
    struct composing_identity identity;
    char date[DATE_TEXT_MAX];
    struct line_ends ends = { 0 };
    struct amend amend;
    struct sink to = letter_sink(&o->letter);
    composing_identify(address_domain(&s->user->address), &identity);
    date_rfc5322(identity.now_ms, identity.zone_seconds, date);
    const struct amend_values values = { .date = text_of(date),
                                         .from = address_text(&s->user->address),
                                         .message_id = text_of(identity.message_id) };
    amend_init(&amend, &values);
    while (raw.len) {
        struct buffer made = buffer_over(room, sizeof room);
        struct bytes slice = { raw.at, raw.len < SLICE_MAX ? raw.len : SLICE_MAX };
        raw = (struct bytes){ raw.at + slice.len, raw.len - slice.len };
        if (!line_ends_to_crlf(&ends, slice, &made))
            return error_set(e, ERROR_TEMPORARY, "memory is short");
        if (!pass_on(&amend, buffer_bytes(&made), to, e))
            return false;
    }
    struct buffer made = buffer_over(room, sizeof room);
    if (!line_ends_to_crlf_end(&ends, &made))
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (!pass_on(&amend, buffer_bytes(&made), to, e))
        return false;
    amend_end(&amend);
    return pass_on(&amend, (struct bytes){ 0 }, to, e);
}

static bool add_from_header(struct posting *p, struct outgoing *o, struct failure *f)
{
    struct text field = T("");
    enum posting_verdict verdict = posting_add_header(p, &o->arena, &field);
    if (verdict == POSTING_MALFORMED)
        return failure_set(f, FAILURE_DATA, "%.200s: its %.*s has no good address", shown(o->name),
                           TEXT_ARGS(field));
    return take_verdict(verdict, "", "", f);
}

static bool fill_whole(struct send *s, struct outgoing *o, struct bytes raw, struct failure *f)
{
    struct posting p = { .content = text_of_bytes(raw) };
    struct error e;
    if (raw.len == 0)
        return failure_set(f, FAILURE_DATA, "%.300s: empty, this is no message", shown(o->name));
    if (!add_written(s, &p, &o->arena, f) || (s->words->from_header && !add_from_header(&p, o, f)))
        return false;
    if (p.to_count == 0)
        return failure_set(f, FAILURE_DATA, "%.300s: it names no recipient", shown(o->name));
    if (!write_whole(s, o, raw, &e))
        return failure_of(f, &e);
    describe(o);
    return address_it(s, o, &p, f);
}

bool send_read(struct send *s, const char *name, struct outgoing **out, struct failure *f)
{
    struct buffer raw;
    struct outgoing *o = new_outgoing(name);
    if (!o)
        return short_of_memory(f);
    buffer_init(&raw, SEND_FILE_MAX);
    bool ok = send_slurp(name, &raw, f) && fill_whole(s, o, buffer_bytes(&raw), f);
    buffer_clear(&raw);
    if (!ok)
        send_free(&o);
    *out = o;
    return ok;
}

/* --- A message of the options --- */

static bool attach(const struct option_list *names, struct arena *arena, struct attachments *out,
                   struct failure *f)
{
    int file;
    if (!attachments_init(out, arena, names->count))
        return short_of_memory(f);
    for (size_t i = 0; i < names->count; i++) {
        if (!open_file(names->at[i], &file, f))
            return false;
        attachments_add(out, names->at[i], names->at[i], file);
    }
    return true;
}

static const struct text *texts_of(const struct option_list *list, struct arena *arena)
{
    struct text *texts = arena_take(arena, (list->count + 1) * sizeof *texts);
    for (size_t i = 0; texts && i < list->count; i++)
        texts[i] = text_of(list->at[i]);
    return texts;
}

/* As it was written, or with the name that the user's file has. */
static bool write_from(const struct send *s, struct buffer *out)
{
    bool written = s->words->from && strchr(s->words->from, '<');
    return written ? buffer_text(out, text_of(s->words->from)) : composing_from(s->user, out);
}

/* What the person wrote: the text, and the same in HTML or nothing. */
struct words {
    struct buffer text, html;
};

static bool write_composed(struct send *s, struct outgoing *o, const struct words *words,
                           const struct attachments *attached, struct error *e)
{
    char room[FROM_MAX];
    struct buffer from = buffer_over(room, sizeof room);
    struct composing_identity identity;
    const struct send_words *w = s->words;
    composing_identify(address_domain(&s->user->address), &identity);
    struct compose c = {
        .to = texts_of(&w->to, &o->arena),
        .to_count = w->to.count,
        .cc = texts_of(&w->cc, &o->arena),
        .cc_count = w->cc.count,
        .subject = text_of(w->subject),
        .date_ms = identity.now_ms,
        .zone_seconds = identity.zone_seconds,
        .message_id = text_of(identity.message_id),
        .boundary = { identity.boundary, sizeof identity.boundary },
        .text = buffer_as_text(&words->text),
        .html = buffer_as_text(&words->html),
        .files = attached->as,
        .file_count = attached->count,
        .smtputf8 = true,
    };
    if (!c.to || !c.cc)
        return error_set(e, ERROR_TEMPORARY, "memory is short");
    if (!write_from(s, &from))
        return error_set(e, ERROR_USAGE, "--from: too long a name");
    c.from = buffer_as_text(&from);
    if (!compose_check(&c, e))
        return false;
    o->message.utf8 |= compose_needs_smtputf8(&c);
    return compose_write(&c, letter_sink(&o->letter), e);
}

static bool fill_composed(struct send *s, struct outgoing *o, const struct words *words,
                          struct failure *f)
{
    struct posting p = { 0 };
    struct attachments attached = { 0 };
    struct error e;
    bool ok = add_written(s, &p, &o->arena, f);
    if (ok && p.to_count == 0) /* "," and "nobody:;" are lists, too */
        ok = failure_set(f, FAILURE_USAGE, "to whom? --to, --cc and --bcc name nobody");
    ok = ok && attach(&s->words->attach, &o->arena, &attached, f) && address_it(s, o, &p, f);
    if (ok && !write_composed(s, o, words, &attached, &e))
        ok = failure_of(f, &e);
    attachments_close(&attached);
    describe(o);
    return ok;
}

static bool read_words(const struct send_words *w, struct words *to, struct failure *f)
{
    return send_slurp(w->body_file ? w->body_file : "-", &to->text, f) &&
           (!w->html_file || send_slurp(w->html_file, &to->html, f));
}

bool send_compose(struct send *s, struct outgoing **out, struct failure *f)
{
    struct words words;
    struct outgoing *o = new_outgoing(NULL);
    if (!o)
        return short_of_memory(f);
    buffer_init(&words.text, COMPOSE_TEXT_MAX);
    buffer_init(&words.html, COMPOSE_TEXT_MAX);
    bool ok = read_words(s->words, &words, f) && fill_composed(s, o, &words, f);
    buffer_clear(&words.text);
    buffer_clear(&words.html);
    if (!ok)
        send_free(&o);
    *out = o;
    return ok;
}
