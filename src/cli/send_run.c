/* send_run.c - godwit send: messages over one session, one read after the other, and what the
 * server says of each.
 */
#include "base/escape.h"
#include "base/list.h"
#include "cli/send.h"

#include <stdio.h>
#include <string.h>

void send_tell(struct send *s, const struct failure *f)
{
    progress_end(&s->progress);
    enum cli_exit code = user_fail(f);
    if (s->code == CLI_DONE)
        s->code = code;
}

static struct outgoing *outgoing_of(const struct smtp_client_message *m)
{
    return OWNER_OF((uintptr_t)m, struct outgoing, message);
}

/* --- What is sent --- */

/* A file that makes no message is told, and the others go on. */
static struct outgoing *next_file(struct send *s)
{
    while (s->next_file < s->cli->word_count) {
        struct failure f;
        struct outgoing *o;
        if (send_read(s, s->cli->words[s->next_file++], &o, &f))
            return o;
        send_tell(s, &f);
    }
    return NULL;
}

static const struct smtp_client_message *next(void *owner)
{
    struct send *s = owner;
    struct outgoing *o = s->first ? s->first : next_file(s);
    s->first = NULL;
    if (o && s->cli->word_count <= 1)
        s->progress.octets = o->message.octets;
    return o ? &o->message : NULL;
}

static bool read_piece(void *owner, const struct smtp_client_message *m, uint64_t offset,
                       struct bytes *piece_out)
{
    struct send *s = owner;
    progress_bar(&s->progress, s->sent, offset);
    return letter_read(&outgoing_of(m)->letter, offset, piece_out);
}

/* --- What became of it --- */

/* The server's word, on one line: "ID", or "ID FILE" where there are several. */
static void print_id(struct send *s, const struct outgoing *o)
{
    struct buffer line;
    buffer_init(&line, 8 * SEND_ID_MAX);
    progress_end(&s->progress);
    escape_text(&line, text_of(o->id[0] ? o->id : "sent"));
    printf("%.*s", TEXT_ARGS(buffer_as_text(&line)));
    if (s->cli->word_count > 1)
        printf(" %s", o->name);
    putchar('\n');
    buffer_clear(&line);
}

/* Of several, which one it is. */
static void tell_of(struct send *s, const struct outgoing *o, const struct failure *f)
{
    struct failure named = *f;
    if (s->cli->word_count > 1)
        failure_set(&named, f->kind, "%.200s: %.500s", o->name, f->words);
    send_tell(s, &named);
}

static void finish(struct send *s, struct outgoing *o)
{
    if (o->lost && s->cli->word_count > 1)
        cli_warn("%.200s was not sent%s", o->name, o->delivered ? " to all" : "");
    s->sent += o->delivered > 0;
    if (o->delivered && !s->words->quiet)
        print_id(s, o);
    send_free(&s->kept[s->kept_at]);
    s->kept[s->kept_at] = o;
    s->kept_at = (s->kept_at + 1) % SEND_KEPT;
}

static void keep_id(struct outgoing *o, struct text reply)
{
    struct text id = sender_queue_id(reply);
    if (!o->id[0])
        snprintf(o->id, sizeof o->id, "%.*s", TEXT_ARGS(id));
}

/* The failure of the session itself is told once, by who runs it. */
static void sent(void *owner, const struct sender_sent *results)
{
    struct send *s = owner;
    struct outgoing *o = outgoing_of(results->message);
    for (uint32_t i = 0; i < results->count; i++) {
        const struct smtp_client_result *r = results->results[i];
        struct failure f;
        o->told++;
        if (r->delivered) {
            o->delivered++;
            keep_id(o, r->reply);
        } else if (r->code || r->permanent) {
            sender_explain(s->sender, results->message->recipients[results->first + i].address, r,
                           &f);
            if (r->where == AT_RCPT || !o->refused) /* what is said of all is told once */
                tell_of(s, o, &f);
            o->refused |= r->where != AT_RCPT;
        } else {
            o->lost = true;
        }
    }
    if (o->told == o->message.recipient_count)
        finish(s, o);
}

bool send_all(struct send *s, struct failure *f)
{
    const struct sender_source source = { next, read_piece, sent, s };
    progress_begin_bar(&s->progress, "sending", s->words->quiet);
    s->progress.total = s->cli->word_count ? s->cli->word_count : 1;
    bool ok = sender_run(s->sender, &source, f);
    progress_end(&s->progress);
    size_t left = s->cli->word_count - s->next_file;
    if (!ok && left)
        cli_warn("%zu of %zu messages were not tried, from %.200s on", left, s->cli->word_count,
                 s->cli->words[s->next_file]);
    return ok;
}
