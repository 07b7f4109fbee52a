/* agent.c - godwit agent: a user's mail at a prompt.
 *
 * The prompts and the words at them are those of the border (docs/border.md, "The agent"); whatever
 * is refused is told in the server's words, and the agent goes on.
 */
#include "cli/agent.h"

#include "cli/user_words.h"
#include "config/nearest.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct agent_words {
    const char *address, *smtp, *pop;
    struct user_words user;
};
static const struct option rows[] = {
    { "--address", 'e', OPTION_TEXT, "ADDRESS", offsetof(struct agent_words, address),
      "whose mail it is (else that of the only account in agent.conf)" },
    { "--smtp", 0, OPTION_TEXT, "HOST[:PORT]", offsetof(struct agent_words, smtp),
      "the server to send through (else the one that the address leads to)" },
    { "--pop", 0, OPTION_TEXT, "HOST[:PORT]", offsetof(struct agent_words, pop),
      "the server that has the mail (else the one that the address leads to)" },
    USER_LOGIN_ROWS(struct agent_words, user),
};
const struct option_table cli_agent_options = OPTION_TABLE(rows, struct agent_words);

/* --- Saying --- */

void talk_complain(const struct failure *f)
{
    fflush(stdout);
    cli_say(CLI_NO, "%s", f->words);
}

void talk_too_long(void)
{
    fflush(stdout);
    cli_say(CLI_USAGE, "a line has at most %d octets: it was not taken; attach sends a file",
            LINE_OCTETS_MAX);
}

void talk_complain_error(const struct error *e)
{
    fflush(stdout);
    cli_fail(e);
}

/* Questions that nobody typed: what is offered, TLS, the session's character set. */
static bool is_ours(struct text command)
{
    static const char *const verbs[] = { "CAPA", "STLS", "UTF8", "LANG" };
    struct text verb;
    text_word(&command, &verb);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (text_equal_nocase(verb, text_of(verbs[i])))
            return true;
    return false;
}

/* The dots of a message's end come as its content, which is shown by whoever asked for it. */
static void hear(void *owner, enum trace_side side, enum trace_kind kind, struct text line)
{
    struct talk *t = owner;
    if (t->traces && (kind != TRACE_CONTENT || side == TRACE_CLIENT)) {
        trace_print(stdout, side, kind, line);
        return;
    }
    if (side == TRACE_CLIENT && kind == TRACE_WORDS)
        t->hides = is_ours(line);
    bool challenge = text_starts(line, T("+ "));
    if (side == TRACE_SERVER && kind == TRACE_WORDS && t->asks == ASKS_POP && !t->hides &&
        !t->quiet && !challenge)
        screen_line(&t->screen, line);
}

struct trace talk_trace(struct talk *t)
{
    return (struct trace){ hear, t };
}

bool talk_ask(struct talk *t, enum asks asks, const char *prompt, struct text *out)
{
    enum asks before = t->asks;
    t->asks = asks;
    enum line_verdict verdict = line_read(t->lines, LINE_WORDS, prompt, out);
    t->asks = before;
    if (verdict == LINE_TOO_LONG)
        talk_too_long();
    return verdict == LINE_READ;
}

/* --- Commands --- */

void talk_help(const struct talk_command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("  %-7s %-18s %s\n", commands[i].name, commands[i].words, commands[i].help);
}

void talk_run(struct talk *t, const struct talk_command *commands, size_t count, struct text line)
{
    struct text rest = line, verb;
    if (!text_word(&rest, &verb))
        return;
    struct nearest nearest = nearest_to(verb);
    for (size_t i = 0; i < count; i++) {
        nearest_offer(&nearest, commands[i].name);
        if (!text_equal_nocase(verb, text_of(commands[i].name)))
            continue;
        commands[i].run(t, text_trim(rest));
        return;
    }
    fflush(stdout);
    cli_say(CLI_NO, "%.*s: there is no such command; nearest: %s; help lists them",
            TEXT_ARGS(text_first(verb, 40)), nearest.name);
}

static void leave(struct talk *t, struct text words)
{
    (void)words;
    t->over = true;
}

static void help(struct talk *t, struct text words);

static const struct talk_command commands[] = {
    { "smtp", "", "write a message and send it: asks for To, Subject, Content", talk_smtp },
    { "pop", "", "log in where the mail is, and read it", talk_pop },
    { "cc", "[ADDRESS...]", "who gets a copy of the next message; without words: nobody", talk_cc },
    { "attach", "[FILE]", "send this file with the next message; without a word: none",
      talk_attach },
    { "edit", "", "write the text of the next message in $VISUAL or $EDITOR", talk_edit },
    { "draft", "", "what the next message has so far", talk_draft },
    { "forget", "", "start the next message anew", talk_forget },
    { "help", "", "this", help },
    { "exit", "", "leave; so does Ctrl-D", leave },
    { "quit", "", "the same", leave },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(struct talk *t, struct text words)
{
    (void)t;
    (void)words;
    talk_help(commands, COMMANDS);
}

const char *talk_command_name(size_t index)
{
    return index < COMMANDS ? commands[index].name : NULL;
}

static void converse(struct talk *t)
{
    struct text line;
    while (!t->over) {
        t->asks = ASKS_COMMAND;
        switch (line_read(t->lines, LINE_COMMAND, "[smtp|pop|exit]>>> ", &line)) {
        case LINE_READ:
            talk_run(t, commands, COMMANDS, line);
            break;
        case LINE_END:
            t->over = true;
            break;
        case LINE_TOO_LONG:
            talk_too_long();
            break;
        case LINE_INTERRUPTED:
            break;
        }
    }
}

/* --- Beginning and end --- */

/* The agent lives in one stretch: its options are on the stack of whoever runs it. */
static bool open_agent(struct talk *t, const struct agent_options *options, struct failure *f)
{
    struct error e;
    char path[STATE_PATH_MAX];
    struct line_options lines = { .program = "godwit", .complete = talk_complete, .owner = t };
    if (state_path("history", path))
        lines.history = path;
    if (!agent_new(options, &t->agent, f))
        return false;
    if (!line_reader_new(&lines, &t->lines, &e))
        return failure_of(f, &e);
    return !line_reader_is_terminal(t->lines) || agent_catch_interrupts(t->agent, f);
}

static enum cli_exit run(struct talk *t, const struct agent_options *options)
{
    struct failure f;
    struct error e;
    char path[STATE_PATH_MAX] = "";
    bool ok = open_agent(t, options, &f);
    if (ok) {
        if (state_path("addresses", path))
            known_load(&t->known, path);
        screen_init(&t->screen);
        talk_draft_init(&t->draft);
        buffer_init(&t->message, DRAFT_TEXT_MAX * 4);
        converse(t);
        known_save(&t->known, path);
        talk_forget_message(t);
        talk_draft_clear(&t->draft);
        screen_clear(&t->screen);
    }
    line_reader_free(&t->lines);
    agent_free(&t->agent);
    if (ok)
        return CLI_DONE;
    failure_to_error(&f, &e);
    return cli_fail(&e);
}

static struct user_wish wish_of(const struct cli *cli, const struct agent_words *w)
{
    struct user_wish wish = user_words_wish(&w->user, cli, w->address, FIND_SMTP);
    wish.naming = "-e ADDRESS";
    wish.smtp = w->smtp;
    wish.pop = w->pop;
    return wish;
}

enum cli_exit cli_agent(struct cli *cli)
{
    const struct agent_words *w = cli->options;
    struct user_wish wish = wish_of(cli, w);
    struct user_resolvers resolvers;
    struct agent_options options;
    struct failure f;
    struct error e;
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return cli_say(CLI_AGAIN, "memory is short");
    setlocale(LC_CTYPE, "");
    t->traces = w->user.trace;
    enum cli_exit code;
    if (!user_open(&t->user, &wish, &f)) {
        failure_to_error(&f, &e);
        code = cli_fail(&e);
    } else if (!user_words_agent(&w->user, &t->user.wish, &resolvers, &options, &e)) {
        code = cli_fail(&e);
    } else {
        options.server_option = NULL; /* it has two */
        code = run(t, &options);
    }
    user_close(&t->user);
    free(t);
    return code;
}
