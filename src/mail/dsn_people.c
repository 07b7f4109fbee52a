/* dsn_people.c - the part of a report that is for people: what happened, to whom, why, what was
 * said by which server, and what to do.
 *
 * Plain words, lines that fit a screen, and nothing of a peer that could look like ours: its words
 * are escaped and stand indented under its name.
 */
#include "mail/dsn_inner.h"

#include "base/escape.h"
#include "mail/date.h"

enum {
    COLUMNS = 76,
    WORD_OCTETS_MAX = 900, /* of a word without any space; a line is at most 998 (RFC 5322 2.1.1) */
    INDENT_RECIPIENT = 4,
    INDENT_STORY = 8,
    INDENT_QUOTE = 12,
};

/* Sentences gather in `words` until they are a paragraph. */
struct prose {
    struct buffer *to;
    struct buffer words;
    const struct dsn_report *report;
};

/* Characters, so that other scripts are not wrapped too early. */
static size_t width(struct text t)
{
    size_t columns = 0;
    for (size_t i = 0; i < t.len; i++)
        columns += ((uint8_t)t.at[i] & 0xC0) != 0x80;
    return columns;
}

static void indent(struct prose *p, size_t columns)
{
    while (columns-- > 0)
        buffer_byte(p->to, ' ');
}

static void end_line(struct prose *p)
{
    buffer_text(p->to, T("\r\n"));
}

static struct text take_word(struct text *rest)
{
    struct text word;
    text_word(rest, &word);
    if (word.len <= WORD_OCTETS_MAX)
        return word;
    size_t cut = WORD_OCTETS_MAX;
    while (cut > WORD_OCTETS_MAX - 4 && ((uint8_t)word.at[cut] & 0xC0) == 0x80)
        cut--;
    rest->len += (size_t)(rest->at - word.at) - cut;
    rest->at = word.at + cut;
    return text_first(word, cut);
}

/* Writes the words that were gathered, wrapped, all lines behind `left` columns. */
static void paragraph(struct prose *p, size_t left)
{
    struct text rest = buffer_as_text(&p->words), word;
    size_t used = 0;
    while ((word = take_word(&rest)).len) {
        if (used > 0 && used + 1 + width(word) > COLUMNS) {
            end_line(p);
            used = 0;
        }
        if (used == 0)
            indent(p, left);
        else
            buffer_byte(p->to, ' ');
        used += (used ? 1 : left) + width(word);
        buffer_text(p->to, word);
    }
    end_line(p);
    p->words.len = 0;
}

static void say(struct prose *p, const char *words)
{
    buffer_text(&p->words, text_of(words));
}

/* What others made: an address, a host name, a reply. */
static void say_text(struct prose *p, struct text t)
{
    escape_text(&p->words, t);
}

static void say_date(struct prose *p, int64_t wall_ms)
{
    char date[DATE_TEXT_MAX];
    buffer_text(&p->words, date_rfc5322(wall_ms, p->report->zone_seconds, date));
}

/* On a line of its own, and so as it is: wrapping would lose spaces that a quoted one may have. */
static void address_line(struct prose *p, struct text address)
{
    dsn_put_address(&p->words, address);
    indent(p, INDENT_RECIPIENT);
    buffer_text(p->to, text_first(buffer_as_text(&p->words), WORD_OCTETS_MAX));
    end_line(p);
    p->words.len = 0;
}

/* The address that the sender wrote, when it is another one. */
static void tell_origin(struct prose *p, const struct dsn_recipient *r)
{
    struct buffer wrote;
    buffer_init(&wrote, p->words.max);
    bool differs = r->original_recipient.len &&
                   dsn_original_address(&wrote, r->original_recipient) &&
                   !text_equal_nocase(buffer_as_text(&wrote), r->final_recipient);
    if (differs) {
        say(p, "You wrote to ");
        dsn_put_address(&p->words, buffer_as_text(&wrote));
        say(p, ", which leads there.");
        paragraph(p, INDENT_STORY);
    }
    if (wrote.failed)
        p->to->failed = true;
    buffer_clear(&wrote);
}

static void quote_reply(struct prose *p, const struct dsn_recipient *r)
{
    struct text rest = text_first(r->diagnostic, DSN_DIAGNOSTIC_MAX), line;
    for (bool begun = false; dsn_next_line(&rest, &line); begun = true) {
        if (!begun) {
            say(p, r->remote_mta.len ? "The server " : "The server");
            say_text(p, r->remote_mta);
            say(p, " said:");
            paragraph(p, INDENT_STORY);
        }
        say_text(p, line);
        paragraph(p, INDENT_QUOTE);
    }
}

static void tell_why(struct prose *p, const struct dsn_recipient *r)
{
    if (text_ends_nocase(r->reason, T("."))) {
        say_text(p, r->reason);
        paragraph(p, INDENT_STORY);
    } else {
        say(p, dsn_words(dsn_status(r))->meaning);
        paragraph(p, INDENT_STORY);
        if (r->reason.len) {
            say(p, "In detail: ");
            say_text(p, r->reason);
            paragraph(p, INDENT_STORY);
        }
    }
    quote_reply(p, r);
}

static void tell_failed(struct prose *p, const struct dsn_recipient *r)
{
    tell_why(p, r);
    say(p, "What you can do: ");
    say(p, dsn_words(dsn_status(r))->advice);
    paragraph(p, INDENT_STORY);
}

static void tell_delayed(struct prose *p, const struct dsn_recipient *r)
{
    tell_why(p, r);
    say(p, "It is tried again by itself");
    if (r->will_retry_until_ms) {
        say(p, ", until ");
        say_date(p, r->will_retry_until_ms);
    }
    say(p, ". You need not do anything; please do not send it again.");
    paragraph(p, INDENT_STORY);
}

static void tell_relayed(struct prose *p, const struct dsn_recipient *r)
{
    if (r->remote_mta.len == 0)
        return;
    say(p, "It was handed to ");
    say_text(p, r->remote_mta);
    say(p, ".");
    paragraph(p, INDENT_STORY);
}

static const struct {
    const char *heading;
    void (*tell)(struct prose *, const struct dsn_recipient *); /* NULL: there is no more to say */
} stories[DSN_ACTIONS] = {
    [DSN_FAILED] = { "Your message could not be delivered to:", tell_failed },
    [DSN_DELAYED] = { "Your message has not been delivered yet to:", tell_delayed },
    [DSN_DELIVERED] = { "Your message was delivered to the mailbox of the following address "
                        "(whether it was read is not known):",
                        NULL },
    [DSN_RELAYED] = { "Your message was handed on to another mail system, which does not tell when "
                      "it delivers. Unless it fails there, you will hear no more about:",
                      tell_relayed },
    [DSN_EXPANDED] = { "Your message reached the following address, which stands for several "
                       "others, and was passed on to each of them:",
                       NULL },
};

static void tell_action(struct prose *p, enum dsn_action action)
{
    bool begun = false;
    for (size_t i = 0; i < p->report->recipient_count; i++) {
        const struct dsn_recipient *r = &p->report->recipients[i];
        if (r->action != action)
            continue;
        if (!begun) {
            say(p, stories[action].heading);
            paragraph(p, 0);
        }
        begun = true;
        end_line(p);
        address_line(p, r->final_recipient);
        tell_origin(p, r);
        if (stories[action].tell)
            stories[action].tell(p, r);
    }
    if (begun)
        end_line(p);
}

static void tell_what_follows(struct prose *p, enum dsn_returned returned)
{
    static const char *const what[] = {
        [DSN_RETURNED_NOTHING] = "Below are the details for mail programs.",
        [DSN_RETURNED_HEADER] =
            "Below are the details for mail programs, and the header of your message.",
        [DSN_RETURNED_WHOLE] = "Below are the details for mail programs, and your message.",
    };
    const struct dsn_report *r = p->report;
    say(p, "Your message came here on ");
    say_date(p, r->arrived_ms);
    if (r->original_id.len) {
        say(p, " and is known as ");
        say_text(p, r->original_id);
    }
    say(p, ". ");
    say(p, what[returned]);
    paragraph(p, 0);
    end_line(p);
    say(p, "If you need help, answer this report and leave it in your answer: that reaches the "
           "people who run this mail system.");
    paragraph(p, 0);
}

void dsn_write_people(struct buffer *b, const struct dsn_report *r, enum dsn_returned returned)
{
    struct prose p = { .to = b, .report = r };
    buffer_init(&p.words, b->max);
    say(&p, "This is the mail system ");
    say_text(&p, r->reporting_mta);
    say(&p, ".");
    paragraph(&p, 0);
    end_line(&p);
    for (unsigned action = 0; action < DSN_ACTIONS; action++)
        tell_action(&p, (enum dsn_action)action);
    tell_what_follows(&p, returned);
    if (p.words.failed)
        b->failed = true;
    buffer_clear(&p.words);
}
