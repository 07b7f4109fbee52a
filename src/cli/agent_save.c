/* agent_save.c - from a maildrop to a screen or a file: retr, top, show, save.
 *
 * A message that is shown or of which an attachment is saved is held in memory, the last one only;
 * one that is saved as a whole goes to its file as it comes.
 */
#include "cli/agent.h"

#include "mail/show.h"
#include "run/charset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- As the server has it --- */

static bool print_content(void *owner, const struct pop3_client_step *step)
{
    struct talk *t = owner;
    if (step->kind == POP3_CLIENT_CONTENT)
        screen_feed(&t->screen, text_of_bytes(step->content));
    if (step->kind == POP3_CLIENT_ANSWERED && step->result->verdict == POP3_CLIENT_YES) {
        screen_end(&t->screen);
        puts(".");
    }
    return !ferror(stdout);
}

static void print_message(struct talk *t, struct pop3_client_command command)
{
    struct maildrop_work work = { .step = print_content, .owner = t };
    screen_end(&t->screen);
    talk_pop_ask(t, command, &work);
    screen_end(&t->screen);
}

void talk_retr(struct talk *t, struct text words)
{
    struct pop3_client_command command = { .verb = POP3_CLIENT_RETR };
    if (talk_number(&words, &command.message))
        print_message(t, command);
}

void talk_top(struct talk *t, struct text words)
{
    struct pop3_client_command command = { .verb = POP3_CLIENT_TOP };
    uint64_t lines = 0;
    if (!talk_number(&words, &command.message))
        return;
    words = text_trim(words);
    if (words.len && (!text_to_u64(words, &lines) || lines > UINT32_MAX)) {
        cli_say(CLI_USAGE, "%.*s: write how many lines of the body",
                TEXT_ARGS(text_first(words, 40)));
        return;
    }
    command.lines = (uint32_t)lines;
    print_message(t, command);
}

/* --- In memory --- */

void talk_forget_message(struct talk *t)
{
    buffer_clear(&t->message);
    t->message_number = 0;
}

struct fetching {
    struct talk *talk;
    bool yes, no_room;
};

static bool keep_content(void *owner, const struct pop3_client_step *step)
{
    struct fetching *f = owner;
    struct buffer *to = &f->talk->message;
    if (step->kind == POP3_CLIENT_CONTENT)
        f->no_room |= !buffer_append(to, step->content.at, step->content.len);
    if (step->kind != POP3_CLIENT_ANSWERED)
        return true;
    f->yes = step->result->verdict == POP3_CLIENT_YES;
    if (step->result->verdict == POP3_CLIENT_NO)
        screen_line(&f->talk->screen, step->result->reply);
    return true;
}

/* Fetches the message, unless it is there.  False: it was said why not. */
static bool have_message(struct talk *t, uint32_t number)
{
    struct fetching f = { .talk = t };
    struct maildrop_work work = { .step = keep_content, .owner = &f };
    struct pop3_client_command command = { .verb = POP3_CLIENT_RETR, .message = number };
    if (t->message_number == number)
        return true;
    talk_forget_message(t);
    t->quiet = true;
    bool asked = talk_pop_ask(t, command, &work);
    t->quiet = false;
    if (asked && f.yes && !f.no_room) {
        t->message_number = number;
        return true;
    }
    talk_forget_message(t);
    if (f.yes && f.no_room)
        cli_say(CLI_NO,
                "message %" PRIu32 " is too long to be held: save %" PRIu32 " FILE saves it",
                number, number);
    return false;
}

static void show(struct talk *t, struct charsets *charsets)
{
    struct error e;
    struct charset_more more = { charsets, charsets_convert };
    struct show *s = show_new(buffer_as_text(&t->message), charsets ? &more : NULL);
    if (!s)
        cli_say(CLI_AGAIN, "memory is short");
    else if (!show_write(s, screen_sink(&t->screen), &e))
        talk_complain_error(&e);
    show_free(&s);
}

void talk_show(struct talk *t, struct text words)
{
    uint32_t number;
    if (!talk_number(&words, &number) || !have_message(t, number))
        return;
    struct charsets *charsets = charsets_new();
    show(t, charsets);
    charsets_free(&charsets);
}

/* --- To a file --- */

struct saving {
    struct talk *talk;
    char *path;
    FILE *to;
    bool made; /* the file is ours to take away */
    uint64_t octets;
};

/* Never over a file that is there.  False: it was said why. */
static bool open_file(struct saving *s)
{
    int file = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        cli_say(CLI_NO, "%s: %s; %s", s->path, strerror(errno),
                errno == EEXIST ? "name another file" : "nothing was saved");
        return false;
    }
    s->to = fdopen(file, "w");
    s->made = s->to != NULL;
    if (s->made)
        return true;
    cli_say(CLI_AGAIN, "%s: memory is short; nothing was saved", s->path);
    close(file);
    unlink(s->path);
    return false;
}

static bool put(void *context, struct bytes octets, struct error *e)
{
    struct saving *s = context;
    s->octets += octets.len;
    return fwrite(octets.at, 1, octets.len, s->to) == octets.len ||
           error_system(e, ERROR_TEMPORARY, errno, "%s", s->path);
}

/* `ok`: all of it was written, as far as can be known before.  Once. */
static void close_file(struct saving *s, bool ok)
{
    if (!s->made)
        return;
    if (s->to) {
        bool written = fflush(s->to) == 0 && fsync(fileno(s->to)) == 0;
        int number = errno;
        written = fclose(s->to) == 0 && written;
        if (ok && !written)
            cli_say(CLI_NO, "%s: %s; nothing was saved", s->path, strerror(number));
        ok = ok && written;
        s->to = NULL;
    }
    if (ok)
        printf("%s: %" PRIu64 " octets\n", s->path, s->octets);
    else
        unlink(s->path);
    s->made = false;
}

static bool save_content(void *owner, const struct pop3_client_step *step)
{
    struct saving *s = owner;
    struct error e;
    if (step->kind == POP3_CLIENT_ANSWERED) {
        if (step->result->verdict == POP3_CLIENT_NO)
            screen_line(&s->talk->screen, step->result->reply);
        close_file(s, step->result->verdict == POP3_CLIENT_YES);
        return true;
    }
    if (step->kind != POP3_CLIENT_CONTENT || !s->to || put(s, step->content, &e))
        return true;
    cli_say(CLI_NO, "%s; nothing was saved", e.words);
    close_file(s, false); /* the rest comes all the same, and the session goes on */
    return true;
}

static void save_message(struct saving *s, uint32_t number)
{
    struct maildrop_work work = { .step = save_content, .owner = s };
    struct pop3_client_command command = { .verb = POP3_CLIENT_RETR, .message = number };
    if (!open_file(s))
        return;
    s->talk->quiet = true;
    talk_pop_ask(s->talk, command, &work);
    s->talk->quiet = false;
    close_file(s, false);
}

static void save_part(struct saving *s, const struct show *message, uint32_t part)
{
    struct error e;
    struct show_attachment a;
    if (!show_attachment(message, part, &a)) {
        cli_say(CLI_NO, "there is no attachment %" PRIu32 "; show lists them", part);
        return;
    }
    if (!s->path && asprintf(&s->path, "%.*s", TEXT_ARGS(a.file_name)) < 0)
        s->path = NULL;
    if (!s->path || !open_file(s))
        return;
    struct sink sink = { s, put };
    bool ok = show_attachment_write(message, part, sink, &e);
    if (!ok)
        cli_say(CLI_NO, "%s; nothing was saved", e.words);
    close_file(s, ok);
}

static void save_attachment(struct saving *s, uint32_t number, uint32_t part)
{
    if (!have_message(s->talk, number))
        return;
    struct show *message = show_new(buffer_as_text(&s->talk->message), NULL);
    if (message)
        save_part(s, message, part);
    else
        cli_say(CLI_AGAIN, "memory is short");
    show_free(&message);
}

/* "N" or "N.A". */
static bool take_numbers(struct text *words, uint32_t *number_out, uint32_t *part_out)
{
    struct text word = T(""), first;
    uint64_t part = 0;
    text_word(words, &word);
    struct text rest = word;
    bool has_part = text_cut(&rest, '.', &first);
    if (has_part && (!text_to_u64(rest, &part) || part == 0 || part > UINT32_MAX)) {
        cli_say(CLI_USAGE,
                "%.*s: write the number of a message, and of its attachment behind a dot",
                TEXT_ARGS(text_first(word, 40)));
        return false;
    }
    *part_out = (uint32_t)part;
    return talk_number(&first, number_out);
}

void talk_save(struct talk *t, struct text words)
{
    struct saving s = { .talk = t };
    uint32_t number, part;
    fflush(stdout);
    if (!take_numbers(&words, &number, &part))
        return;
    words = text_trim(words);
    if (words.len && asprintf(&s.path, "%.*s", TEXT_ARGS(words)) < 0)
        s.path = NULL;
    if (!words.len && part == 0 && asprintf(&s.path, "message-%" PRIu32 ".eml", number) < 0)
        s.path = NULL;
    if (part)
        save_attachment(&s, number, part);
    else if (s.path)
        save_message(&s, number);
    else
        cli_say(CLI_AGAIN, "memory is short");
    free(s.path);
}
