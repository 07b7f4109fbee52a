/* sink.c - the SMTP words of a host that is not as it should be. */
#include "lab/sink.h"

/* Where each fault shows; NULL: the place is as it should be. */
static const struct {
    const char *greeting, *recipient, *content;
} faults[] = {
    [FAULT_BUSY] = { .greeting = "421 4.3.2 %.*s is busy, try again later\r\n" },
    [FAULT_REFUSE] = { .recipient = "550 5.7.1 mail from you is refused here\r\n" },
    [FAULT_DEFER] = { .content = "451 4.3.0 not now, try again later\r\n" },
    [FAULT_LIAR] = { .content = "250 2.0.0 accepted, or so it says\r\n" },
    [FAULT_GREYLIST] = { 0 }, /* the last kind: every one has a row */
};

static enum sink_then say(struct buffer *reply, const char *words)
{
    buffer_text(reply, text_of(words));
    return SINK_GO_ON;
}

enum sink_then sink_greet(struct sink *s, struct buffer *reply)
{
    if (s->fault == FAULT_SILENT)
        return SINK_GO_ON;
    if (faults[s->fault].greeting) {
        buffer_printf(reply, faults[s->fault].greeting, TEXT_ARGS(s->host));
        return SINK_CLOSE;
    }
    buffer_printf(reply, "220 %.*s ESMTP, with a fault: %s\r\n", TEXT_ARGS(s->host),
                  fault_name(s->fault));
    return SINK_GO_ON;
}

/* --- Commands --- */

static enum sink_then greet_back(struct sink *s, struct buffer *reply)
{
    s->recipients = 0;
    buffer_printf(reply,
                  "250-%.*s\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
                  "250 ENHANCEDSTATUSCODES\r\n",
                  TEXT_ARGS(s->host));
    return SINK_GO_ON;
}

static enum sink_then greet_back_plainly(struct sink *s, struct buffer *reply)
{
    s->recipients = 0;
    buffer_printf(reply, "250 %.*s\r\n", TEXT_ARGS(s->host));
    return SINK_GO_ON;
}

static enum sink_then begin(struct sink *s, struct buffer *reply)
{
    s->recipients = 0;
    return say(reply, "250 2.1.0 ok\r\n");
}

static enum sink_then add_recipient(struct sink *s, struct buffer *reply)
{
    if (faults[s->fault].recipient)
        return say(reply, faults[s->fault].recipient);
    s->recipients++;
    return say(reply, "250 2.1.5 ok\r\n");
}

static enum sink_then take_content(struct sink *s, struct buffer *reply)
{
    if (s->recipients == 0)
        return say(reply, "503 5.5.1 no recipient\r\n");
    say(reply, "354 go on\r\n");
    return SINK_CONTENT;
}

static enum sink_then do_nothing(struct sink *s, struct buffer *reply)
{
    (void)s;
    return say(reply, "250 2.0.0 ok\r\n");
}

static enum sink_then say_goodbye(struct sink *s, struct buffer *reply)
{
    (void)s;
    say(reply, "221 2.0.0 goodbye\r\n");
    return SINK_CLOSE;
}

static const struct {
    struct text verb;
    enum sink_then (*run)(struct sink *, struct buffer *reply);
} commands[] = {
    { TEXT("EHLO"), greet_back },    { TEXT("HELO"), greet_back_plainly }, { TEXT("MAIL"), begin },
    { TEXT("RCPT"), add_recipient }, { TEXT("DATA"), take_content },       { TEXT("RSET"), begin },
    { TEXT("NOOP"), do_nothing },    { TEXT("QUIT"), say_goodbye },
};

enum sink_then sink_line(struct sink *s, struct text line, struct buffer *reply)
{
    struct text verb;
    text_word(&line, &verb);
    if (s->fault == FAULT_SILENT)
        return SINK_GO_ON;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (text_equal_nocase(verb, commands[i].verb))
            return commands[i].run(s, reply);
    return say(reply, "502 5.5.1 this host does not know that command\r\n");
}

enum sink_then sink_content_ended(struct sink *s, struct buffer *reply)
{
    s->recipients = 0;
    if (s->fault == FAULT_CUT)
        return SINK_CLOSE;
    return say(reply, faults[s->fault].content ? faults[s->fault].content : "250 2.0.0 ok\r\n");
}
