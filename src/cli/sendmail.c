/* sendmail.c - godwit sendmail: a message from standard input, for programs that know nothing of
 * mail but the name sendmail.
 *
 * It runs with no rights but its caller's.  What somebody may send as is decided by the server.
 */
#include "cli/sendmail.h"

#include "mail/xtext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE = 64 * 1024,
    OCTETS_MOST = 1024 * 1024 * 1024, /* where the server has no maximum */
    ARENA_MAX = 16 * 1024 * 1024,
};

/* --- The message --- */

/* Whether a line with a dot alone stands there; *line is where the first incomplete line begins,
 * and moves on. */
static bool find_dot(struct buffer *b, size_t *line)
{
    struct text rest = text_skip(buffer_as_text(b), *line), one;
    size_t end;
    while ((end = text_find(rest, '\n')) < rest.len) {
        text_cut(&rest, '\n', &one);
        if (text_equal(one, T(".")) || text_equal(one, T(".\r"))) {
            b->len = *line;
            return true;
        }
        *line += end + 1;
    }
    return false;
}

static enum sendmail_exit no_room(const struct buffer *b)
{
    if (b->len + PIECE <= b->max) {
        cli_say(CLI_NO, "memory is short for a message of %zu octets", b->len);
        return SENDMAIL_TROUBLE;
    }
    cli_say(CLI_NO, "the message has more than %zu octets: the server takes no longer one",
            b->max - PIECE);
    return SENDMAIL_DATA;
}

static enum sendmail_exit read_message(const struct sendmail_options *o, uint64_t octets_max,
                                       struct buffer *to)
{
    size_t line = 0;
    buffer_init(to, (size_t)(octets_max ? octets_max : OCTETS_MOST) + PIECE);
    for (;;) {
        uint8_t *at = buffer_reserve(to, PIECE);
        ssize_t got = at ? read(STDIN_FILENO, at, PIECE) : 0;
        if (!at)
            return no_room(to);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            cli_say(CLI_NO, "the message cannot be read from standard input: %s", strerror(errno));
            return SENDMAIL_IO;
        }
        to->len += (size_t)got;
        if (got == 0 || (!o->dots && find_dot(to, &line)))
            break;
    }
    /* "." without a line end, where the input ends. */
    if (!o->dots && to->len == line + 1 && to->at[line] == '.')
        to->len = line;
    return SENDMAIL_DONE;
}

/* --- The envelope --- */

static enum sendmail_exit judge(enum posting_verdict verdict, enum sendmail_exit malformed,
                                const char *what, struct text value)
{
    switch (verdict) {
    case POSTING_OK:
        return SENDMAIL_DONE;
    case POSTING_MALFORMED:
        cli_say(CLI_NO, "%s cannot be read: %.*s", what, TEXT_ARGS(text_first(value, 120)));
        return malformed;
    case POSTING_TOO_MANY:
        cli_say(CLI_NO, "more than %d recipients", POSTING_RECIPIENTS_MAX);
        return SENDMAIL_USAGE;
    case POSTING_NO_MEMORY:
        break;
    }
    cli_say(CLI_NO, "memory is short");
    return SENDMAIL_TROUBLE;
}

static enum sendmail_exit add_recipients(const struct sendmail_options *o, struct posting *l,
                                         struct arena *arena)
{
    enum sendmail_exit code = SENDMAIL_DONE;
    struct text field = T("");
    for (size_t i = 0; i < o->word_count && code == SENDMAIL_DONE; i++)
        code = judge(posting_add(l, arena, text_of(o->words[i])), SENDMAIL_USAGE, "the recipient",
                     text_of(o->words[i]));
    if (o->from_header && code == SENDMAIL_DONE)
        code = judge(posting_add_header(l, arena, &field), SENDMAIL_DATA, "the field", field);
    if (code == SENDMAIL_DONE && l->to_count == 0) {
        cli_say(CLI_NO, o->from_header ? "the message names no recipient in To, Cc or Bcc"
                                       : "no recipient: name one, or give -t");
        code = SENDMAIL_USAGE;
    }
    return code;
}

static enum sendmail_exit set_sender(const struct sendmail_options *o,
                                     const struct sendmail_place *place, struct posting *l,
                                     struct arena *arena)
{
    const char *name = o->name ? o->name : getenv("NAME");
    if (posting_set_name(l, arena, text_of(name && name[0] ? name : place->full_name)) !=
        POSTING_OK)
        return judge(POSTING_NO_MEMORY, SENDMAIL_TROUBLE, "", T(""));
    if (!o->sender)
        return SENDMAIL_DONE;
    return judge(posting_set_sender(l, arena, text_of(o->sender)), SENDMAIL_USAGE, "the sender",
                 text_of(o->sender));
}

/* RFC 3461 4.4 */
static bool is_printable(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.at[i] < ' ' || t.at[i] > '~')
            return false;
    return true;
}

static enum sendmail_exit set_report(const struct sendmail_options *o, struct posting *l,
                                     struct arena *arena)
{
    char room[101];
    struct buffer xtext = buffer_over(room, sizeof room - 1);
    l->notify = o->notify;
    l->ret = text_of(o->ret);
    if (!o->envid)
        return SENDMAIL_DONE;
    if (!is_printable(text_of(o->envid)) || !xtext_encode(&xtext, text_of(o->envid)))
        return judge(POSTING_MALFORMED, SENDMAIL_USAGE, "-V", text_of(o->envid));
    return arena_text(arena, buffer_as_text(&xtext), &l->envid)
               ? SENDMAIL_DONE
               : judge(POSTING_NO_MEMORY, SENDMAIL_TROUBLE, "", T(""));
}

static enum sendmail_exit send_posting(const struct sendmail_options *o,
                                       const struct sendmail_place *place, struct arena *arena,
                                       struct buffer *message)
{
    struct posting l = { 0 };
    enum sendmail_exit code = SENDMAIL_DONE;
    if (o->word_count == 0 && !o->from_header)
        return add_recipients(o, &l, arena); /* nothing is waited for in vain */
    code = read_message(o, place->octets_max, message);
    l.content = buffer_as_text(message);
    if (code == SENDMAIL_DONE)
        code = set_sender(o, place, &l, arena);
    if (code == SENDMAIL_DONE)
        code = set_report(o, &l, arena);
    if (code == SENDMAIL_DONE)
        code = add_recipients(o, &l, arena);
    return code == SENDMAIL_DONE ? sendmail_give(place, o, &l, arena) : code;
}

static enum sendmail_exit send_message(const struct sendmail_options *o,
                                       const struct sendmail_place *place)
{
    struct buffer message;
    struct arena arena;
    buffer_init(&message, 0);
    arena_init(&arena, ARENA_MAX);
    enum sendmail_exit code = send_posting(o, place, &arena, &message);
    arena_reset(&arena);
    buffer_clear(&message);
    return code;
}

/* --- What is asked for --- */

static enum sendmail_exit help(void)
{
    puts("usage: godwit sendmail [OPTIONS] [RECIPIENT...]   or called as sendmail, mailq, "
         "newaliases\n"
         "\n"
         "reads a message from standard input and gives it to the server on this machine\n"
         "  -t            the recipients of To, Cc and Bcc as well\n"
         "  -i, -oi       a line with a dot alone does not end the message\n"
         "  -f ADDRESS    the sender (else LOGIN@hostname); also -r\n"
         "  -F NAME       your name, for a From that is missing\n"
         "  -N WHEN       never, or success,failure,delay: when to report;  -R full|hdrs: what;\n"
         "  -V ID         the id that reports name\n"
         "  -oem, -oee    those who are refused are reported by mail; -oee: and the exit code is "
         "0\n"
         "  -v            tell what becomes of it\n"
         "  -bs           SMTP on standard input and output\n"
         "  -bp           what waits to be sent, as mailq;  -q  try it now\n"
         "  -C FILE       the configuration file; also -c\n"
         "Further options of other sendmails are taken and mean nothing; godwit(1) has them all.");
    return SENDMAIL_DONE;
}

static enum sendmail_exit tell_aliases(void)
{
    puts("godwit keeps aliases in its directory, where they have effect at once: there is nothing "
         "to rebuild.\n"
         "To read a file like /etc/aliases: godwit alias import FILE");
    return SENDMAIL_DONE;
}

static enum sendmail_exit run(struct sendmail_options *o, struct cli *cli)
{
    struct sendmail_place place;
    struct error e;
    if (o->mode == SENDMAIL_HELP)
        return help();
    if (o->mode == SENDMAIL_ALIASES)
        return tell_aliases();
    if (!sendmail_find_place(o->file, &place, &e)) {
        cli_fail(&e);
        return e.kind == ERROR_CONFIG ? SENDMAIL_CONFIG : SENDMAIL_TROUBLE;
    }
    *cli = (struct cli){ .file = o->file };
    switch (o->mode) {
    case SENDMAIL_SMTP:
        return sendmail_join(&place);
    case SENDMAIL_QUEUE:
        return sendmail_list(&place, cli);
    case SENDMAIL_RETRY:
        return sendmail_retry(&place, cli);
    case SENDMAIL_SEND:
    case SENDMAIL_HELP:
    case SENDMAIL_ALIASES:
        break;
    }
    return send_message(o, &place);
}

static enum sendmail_exit start(int argc, char **argv, bool mixed, struct sendmail_options *o,
                                struct cli *cli)
{
    struct error e;
    if (sendmail_options_read(argc, argv, mixed, o, &e))
        return run(o, cli);
    cli_fail(&e);
    return SENDMAIL_USAGE;
}

enum cli_exit cli_sendmail(struct cli *cli)
{
    struct sendmail_options o = { 0 };
    return (enum cli_exit)start((int)cli->word_count, cli->words, true, &o, cli);
}

/* --- By another name --- */

static enum sendmail_mode mode_of(const char *program, bool *known_out)
{
    static const struct {
        const char *name;
        enum sendmail_mode mode;
    } names[] = {
        { "sendmail", SENDMAIL_SEND },
        { "mailq", SENDMAIL_QUEUE },
        { "newaliases", SENDMAIL_ALIASES },
    };
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(slash ? slash + 1 : program, names[i].name) == 0) {
            *known_out = true;
            return names[i].mode;
        }
    *known_out = false;
    return SENDMAIL_SEND;
}

bool sendmail_is_name(const char *program)
{
    bool known;
    mode_of(program, &known);
    return known;
}

int sendmail_main(int argc, char **argv)
{
    bool known;
    struct sendmail_options o = { .mode = mode_of(argv[0], &known) };
    struct cli cli = { 0 };
    enum sendmail_exit code = start(argc - 1, argv + 1, false, &o, &cli);
    config_free(&cli.config);
    if (fflush(stdout) != 0 && code == SENDMAIL_DONE)
        code = SENDMAIL_TROUBLE;
    return code;
}
