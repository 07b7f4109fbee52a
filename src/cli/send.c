/* send.c - godwit send: mail for scripts, composed from options or whole from files.
 *
 * What is wrong on the command line or in the first message is found before anybody is called.
 */
#include "cli/send.h"
#include "mail/mailbox_list.h"
#include "mail/notify.h"

#include <stdio.h>
#include <string.h>

static const struct option rows[] = {
    { "--from", 'f', OPTION_TEXT, "ADDRESS", offsetof(struct send_words, from),
      "who sends, logs in, and gets what comes back (else the only account of the user's file)" },
    { "--to", 0, OPTION_LIST, "ADDRESS", offsetof(struct send_words, to),
      "who gets it; an address or a list of them, may be given many times" },
    { "--cc", 0, OPTION_LIST, "ADDRESS", offsetof(struct send_words, cc), "who gets a copy" },
    { "--bcc", 0, OPTION_LIST, "ADDRESS", offsetof(struct send_words, bcc),
      "who gets a copy that nobody sees" },
    { "--subject", 's', OPTION_ANY_TEXT, "TEXT", offsetof(struct send_words, subject),
      "what it is about" },
    { "--body-file", 0, OPTION_TEXT, "FILE", offsetof(struct send_words, body_file),
      "the text (else standard input)" },
    { "--html-file", 0, OPTION_TEXT, "FILE", offsetof(struct send_words, html_file),
      "the same text in HTML, for readers that show that" },
    { "--attach", 'a', OPTION_LIST, "FILE", offsetof(struct send_words, attach),
      "a file to send along; may be given many times" },
    { "-t", 0, OPTION_FLAG, NULL, offsetof(struct send_words, from_header),
      "FILEs, or standard input, are whole messages for their To, Cc and Bcc" },
    { "--notify", 0, OPTION_TEXT, "LIST", offsetof(struct send_words, notify),
      "ask for reports: success,failure,delay, or never" },
    { "--ret", 0, OPTION_CHOICE, "full|hdrs", offsetof(struct send_words, ret),
      "what a report shall return of the message" },
    { "--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct send_words, quiet),
      "say nothing unless something is wrong" },
    USER_WORDS_ROWS(struct send_words, user),
};
const struct option_table cli_send_options = OPTION_TABLE(rows, struct send_words);

/* --- Options --- */

/* RFC 3461 4.1. */
static bool parse_notify(const char *words, unsigned *out, struct error *e)
{
    static const struct {
        struct text word;
        unsigned bit;
    } names[] = { { TEXT("never"), NOTIFY_NEVER },
                  { TEXT("success"), NOTIFY_SUCCESS },
                  { TEXT("failure"), NOTIFY_FAILURE },
                  { TEXT("delay"), NOTIFY_DELAY } };
    struct text rest = text_of(words), word;
    *out = NOTIFY_DEFAULT;
    while (rest.len) {
        unsigned bit = 0;
        text_cut(&rest, ',', &word);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            bit |= text_equal_nocase(names[i].word, word) ? names[i].bit : 0;
        *out |= bit;
        if (!bit || (*out & NOTIFY_NEVER && *out != NOTIFY_NEVER))
            return error_set(e, ERROR_USAGE, "--notify %.60s: success,failure,delay, or never",
                             words);
    }
    return true;
}

static bool fits(struct cli *cli, unsigned *notify_out, struct error *e)
{
    const struct send_words *w = cli->options;
    bool whole = w->from_header || cli->word_count;
    bool to_somebody = w->to.count || w->cc.count || w->bcc.count;
    if (whole && (w->subject || w->body_file || w->html_file || w->attach.count))
        return error_set(e, ERROR_USAGE,
                         "--subject, --body-file, --html-file and --attach compose a message; FILE "
                         "and -t are whole ones");
    if (!w->from_header && !to_somebody)
        return error_set(e, ERROR_USAGE, "to whom? --to ADDRESS%s",
                         whole ? ", or -t for whom the message names" : "");
    return !w->notify || parse_notify(w->notify, notify_out, e);
}

/* "Bob <bob@example.org>" or the address alone: *out for the user, terminated. */
static bool bare_from(const char *from, char out[ADDRESS_TEXT_MAX + 1], struct error *e)
{
    struct mailbox_list list = mailbox_list_of(text_of(from));
    struct address address, more;
    if (strpbrk(from, "\r\n") || mailbox_list_next(&list, &address) != MAILBOX_ADDRESS ||
        mailbox_list_next(&list, &more) != MAILBOX_LIST_END)
        return error_set(e, ERROR_USAGE, "--from %.100s: write user@example.org", from);
    snprintf(out, ADDRESS_TEXT_MAX + 1, "%.*s", TEXT_ARGS(address_text(&address)));
    return true;
}

/* --- Sending --- */

/* The first message is made before anybody is called. */
static bool prepare(struct send *s, struct failure *f)
{
    if (s->cli->word_count == 0 && s->words->from_header)
        return send_read(s, "-", &s->first, f);
    if (s->cli->word_count == 0)
        return send_compose(s, &s->first, f);
    while (!s->first && s->next_file < s->cli->word_count)
        if (!send_read(s, s->cli->words[s->next_file++], &s->first, f))
            send_tell(s, f);
    f->kind = FAILURE_NONE;
    return s->first != NULL;
}

/* A script without a password sends through a server that trusts it; one that does not says so. */
static bool open_session(struct send *s, struct agent *agent, struct sender_options *options,
                         struct failure *f)
{
    return user_may_log_in(s->user, &options->credentials, f) &&
           sender_open(agent, options, &s->sender, f);
}

static bool send_over(struct send *s, struct agent *agent, struct failure *f)
{
    struct servers servers;
    const struct trace trace = { .line = trace_print, .owner = stderr };
    struct sender_options options = {
        .servers = &servers,
        .tls = s->user->wish.tls,
        .trace = s->words->user.trace ? &trace : NULL,
    };
    if (!prepare(s, f))
        return false;
    bool ok = user_find(s->user, agent, FIND_SMTP, &servers, f) &&
              open_session(s, agent, &options, f) && send_all(s, f);
    sender_close(&s->sender);
    return ok;
}

static bool with_agent(struct send *s, struct failure *f)
{
    struct user_resolvers resolvers;
    struct agent_options options;
    struct agent *agent = NULL;
    struct error e;
    if (!user_words_agent(&s->words->user, &s->user->wish, &resolvers, &options, &e))
        return failure_of(f, &e);
    bool ok = agent_new(&options, &agent, f) && agent_catch_interrupts(agent, f) &&
              send_over(s, agent, f);
    agent_free(&agent);
    return ok;
}

static enum cli_exit run(struct cli *cli, unsigned notify, const char *from)
{
    const struct send_words *words = cli->options;
    struct user_wish wish = user_words_wish(&words->user, cli, from, FIND_SMTP);
    struct failure f = { 0 };
    struct user user;
    struct send s = { .cli = cli, .words = words, .user = &user, .notify = notify };
    if (!user_open(&user, &wish, &f))
        return user_fail(&f);
    if (!with_agent(&s, &f))
        send_tell(&s, &f);
    send_free(&s.first);
    for (size_t i = 0; i < SEND_KEPT; i++)
        send_free(&s.kept[i]);
    user_close(&user);
    return s.code;
}

enum cli_exit cli_send(struct cli *cli)
{
    const struct send_words *words = cli->options;
    char from[ADDRESS_TEXT_MAX + 1];
    unsigned notify = NOTIFY_DEFAULT;
    struct error e;
    if (!fits(cli, &notify, &e) || (words->from && !bare_from(words->from, from, &e)))
        return cli_fail(&e);
    return run(cli, notify, words->from ? from : NULL);
}
