/* pop3_listing.c - replies that are lists of lines: LIST, UIDL, CAPA, LANG.
 *
 * A list is a function that prints one row and the number of rows; it is printed as the output has
 * room, so that a maildrop of a million messages needs no more memory than one of ten.  No row ever
 * begins with a dot: there is nothing to stuff.
 */
#include "proto/pop3_session.h"

#include <inttypes.h>
#include <stdio.h>

/* RFC 2449 3: a capability's line, CRLF counted; all other rows are shorter. */
enum { ROW_OCTETS_MAX = 512 };

static void begin(struct pop3_server *s, pop3_row *print, uint32_t count)
{
    s->phase = POP3_IN_LISTING;
    s->listing = (struct pop3_listing){ .print = print, .count = count };
}

bool pop3_listing_continue(struct pop3_server *s)
{
    struct pop3_listing *l = &s->listing;
    while (l->next < l->count) {
        if (!pop3_has_room(s, ROW_OCTETS_MAX + sizeof ".\r\n"))
            return false;
        l->print(s, l->next++, &s->output);
    }
    buffer_text(&s->output, T(".\r\n"));
    s->phase = POP3_IN_COMMAND;
    return true;
}

/* --- LIST and UIDL --- */

static void print_message(const struct pop3_server *s, uint32_t index, struct buffer *out)
{
    char row[48];
    if (pop3_maildrop_is_deleted(&s->maildrop, index))
        return;
    int n = snprintf(row, sizeof row, "%" PRIu32 " %" PRIu64 "\r\n", index + 1,
                     s->maildrop.messages[index].octets);
    buffer_append(out, row, (size_t)n);
}

static void print_uidl(const struct pop3_server *s, uint32_t index, struct buffer *out)
{
    char uidl[POP3_UIDL_MAX + 1], row[POP3_UIDL_MAX + 16];
    if (pop3_maildrop_is_deleted(&s->maildrop, index))
        return;
    struct text id = pop3_uidl(&s->maildrop.messages[index], uidl);
    int n = snprintf(row, sizeof row, "%" PRIu32 " %.*s\r\n", index + 1, TEXT_ARGS(id));
    buffer_append(out, row, (size_t)n);
}

void pop3_list_messages(struct pop3_server *s)
{
    begin(s, print_message, s->maildrop.count);
}

void pop3_list_uidl(struct pop3_server *s)
{
    begin(s, print_uidl, s->maildrop.count);
}

/* --- CAPA --- */

static bool has_login_delay(const struct pop3_server *s)
{
    return s->config->login_delay_s > 0;
}

static bool may_use_password(const struct pop3_server *s)
{
    return (pop3_has(s) & POP3_MAY_LOG_IN) != 0;
}

static bool may_use_auth(const struct pop3_server *s)
{
    return may_use_password(s) && (pop3_has(s) & POP3_MAY_AUTH);
}

static bool has_name(const struct pop3_server *s)
{
    return s->config->implementation.len > 0;
}

static void print_login_delay(const struct pop3_server *s, struct buffer *out)
{
    buffer_printf(out, " %" PRIu32, s->config->login_delay_s);
}

static void print_mechanisms(const struct pop3_server *s, struct buffer *out)
{
    struct text rest = s->config->mechanisms, name;
    while (text_word(&rest, &name)) {
        buffer_byte(out, ' ');
        buffer_text(out, name);
    }
}

static void print_implementation(const struct pop3_server *s, struct buffer *out)
{
    buffer_byte(out, ' ');
    buffer_text(out, s->config->implementation);
}

/* RFC 2449 5: what is available before login is announced after it too, so that one CAPA is enough:
 * USER and SASL stay.  STLS is the exception: its presence means that it is permitted in the
 * current state (RFC 2595 4). */
static const struct capability {
    const char *words;
    bool (*announced)(const struct pop3_server *);              /* NULL: always */
    void (*print)(const struct pop3_server *, struct buffer *); /* NULL: no more words */
} capabilities[] = {
    { "TOP", NULL, NULL },
    { "UIDL", NULL, NULL },
    { "PIPELINING", NULL, NULL },
    { "RESP-CODES", NULL, NULL },
    { "AUTH-RESP-CODE", NULL, NULL }, /* RFC 3206 */
    { "UTF8 USER", NULL, NULL },      /* RFC 6856 2 */
    { "LANG", NULL, NULL },
    { "EXPIRE NEVER", NULL, NULL },
    { "LOGIN-DELAY", has_login_delay, print_login_delay },
    { "STLS", pop3_may_start_tls, NULL },
    { "USER", may_use_password, NULL },
    { "SASL", may_use_auth, print_mechanisms },
    { "IMPLEMENTATION", has_name, print_implementation },
};

static void print_capability(const struct pop3_server *s, uint32_t index, struct buffer *out)
{
    const struct capability *c = &capabilities[index];
    if (c->announced && !c->announced(s))
        return;
    buffer_text(out, text_of(c->words));
    if (c->print)
        c->print(s, out);
    buffer_text(out, T("\r\n"));
}

void pop3_list_capabilities(struct pop3_server *s)
{
    begin(s, print_capability, sizeof capabilities / sizeof *capabilities);
}

/* --- LANG (RFC 6856 3) --- */

/* The first is the administrator's preference, which "*" asks for. */
static const struct language {
    struct text tag;
    const char *description;
} languages[] = {
    { TEXT("en"), "English" }, { TEXT("i-default"), "Default (English)" }, /* RFC 2277 4.5 */
};

static void print_language(const struct pop3_server *s, uint32_t index, struct buffer *out)
{
    (void)s;
    const struct language *l = &languages[index];
    buffer_printf(out, "%.*s %s\r\n", TEXT_ARGS(l->tag), l->description);
}

void pop3_list_languages(struct pop3_server *s)
{
    begin(s, print_language, sizeof languages / sizeof *languages);
}

/* Basic filtering (RFC 4647 3.3.1): the range is the tag or ends where a subtag of it ends. */
static bool range_matches(struct text range, struct text tag)
{
    if (text_equal(range, T("*")))
        return true;
    return text_starts_nocase(tag, range) && (tag.len == range.len || tag.at[range.len] == '-');
}

const char *pop3_language(struct text range)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (range_matches(range, languages[i].tag))
            return languages[i].tag.at;
    return NULL;
}
