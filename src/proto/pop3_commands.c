/* pop3_commands.c - the commands: one table, one function for each.
 *
 * A row says what a command's arguments look like, what the session must have or must not have, and
 * whether the list of messages is needed; the function then finds everything in order.  It returns
 * a reply or a request and never prints, counts or closes.
 */
#include "proto/pop3_session.h"

#include "base/check.h"
#include "base/escape.h"

#include <inttypes.h>

typedef struct pop3_outcome run_command(struct pop3_server *, const struct pop3_args *);

enum arguments {
    NO_ARGUMENT,
    RAW_TEXT,      /* everything behind one space */
    TRIMMED_TEXT,  /* without the spaces around it; may be empty */
    MESSAGE,       /* a message-number */
    MAYBE_MESSAGE, /* or nothing */
    MESSAGE_AND_LINES,
};

struct pop3_command {
    struct text verb;
    run_command *run;
    enum arguments arguments;
    unsigned needs, refuses; /* enum pop3_have */
    bool needs_list;
};

static run_command on_auth, on_capa, on_dele, on_lang, on_list, on_noop, on_pass, on_quit, on_retr,
    on_rset, on_stat, on_stls, on_top, on_uidl, on_user, on_utf8;

enum { LOGIN = POP3_HAVE_LOGIN, PASSWORDS = POP3_MAY_LOG_IN };

static const struct pop3_command commands[] = {
    /* verb, function, arguments, needs, refuses, whether the list must be there */
    { TEXT("CAPA"), on_capa, NO_ARGUMENT, 0, 0, false },
    { TEXT("LANG"), on_lang, TRIMMED_TEXT, 0, 0, false },
    { TEXT("QUIT"), on_quit, NO_ARGUMENT, 0, 0, false },
    { TEXT("USER"), on_user, TRIMMED_TEXT, PASSWORDS, LOGIN, false },
    { TEXT("PASS"), on_pass, RAW_TEXT, PASSWORDS | POP3_HAVE_USER, LOGIN, false },
    { TEXT("AUTH"), on_auth, TRIMMED_TEXT, PASSWORDS | POP3_MAY_AUTH, LOGIN, false },
    { TEXT("STLS"), on_stls, NO_ARGUMENT, POP3_MAY_TLS, LOGIN | POP3_HAVE_TLS | POP3_HAVE_UTF8,
      false },
    { TEXT("UTF8"), on_utf8, NO_ARGUMENT, 0, LOGIN, false },
    { TEXT("STAT"), on_stat, NO_ARGUMENT, LOGIN, 0, false },
    { TEXT("LIST"), on_list, MAYBE_MESSAGE, LOGIN, 0, true },
    { TEXT("UIDL"), on_uidl, MAYBE_MESSAGE, LOGIN, 0, true },
    { TEXT("RETR"), on_retr, MESSAGE, LOGIN, 0, true },
    { TEXT("TOP"), on_top, MESSAGE_AND_LINES, LOGIN, 0, true },
    { TEXT("DELE"), on_dele, MESSAGE, LOGIN, 0, true },
    { TEXT("RSET"), on_rset, NO_ARGUMENT, LOGIN, 0, false },
    { TEXT("NOOP"), on_noop, NO_ARGUMENT, LOGIN, 0, false },
};

/* What is said when a thing is needed but lacking, or refused but present.  The first row wins. */
static const struct refusal {
    unsigned have;
    const char *lacking, *present;
} refusals[] = {
    { LOGIN, "log in first", "already logged in" },
    { POP3_HAVE_TLS, NULL, "TLS is active already" },
    { POP3_HAVE_UTF8, NULL, "STLS must come before UTF8" }, /* RFC 6856 2.1 */
    { POP3_MAY_TLS, "TLS is not available", NULL },
    { PASSWORDS, "[AUTH] passwords are taken over TLS only", NULL },
    { POP3_MAY_AUTH, "AUTH is not available", NULL },
    { POP3_HAVE_USER, "say USER first", NULL },
};

/* Why the session cannot carry out the command; NULL when it can. */
static const char *refusal(const struct pop3_server *s, const struct pop3_command *c)
{
    unsigned has = pop3_has(s);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].have & c->needs & ~has)
            return refusals[i].lacking;
        if (refusals[i].have & c->refuses & has)
            return refusals[i].present;
    }
    return NULL;
}

/* --- Reading a command --- */

static const struct pop3_command *find(struct text verb)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (text_equal_nocase(verb, commands[i].verb))
            return &commands[i];
    return NULL;
}

bool pop3_may_start_tls(const struct pop3_server *s)
{
    return refusal(s, find(T("STLS"))) == NULL;
}

/* Whether the number names a message that is there; otherwise *no_out says what is wrong. */
static bool find_message(const struct pop3_server *s, uint64_t number, struct pop3_outcome *no_out)
{
    const struct pop3_maildrop *m = &s->maildrop;
    bool exists = number >= 1 && number <= m->count;
    if (!exists)
        *no_out =
            pop3_err(POP3_FAULT_NONE, "no such message, %" PRIu32 " in the maildrop", m->count);
    else if (pop3_maildrop_is_deleted(m, (uint32_t)number - 1))
        *no_out = pop3_err(POP3_FAULT_NONE, "message %" PRIu64 " already deleted", number);
    else
        return true;
    return false;
}

/* Takes a decimal number off *rest: digits and nothing else, at most 2^64-1. */
static bool take_number(struct text *rest, uint64_t *number_out)
{
    struct text word;
    return text_word(rest, &word) && text_to_u64(word, number_out);
}

static bool read_message(const struct pop3_server *s, const struct pop3_command *c,
                         struct text rest, struct pop3_args *args_out, struct pop3_outcome *no_out)
{
    uint64_t number;
    bool ok = take_number(&rest, &number);
    if (ok && c->arguments == MESSAGE_AND_LINES)
        ok = take_number(&rest, &args_out->lines);
    if (!ok || text_trim(rest).len > 0) {
        *no_out = pop3_err(POP3_FAULT_CLIENT, "%.*s needs a message number%s", TEXT_ARGS(c->verb),
                           c->arguments == MESSAGE_AND_LINES ? " and a number of lines" : "");
        return false;
    }
    if (!find_message(s, number, no_out))
        return false;
    args_out->number = (uint32_t)number;
    return true;
}

static bool read_arguments(const struct pop3_server *s, const struct pop3_command *c,
                           struct text rest, struct pop3_args *args_out,
                           struct pop3_outcome *no_out)
{
    bool empty = text_trim(rest).len == 0;
    switch (c->arguments) {
    case NO_ARGUMENT:
        if (!empty)
            *no_out = pop3_err(POP3_FAULT_CLIENT, "%.*s takes no argument", TEXT_ARGS(c->verb));
        return empty;
    case RAW_TEXT:
        args_out->text = text_skip(rest, 1);
        return true;
    case TRIMMED_TEXT:
        args_out->text = text_trim(rest);
        return true;
    case MAYBE_MESSAGE:
        return empty || read_message(s, c, rest, args_out, no_out);
    case MESSAGE:
    case MESSAGE_AND_LINES:
        break;
    }
    return read_message(s, c, rest, args_out, no_out);
}

/* Where the verb ends: any number of spaces may follow. */
static struct text take_verb(struct text *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->at[n] != ' ' && rest->at[n] != '\t')
        n++;
    struct text verb = text_first(*rest, n);
    *rest = text_skip(*rest, n);
    return verb;
}

struct pop3_outcome pop3_command(struct pop3_server *s, struct text line, size_t line_octets)
{
    struct pop3_args args = { .line_octets = line_octets };
    struct pop3_outcome no;
    if (text_find(line, '\0') < line.len)
        return pop3_err(POP3_FAULT_CLIENT, "a command has no NUL");
    const struct pop3_command *c = find(take_verb(&line));
    if (!c)
        return pop3_err(POP3_FAULT_CLIENT, "unknown command");
    const char *why = refusal(s, c);
    if (why)
        return pop3_err(POP3_FAULT_CLIENT, "%s", why);
    if (!read_arguments(s, c, line, &args, &no))
        return no;
    if (c->needs_list && !s->maildrop.listed) {
        s->waiting = (struct pop3_waiting){ c, args };
        return pop3_ask((struct pop3_step){ .kind = POP3_LIST });
    }
    return c->run(s, &args);
}

struct pop3_outcome pop3_command_resume(struct pop3_server *s)
{
    struct pop3_waiting w = s->waiting;
    CHECK(w.command != NULL);
    s->waiting = (struct pop3_waiting){ 0 };
    return w.command->run(s, &w.args);
}

/* --- Before login --- */

static struct pop3_outcome on_user(struct pop3_server *s, const struct pop3_args *args)
{
    pop3_forget_login(s); /* an earlier USER, even if this one is refused */
    if (args->text.len == 0 || args->text.len > POP3_USER_OCTETS_MAX)
        return pop3_err(POP3_FAULT_CLIENT, "USER needs a name of at most %d octets",
                        POP3_USER_OCTETS_MAX);
    if (!utf8_valid(args->text)) /* RFC 6856 2.2 */
        return pop3_err(POP3_FAULT_CLIENT, "a name is UTF-8");
    if (!buffer_text(&s->user, args->text))
        return pop3_refuse(POP3_TEMPORARY, T(""));
    s->have |= POP3_HAVE_USER;
    return pop3_ok("send PASS"); /* whoever it is: nothing is said of who exists */
}

static struct pop3_outcome on_pass(struct pop3_server *s, const struct pop3_args *args)
{
    enum pop3_verdict verdict = POP3_ACCEPT;
    if (args->text.len == 0 || !utf8_valid(args->text)) /* RFC 6856 2.2; no password is empty */
        verdict = POP3_WRONG;
    else if (!buffer_text(&s->password, args->text))
        verdict = POP3_TEMPORARY;
    if (verdict != POP3_ACCEPT) {
        pop3_forget_login(s);
        return pop3_refuse(verdict, T(""));
    }
    return pop3_ask((struct pop3_step){ .kind = POP3_LOGIN,
                                        .user = buffer_as_text(&s->user),
                                        .password = buffer_as_text(&s->password) });
}

/* What a line of an AUTH exchange comes to. */
static struct pop3_outcome auth_framed(struct pop3_server *s, enum sasl_frame_verdict verdict)
{
    s->phase = POP3_IN_COMMAND;
    switch (verdict) {
    case SASL_FRAME_OK:
        return pop3_ask((struct pop3_step){ .kind = POP3_AUTH_STEP,
                                            .mechanism = sasl_frame_mechanism(&s->auth),
                                            .words = sasl_frame_words(&s->auth),
                                            .initial = s->auth.initial });
    case SASL_FRAME_CANCELLED:
        return pop3_err(POP3_FAULT_NONE, "AUTH is cancelled");
    case SASL_FRAME_MALFORMED:
        return pop3_err(POP3_FAULT_CLIENT, "the response is not base64");
    case SASL_FRAME_TOO_LONG:
        return pop3_err(POP3_FAULT_CLIENT, "the line is too long");
    case SASL_FRAME_SYNTAX:
        return pop3_err(POP3_FAULT_CLIENT, "AUTH needs a mechanism, and one response at most");
    case SASL_FRAME_UNKNOWN:
        return pop3_err(POP3_FAULT_CLIENT, "CAPA names the mechanisms, this is none of them");
    case SASL_FRAME_MEMORY:
        break;
    }
    return pop3_refuse(POP3_TEMPORARY, T(""));
}

static struct pop3_outcome on_auth(struct pop3_server *s, const struct pop3_args *args)
{
    return auth_framed(
        s, sasl_frame_begin(&s->auth, args->text, s->config->mechanisms, args->line_octets));
}

struct pop3_outcome pop3_auth_response(struct pop3_server *s, struct text line)
{
    return auth_framed(s, sasl_frame_continue(&s->auth, line));
}

static struct pop3_outcome on_stls(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    s->phase = POP3_IN_TLS;
    return pop3_ok("begin TLS now");
}

/* Messages are sent as they are in either mode, a departure from RFC 6856 2.1: a client without
 * this command is better served with the message than without it. */
static struct pop3_outcome on_utf8(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    s->have |= POP3_HAVE_UTF8;
    return pop3_ok("UTF-8 it is");
}

/* --- At any time --- */

static struct pop3_outcome on_capa(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    pop3_list_capabilities(s);
    return pop3_ok("capabilities follow");
}

static struct pop3_outcome on_lang(struct pop3_server *s, const struct pop3_args *args)
{
    if (args->text.len == 0) {
        pop3_list_languages(s);
        return pop3_ok("languages follow");
    }
    const char *tag = pop3_language(args->text);
    if (!tag)
        return pop3_err(POP3_FAULT_NONE, "no such language here");
    return pop3_ok("%s is spoken from now on", tag);
}

static struct pop3_outcome on_quit(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    struct pop3_maildrop *m = &s->maildrop;
    s->phase = POP3_IN_CLOSE;
    if (m->deleted_count == 0)
        return pop3_ok("%.*s POP3 server signing off", TEXT_ARGS(s->config->hostname));
    if (!pop3_maildrop_update(m))
        return pop3_err(POP3_FAULT_NONE, "[SYS/TEMP] deleted messages not removed");
    return pop3_ask((struct pop3_step){
        .kind = POP3_UPDATE, .deleted = m->update, .deleted_count = m->deleted_count });
}

/* --- After login --- */

static uint32_t messages_left(const struct pop3_server *s)
{
    return s->maildrop.count - s->maildrop.deleted_count;
}

static uint64_t octets_left(const struct pop3_server *s)
{
    return s->maildrop.octets - s->maildrop.deleted_octets;
}

static struct pop3_outcome on_stat(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    return pop3_ok("%" PRIu32 " %" PRIu64, messages_left(s), octets_left(s));
}

static struct pop3_outcome on_list(struct pop3_server *s, const struct pop3_args *args)
{
    if (args->number)
        return pop3_ok("%" PRIu32 " %" PRIu64, args->number,
                       s->maildrop.messages[args->number - 1].octets);
    pop3_list_messages(s);
    return pop3_ok("%" PRIu32 " messages", messages_left(s));
}

static struct pop3_outcome on_uidl(struct pop3_server *s, const struct pop3_args *args)
{
    char uidl[POP3_UIDL_MAX + 1];
    if (args->number) {
        struct text id = pop3_uidl(&s->maildrop.messages[args->number - 1], uidl);
        return pop3_ok("%" PRIu32 " %.*s", args->number, TEXT_ARGS(id));
    }
    pop3_list_uidl(s);
    return pop3_ok("unique-ids follow");
}

static struct pop3_outcome on_retr(struct pop3_server *s, const struct pop3_args *args)
{
    pop3_transfer_retr(s, args->number - 1);
    return (struct pop3_outcome){ .kind = POP3_GOES_ON };
}

static struct pop3_outcome on_top(struct pop3_server *s, const struct pop3_args *args)
{
    pop3_transfer_top(s, args->number - 1, args->lines);
    return (struct pop3_outcome){ .kind = POP3_GOES_ON };
}

static struct pop3_outcome on_dele(struct pop3_server *s, const struct pop3_args *args)
{
    if (!pop3_maildrop_delete(&s->maildrop, args->number - 1))
        return pop3_refuse(POP3_TEMPORARY, T(""));
    return pop3_ok("message %" PRIu32 " deleted", args->number);
}

static struct pop3_outcome on_rset(struct pop3_server *s, const struct pop3_args *args)
{
    (void)args;
    pop3_maildrop_undelete(&s->maildrop);
    return pop3_ok("maildrop has %" PRIu32 " messages (%" PRIu64 " octets)", messages_left(s),
                   octets_left(s));
}

static struct pop3_outcome on_noop(struct pop3_server *s, const struct pop3_args *args)
{
    (void)s;
    (void)args;
    return pop3_ok("still here");
}
