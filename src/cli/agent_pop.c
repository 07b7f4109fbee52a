/* agent_pop.c - the second prompt: a maildrop, command by command, in the server's words. */
#include "cli/agent.h"

#include <stdio.h>
#include <string.h>

/* --- Commands that the server answers with lines --- */

bool talk_pop_ask(struct talk *t, struct pop3_client_command command,
                  const struct maildrop_work *work)
{
    struct failure f;
    if (maildrop_ask(t->maildrop, command, work, &f))
        return true;
    if (t->asks == ASKS_POP)
        talk_complain(&f);
    return false;
}

bool talk_number(struct text *words, uint32_t *number_out)
{
    struct text word = T("");
    uint64_t number;
    text_word(words, &word);
    if (text_to_u64(word, &number) && number > 0 && number <= UINT32_MAX) {
        *number_out = (uint32_t)number;
        return true;
    }
    fflush(stdout);
    cli_say(CLI_USAGE, "%.*s: write the number of a message, as list shows it",
            TEXT_ARGS(word.len ? text_first(word, 40) : T("which one")));
    return false;
}

static void ask(struct talk *t, enum pop3_client_verb verb, uint32_t message)
{
    struct pop3_client_command command = { .verb = verb, .message = message };
    talk_pop_ask(t, command, NULL);
}

/* With a number or without. */
static void ask_listing(struct talk *t, enum pop3_client_verb verb, struct text words)
{
    uint32_t number = 0;
    if (text_trim(words).len == 0 || talk_number(&words, &number))
        ask(t, verb, number);
}

static void pop_stat(struct talk *t, struct text words)
{
    (void)words;
    ask(t, POP3_CLIENT_STAT, 0);
}

static void pop_list(struct talk *t, struct text words)
{
    ask_listing(t, POP3_CLIENT_LIST, words);
}

static void pop_uidl(struct talk *t, struct text words)
{
    ask_listing(t, POP3_CLIENT_UIDL, words);
}

static void pop_dele(struct talk *t, struct text words)
{
    uint32_t number;
    if (talk_number(&words, &number))
        ask(t, POP3_CLIENT_DELE, number);
}

static void pop_rset(struct talk *t, struct text words)
{
    (void)words;
    ask(t, POP3_CLIENT_RSET, 0);
}

static void pop_noop(struct talk *t, struct text words)
{
    (void)words;
    ask(t, POP3_CLIENT_NOOP, 0);
}

static void pop_quit(struct talk *t, struct text words)
{
    (void)words;
    struct failure f;
    enum pop3_client_deletions deletions;
    if (!maildrop_quit(t->maildrop, &deletions, &f))
        talk_complain(&f);
    if (deletions == POP3_CLIENT_UNSURE)
        cli_say(CLI_NO, "whether the messages were deleted is not known: look again");
}

static void pop_help(struct talk *t, struct text words);

static const struct talk_command commands[] = {
    { "stat", "", "how many messages, how many octets", pop_stat },
    { "list", "[N]", "the size of each message, or of one", pop_list },
    { "uidl", "[N]", "the name that each message keeps, or of one", pop_uidl },
    { "top", "N [LINES]", "the header, and so many lines of the body", talk_top },
    { "retr", "N", "a message as the server has it", talk_retr },
    { "show", "N", "a message for people: decoded, attachments listed", talk_show },
    { "save", "N|N.A [FILE]", "a message, or attachment A of it, to a file", talk_save },
    { "dele", "N", "delete a message; the server does it at quit", pop_dele },
    { "rset", "", "delete nothing after all", pop_rset },
    { "noop", "", "nothing, but the server hears of us", pop_noop },
    { "quit", "", "end the session; what was deleted goes", pop_quit },
    { "help", "", "this", pop_help },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void pop_help(struct talk *t, struct text words)
{
    (void)t;
    (void)words;
    talk_help(commands, COMMANDS);
}

const char *talk_pop_name(size_t index)
{
    return index < COMMANDS ? commands[index].name : NULL;
}

/* --- The session --- */

static bool note_count(void *owner, const struct pop3_client_step *step)
{
    struct talk *t = owner;
    if (step->kind == POP3_CLIENT_ANSWERED && step->result->verdict == POP3_CLIENT_YES)
        t->count = step->result->count;
    return true;
}

/* For completion. */
static void count_messages(struct talk *t)
{
    struct maildrop_work work = { .step = note_count, .owner = t };
    struct pop3_client_command stat = { .verb = POP3_CLIENT_STAT };
    t->quiet = true;
    talk_pop_ask(t, stat, &work);
    t->quiet = false;
}

static bool open_session(struct talk *t, struct maildrop_options *options, struct servers *servers)
{
    struct failure f;
    options->credentials = user_credentials(&t->user, &f);
    bool ok = options->credentials && user_find(&t->user, t->agent, FIND_POP, servers, &f);
    options->servers = servers;
    options->tls = t->user.wish.tls;
    ok = ok && maildrop_open(t->agent, options, &t->maildrop, &f);
    if (ok)
        return true;
    talk_complain(&f);
    if (f.kind == FAILURE_DENIED)
        user_forget_password(&t->user);
    return false;
}

/* The end of the input ends the session as quit does: what was to be deleted was said so. */
static void converse(struct talk *t)
{
    struct text line;
    while (maildrop_is_open(t->maildrop)) {
        t->asks = ASKS_POP;
        switch (line_read(t->lines, LINE_COMMAND, "[pop]>>> ", &line)) {
        case LINE_READ:
            agent_forget_interrupt(t->agent);
            talk_run(t, commands, COMMANDS, line);
            break;
        case LINE_END:
            pop_quit(t, T(""));
            break;
        case LINE_TOO_LONG:
            talk_too_long();
            break;
        case LINE_INTERRUPTED:
            break;
        }
        fflush(stdout);
    }
}

void talk_pop(struct talk *t, struct text words)
{
    (void)words;
    struct servers servers;
    struct trace trace = talk_trace(t);
    struct maildrop_options options = { .trace = &trace };
    agent_forget_interrupt(t->agent);
    t->asks = ASKS_POP;
    t->hides = t->quiet = false;
    t->count = 0;
    if (open_session(t, &options, &servers)) {
        if (line_reader_is_terminal(t->lines))
            count_messages(t);
        converse(t);
    }
    maildrop_close(&t->maildrop);
    talk_forget_message(t);
}
