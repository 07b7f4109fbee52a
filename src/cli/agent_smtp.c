/* agent_smtp.c - a message from its questions to its results.
 *
 * Nothing is lost by a refusal: what was typed is kept in the draft until a message was sent.
 */
#include "cli/agent.h"

#include "agent/letter.h"
#include "cli/composing.h"
#include "mail/mailbox_list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_MAX = 4 * 1024 * 1024, LINES_MAX = 1000, NAME_MAX_OCTETS = 1024 };

struct mailing {
    struct talk *talk;
    struct arena memory;
    struct text to[LINES_MAX];
    size_t to_count;
    struct text subject;
    struct buffer text;
    struct smtp_client_recipient *recipients;
    uint32_t recipient_count;
    struct letter letter;
    struct sender *sender;
    struct smtp_client_message message;
    uint32_t accepted, refused;
};

static bool no_memory(void)
{
    cli_say(CLI_AGAIN, "memory is short");
    return false;
}

/* --- Questions --- */

/* Until an empty line.  False: nothing is sent. */
static bool ask_to(struct mailing *m)
{
    struct text line;
    for (;;) {
        if (!talk_ask(m->talk, ASKS_ADDRESS, "To: ", &line))
            return false;
        line = text_trim(line);
        if (line.len == 0)
            break;
        if (!talk_check_list(line))
            continue;
        if (m->to_count == LINES_MAX || !arena_text(&m->memory, line, &m->to[m->to_count]))
            return no_memory();
        m->to_count++;
    }
    if (m->to_count)
        return true;
    puts("nobody to send to");
    return false;
}

static bool ask_rest(struct mailing *m)
{
    struct text line;
    const struct buffer *edited = &m->talk->draft.text;
    if (!talk_ask(m->talk, ASKS_NOTHING, "Subject: ", &line))
        return false;
    if (!arena_text(&m->memory, text_trim(line), &m->subject))
        return no_memory();
    if (!talk_ask(m->talk, ASKS_NOTHING, "Content: ", &line))
        return false;
    bool typed = line.len > 0 || edited->len == 0;
    bool ok = (!typed || (buffer_text(&m->text, line) && buffer_byte(&m->text, '\n'))) &&
              buffer_append(&m->text, edited->at, edited->len);
    return ok || no_memory();
}

/* --- The envelope --- */

static bool has_recipient(const struct mailing *m, const struct address *address)
{
    for (uint32_t i = 0; i < m->recipient_count; i++)
        if (text_equal(m->recipients[i].address, address_text(address)))
            return true;
    return false;
}

static bool add_recipients(struct mailing *m, struct text list, size_t max)
{
    struct address address;
    struct mailbox_list at = mailbox_list_of(list);
    while (mailbox_list_next(&at, &address) == MAILBOX_ADDRESS) {
        if (has_recipient(m, &address))
            continue;
        struct smtp_client_recipient *r = &m->recipients[m->recipient_count];
        if (m->recipient_count == max ||
            !arena_text(&m->memory, address_text(&address), &r->address))
            return no_memory();
        m->message.utf8 |= address.utf8;
        m->recipient_count++;
    }
    return true;
}

/* How many a list can have at most: each but the first stands behind a comma or a semicolon. */
static size_t commas(struct text list)
{
    size_t count = 1;
    for (size_t i = 0; i < list.len; i++)
        count += list.at[i] == ',' || list.at[i] == ';' || list.at[i] == ':';
    return count;
}

static bool address_it(struct mailing *m)
{
    struct text cc = buffer_as_text(&m->talk->draft.cc);
    size_t max = commas(cc);
    for (size_t i = 0; i < m->to_count; i++)
        max += commas(m->to[i]);
    m->recipients = arena_take(&m->memory, max * sizeof *m->recipients);
    if (!m->recipients)
        return no_memory();
    for (size_t i = 0; i < m->to_count; i++)
        if (!add_recipients(m, m->to[i], max))
            return false;
    return cc.len == 0 || add_recipients(m, cc, max);
}

/* --- The message --- */

static bool open_files(const struct talk_draft *d, struct attachments *a)
{
    for (size_t i = 0; i < d->file_count; i++) {
        int file = open(d->files[i], O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            cli_say(CLI_NO, "%s: %s; nothing was sent", d->files[i], strerror(errno));
            return false;
        }
        attachments_add(a, d->files[i], "an attachment cannot be read", file);
    }
    return true;
}

static bool write_letter(struct mailing *m, struct text from, const struct attachments *attached)
{
    struct talk *t = m->talk;
    struct error e;
    struct composing_identity identity;
    struct text cc = buffer_as_text(&t->draft.cc);
    composing_identify(address_domain(&t->user.address), &identity);
    struct compose compose = {
        .from = from,
        .to = m->to,
        .to_count = m->to_count,
        .cc = &cc,
        .cc_count = cc.len ? 1 : 0,
        .subject = m->subject,
        .date_ms = identity.now_ms,
        .zone_seconds = identity.zone_seconds,
        .message_id = text_of(identity.message_id),
        .boundary = { identity.boundary, sizeof identity.boundary },
        .text = buffer_as_text(&m->text),
        .files = attached->as,
        .file_count = attached->count,
        .smtputf8 = m->message.utf8,
        .force_base64 = true,
    };
    if (compose_write(&compose, letter_sink(&m->letter), &e))
        return true;
    talk_complain_error(&e);
    return false;
}

static bool write_it(struct mailing *m)
{
    char memory[NAME_MAX_OCTETS];
    struct buffer from = buffer_over(memory, sizeof memory);
    struct attachments attached;
    if (!attachments_init(&attached, &m->memory, m->talk->draft.file_count))
        return no_memory();
    if (!composing_from(&m->talk->user, &from)) {
        cli_say(CLI_CONFIG, "the name of the account is too long");
        return false;
    }
    bool ok =
        open_files(&m->talk->draft, &attached) && write_letter(m, buffer_as_text(&from), &attached);
    attachments_close(&attached);
    return ok;
}

/* --- Sending --- */

static const struct smtp_client_message *next(void *owner)
{
    struct mailing *m = owner;
    bool first = m->message.recipients == NULL;
    m->message.recipients = m->recipients;
    return first ? &m->message : NULL;
}

static bool read_piece(void *owner, const struct smtp_client_message *message, uint64_t offset,
                       struct bytes *piece_out)
{
    (void)message;
    struct mailing *m = owner;
    return letter_read(&m->letter, offset, piece_out);
}

static void tell_refusal(struct mailing *m, struct text recipient,
                         const struct smtp_client_result *r)
{
    struct failure f;
    sender_explain(m->sender, recipient, r, &f);
    talk_complain(&f);
}

/* What the session itself failed of is told once, by who ran it. */
static void sent(void *owner, const struct sender_sent *results)
{
    struct mailing *m = owner;
    for (uint32_t i = 0; i < results->count; i++) {
        const struct smtp_client_result *r = results->results[i];
        struct text recipient = m->recipients[results->first + i].address;
        if (r->delivered) {
            if (m->accepted++ == 0)
                screen_line(&m->talk->screen, r->reply);
            known_add(&m->talk->known, recipient);
        } else if (r->code) {
            m->refused++;
            tell_refusal(m, recipient, r);
        }
    }
}

static bool open_session(struct mailing *m, struct sender_options *options, struct servers *servers,
                         struct failure *f)
{
    struct talk *t = m->talk;
    if (!user_may_log_in(&t->user, &options->credentials, f) ||
        !user_find(&t->user, t->agent, FIND_SMTP, servers, f))
        return false;
    options->servers = servers;
    options->tls = t->user.wish.tls;
    return sender_open(t->agent, options, &m->sender, f);
}

static bool send_it(struct mailing *m, struct failure *f)
{
    struct sender_source source = { next, read_piece, sent, m };
    m->message.sender = address_text(&m->talk->user.address);
    m->message.octets = m->letter.octets;
    m->message.eight_bit = m->letter.eight_bit;
    m->message.dot_lines = m->letter.dot_lines;
    m->message.recipient_count = m->recipient_count;
    m->message.utf8 |= m->talk->user.address.utf8;
    return sender_run(m->sender, &source, f);
}

static void keep_text(struct mailing *m)
{
    struct talk_draft *d = &m->talk->draft;
    buffer_clear(&d->text);
    buffer_append(&d->text, m->text.at, m->text.len);
    puts("the text is kept: smtp asks again, and an empty Content sends it");
}

static bool mail_it(struct mailing *m)
{
    struct failure f;
    struct servers servers;
    struct trace trace = talk_trace(m->talk);
    struct sender_options options = { .trace = &trace };
    agent_forget_interrupt(m->talk->agent);
    bool ok = open_session(m, &options, &servers, &f);
    ok = ok && send_it(m, &f);
    if (!ok)
        talk_complain(&f);
    if (f.kind == FAILURE_DENIED && !ok)
        user_forget_password(&m->talk->user);
    sender_close(&m->sender);
    if (m->accepted && m->refused)
        printf("sent to %" PRIu32 " of %" PRIu32 "\n", m->accepted, m->recipient_count);
    return m->accepted > 0;
}

void talk_smtp(struct talk *t, struct text words)
{
    (void)words;
    struct mailing *m = calloc(1, sizeof *m);
    if (!m) {
        no_memory();
        return;
    }
    m->talk = t;
    arena_init(&m->memory, MEMORY_MAX);
    buffer_init(&m->text, DRAFT_TEXT_MAX + LINE_OCTETS_MAX + 1);
    letter_init(&m->letter);
    if (ask_to(m) && ask_rest(m)) {
        if (address_it(m) && write_it(m) && mail_it(m))
            talk_draft_clear(&t->draft);
        else
            keep_text(m);
    }
    letter_clear(&m->letter);
    buffer_clear(&m->text);
    arena_reset(&m->memory);
    free(m);
}
